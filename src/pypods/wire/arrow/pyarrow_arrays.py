"""Arrow data that crossed, as pyarrow's own arrays over the same memory; needs pyarrow."""

from __future__ import annotations

from pypods.wire.arrow.values import ArrowValue

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

    from pypods.wire.arrow.nodes import Node
    from pypods.wire.arrow.schemas import Field
    from pypods.wire.arrow.values import ArrowSchemaValue

__all__ = ["make_array", "make_field", "make_object", "make_single", "make_stream"]


#: From here on ``Array.from_buffers`` takes views with buffers behind them.
ALL_VIEWS_VERSION = 19


class _Type:
    """What pyarrow asks for a type."""

    def __init__(self, field: Field) -> None:
        self._field = field

    def __arrow_c_schema__(self) -> Any:
        from pypods.wire.arrow.serving import schema_capsule

        return schema_capsule(self._field)


def make_field(pyarrow: Any, field: Field) -> Any:
    """Return pyarrow's field of a type."""
    if hasattr(pyarrow.Field, "_import_from_c_capsule"):
        return pyarrow.field(_Type(field))
    # Before version 14 there are no capsules.
    from ctypes import addressof

    from pypods.wire.arrow.schemas import field_to_c
    from pypods.wire.arrow.structures import ArrowSchema

    schema = ArrowSchema()
    field_to_c(field, schema)
    return pyarrow.Field._import_from_c(addressof(schema))


def make_object(pyarrow: Any, value: ArrowSchemaValue, name: str) -> Any:
    """Return the object of pyarrow's class of that name; for another's, what holds the same."""
    field = make_field(pyarrow, value.field)
    if not isinstance(value, ArrowValue):
        if name == "Schema":
            return pyarrow.schema(field.type, metadata=field.metadata)
        return field if name == "Field" else field.type
    return _joined(pyarrow, field, _make_chunks(pyarrow, field, value), name)


def make_stream(pyarrow: Any, value: ArrowValue) -> Any:
    """Return what has the same batches: with names and metadata if they are of columns."""
    field = make_field(pyarrow, value.field)
    chunks = _make_chunks(pyarrow, field, value)
    return _joined(pyarrow, field, chunks, "Table" if _are_rows(field, chunks) else "ChunkedArray")


def make_single(pyarrow: Any, value: ArrowValue) -> Any:
    """Return the same of one array."""
    field = make_field(pyarrow, value.field)
    chunks = _make_chunks(pyarrow, field, value)
    return _joined(pyarrow, field, chunks, "RecordBatch" if _are_rows(field, chunks) else "Array")


def _make_chunks(pyarrow: Any, field: Any, value: ArrowValue) -> list[Any]:
    return [make_array(pyarrow, field.type, node, data) for node, data in value.nodes()]


def _are_rows(field: Any, chunks: list[Any]) -> bool:
    """Say whether arrays can be batches, which have no nulls of whole rows."""
    is_structure = type(field.type).__name__ == "StructType"
    return is_structure and not any(chunk.null_count for chunk in chunks)


def _joined(pyarrow: Any, field: Any, chunks: list[Any], name: str) -> Any:
    if name == "ChunkedArray":
        return pyarrow.chunked_array(chunks, type=field.type)
    if name not in ("Table", "RecordBatch", "RecordBatchReader"):
        return chunks[0]
    schema = pyarrow.schema(field.type, metadata=field.metadata)
    batches = [
        pyarrow.RecordBatch.from_struct_array(chunk).replace_schema_metadata(field.metadata)
        for chunk in chunks
    ]
    if name == "RecordBatch":
        return batches[0]
    if name == "RecordBatchReader":
        return pyarrow.RecordBatchReader.from_batches(schema, batches)
    return pyarrow.Table.from_batches(batches, schema)


def make_array(pyarrow: Any, type_: Any, node: Node, data: Any) -> Any:
    """Return the array of a node, which looks into the data and keeps them."""
    if isinstance(type_, pyarrow.BaseExtensionType):
        storage = make_array(pyarrow, type_.storage_type, node, data)
        return pyarrow.ExtensionArray.from_storage(type_, storage)
    buffers = []
    for buffer in node.buffers:
        if type(buffer) is tuple:
            buffer = data[buffer[0] : buffer[0] + buffer[1]]
        buffers.append(None if buffer is None else pyarrow.py_buffer(buffer))
    family = node.field.layout.family
    if family == "view":
        del buffers[-1]  # Their sizes, which pyarrow's buffers know.
        if len(buffers) > 2 and int(pyarrow.__version__.partition(".")[0]) < ALL_VIEWS_VERSION:
            return _import_array(pyarrow, type_, node, data)
    elif not node.field.layout.has_validity:
        buffers.insert(0, None)
    numbers = {"null_count": node.null_count, "offset": node.offset}
    if node.dictionary is not None:
        values = make_array(pyarrow, type_.value_type, node.dictionary, data)
        return pyarrow.DictionaryArray.from_buffers(type_, node.length, buffers, values, **numbers)
    children = [
        make_array(pyarrow, type_.field(index).type, child, data)
        for index, child in enumerate(node.children)
    ]
    cls = pyarrow.RunEndEncodedArray if family == "runs" else pyarrow.Array
    return cls.from_buffers(type_, node.length, buffers, **numbers, children=children or None)


def _import_array(pyarrow: Any, type_: Any, node: Node, data: Any) -> Any:
    """Return the same through the C data interface."""
    from ctypes import addressof

    from pypods.wire.arrow.serving import build
    from pypods.wire.arrow.structures import ArrowArray

    array = ArrowArray()
    build(node, data, array)
    return pyarrow.Array._import_from_c(addressof(array), type_)
