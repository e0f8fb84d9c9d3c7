"""Columns of pandas that are kept in pyarrow: how they are sent, and their arrays made again.

They cross as kind ``w`` inside the content of kind ``P``.
"""

from __future__ import annotations

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.installed import find_library

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["ArrowColumn", "array_of", "check_arrow", "chunked_of", "column_of", "texts_in_pyarrow"]


class ArrowColumn:
    """What pandas keeps in pyarrow, as what speaks Arrow's interface and nothing else."""

    __slots__ = ("_chunked",)

    def __init__(self, chunked: Any) -> None:
        self._chunked = chunked

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Return a capsule of the column's chunks."""
        return self._chunked.__arrow_c_stream__(requested_schema)


def column_of(array: Any) -> ArrowColumn | None:
    """Return the column of a pandas array, or None where its pyarrow has no such interface."""
    chunked = array.__arrow_array__()
    return ArrowColumn(chunked) if hasattr(chunked, "__arrow_c_stream__") else None


def check_arrow(value: Any, formats: Any = None) -> None:
    """Raise ProtocolError for what is no column of Arrow data, or not of one of these formats."""
    from pypods.wire.arrow.values import ArrowValue

    if not isinstance(value, ArrowValue):
        raise ProtocolError("the values of a column are no Arrow data")
    if formats is not None and value.field.format not in formats:
        raise ProtocolError("the texts of a column are no texts")


def array_of(pandas: Any, value: Any) -> Any:
    """Return the array of a column of one of pyarrow's dtypes; of text, without pyarrow too.

    Raises ValueTransferError where this side cannot have it.
    """
    cls = getattr(pandas.arrays, "ArrowExtensionArray", None)  # Since pandas 1.5.
    if cls is not None:
        chunked = chunked_of(value)
        if chunked is not None:
            return cls(chunked)
    from pypods.wire.arrow.items import TEXT_FORMATS, items_of

    if value.field.format in TEXT_FORMATS:
        return pandas.array(items_of(value), dtype="string")
    raise ValueTransferError(
        f"values of a dtype of pyarrow (Arrow format {value.field.format!r:.40}) cannot arrive "
        f"here: pandas {pandas.__version__} has no pyarrow to keep them in; "
        "install it, or convert them with astype first"
    )


def texts_in_pyarrow(value: Any, dtype: Any) -> Any:
    """Return the array of a text dtype in pyarrow's storage over the data, None without pyarrow."""
    if not getattr(dtype, "storage", "").startswith("pyarrow"):
        return None
    chunked = chunked_of(value)
    return None if chunked is None else dtype.__from_arrow__(chunked)


def chunked_of(value: Any) -> Any:
    """Return pyarrow's chunked array over the data, or None without pyarrow."""
    pyarrow = find_library("pyarrow")
    if pyarrow is None:
        return None
    from pypods.wire.arrow.pyarrow_arrays import make_object

    return make_object(pyarrow, value, "ChunkedArray")
