"""Hive's types to Arrow fields and back; no values, no connection.

What Hive has no type for is a STRING, BINARY or TIMESTAMP whose column's comment says what it is.
"""

from __future__ import annotations

import re

from pypods.connectors.types import field_from_text, kind_of, with_kind

#: The type's text in SQL.
SQL_TYPE = b"impala.type"
COMMENT = "pypods.type="
_COMMENTED = {
    ("string", "json"): "json", ("string", "time"): "time(us)", ("binary", "uuid"): "uuid",
    ("timestamp", "utc"): "timestamp(us, UTC)",
}  # fmt: skip
_SIMPLE = {
    "boolean": "bool", "tinyint": "int8", "smallint": "int16", "int": "int32", "integer": "int32",
    "bigint": "int64", "float": "float32", "real": "float64", "double": "float64",
    "string": "utf8", "binary": "binary", "date": "date", "timestamp": "timestamp(us)",
}  # fmt: skip
_WRITTEN = {
    "bool": "boolean", "int8": "tinyint", "int16": "smallint", "int32": "int", "int64": "bigint",
    "float32": "float", "float64": "double", "utf8": "string", "binary": "binary", "date": "date",
    "timestamp(us)": "timestamp", **{text: base for (base, _), text in _COMMENTED.items()},
}  # fmt: skip
#: Integers that Hive has not, in those that hold them.
_UNSIGNED = {"uint8": "int16", "uint16": "int32", "uint32": "int64", "uint64": "decimal(20,0)"}
MAX_DIGITS = 38


def field_of(name: str, sql_type: str, comment: str):
    """Return the field of a column, from Hive's text for its type."""
    base = sql_type.partition("(")[0].strip().lower()
    marked = (comment or "")[len(COMMENT) :] if (comment or "").startswith(COMMENT) else ""
    if (base, marked) in _COMMENTED:
        field = field_from_text(name, _COMMENTED[base, marked])
    elif base == "decimal":
        field = field_from_text(name, sql_type if "(" in sql_type else "decimal(10,0)")
    elif base in _SIMPLE:
        field = field_from_text(name, _SIMPLE[base])
    elif base in ("varchar", "char"):
        field = field_from_text(name, "utf8")
    else:
        field = field_from_text(name, f"utf8:{re.match(r'[a-z_]*', base)[0] or 'unknown'}")
    return field.with_metadata({**(field.metadata or {}), SQL_TYPE: sql_type.encode()})


def sql_type_of(field) -> str:
    """Return Hive's text for the type of a column that is there, or nothing."""
    return (field.metadata or {}).get(SQL_TYPE, b"").decode()


def select_item(field, quoted: str) -> str:
    """Return what is selected for a column: text where the protocol would round."""
    import pyarrow.types as is_

    if is_.is_timestamp(field.type) or is_.is_date(field.type):
        return f"cast({quoted} as string)"
    return f"cast({quoted} as double)" if is_.is_float32(field.type) else quoted


def stored_field(field):
    """Return the field that a column made for this one is read as. All may be NULL."""
    import pyarrow as pa
    import pyarrow.types as is_

    type_, kind = field.type, kind_of(field)
    name = field.name
    if kind == "json" or is_.is_nested(type_):
        return field_from_text(name, "json")
    if kind == "uuid" and is_.is_fixed_size_binary(type_):
        return field_from_text(name, "uuid")
    if str(type_) in _UNSIGNED:
        return field_from_text(name, _UNSIGNED[str(type_)])
    if is_.is_fixed_size_binary(type_) and not is_.is_decimal(type_):
        type_ = pa.binary()
    if is_.is_timestamp(type_) and type_.tz:
        type_ = pa.timestamp("us", "UTC")
    return with_kind(pa.field(name, type_), "")


def sql_type_for(field) -> str | None:
    """Return the SQL type of a column for a field of ``stored_field``, or None."""
    import pyarrow.types as is_

    from pypods.connectors.types import text_of

    if is_.is_decimal(field.type):
        digits, scale = field.type.precision, field.type.scale
        return f"decimal({digits},{scale})" if digits <= MAX_DIGITS else None
    return _WRITTEN.get(text_of(field))


def comment_of(field) -> str:
    """Return what a column's comment has to say of a field."""
    from pypods.connectors.types import text_of

    for (_, marked), text in _COMMENTED.items():
        if text_of(field) == text:
            return COMMENT + marked
    return ""
