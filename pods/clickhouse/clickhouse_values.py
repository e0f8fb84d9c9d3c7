"""Batches as ClickHouse sends them to the contract's types, and the other way round."""

from __future__ import annotations

from pypods.connectors.batches import conform, refuse_finer
from pypods.connectors.errors import DataError
from pypods.connectors.text_forms import array_from_text, text_from_array, texts_of_bytes
from pypods.connectors.types import kind_of

from .clickhouse_types import split_type, sql_type_of, time_of

#: What DateTime64(6) and Date32 hold; beyond it ClickHouse takes the nearest one, or any.
FIRST_DAY, LAST_DAY = -25567, 120529  # 1900-01-01, 2299-12-31
DAY = 86_400_000_000
LAST_SECOND = 2**32 - 1
#: A String may hold any bytes.
NO_TEXT_ADVICE = "read hex of it with a query, or give the column the comment 'pypods.type=binary'"


def read_column(column, field, first_row: int):
    """Return a column in the field's type. Raises DataError."""
    import pyarrow as pa
    import pyarrow.types as is_

    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    wanted = field.type
    if is_.is_timestamp(wanted):
        return column.view(pa.int64()).cast(wanted)
    if is_.is_string(wanted):
        return texts_of_bytes(
            column.cast(pa.binary()), field, first_row=first_row, advice=NO_TEXT_ADVICE
        )
    if is_.is_binary(wanted) or is_.is_fixed_size_binary(wanted):
        return column.cast(wanted)
    if is_.is_string(column.type) and (is_.is_decimal(wanted) or is_.is_time(wanted)):
        return array_from_text(column, field, first_row=first_row)
    if is_.is_map(column.type):
        entries = column.cast(pa.map_(wanted.value_type[0].type, wanted.value_type[1].type))
        return pa.ListArray.from_arrays(
            entries.offsets,
            pa.StructArray.from_arrays(
                [entries.keys, entries.items], fields=list(wanted.value_type)
            ),
            type=wanted,
        )
    if is_.is_nested(wanted):
        _check_texts(column, field, first_row)
        return column.cast(wanted)
    return conform(
        pa.record_batch([column], names=[field.name]), pa.schema([field]), first_row=first_row
    ).column(0)


def _check_texts(column, field, first_row: int) -> None:
    """Raise DataError where a text inside of a list or a struct is none."""
    import pyarrow as pa
    import pyarrow.types as is_

    if is_.is_list(column.type):
        _check_texts(column.flatten(), field, first_row)
    elif is_.is_struct(column.type):
        for each in column.flatten():
            _check_texts(each, field, first_row)
    elif is_.is_string(column.type):
        try:
            column.cast(pa.binary()).cast(pa.utf8())
        except pa.ArrowInvalid:
            raise DataError(
                f"column {field.name!r}, among the rows from {first_row} on: bytes inside of "
                f"{sql_type_of(field)} that are no UTF-8 text",
                column=field.name,
            ) from None


def written_column(column, field):
    """Return a column as ClickHouse takes it. Raises DataError for what it would change."""
    import pyarrow as pa
    import pyarrow.types as is_

    _refuse_nulls(column, field)
    base, _ = split_type(sql_type_of(field))
    type_ = column.type
    if is_.is_time(type_):
        return column.cast(pa.utf8())
    if is_.is_date(type_):
        days = column.cast(pa.int32())
        _refuse_outside(days, 0 if base == "Date" else FIRST_DAY,
                        2**16 - 1 if base == "Date" else LAST_DAY, field)  # fmt: skip
    if is_.is_timestamp(type_):
        digits = time_of(base)[0] if base.startswith("DateTime") else 6
        refuse_finer(column, field, 10 ** (6 - digits))
        moments = column.cast(pa.int64())
        old = base.startswith("DateTime") and not base.startswith("DateTime64")
        least, most = FIRST_DAY * DAY, (LAST_DAY + 1) * DAY - 1
        if old:
            least, most = 0, LAST_SECOND * 1_000_000
        _refuse_outside(moments, least, most, field)
        return moments.cast(pa.timestamp("us", "UTC"))
    if is_.is_decimal(type_) and "Int" in base:
        return column.cast(pa.utf8())
    if base.startswith("Map("):
        entries = column.flatten()
        column = pa.concat_arrays([column])  # Its offsets begin with 0.
        return pa.MapArray.from_arrays(column.offsets, entries.field(0), entries.field(1))
    if kind_of(field) == "uuid":
        # Otherwise its halves would be read as numbers of this machine.
        return text_from_array(column, field)
    return column


def _refuse_nulls(column, field) -> None:
    """Raise DataError where there is a NULL that the column has no place for."""
    import pyarrow.compute as pc
    import pyarrow.types as is_

    if column.null_count and not field.nullable:
        at = pc.index(column.is_null(), True).as_py()
        raise DataError(
            f"row {at} (from 0), column {field.name!r}: NULL, and {sql_type_of(field) or 'it'} "
            f"has none",
            position=at,
            column=field.name,
        )
    if not is_.is_nested(column.type):
        return
    for at, value in enumerate(column.to_pylist()):
        if _has_lost(value, column.type):
            raise DataError(
                f"row {at} (from 0), column {field.name!r}: a list or a struct that is NULL, "
                f"inside of another one; ClickHouse has no such",
                position=at,
                column=field.name,
            )


def _has_lost(value, type_) -> bool:
    import pyarrow.types as is_

    if not is_.is_nested(type_):
        return False
    if value is None:
        return True
    if is_.is_list(type_):
        return any(_has_lost(each, type_.value_type) for each in value)
    return any(_has_lost(value[each.name], each.type) for each in type_)


def _refuse_outside(numbers, least: int, most: int, field) -> None:
    import pyarrow.compute as pc

    out = pc.or_(pc.less(numbers, least), pc.greater(numbers, most))
    at = pc.index(out, True).as_py()
    if at >= 0:
        raise DataError(
            f"row {at} (from 0), column {field.name!r}: a time that "
            f"{sql_type_of(field) or 'ClickHouse'} does not hold",
            position=at,
            column=field.name,
        )
