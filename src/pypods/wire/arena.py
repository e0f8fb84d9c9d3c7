"""Shared memory for large binaries: blocks, loans and their release; nothing of values.

An *arena* is one anonymous file of a fixed size (``memfd_create``) that both sides map: no name,
nothing in ``/dev/shm``, gone with the last process that has it. There is one for each direction.
Its writer alone decides where blocks lie (``ArenaWriter``). Its reader is told serial, offset and
length of a block in a frame, uses the block where it lies, and gives it back once the last object
that looks into it is collected (``ArenaReader``). What is given back is said in a ``release`` frame
that travels in front of the next frame, so it costs no system call, and no finalizer ever sends.

A serial is used once, so a release that comes twice, or of what was never lent, says nothing.
"""

from __future__ import annotations

import os
import sys

# Not collections: that takes operator and more with it, and nothing else here needs it.
from _collections import deque  # type: ignore[import-not-found]
from _thread import allocate_lock
from bisect import bisect_left
from struct import Struct

from pypods.errors import ProtocolError, ValueTransferError

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "BLOCK_BYTES",
    "DEFAULT_MAX_SHARED_BYTES",
    "FOREIGN",
    "REFERENCE",
    "SERIAL",
    "Arena",
    "ArenaReader",
    "ArenaWriter",
    "Parcel",
]

DEFAULT_MAX_SHARED_BYTES = 2**30
#: Blocks begin and end on these: a page, on every system there is with arenas.
BLOCK_BYTES = 4096
#: Of a writer's free blocks this share of the arena stays warm; more goes back to the system.
WARM_SHARE = 4
#: Copies of at least this many bytes are worth huge pages: to copy 64 MiB into new memory takes
#: 31 ms in pages of 4 KiB and 6 ms in huge ones; but ctypes must be imported for it.
MINIMUM_HUGE_BYTES = 2**22
MADV_REMOVE = 9

#: What a frame says of a block: what to make of it, then serial, offset and length.
REFERENCE = Struct("<cQQQ")

#: What follows where the block is in an arena of the host's that it shares with another pod: the
#: host's descriptor of it, its number, and its size.
FOREIGN = Struct("<QQQ")

#: How the serials in a ``release`` are packed.
SERIAL = Struct("<Q")


