"""Record batches: of one schema, not too large, changed in type only where nothing is lost."""

from __future__ import annotations

from pypods.connectors.errors import DataError, SchemaError
from pypods.connectors.rows import MAX_BATCH_BYTES, batch_from_rows
from pypods.connectors.types import UINT64_DIGITS, holds, kind_of, text_of

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator

__all__ = [
    "BATCH_ROWS",
    "as_batches",
    "conform",
    "find_misfit",
    "first_rows",
    "last_values",
    "limited",
    "misfit",
    "refuse_finer",
    "refuse_infinite",
    "refuse_where",
    "take_columns",
]

BATCH_ROWS = 65536
MAX_SHOWN_CHARACTERS = 80
DAY_MICROSECONDS = 86_400_000_000


def limited(batches: Iterable[Any], batch_rows: int) -> Iterator[Any]:
    """Yield the same rows in batches of at most that many, and of about 16 MiB at most."""
    for batch in batches:
        rows = batch.num_rows
        if not rows:
            continue
        step = max(min(batch_rows, rows * MAX_BATCH_BYTES // max(batch.nbytes, 1)), 1)
        if step >= rows:
            yield batch
            continue
        for start in range(0, rows, step):
            yield batch.slice(start, step)


def first_rows(batches: Iterable[Any], limit: int | None) -> Iterator[Any]:
    """Yield batches up to that many rows, and ask for no further one; None is all."""
    left = limit
    if left == 0:
        return
    for batch in batches:
        if left is None:
            yield batch
            continue
        yield batch.slice(0, left)
        left -= batch.num_rows
        if left <= 0:
            return


def take_columns(batch: Any, names: list[str], schema: Any) -> Any:
    """Return these columns of a batch, called as the schema has them."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    if not names:
        return batch.select([])
    return pa.record_batch([batch.column(name) for name in names], schema=schema)


def as_batches(items: Iterable[Any], source_schema: Any) -> Iterator[Any]:
    """Yield record batches from batches, tables, lists of rows, and what speaks Arrow."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    for item in items:
        if isinstance(item, pa.RecordBatch):
            yield item
        elif isinstance(item, pa.Table):
            yield from item.to_batches()
        elif isinstance(item, (list, tuple)):
            yield batch_from_rows(item, source_schema)
        elif hasattr(item, "__arrow_c_array__"):
            yield pa.record_batch(item)
        else:
            yield from pa.table(item).to_batches()


def last_values(batch: Any, names: Iterable[str]) -> list[Any]:
    """Return the values that the last row has in these columns."""
    return [batch.column(name)[batch.num_rows - 1].as_py() for name in names]


def conform(batch: Any, schema: Any, *, first_row: int = 0) -> Any:
    """Return the batch with a schema's columns, in its types. Raises SchemaError and DataError.

    Columns that the schema does not have are left out. ``first_row`` is the number that messages
    give to the first row.
    """
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    if batch.schema.equals(schema, check_metadata=True):
        return batch
    columns = []
    for field in schema:
        at = batch.schema.get_all_field_indices(field.name)
        if len(at) != 1:
            raise SchemaError(
                f"a batch has {len(at)} columns {field.name!r} and has to have one; "
                f"it has {', '.join(map(repr, batch.schema.names))}"
            )
        columns.append(_conform_column(batch.column(at[0]), field, first_row))
    return pa.record_batch(columns, schema=schema)


def _conform_column(array: Any, field: Any, first_row: int) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if is_.is_dictionary(array.type):
        array = array.dictionary_decode()
    if array.type == field.type:
        return array
    if kind_of(field) == "json" and is_.is_nested(array.type):
        return _as_json(array)
    if is_.is_integer(array.type) and is_.is_decimal(field.type):
        # Arrow asks for room for every integer of the type, and not for those that there are.
        array = array.cast(pa.decimal128(UINT64_DIGITS, 0))
    try:
        made = array.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
        at = find_misfit(array, field.type)
        if at is None:
            raise SchemaError(
                f"column {field.name!r} is {array.type} and cannot become {text_of(field)}: {exc}"
            ) from None
        raise misfit(array, at, field, first_row) from None
    if not _cast_is_safe(field.type, array.type):
        at = _first_difference(array, made)
        if at is not None:
            raise misfit(array, at, field, first_row)
    return made


def _cast_is_safe(wanted: Any, given: Any) -> bool:
    """Whether Arrow's own cast, if it succeeds, has lost nothing."""
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    if holds(wanted, given) or is_.is_nested(given):
        return True
    # Not checked by Arrow: digits that a float has not, the time of a day, a zone from nowhere.
    if is_.is_date(wanted):
        return not is_.is_timestamp(given)
    if is_.is_floating(wanted) or is_.is_floating(given):
        return False
    if is_.is_timestamp(wanted) and is_.is_timestamp(given):
        return (wanted.tz is None) == (given.tz is None)
    return True


def _first_difference(array: Any, made: Any) -> int | None:
    """Return the place of the first value that does not come back as it was, or None."""
    import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    back = made.cast(array.type, safe=False)
    if is_.is_floating(array.type):
        same = pc.or_(
            pc.equal(array, back),
            pc.and_(pc.is_nan(array), pc.is_nan(back)),
        )
    else:
        same = pc.equal(array, back)
    at = pc.index(same, False).as_py()
    return None if at < 0 else int(at)


def find_misfit(array: Any, type_: Any) -> int | None:
    """Return the place of the first value that cannot become one of that type, or None."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    def does(part: Any) -> bool:
        try:
            part.cast(type_)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return False
        return True

    if does(array):
        return None
    low, high = 0, len(array)  # The first misfit is at low or after it, and before high.
    while high - low > 1:
        middle = (low + high) // 2
        if does(array.slice(low, middle - low)):
            low = middle
        else:
            high = middle
    # A cast that no value passes, not even a null, is one that there is not.
    return low if high > low and array[low].is_valid else None


def misfit(array: Any, at: int, field: Any, first_row: int) -> DataError:
    """Return the error for a value that is none of a column's type."""
    try:
        shown = repr(array[at].as_py())
    except ValueError:  # A nanosecond, which Python's datetime has not.
        shown = str(array.slice(at, 1).cast("string")[0])
    if len(shown) > MAX_SHOWN_CHARACTERS:
        shown = shown[:MAX_SHOWN_CHARACTERS] + "…"
    row = first_row + at
    return DataError(
        f"row {row} (from 0), column {field.name!r}: {shown} is no {text_of(field)}",
        position=row,
        column=field.name,
    )


def refuse_finer(array: Any, field: Any, unit: int) -> None:
    """Raise DataError for a time that is no multiple of so many microseconds.

    A column with fewer digits would round it.
    """
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
    import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]

    if unit == 1:
        return
    numbers = array.view(pa.int64())
    rounded = pc.multiply(pc.divide(numbers, unit), unit)
    why = f"the column keeps multiples of {unit} microseconds"
    refuse_where(pc.not_equal(numbers, rounded), array, field, why)


def refuse_where(mask: Any, array: Any, field: Any, why: str, *, first_row: int = 0) -> None:
    """Raise DataError for the first value of an array of which the mask is true."""
    import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]

    at = pc.index(mask, True).as_py()
    if at >= 0:
        error = misfit(array, at, field, first_row)
        raise DataError(f"{error}: {why}", position=error.position, column=field.name)


