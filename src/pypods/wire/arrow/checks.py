"""Whether Arrow arrays that a pod sent can be read without going astray; no C.

A library that gets an array through the C data interface believes its offsets, indices and lengths.
So on a side that does not trust the other, these are copied and looked through first: the bytes in
shared memory may change after that. Values themselves (numbers, the bytes of a text) may be
anything and stay where they are. That the bytes of a text are UTF-8 is not checked.
"""

from __future__ import annotations

from array import array as numbers_of

from pypods.errors import ProtocolError
from pypods.wire.arrow.layouts import INLINE_VIEW_BYTES

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

    from pypods.wire.arrow.nodes import Node

__all__ = ["has_null", "secure"]

_INDEX_CODES = {"c": "b", "C": "B", "s": "h", "S": "H", "i": "i", "I": "I", "l": "q", "L": "Q"}
_OFFSET_CODES = {4: "i", 8: "q"}
_RUN_CODES = {"s": "h", "i": "i", "l": "q"}
#: Of each family the buffers that say where things are, rather than what.
_GUIDES = {
    "bool": (0, 1),
    "binary": (0, 1),
    "list": (0, 1),
    "listview": (0, 1, 2),
    "sparse": (0,),
    "dense": (0, 1),
}


def secure(node: Node, data: Any) -> None:
    """Copy what leads through an array, and check it. Raises ProtocolError."""
    family = node.field.layout.family
    if family == "view":
        guides: Any = (0, 1, len(node.buffers) - 1)
    elif node.dictionary is not None:
        guides = (0, 1)
    else:
        guides = _GUIDES.get(family, (0,))
    for index in guides:
        _make_own(node, index, data)
    for child in node.children:
        secure(child, data)
        if family == "runs" and child is node.children[0]:
            _make_own(child, 1, data)
    if node.null_count:  # Nobody shall believe it.
        node.null_count = -1
    check = _CHECKS.get(family)
    if check is not None:
        check(node)
    if node.field.format == "+m":
        _check_keys(node)
    if node.dictionary is not None:
        secure(node.dictionary, data)
        _check_indices(node)


def _make_own(node: Node, index: int, data: Any) -> None:
    if index < len(node.buffers) and type(node.buffers[index]) is tuple:
        position, size = node.buffers[index]
        node.buffers[index] = bytes(data[position : position + size])


def _numbers(code: str, data: Any, end: int) -> list[int]:
    """Return the first integers in some bytes; ``code`` as of the module array."""
    found = numbers_of(code)
    found.frombytes((data or b"")[: end * found.itemsize])
    return found.tolist()


def has_null(validity: bytes, offset: int, length: int) -> bool:
    """Say whether a bitmap has a bit that is not set among some of its bits."""
    ones = (1 << length) - 1
    return int.from_bytes(validity, "little") >> offset & ones != ones


def _is_valid(node: Node, index: int) -> bool:
    validity = node.buffers[0]
    return validity is None or bool(validity[index // 8] >> index % 8 & 1)


def _check_offsets(node: Node) -> None:
    offsets = _numbers(_OFFSET_CODES[node.field.layout.width], node.buffers[1], node.end + 1)
    if node.children:
        limit = node.children[0].length
    else:
        limit = 0 if node.buffers[2] is None else node.buffers[2][1]
    # To sort what is sorted is the quickest comparison of neighbours that there is.
    if offsets[0] < 0 or offsets[-1] > limit or offsets != sorted(offsets):
        raise ProtocolError("the offsets of an Arrow array lead out of its data")


def _check_indices(node: Node) -> None:
    assert node.dictionary is not None
    limit = node.dictionary.length
    indices = _numbers(_INDEX_CODES[node.field.format], node.buffers[1], node.end)
    if not indices or (min(indices) >= 0 and max(indices) < limit):
        return
    for place in range(node.offset, node.end):
        if _is_valid(node, place) and not 0 <= indices[place] < limit:
            raise ProtocolError("an index of an Arrow array leads out of its dictionary")


def _check_views(node: Node) -> None:
    buffers = node.buffers[2:-1]
    sizes = _numbers("q", node.buffers[-1], len(buffers))
    if any(size < 0 or size > (each or (0, 0))[1] for size, each in zip(sizes, buffers)):
        raise ProtocolError("a buffer of an Arrow array is shorter than it says")
    words = _numbers("i", node.buffers[1], 4 * node.end)
    for place in range(node.offset, node.end):
        length, _, which, start = words[4 * place : 4 * place + 4]
        if length <= INLINE_VIEW_BYTES:
            is_sound = length >= 0
        else:
            is_sound = 0 <= which < len(sizes) and 0 <= start <= sizes[which] - length
        if not is_sound and _is_valid(node, place):
            raise ProtocolError("a view of an Arrow array leads out of its buffers")


def _check_keys(node: Node) -> None:
    """Check that a map has no null among its pairs and keys: Arrow C++ ends the process at one."""
    (pairs,) = node.children
    for part in (pairs, pairs.children[0]):
        if part.field.layout.family == "null" and part.length:
            raise ProtocolError("the keys of an Arrow map are null")
        if part.null_count:
            if has_null(part.buffers[0], part.offset, part.length):
                raise ProtocolError("a key of an Arrow map is null")
            part.buffers[0], part.null_count = None, 0


def _check_ranges(node: Node) -> None:
    code = _OFFSET_CODES[node.field.layout.width]
    starts = _numbers(code, node.buffers[1], node.end)
    sizes = _numbers(code, node.buffers[2], node.end)
    limit = node.children[0].length
    for place in range(node.offset, node.end):
        # Of nulls too, as the format has it.
        if sizes[place] < 0 or not 0 <= starts[place] <= limit - sizes[place]:
            raise ProtocolError("a list of an Arrow array leads out of its items")


def _check_type_ids(node: Node) -> None:
    limits = dict(zip(node.field.layout.type_ids, [child.length for child in node.children]))
    ids = _numbers("b", node.buffers[0], node.end)
    is_dense = len(node.buffers) > 1
    starts = _numbers("i", node.buffers[1], node.end) if is_dense else range(node.end)
    for place in range(node.offset, node.end):
        limit = limits.get(ids[place])
        if limit is None or not 0 <= starts[place] < limit:
            raise ProtocolError("an item of an Arrow union leads out of its children")


def _check_runs(node: Node) -> None:
    run_ends, values = node.children
    code = _RUN_CODES.get(run_ends.field.format)
    if code is None or run_ends.null_count or run_ends.offset:
        raise ProtocolError("the run ends of an Arrow array are no plain integers")
    ends = _numbers(code, run_ends.buffers[1], run_ends.length)
    rises = all(low < high for low, high in zip([0, *ends], ends))
    if not rises or len(ends) > values.length or (node.length and ends[-1:] < [node.end]):
        raise ProtocolError("the run ends of an Arrow array do not rise to its end")


_CHECKS = {
    "binary": _check_offsets,
    "list": _check_offsets,
    "listview": _check_ranges,
    "view": _check_views,
    "sparse": _check_type_ids,
    "dense": _check_type_ids,
    "runs": _check_runs,
}