class Descriptor:
    """A file descriptor that is closed with its last user."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        """Close it, once."""
        # Noted before it is done, so that Ctrl-C in between lets no number be closed twice.
        number, self.number = self.number, -1
        if number >= 0:
            os.close(number)

    __del__ = close


class Arena:
    """A descriptor of shared memory, mapped when it is first used.

    One with a number can be handed on: its descriptor stays open for others to find it by.
    """

    def __init__(self, fd: int, size: int, *, number: int = 0) -> None:
        self.size = size
        self.number = number
        self.descriptor: Descriptor | None = Descriptor(fd)
        self._mapping: Any = None
        self._lock = allocate_lock()

    @property
    def mapping(self) -> Any:
        """The ``mmap`` of the whole. Raises OSError where it cannot be had, or is closed."""
        if self._mapping is None:
            with self._lock:
                if self._mapping is None:
                    if self.descriptor is None:
                        raise OSError("the shared memory is closed")
                    try:
                        self._mapping = self._map(self.descriptor.number)
                    except ValueError as exc:
                        raise OSError(str(exc)) from exc
                    if not self.number:
                        self._let_go()  # The mapping has a descriptor of its own.
        return self._mapping

    def _map(self, fd: int) -> Any:
        from mmap import mmap

        return mmap(fd, self.size)

    @property
    def is_mapped(self) -> bool:
        """Whether anything large has crossed."""
        return self._mapping is not None

    def close(self) -> None:
        """Let go of it; what still looks into it keeps its mapping, and who was told of it, it."""
        with self._lock:
            self._mapping = None
            self._let_go()

    def _let_go(self) -> None:
        self.descriptor = None  # Which closes it, unless it is lent.


# Writing ---------------------------------------------------------------------------------------


class ArenaWriter:
    """Decides where blocks lie: first fit, free neighbours joined; any thread may use it."""

    def __init__(self, arena: Arena, *, other: Arena | None = None) -> None:
        self.arena = arena
        #: The arena that the other side writes into, where what it lends can be handed back.
        self.other = other
        #: Whether the other side can look into arenas that are shared with a third one.
        self.hands_on = False
        #: Bytes in blocks that are lent.
        self.used_bytes = 0
        #: Bytes in blocks of other arenas that are handed back or on.
        self.handed_bytes = 0
        # Offset and size of a block; of one that was handed on, what keeps it.
        self._lent: dict[int, Any] = {}
        self._next_serial = 1
        # Free blocks below _end by offset: offset, size, whether their pages were given back to the
        # system. From _end on nothing was ever written. Each change is one assignment, so that
        # Ctrl-C leaves the list whole.
        self._free: list[tuple[int, int, bool]] = []
        self._end = 0
        self._lock = allocate_lock()

    def allocate(self, length: int) -> tuple[int, int] | None:
        """Return serial and offset of a new block, or None where none is free or can be had."""
        size = -(-length // BLOCK_BYTES) * BLOCK_BYTES
        with self._lock:
            offset = self._find(size)
            if offset is None:
                return None
            serial = self._next_serial
            self._next_serial += 1
            self._lent[serial] = (offset, size)
            self.used_bytes += size
            return serial, offset

    def _find(self, size: int) -> int | None:
        for index, (offset, free, is_cold) in enumerate(self._free):
            if free >= size:
                rest = [] if free == size else [(offset + size, free - size, is_cold)]
                self._free[index : index + 1] = rest
                return offset
        offset = self._end
        joined = bool(self._free) and sum(self._free[-1][:2]) == offset
        if joined:
            offset = self._free[-1][0]
        if offset + size > self.arena.size:
            return None
        if joined:
            self._free.pop()
        self._end = offset + size
        return offset

    def release(self, serials: Any) -> None:
        """Take blocks back; serials that are not lent are ignored."""
        with self._lock:
            for serial in serials:
                block = self._lent.pop(serial, None)
                if type(block) is Lease:
                    self.handed_bytes -= block.length
                elif block is not None:
                    self.used_bytes -= block[1]
                    self._insert(*block)
            self._give_pages_back()

    def hand_on(self, loan: Any, start: int, length: int) -> tuple[int, bytes] | None:
        """Lend what was lent here; return serial and reference, None for what has to be copied."""
        arena = loan.arena
        offset = loan.offset + start
        if arena is self.other:
            letter, found = b"o", b""
        elif self.hands_on and arena.number:
            descriptor = arena.descriptor
            if descriptor is None:
                return None
            letter, found = b"f", FOREIGN.pack(descriptor.number, arena.number, arena.size)
        else:
            return None
        # The other side looks after itself in the same way, see ``ArenaReader.look``.
        with self._lock:
            if self.handed_bytes + length > self.arena.size:
                return None
            serial = self._next_serial
            self._next_serial += 1
            self._lent[serial] = Lease(loan(), arena.descriptor, length)
            self.handed_bytes += length
        return serial, REFERENCE.pack(letter, serial, offset, length) + found

    def close(self) -> None:
        """Let go of the arena, and of what was handed on."""
        with self._lock:
            handed = [each for each in self._lent.values() if type(each) is Lease]
            self._lent.clear()
        self.arena.close()
        del handed  # Out of the lock: what keeps a block may be its last user.

    def release_packed(self, packed: bytes) -> None:
        """Take back the blocks that a ``release`` frame names. Raises ProtocolError."""
        if type(packed) is not bytes or len(packed) % SERIAL.size:
            raise ProtocolError("a release names no blocks")
        self.release([serial for (serial,) in SERIAL.iter_unpack(packed)])

    def _insert(self, offset: int, size: int) -> None:
        """Put a block among the free ones, joined with its neighbours."""
        free = self._free
        index = after = bisect_left(free, (offset,))
        if after < len(free) and offset + size == free[after][0]:
            size += free[after][1]
            after += 1
        if index and sum(free[index - 1][:2]) == offset:
            index -= 1
            offset, before, _ = free[index]
            size += before
        free[index:after] = [(offset, size, False)]

    def _give_pages_back(self) -> None:
        """Return the pages of free blocks to the system, but for those the next ones will use."""
        limit = self.arena.size // WARM_SHARE
        if self._end - self.used_bytes <= limit or not self.arena.is_mapped:
            return
        warm = 0
        for index, (offset, size, is_cold) in enumerate(self._free):
            if is_cold:
                continue
            keep = min(size, (limit - warm) // BLOCK_BYTES * BLOCK_BYTES)
            warm += keep
            if keep == size:
                continue
            try:
                self.arena.mapping.madvise(MADV_REMOVE, offset + keep, size - keep)
            except (OSError, AttributeError):
                return  # A system without it: the pages stay, within the arena's size.
            if offset + size == self._end:
                # It is as if they had never been written.
                self._free[index:] = [(offset, keep, False)] if keep else []
                self._end = offset + keep
                return
            self._free[index] = (offset, size, not keep)
        # Cold blocks at the end need not be remembered.
        while self._free and self._free[-1][2] and sum(self._free[-1][:2]) == self._end:
            self._end = self._free.pop()[0]


class Lease:
    """Keeps a block, and the descriptor it is found by, for another process."""

    __slots__ = ("block", "descriptor", "length")

    def __init__(self, block: Any, descriptor: Any, length: int) -> None:
        self.block = block
        self.descriptor = descriptor
        self.length = length


class Parcel:
    """What one encode puts into an arena: all of it is taken back if the encode fails."""

    __slots__ = ("_writer", "max_inline_bytes", "serials")

    def __init__(self, writer: ArenaWriter, *, max_inline_bytes: int) -> None:
        self._writer = writer
        #: What the frame can take of what finds no room here.
        self.max_inline_bytes = max_inline_bytes
        self.serials: list[int] = []

    def reserve(self, length: int) -> tuple[int, int, Any] | None:
        """Return serial, offset and mapping of a block to write, or None if there is no room."""
        block = self._writer.allocate(length)
        if block is None:
            return None
        self.serials.append(block[0])
        try:
            return block[0], block[1], self._writer.arena.mapping
        except OSError:  # Closed meanwhile, or no address space for it: the frame takes the value.
            self.roll_back(len(self.serials) - 1)
            return None

    def export(self, letter: bytes, data: Any) -> bytes | None:
        """Write the bytes of a C-contiguous buffer; return what refers to them, None for no room.

        That is the content of kind ``B``, see :mod:`pypods.wire.buffers`.
        """
        length = data.nbytes if type(data) is memoryview else len(data)
        block = self.reserve(length)
        if block is None:
            return None
        mapping, offset = block[2], block[1]
        mapping[offset : offset + length] = data
        return self.refer(letter, block, length)

    def hand_on(self, owner: Any, length: int, address: int | None = None) -> bytes | None:
        """Return what refers to bytes that were lent here; None for any others.

        ``owner`` is a view of them, or what they belong to, and then ``address`` is where they are.
        """
        # None also while another thread is importing it: then nothing was lent yet.
        find = getattr(sys.modules.get("pypods.wire.loans"), "find", None)
        found = None if find is None else find(owner, address)
        handed = None if found is None else self._writer.hand_on(found[0], found[1], length)
        if handed is None:
            return None
        self.serials.append(handed[0])
        content: bytes = handed[1]
        return content

    @staticmethod
    def refer(letter: bytes, block: tuple[int, int, Any], length: int) -> bytes:
        """Return what refers to a block that ``reserve`` gave."""
        return REFERENCE.pack(letter, block[0], block[1], length)

    def roll_back(self, mark: int = 0) -> None:
        """Take back what was put since there were ``mark`` blocks in here."""
        taken_back = self.serials[mark:]
        del self.serials[mark:]
        self._writer.release(taken_back)


# Reading ---------------------------------------------------------------------------------------


def _find_lend() -> Any:
    try:
        from pypods.wire.loans import lend
    except ImportError:  # A Python that was built without ctypes.
        return None
    return lend


class ArenaReader:
    """Uses blocks of the other side's arena; any thread may use it."""

    def __init__(self, arena: Arena, *, writable: bool = False) -> None:
        self.arena = arena
        #: Whether views may be written to; else they are read-only.
        self.writable = writable
        #: Bytes in blocks that the other side was not yet told it may have back.
        self.held_bytes = 0
        #: The same of blocks in other arenas, which were handed back or on.
        self.handed_bytes = 0
        #: Serials to tell it. Finalizers run anywhere, so they take no lock and only append.
        self.returned: deque[int] = deque()
        self._held: dict[int, int] = {}
        #: The blocks that somebody here looks into, by serial (``pypods.wire.loans``).
        self.loans: dict[int, Any] = {}
        self._lock = allocate_lock()

    def _enter(self, serial: int, offset: int, length: int) -> Any:
        """Enter a block in the books and return the mapping. Raises ProtocolError."""
        size = self.arena.size
        if not 0 < length <= size or offset > size - length:
            raise ProtocolError(
                f"a block of {length} bytes at {offset} is not within the {size} shared bytes"
            )
        try:
            mapping = self.arena.mapping
        except OSError as exc:
            raise ValueTransferError(
                f"shared memory cannot be had here ({exc}); max_shared_bytes=0 does without"
            ) from None
        with self._lock:
            if serial in self._held:
                raise ProtocolError("a block is lent twice")
            # Blocks lent at one time do not overlap; else a small frame could make this side copy
            # one block any number of times.
            if self.held_bytes + length > size:
                raise ProtocolError("more is lent than there are shared bytes")
            self._held[serial] = length
            self.held_bytes += length
        return mapping

    def look(self, arena: Arena, serial: int, offset: int, length: int, *, limit: int) -> Any:
        """Return a read-only view of a block in another arena, given back as those of this one.

        Raises ProtocolError for one that is not within it, or beyond the limit of bytes.
        """
        if not 0 < length <= arena.size or offset > arena.size - length:
            raise ProtocolError(f"there are no {length} bytes at {offset} to be handed on")
        lend = _find_lend()
        if lend is None:
            raise ValueTransferError("memory that is handed on takes ctypes, which is not here")
        try:
            mapping = arena.mapping
        except OSError as exc:
            raise ValueTransferError(f"memory of another pod cannot be had here ({exc})") from None
        with self._lock:
            if serial in self._held:
                raise ProtocolError("a block is lent twice")
            if self.handed_bytes + length > limit:
                raise ProtocolError("more is handed on than there are shared bytes")
            self._held[serial] = -length
            self.handed_bytes += length
        return lend(self, mapping, serial, offset, length, arena).toreadonly()

    def copy(self, serial: int, offset: int, length: int) -> bytes:
        """Return a copy of a block, which is given back at once."""
        mapping = self._enter(serial, offset, length)
        try:
            if length >= MINIMUM_HUGE_BYTES:
                from pypods.wire.huge_pages import copy_block

                return copy_block(mapping, offset, length)
            copied: bytes = mapping[offset : offset + length]
            return copied
        finally:
            self.returned.append(serial)

    def copy_into(self, take: Any, serial: int, offset: int, length: int) -> None:
        """Let ``take`` copy from a view of a block, which is given back afterwards."""
        mapping = self._enter(serial, offset, length)
        try:
            with memoryview(mapping) as whole, whole[offset : offset + length] as block:
                take(block)
        finally:
            self.returned.append(serial)

    def view(self, serial: int, offset: int, length: int) -> Any:
        """Return a view of a block, which is given back when its last user is collected.

        Where half of the arena is held, it is a view of a copy: the other side shall have room.
        """
        lend = _find_lend()
        if lend is None or self.held_bytes + length > self.arena.size // 2:
            copied = self.copy(serial, offset, length)
            return memoryview(bytearray(copied) if self.writable else copied)
        mapping = self._enter(serial, offset, length)
        view = lend(self, mapping, serial, offset, length, self.arena)
        return view if self.writable else view.toreadonly()

    def give_back(self, serial: int) -> None:
        """Give back a block, unless somebody here looks into it: then its last user does."""
        if serial not in self.loans:
            self.returned.append(serial)

    def take_returned(self, limit: int) -> bytes:
        """Return at most ``limit`` serials to tell the other side, packed."""
        serials: list[int] = []
        with self._lock:
            while self.returned and len(serials) < limit:
                serial = self.returned.popleft()
                length = self._held.pop(serial, 0)
                if length >= 0:
                    self.held_bytes -= length
                else:
                    self.handed_bytes += length
                serials.append(serial)
        return b"".join(map(SERIAL.pack, serials))

    def pin(self) -> None:
        """Never give back what is held now: another process has come to look into it too."""
        self.loans.clear()
