"""Shared memory as one side of a connection uses it: both directions; nothing of who sends.

Around an encode, ``pack``. In front of a frame that goes out, ``with_releases``, if ``returned``
holds anything. For frames that were made so and never sent, ``take_back``; for one that arrived and
is dropped without being decoded, or could not be, ``discard``.
"""

from __future__ import annotations

import sys
from struct import Struct

from pypods.wire.arena import FOREIGN, REFERENCE, SERIAL, Arena, ArenaReader, ArenaWriter, Parcel
from pypods.wire.context import current
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.undecoded import find_kinds

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable, Sequence, TypeVar

    Encoded = TypeVar("Encoded")

__all__ = ["SharedMemory", "references_in"]

#: Serials in one ``release``; those that are left go with the next frame.
MAX_RELEASED = 100_000
#: A release's bytes besides its serials, and more.
RELEASE_HEAD_BYTES = 64


class Reread:
    """Stands in for shared memory where values are made only to be dropped: lends no block."""

    __slots__ = ("_written", "reader")

    def __init__(self, reader: ArenaReader, written: Arena) -> None:
        self.reader = reader
        self._written = written

    def look_back(self, serial: int, offset: int, length: int) -> Any:
        """Return a view of what this side wrote and the other hands back."""
        return self.reader.look(self._written, serial, offset, length, limit=self._written.size)


class SharedMemory:
    """What one side writes into and what it reads from."""

    #: What a parcel has put, before there is one.
    serials: Sequence[int] = ()
    refer = staticmethod(Parcel.refer)

    def __init__(
        self, outgoing: Arena, incoming: Arena, *, max_frame_bytes: int, writable: bool = False
    ) -> None:
        # Where views can be written to, nobody else is to have the same memory.
        self.writer = ArenaWriter(outgoing, other=None if writable else incoming)
        self.reader = ArenaReader(incoming, writable=writable)
        #: Not empty where the next frame should tell of returned blocks.
        self.returned = self.reader.returned
        self.max_inline_bytes = max_frame_bytes
        self._foreign: Any = None
        self._max_released = min(MAX_RELEASED, (max_frame_bytes - RELEASE_HEAD_BYTES) // 8)

    def pack(self, encode: Callable[..., Encoded], *arguments: Any) -> Encoded:
        """Return what ``encode(*arguments)`` returns, with large binaries put into blocks."""
        before = current.arena
        # In place of a parcel, which is made when the first large binary is met.
        current.arena = self
        try:
            return encode(*arguments)
        except BaseException:
            if current.arena is not self:
                current.arena.roll_back()
            raise
        finally:
            current.arena = before

    def reserve(self, length: int) -> tuple[int, int, Any] | None:
        """Begin a parcel with a block; see ``Parcel``."""
        return self._begin_parcel().reserve(length)

    def export(self, letter: bytes, data: Any) -> bytes | None:
        """Begin a parcel with the bytes of a buffer; see ``Parcel``."""
        return self._begin_parcel().export(letter, data)

    def hand_on(self, owner: Any, length: int, address: int | None = None) -> bytes | None:
        """Begin a parcel with what was lent here; see ``Parcel``."""
        return self._begin_parcel().hand_on(owner, length, address)

    def look_back(self, serial: int, offset: int, length: int) -> Any:
        """Return a view of what this side wrote and the other hands back."""
        arena = self.writer.arena
        return self.reader.look(arena, serial, offset, length, limit=arena.size)

    def look_on(self, serial: int, offset: int, length: int, found: bytes) -> Any:
        """Return a view of what the host shares with another pod. Raises ValueTransferError."""
        if self._foreign is None:
            from pypods.wire.foreign import ForeignArenas

            self._foreign = ForeignArenas()
        arena = self._foreign.find(*FOREIGN.unpack(found))
        return self.reader.look(arena, serial, offset, length, limit=sys.maxsize)

    def _begin_parcel(self) -> Parcel:
        current.arena = parcel = Parcel(self.writer, max_inline_bytes=self.max_inline_bytes)
        return parcel

    def take_back(self, unsent: bytes) -> None:
        """Undo what frames that were never sent have lent and given back."""
        position = 0
        while position < len(unsent):
            end = position + _read_int32(unsent, position)[0]
            frame = unsent[position:end]
            if frame.startswith(_RELEASE_HEAD, 4):
                packed = decode_document(frame)["blocks"]
                self.returned.extend(serial for (serial,) in SERIAL.iter_unpack(packed))
            else:
                self.writer.release(references_in(frame))
            position = end

    def discard(self, frame: bytes) -> None:
        """Give back the blocks of a frame that nobody will decode."""
        for serial in references_in(frame):
            self.reader.give_back(serial)

    @staticmethod
    def lent_bytes(frame: bytes) -> int:
        """Return how many bytes are in the blocks that a frame refers to; decodes no value."""
        return sum(
            REFERENCE.unpack_from(frame, start)[3]
            for _, start, end in find_kinds(frame, (_BLOCK_KIND,))
            if end - start >= REFERENCE.size
        )

    def look_again(self) -> Reread:
        """Return what a frame can be decoded with once more, to see what is wrong with it."""
        return Reread(ArenaReader(self.reader.arena), self.writer.arena)

    def with_releases(self, frame: bytes) -> bytes:
        """Return a frame behind one that gives back the blocks that have no user any more."""
        packed = self.reader.take_returned(self._max_released)
        return encode_document({"kind": "release", "blocks": packed}) + frame if packed else frame

    def release(self, packed: bytes) -> None:
        """Take back what a ``release`` names. Raises ProtocolError."""
        self.writer.release_packed(packed)

    def take_release(self, frame: bytes) -> bool:
        """Take a frame in if it is a ``release`` in its usual form; say whether it was."""
        end = len(frame) - 1
        if (
            not frame.startswith(_RELEASE_START, 4)
            or end < _BLOCKS_START
            or _read_int32(frame, _BLOCKS_START - 5)[0] != end - _BLOCKS_START
        ):
            return False
        self.writer.release_packed(frame[_BLOCKS_START:end])
        return True

    def close(self) -> None:
        """Let go of both arenas; views that are in use stay readable."""
        self.writer.close()
        self.reader.arena.close()


_read_int32 = Struct("<i").unpack_from
_RELEASE_HEAD = encode_document({"kind": "release"})[4:-1]
_RELEASE_START = _RELEASE_HEAD + b"\x05blocks\0"
#: Where the serials begin: after the frame's length, the names, the binary's length and subtype.
_BLOCKS_START = 4 + len(_RELEASE_START) + 5
_BLOCK_KIND = ord("B")


def references_in(document: bytes) -> list[int]:
    """Return the serials of all blocks that a document refers to; decodes no value.

    In a malformed document, it is those that come before what is wrong.
    """
    return [
        REFERENCE.unpack_from(document, start)[1]
        for _, start, end in find_kinds(document, (_BLOCK_KIND,))
        if end - start >= REFERENCE.size
    ]
