"""Values as the servers send and take them, to Arrow and back; no connection.

A server sends columns: numbers as they are, all else as the bytes of a text. It takes texts, which
SQL makes what they are to be.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from uuid import UUID

from pypods.connectors.errors import DataError, SettingsError
from pypods.connectors.text_forms import array_from_text, text_from_array, texts_of_bytes
from pypods.connectors.types import kind_of

from .impala_types import base_of, sql_type_of, storage_of

_ESCAPED = re.compile(r"[\x00-\x1f\x7f'\\$]")
_FLOATS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_FINER = r"(\.\d{6})0+$"


# --- in SQL -------------------------------------------------------------------------------------


def text_literal(text: str) -> str:
    """Return a text as it stands in SQL.

    All three read a backslash as the start of an escape; $ may begin a variable, also in a text.
    """
    return "'" + _ESCAPED.sub(_escape, text) + "'"


def _escape(found) -> str:
    char = found[0]
    return "\\" + char if char in "'\\" else f"\\u{ord(char):04x}"


def literal(value, field, dialect) -> str:
    """Return a value as it stands in SQL, to be compared with a column of that field."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if -(2**63) < value < 2**63 else literal(Decimal(value), field, dialect)
    if isinstance(value, float):
        type_ = "float" if field is not None and str(field.type) == "float" else "double"
        text = repr(value)
        return f"cast('{_FLOATS.get(text, text)}' as {type_})"
    if isinstance(value, Decimal):
        return _decimal_literal(value)
    if isinstance(value, str):
        return text_literal(value)
    if isinstance(value, UUID) or (isinstance(value, bytes) and _is_uuid(field)):
        return text_literal(str(value if isinstance(value, UUID) else UUID(bytes=value)))
    if isinstance(value, bytes):
        return dialect.from_hex(f"'{value.hex()}'")
    if isinstance(value, dt.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(dt.timezone.utc).replace(tzinfo=None)
        return f"cast('{value.isoformat(' ', 'microseconds')}' as timestamp)"
    if isinstance(value, dt.date):
        return f"cast('{value.isoformat()}' as date)"
    if isinstance(value, dt.time):
        return text_literal(value.isoformat("microseconds"))
    raise SettingsError(f"{value!r} cannot be compared with a column")


def _is_uuid(field) -> bool:
    return field is not None and kind_of(field) == "uuid"


def _decimal_literal(value: Decimal) -> str:
    """Return a decimal with as many digits as it has, so that none is lost."""
    if not value.is_finite():
        raise SettingsError(f"{value} cannot be compared with a column")
    text = format(value, "f")
    whole, _, fraction = text.lstrip("-").partition(".")
    digits = max(len(whole.lstrip("0")) + len(fraction), 1)
    if digits > 38:
        raise SettingsError(f"{value} has more than 38 digits")
    return f"cast('{text}' as decimal({digits},{len(fraction)}))"


def from_text(expression: str, field, dialect) -> str:
    """Return the SQL that makes of a text, as ``written_texts`` has them, a value of a column."""
    sql_type = sql_type_of(field) or storage_of(field)
    base = base_of(sql_type)
    if base == "string":
        return expression
    if base == "binary":
        return dialect.from_hex(expression)
    if base == "boolean":
        return f"{expression} = 'true'"
    return f"cast({expression} as {sql_type})"


# --- written ------------------------------------------------------------------------------------


def written_texts(column, field, dialect):
    """Return a column as an array of texts. Raises DataError for what would be changed."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as is_

    type_ = column.type
    if is_.is_timestamp(type_):
        moments = column.cast(pa.int64()).cast(pa.timestamp("us"))
        _refuse_before(moments, dialect.first_year, field)
        return moments.cast(pa.utf8())
    texts = text_from_array(column, field, binary="hex")
    if is_.is_floating(type_):
        for given, wanted in _FLOATS.items():
            texts = pc.if_else(pc.equal(texts, given), wanted, texts)
    if base_of(sql_type_of(field)) in ("varchar", "char"):
        _refuse_longer(texts, field)
    return texts


def _refuse_before(moments, year: int, field) -> None:
    import pyarrow.compute as pc

    at = pc.index(pc.less(pc.year(moments), year), True).as_py() if year > 1 else -1
    if at >= 0:
        raise _refused(at, field, f"a time before {year}, which a TIMESTAMP does not hold")


def _refuse_longer(texts, field) -> None:
    """Raise DataError for a text that would be cut."""
    import pyarrow.compute as pc

    most = re.search(r"\d+", sql_type_of(field))
    if most is None:
        return
    at = pc.index(pc.greater(pc.utf8_length(texts), int(most[0])), True).as_py()
    if at >= 0:
        raise _refused(at, field, f"a text that is too long for {sql_type_of(field)}")


def _refused(at: int, field, why: str) -> DataError:
    return DataError(
        f"row {at} (from 0), column {field.name!r}: {why}", position=at, column=field.name
    )


# --- read ---------------------------------------------------------------------------------------


def read_column(column, field, first_row: int):
    """Return a column of the driver's as an array of the field's type. Raises DataError."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as is_

    values, type_ = column.values, field.type
    if column.nulls.any():
        values = [None if null else value for value, null in zip(values, column.nulls)]
    if is_.is_floating(type_):
        # Selected as DOUBLE, which holds each FLOAT.
        return pa.array(values, pa.float64()).cast(type_, safe=False)
    if is_.is_boolean(type_) or (is_.is_integer(type_) and not is_.is_uint64(type_)):
        return pa.array(values, type_)
    # A STRING may hold any bytes.
    texts = texts_of_bytes(
        pa.array(values, pa.binary()), field, first_row=first_row,
        advice="read hex of it with a query",
    )  # fmt: skip
    if is_.is_timestamp(type_):
        # Nine digits behind the point, where the last three are none.
        texts = pc.replace_substring_regex(texts, _FINER, r"\1")
        if type_.tz:
            texts = pc.binary_join_element_wise(texts, "", "Z")
    if is_.is_string(type_) and kind_of(field) != "json":
        return texts
    return array_from_text(texts, field, binary="hex", first_row=first_row)
