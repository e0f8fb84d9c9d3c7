"""The items of an Arrow array of texts, numbers or bools as Python's own; needs no library."""

from __future__ import annotations

from array import array as numbers_of

from pypods.wire.arrow.layouts import INLINE_VIEW_BYTES

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

    from pypods.wire.arrow.nodes import Node
    from pypods.wire.arrow.schemas import Field
    from pypods.wire.arrow.values import ArrowValue

__all__ = ["SIMPLE_FORMATS", "TEXT_FORMATS", "items_of"]

TEXT_FORMATS = frozenset({"u", "U", "vu"})
_NUMBER_CODES = {
    "c": "b",
    "C": "B",
    "s": "h",
    "S": "H",
    "i": "i",
    "I": "I",
    "l": "q",
    "L": "Q",
    "f": "f",
    "g": "d",
}
#: Those of what has items here.
SIMPLE_FORMATS = TEXT_FORMATS | frozenset(_NUMBER_CODES) | {"b"}


def items_of(value: ArrowValue) -> list[Any]:
    """Return the items of one of these formats, None for a missing one.

    Raises ProtocolError for broken data.
    """
    items: list[Any] = []
    for node, data in value.nodes():
        buffers = [_bytes_of(buffer, data) for buffer in node.buffers]
        found = _reader_of(node.field)(node, buffers)
        validity = buffers[0]
        if validity is not None and node.null_count:
            places = range(node.offset, node.end)
            found = [
                item if validity[place >> 3] >> (place & 7) & 1 else None
                for place, item in zip(places, found)
            ]
        items += found
    return items


def _reader_of(field: Field) -> Any:
    if field.dictionary is not None:
        raise TypeError("the items of a dictionary are not read here")
    family = field.layout.family
    return {"view": _read_views, "binary": _read_joined, "bool": _read_bools}.get(
        family, _read_numbers
    )


def _read_numbers(node: Node, buffers: list[Any]) -> list[Any]:
    numbers = numbers_of(_NUMBER_CODES[node.field.format])
    width = numbers.itemsize
    numbers.frombytes((buffers[1] or b"")[node.offset * width : node.end * width])
    return numbers.tolist()


def _read_bools(node: Node, buffers: list[Any]) -> list[Any]:
    bits = buffers[1] or b""
    places = range(node.offset, node.end)
    return [bool(bits[place >> 3] >> (place & 7) & 1) for place in places]


def _bytes_of(buffer: Any, data: Any) -> Any:
    return data[buffer[0] : buffer[0] + buffer[1]] if type(buffer) is tuple else buffer


def _read_joined(node: Node, buffers: list[Any]) -> list[Any]:
    width = node.field.layout.width
    offsets = numbers_of("i" if width == 4 else "q")
    offsets.frombytes(buffers[1][node.offset * width : (node.end + 1) * width])
    first, last = offsets[0], offsets[-1]
    joined = b"" if buffers[2] is None else bytes(buffers[2][first:last])
    text = joined.decode("utf-8", "surrogateescape")
    ends = offsets.tolist() if not first else [each - first for each in offsets]
    if len(text) == len(joined):  # Every character takes one byte.
        return [text[start:end] for start, end in zip(ends, ends[1:])]
    return [joined[start:end].decode() for start, end in zip(ends, ends[1:])]


def _read_views(node: Node, buffers: list[Any]) -> list[Any]:
    words = numbers_of("i")
    raw = bytes(buffers[1][: 16 * node.end])
    words.frombytes(raw)
    validity = buffers[0]
    texts: list[Any] = []
    for place in range(node.offset, node.end):
        length, _, which, start = words[4 * place : 4 * place + 4]
        if validity is not None and not validity[place >> 3] >> (place & 7) & 1:
            texts.append(None)
        elif length <= INLINE_VIEW_BYTES:
            texts.append(raw[16 * place + 4 : 16 * place + 4 + length].decode())
        else:
            texts.append(bytes(buffers[2 + which][start : start + length]).decode())
    return texts
