"""Large bytes kept in pieces until the whole is joined, once; nothing of what they are.

Bytes that are put together level by level would be copied at every level. From ``LARGE_BYTES`` on
they are kept as :class:`Pieces`, which go through ``+``, ``len`` and a cut at either end as bytes
do, and are joined by ``whole``.
"""

from __future__ import annotations

from pypods.wire.context import SHARED_MINIMUM_BYTES

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Sequence, Union

    #: Bytes, or what is bytes once it is joined.
    BytesOrPieces = Union[bytes, "Pieces"]

__all__ = ["LARGE_BYTES", "InlineBinary", "Pieces", "join", "whole"]

#: From here on a copy costs more than a list of pieces does.
LARGE_BYTES = SHARED_MINIMUM_BYTES


class Pieces:
    """Bytes in pieces: bytes, and views of memory that must stay as it is until they are joined."""

    __slots__ = ("_length", "parts")

    def __init__(self, parts: Sequence[Any], length: int) -> None:
        self.parts = parts
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __add__(self, other: bytes) -> Pieces:
        return Pieces([*self.parts, other], self._length + len(other))

    def __radd__(self, other: bytes) -> Pieces:
        return Pieces([other, *self.parts], self._length + len(other))

    def __getitem__(self, cut: slice) -> Pieces:
        """Return all but some bytes of the first piece, or of the last: ``[4:]`` or ``[:-1]``."""
        parts = list(self.parts)
        edge = 0 if cut.stop is None else -1
        uncut = len(parts[edge])
        parts[edge] = parts[edge][cut]
        return Pieces(parts, self._length - uncut + len(parts[edge]))


class InlineBinary:
    """The data of a large value, to be written into the frame from where they are."""

    __slots__ = ("data",)

    def __init__(self, data: memoryview) -> None:
        self.data = data


def join(parts: list[Any]) -> Pieces:
    """Return what ``b"".join`` would, where some of the parts are pieces."""
    flat: list[Any] = []
    small: list[bytes] = []
    length = 0
    for part in parts:
        length += len(part)
        if type(part) is not Pieces:
            small.append(part)
            continue
        if small:
            flat.append(b"".join(small))
            small = []
        flat += part.parts
    if small:
        flat.append(b"".join(small))
    return Pieces(flat, length)


def whole(data: BytesOrPieces) -> bytes:
    """Return the bytes, each of them copied once if they are in pieces."""
    return data if type(data) is bytes else b"".join(data.parts)  # type: ignore[union-attr]
