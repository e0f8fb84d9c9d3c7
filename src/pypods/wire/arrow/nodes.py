"""The arrays of a batch as a frame has them: which part of the data is which buffer; no C."""

from __future__ import annotations

import sys
from array import array as numbers_of

from pypods.errors import ProtocolError

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

    from pypods.wire.arrow.schemas import Field

__all__ = ["Node", "node_from_numbers", "row_count"]

MAX_ITEMS = 2**56
MAX_BUFFERS = 2**20


class Node:
    """One array: where its buffers are, and the arrays inside it."""

    __slots__ = ("buffers", "children", "dictionary", "field", "length", "null_count", "offset")

    def __init__(self, field: Field, length: int, null_count: int, offset: int) -> None:
        if not 0 <= length < MAX_ITEMS or not 0 <= offset < MAX_ITEMS:
            raise ProtocolError("an Arrow array of no possible length")
        self.field = field
        self.length = length
        self.null_count = null_count
        self.offset = offset if length else 0
        #: Of each its position and size, or its bytes or a view of them; None for one not there.
        self.buffers: list[Any] = []
        self.children: list[Node] = []
        self.dictionary: Node | None = None

    @property
    def end(self) -> int:
        """How many items there are, with those before the first."""
        return self.offset + self.length


def row_count(packed: bytes) -> int:
    """Return the length of a batch."""
    rows = int.from_bytes(packed[:8], "little", signed=True)
    if len(packed) < 8 or not 0 <= rows < MAX_ITEMS:
        raise ProtocolError("an Arrow batch without a length")
    return rows


def node_from_numbers(field: Field, packed: bytes, size: int) -> Node:
    """Return the array that some numbers describe, whose data take ``size`` bytes.

    Raises ProtocolError where a buffer is outside them or too short for its array.
    """
    found = numbers_of("q")
    try:
        found.frombytes(packed)
        if sys.byteorder == "big":
            found.byteswap()
        numbers = iter(found.tolist())
        node = _take(field, numbers.__next__, size)
    except (StopIteration, ValueError):
        raise ProtocolError("an Arrow batch is cut short") from None
    if next(numbers, None) is not None:
        raise ProtocolError("an Arrow batch has numbers left over")
    return node


def _take(field: Field, take: Callable[[], int], size: int) -> Node:
    node = Node(field, take(), take(), take())
    count = take()
    if not 0 <= count <= MAX_BUFFERS:
        raise ProtocolError("an Arrow array of no possible number of buffers")
    for _ in range(count):
        position, length = take(), take()
        if position == -1:
            node.buffers.append(None)
        elif 0 <= length <= size and 0 <= position <= size - length and not position % 64:
            node.buffers.append((position, length))
        else:
            raise ProtocolError("a buffer of an Arrow array is outside its data")
    node.children = [_take(child, take, size) for child in field.children]
    if field.dictionary is not None:
        node.dictionary = _take(field.dictionary, take, size)
    _check_sizes(node)
    return node


def _check_sizes(node: Node) -> None:
    """Raise ProtocolError where buffers or children are fewer or shorter than the array needs."""
    layout = node.field.layout
    family, end = layout.family, node.end
    sizes = [0 if buffer is None else buffer[1] for buffer in node.buffers]
    bitmap_bytes = (end + 7) // 8
    needed = []
    if layout.has_validity:
        if sizes and (node.buffers[0] is None or not node.null_count):
            # Some look at a bitmap whatever the count says.
            node.buffers[0], node.null_count = None, 0
        needed.append(bitmap_bytes if node.null_count else 0)
    if family == "bool":
        needed.append(bitmap_bytes)
    elif family == "fixed":
        needed.append(end * layout.width)
    elif family in ("binary", "list"):
        needed.append((end + 1) * layout.width)
    elif family == "listview":
        needed += [end * layout.width] * 2
    elif family == "view":
        variadic = max(0, len(sizes) - 3)
        needed += [end * layout.width, *[0] * variadic, 8 * variadic]
    elif family in ("sparse", "dense"):
        needed += [end] if family == "sparse" else [end, 4 * end]
    if family == "binary":
        needed.append(0)
    for index in range(int(layout.has_validity), len(sizes)):
        if node.buffers[index] is None:  # Arrow C++ would follow the address all the same.
            node.buffers[index] = (0, 0)
    if len(needed) != len(sizes) or any(size < least for size, least in zip(sizes, needed)):
        raise ProtocolError("a buffer of an Arrow array is missing or too short")
    least = {"struct": end, "sparse": end, "fixedlist": end * layout.width}.get(family, 0)
    if any(child.length < least for child in node.children):
        raise ProtocolError("an Arrow array is shorter than the one that it is in")
