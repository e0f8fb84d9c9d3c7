"""Arrow data of a pyarrow before version 14, which has no capsules; nothing of how they cross."""

from __future__ import annotations

import sys
from ctypes import addressof

from pypods.wire.arrow.reading import arrays_from_c, stream_from_c
from pypods.wire.arrow.schemas import field_from_c
from pypods.wire.arrow.structures import ArrowArray, ArrowArrayStream, ArrowSchema, release

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

    from pypods.wire.arrow.schemas import Field

__all__ = ["read_old"]


def read_old(value: Any) -> tuple[str, Field, list[Any]]:
    """Return the form, the type and the groups of what has ``_export_to_c``, or has parts of it."""
    pyarrow = sys.modules["pyarrow"]
    if isinstance(value, pyarrow.Table):
        value = pyarrow.RecordBatchReader.from_batches(value.schema, value.to_batches())
    if isinstance(value, pyarrow.RecordBatchReader):
        stream = ArrowArrayStream()
        value._export_to_c(addressof(stream))
        try:
            return ("stream", *stream_from_c(stream))
        finally:
            release(stream)
    if isinstance(value, pyarrow.ChunkedArray):
        field = _read_type(value.type)
        return "stream", field, arrays_from_c(field, _export_all(value.chunks))
    if isinstance(value, (pyarrow.Array, pyarrow.RecordBatch)):
        field = _read_type(value.schema if isinstance(value, pyarrow.RecordBatch) else value.type)
        return "array", field, arrays_from_c(field, _export_all([value]))
    return "schema", _read_type(value), []


def _read_type(type_: Any) -> Field:
    schema = ArrowSchema()
    type_._export_to_c(addressof(schema))
    try:
        return field_from_c(schema)
    finally:
        release(schema)


def _export_all(arrays: list[Any]) -> Iterator[ArrowArray]:
    for each in arrays:
        array = ArrowArray()
        each._export_to_c(addressof(array))
        yield array