def refuse_infinite(array: Any, field: Any, first_row: int, *, epoch_days: int = 0) -> None:
    """Raise DataError for infinity, which some systems have among their dates and Arrow has not.

    It is the least and the greatest number of the type, or what a driver makes of that when it
    adds the ``epoch_days`` that the system begins to count at.
    """
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
    import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]

    if pa.types.is_timestamp(array.type):
        numbers, edge, moved = array.view(pa.int64()), 2**63 - 1, epoch_days * DAY_MICROSECONDS
    elif pa.types.is_date32(array.type):
        numbers, edge, moved = array.view(pa.int32()), 2**31 - 1, epoch_days
    else:
        return
    # Whether or not the driver has moved them.
    found = pc.or_(
        pc.less_equal(numbers, moved - edge),
        pc.greater_equal(numbers, edge - moved),
    )
    at = pc.index(found, True).as_py()
    if at >= 0:
        raise DataError(
            f"row {first_row + at} (from 0), column {field.name!r}: infinity, which Arrow has not; "
            f"leave it out with where, or read it as text with a query",
            position=first_row + at,
            column=field.name,
        )


def _as_json(array: Any) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    from pypods.connectors.json_values import row_as_json

    return pa.array(
        [None if each is None else row_as_json(each) for each in array.to_pylist()],
        pa.utf8(),
    )
