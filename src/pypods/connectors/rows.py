"""Rows, as drivers have them, to record batches of a schema and back; each value checked."""

from __future__ import annotations

from pypods.connectors.errors import DataError
from pypods.connectors.types import schema_from_rows, text_of

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Iterator

__all__ = [
    "MAX_BATCH_BYTES",
    "batch_from_rows",
    "batches_from_rows",
    "columns_of",
    "growing_batches",
]

#: About what a batch takes at the most.
MAX_BATCH_BYTES = 16 * 2**20
#: What a batch of rows may weigh is not known before it is one; so it begins with few.
FIRST_ROWS = 256
MAX_SHOWN_CHARACTERS = 80


def batch_from_rows(rows: Any, schema: Any, *, first_row: int = 0) -> Any:
    """Return a batch of rows (tuples, in the schema's order).

    Raises DataError, which names the row (``first_row`` is the number of the first) and the column.
    """
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    schema = schema_from_rows(schema)
    width = len(schema)
    for at, row in enumerate(rows):
        if len(row) != width:
            raise DataError(
                f"row {first_row + at} (from 0) has {len(row)} values, and there are {width} "
                f"columns",
                position=first_row + at,
            )
    columns = list(zip(*rows)) if rows else [()] * width
    arrays = [
        column_of(values, field, first_row=first_row) for values, field in zip(columns, schema)
    ]
    return pa.record_batch(arrays, schema=schema)


def column_of(values: Any, field: Any, *, first_row: int = 0) -> Any:
    """Return an array of one column's values. Raises DataError."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    try:
        array = pa.array(values, field.type, from_pandas=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError, TypeError):
        at = _find_misfit(values, field.type)
    else:
        lost = _find_lost(values, array)
        if lost is None:
            return array
        at = lost
    shown = repr(values[at])
    if len(shown) > MAX_SHOWN_CHARACTERS:
        shown = shown[:MAX_SHOWN_CHARACTERS] + "…"
    raise DataError(
        f"row {first_row + at} (from 0), column {field.name!r}: {shown} is no {text_of(field)}",
        position=first_row + at,
        column=field.name,
    )


def _find_misfit(values: Any, type_: Any) -> int:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    for at, value in enumerate(values):
        try:
            pa.array([value], type_)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError, TypeError):
            return at
    return 0


def _keeps(type_: Any, kind: type) -> bool:
    """Whether pyarrow changes no value of a Python type that it takes for an Arrow type."""
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    if is_.is_string(type_):
        return kind is str
    if is_.is_binary(type_) or is_.is_fixed_size_binary(type_):
        return kind is bytes
    if is_.is_floating(type_):
        return kind is float and type_.bit_width == 64
    return kind is (bool if is_.is_boolean(type_) else int) and (
        is_.is_boolean(type_) or is_.is_integer(type_)
    )


def _find_lost(values: Any, array: Any) -> int | None:
    """Return the place of a value that pyarrow took and changed: it lets some pass."""
    import datetime as dt

    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    type_ = array.type
    kinds = set(map(type, values)) - {type(None)}
    if not kinds or (len(kinds) == 1 and _keeps(type_, *kinds)):
        return None
    if is_.is_date(type_) or is_.is_time(type_):  # A number is none; a datetime loses its time.
        wanted = dt.date if is_.is_date(type_) else dt.time
        for at, value in enumerate(values):
            if value is None:
                continue
            if not isinstance(value, wanted) or isinstance(value, dt.datetime):
                return at
            if getattr(value, "tzinfo", None) is not None:  # Arrow's times have no zone.
                return at
        return None
    if is_.is_string(type_):  # Bytes are no text, nor is text bytes.
        suspects: Any = (bytes, bytearray)
    elif is_.is_binary(type_) or is_.is_fixed_size_binary(type_):
        suspects = str
    elif is_.is_timestamp(type_):
        # A zone that is there and should not be, or the other way round.
        for at, value in enumerate(values):
            if value is None:
                continue
            if not isinstance(value, dt.datetime) or (value.tzinfo is None) != (type_.tz is None):
                return at
        return None
    elif is_.is_floating(type_):  # An integer, or a decimal, that a float has no digits for.
        for at, value in enumerate(values):
            if value is not None and type(value) is not float and array[at].as_py() != value:
                return at
        return None if type_.bit_width == 64 else _find_rounded(values, array)
    elif is_.is_boolean(type_) or is_.is_integer(type_):  # Truth is no number, nor is 1.5 one.
        number = bool if is_.is_boolean(type_) else int
        for at, value in enumerate(values):
            if value is None or type(value) is number:
                continue
            if isinstance(value, bool) or number is bool or array[at].as_py() != value:
                return at
        return None
    else:
        return None
    for at, value in enumerate(values):
        if isinstance(value, suspects):
            return at
    return None


def _find_rounded(values: Any, array: Any) -> int | None:
    for at, value in enumerate(values):
        if value is not None and value == value and array[at].as_py() != value:
            return at
    return None


def batches_from_rows(
    fetch: Callable[[int], Any], schema: Any, *, batch_rows: int
) -> Iterator[Any]:
    """Yield batches from a cursor's ``fetchmany`` until it returns nothing."""

    def fetch_batch(count: int, first_row: int) -> Any:
        rows = fetch(count)
        return batch_from_rows(rows, schema, first_row=first_row) if rows else None

    return growing_batches(fetch_batch, batch_rows=batch_rows)


def growing_batches(fetch_batch: Callable[[int, int], Any], *, batch_rows: int) -> Iterator[Any]:
    """Yield what a function returns, until that is None, for as many rows as a batch should have.

    It is told that number, and the number of the first row.
    """
    count = min(FIRST_ROWS, batch_rows)
    first_row = 0
    while True:
        batch = fetch_batch(count, first_row)
        if batch is None:
            return
        first_row += batch.num_rows
        # As many more as about a quarter of the limit takes: rows differ in size.
        weight = max(batch.nbytes // batch.num_rows, 1)
        yield batch
        count = max(min(batch_rows, count * 16, MAX_BATCH_BYTES // 4 // weight), 1)


def columns_of(batch: Any, converters: Iterable[Any] = ()) -> list[list[Any]]:
    """Return a batch's columns as lists of Python values, each converted where there is a way."""
    columns = [column.to_pylist() for column in batch.columns]
    for at, convert in enumerate(converters):
        if convert is not None:
            columns[at] = [None if each is None else convert(each) for each in columns[at]]
    return columns
