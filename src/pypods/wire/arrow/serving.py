"""Arrow data that crossed, handed to libraries through the C data interface; reads no library."""

from __future__ import annotations

from ctypes import (
    POINTER,
    addressof,
    c_int,
    c_void_p,
    cast,
    create_string_buffer,
    memset,
    pointer,
    sizeof,
)
from errno import EINVAL
from itertools import count

from pypods.wire.arrow.schemas import field_to_c
from pypods.wire.arrow.structures import (
    ARRAY_CAPSULE,
    SCHEMA_CAPSULE,
    STREAM_CAPSULE,
    ArrowArray,
    ArrowArrayStream,
    ArrowSchema,
    callback,
    new_capsule,
)
from pypods.wire.loans import address_of

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

    from pypods.wire.arrow.nodes import Node
    from pypods.wire.arrow.schemas import Field

__all__ = ["array_capsules", "schema_capsule", "stream_capsule"]


def schema_capsule(field: Field) -> Any:
    """Return a capsule of a type."""
    schema = ArrowSchema()
    field_to_c(field, schema)
    return new_capsule(schema, SCHEMA_CAPSULE)


def array_capsules(field: Field, node: Node, data: Any) -> tuple[Any, Any]:
    """Return capsules of a type and of one array of it."""
    array = ArrowArray()
    build(node, data, array)
    return schema_capsule(field), new_capsule(array, ARRAY_CAPSULE)


def stream_capsule(field: Field, batches: Iterator[tuple[Node, Any]]) -> Any:
    """Return a capsule of a stream of batches: arrays, and views of their data."""
    stream = ArrowArrayStream()
    key = next(_keys)
    _held[key] = _Source(field, batches)
    stream.private_data = key
    stream.get_schema = _get_schema
    stream.get_next = _get_next
    stream.get_last_error = _get_last_error
    stream.release = _release_stream
    return new_capsule(stream, STREAM_CAPSULE)


#: What the structures that others hold point to, by their private data.
_held: dict[int, Any] = {}
_keys = count(1)


class _Source:
    """What a stream's structure stands for."""

    def __init__(self, field: Field, batches: Iterator[tuple[Node, Any]]) -> None:
        self.field = field
        self.batches = batches
        self.error: Any = None

    def fail(self, exc: Exception) -> int:
        self.error = create_string_buffer(str(exc).encode("utf-8", "replace"))
        return EINVAL


def _fill_schema(stream: int, schema: int) -> int:
    source = _held[ArrowArrayStream.from_address(stream).private_data]
    try:
        field_to_c(source.field, ArrowSchema.from_address(schema))
    except Exception as exc:  # noqa: BLE001 - C code is told by a number
        return source.fail(exc)  # type: ignore[no-any-return]
    return 0


def _fill_array(stream: int, array: int) -> int:
    source = _held[ArrowArrayStream.from_address(stream).private_data]
    filled = ArrowArray.from_address(array)
    filled.release = None  # That says: there are no more.
    try:
        node_and_data = next(source.batches, None)
        if node_and_data is not None:
            node, data = node_and_data
            build(node, data, filled)
    except Exception as exc:  # noqa: BLE001 - C code is told by a number
        return source.fail(exc)  # type: ignore[no-any-return]
    return 0


def _last_error(stream: int) -> int | None:
    error = _held[ArrowArrayStream.from_address(stream).private_data].error
    return None if error is None else addressof(error)


def _end_stream(address: int) -> None:
    stream = ArrowArrayStream.from_address(address)
    _held.pop(stream.private_data, None)
    stream.release = None


def _end_array(address: int) -> None:
    array = ArrowArray.from_address(address)
    held = _held.pop(array.private_data, None)
    array.release = None
    for each in held[0] if held else ():
        if each.release:  # Else it was moved out, and is released by who did.
            _end_array(addressof(each))


_get_schema = callback(_fill_schema, c_int, c_void_p, c_void_p)
_get_next = callback(_fill_array, c_int, c_void_p, c_void_p)
_get_last_error = callback(_last_error, c_void_p, c_void_p)
_release_stream = callback(_end_stream, None, c_void_p)
_release_array = callback(_end_array, None, c_void_p)


# Arrays ----------------------------------------------------------------------------------------


def build(node: Node, data: Any, array: Any) -> None:
    """Fill in the structure of an array, which its consumer releases."""
    _build(node, data, address_of(data), array)


def _build(node: Node, data: Any, start: int, array: Any) -> None:
    memset(addressof(array), 0, sizeof(array))  # It may be memory that was never written.
    inside: list[Any] = []
    children = (POINTER(ArrowArray) * max(1, len(node.children)))()
    for index, child in enumerate(node.children):
        inside.append(ArrowArray())
        _build(child, data, start, inside[-1])
        children[index] = pointer(inside[-1])
    if node.dictionary is not None:
        inside.append(ArrowArray())
        _build(node.dictionary, data, start, inside[-1])
        array.dictionary = pointer(inside[-1])
    addresses = (c_void_p * max(1, len(node.buffers)))()
    for index, buffer in enumerate(node.buffers):
        if type(buffer) is tuple:
            addresses[index] = start + buffer[0]
        elif buffer is not None:
            addresses[index] = address_of(buffer)
    array.length, array.null_count, array.offset = node.length, node.null_count, node.offset
    array.n_buffers = len(node.buffers)
    array.buffers = cast(addresses, POINTER(c_void_p))
    array.n_children = len(node.children)
    if node.children:
        array.children = cast(children, POINTER(POINTER(ArrowArray)))
    key = next(_keys)
    _held[key] = (inside, addresses, children, node.buffers, data)
    array.private_data = key
    array.release = _release_array
