"""Values as literals of SQL, and what HiveServer2 sends as Arrow's columns."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

from pypods.connectors.errors import DataError, SettingsError
from pypods.connectors.rows import column_of
from pypods.connectors.text_forms import array_from_text

#: Texts in which no system reads anything but themselves.
_PLAIN = re.compile(r"[^\x00-\x1f\x7f'\\%$;{}]*")
#: Impala's timestamps begin with this year; earlier ones would become NULL.
FIRST_YEAR = 1400


def literal(value, sql_type: str = "") -> str:
    """Return a value as a literal. What could be read as anything else is hexadecimal digits."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (bytes, bytearray)):
        return f"cast(unhex('{bytes(value).hex()}') as binary)"
    if isinstance(value, str):
        if _PLAIN.fullmatch(value):
            return f"'{value}'"
        return f"cast(unhex('{value.encode().hex()}') as string)"
    if isinstance(value, int) and abs(value) < 2**63:
        return str(value)
    base = sql_type or {float: "double", dt.date: "date"}.get(type(value), "timestamp")
    if isinstance(value, float):
        text = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(repr(value), repr(value))
    elif isinstance(value, Decimal):
        text = f"{value:f}"
    elif isinstance(value, dt.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(dt.timezone.utc)
        text = f"{value.year:04d}-{value:%m-%d %H:%M:%S.%f}"
    elif isinstance(value, dt.date):
        text = f"{value.year:04d}-{value:%m-%d}"
    elif isinstance(value, int):
        text = str(value)
    else:
        raise SettingsError(f"{value!r} cannot be compared with a column")
    return f"cast('{text}' as {base})"


def row_values(batch, types) -> list:
    """Return a batch's rows as texts for VALUES. Raises DataError."""
    import pyarrow as pa
    import pyarrow.types as is_

    columns = []
    for column, field, sql_type in zip(batch.columns, batch.schema, types):
        if is_.is_time(column.type):
            column = column.cast(pa.utf8())
        values = column.to_pylist()
        if is_.is_timestamp(column.type):
            _refuse_early(values, field.name)
        columns.append([literal(value, sql_type) for value in values])
    return [f"({', '.join(row)})" for row in zip(*columns)]


def _refuse_early(values, name: str) -> None:
    for at, value in enumerate(values):
        if value is not None and value.year < FIRST_YEAR:
            raise DataError(
                f"row {at} (from 0), column {name!r}: {value} is before {FIRST_YEAR}, where "
                f"Impala's timestamps begin",
                position=at,
                column=name,
            )


def column_from(values, field, first_row: int):
    """Return a column of what the server sent. Raises DataError."""
    import pyarrow as pa
    import pyarrow.types as is_

    if is_.is_string(field.type):
        values = [each.decode() if isinstance(each, bytes) else each for each in values]
        return column_of(values, field, first_row=first_row)
    if is_.is_float32(field.type):
        return pa.array(values, pa.float64()).cast(pa.float32())
    as_text = (is_.is_decimal, is_.is_timestamp, is_.is_date, is_.is_time)
    if not any(each(field.type) for each in as_text):
        return column_of(values, field, first_row=first_row)
    texts = pa.array(values, pa.utf8())
    if not is_.is_timestamp(field.type):
        return array_from_text(texts, field, first_row=first_row)
    plain = array_from_text(texts, field.with_type(pa.timestamp("us")), first_row=first_row)
    return plain.view(pa.int64()).cast(field.type)
