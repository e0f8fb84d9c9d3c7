"""Types of Impala, Hive and Spark to Arrow fields and back; no values, no connection.

What there is no type for is held by the type that can, and the column's comment says what it is:
``pypods.type=time(us)``. Arrays, maps and structs are JSON, and cannot be written as such.
"""

from __future__ import annotations

import re

from pypods.connectors.errors import SchemaError
from pypods.connectors.types import field_from_text, kind_of, text_of, with_kind

#: The type's text in SQL, and the dialect that it is of.
SQL_TYPE = b"impala.type"
DIALECT = b"impala.dialect"
COMMENT = "pypods.type="
_SIMPLE = {
    "boolean": "bool", "tinyint": "int8", "smallint": "int16", "int": "int32", "integer": "int32",
    "bigint": "int64", "float": "float32", "real": "float32", "double": "float64",
    "string": "utf8", "date": "date", "timestamp": "timestamp(us)",
    "timestamp_ntz": "timestamp(us)", "binary": "binary",
}  # fmt: skip
_WRITTEN = {
    "bool": "boolean", "int8": "tinyint", "int16": "smallint", "int32": "int", "int64": "bigint",
    "float32": "float", "float64": "double", "utf8": "string", "binary": "binary", "date": "date",
    "timestamp(us)": "timestamp", "time(us)": "string", "uint64": "decimal(20,0)",
}  # fmt: skip
#: What the next wider type holds.
_WIDER = {"uint8": "int16", "uint16": "int32", "uint32": "int64"}
NESTED = ("array", "map", "struct")
#: What no column's name has in it: one ends names in the metastore, one is a variable of Spark's.
REFUSED_IN_NAMES = (",", "${")
MOST_DIGITS = 38


def base_of(sql_type: str) -> str:
    """Return the name of a type, without what stands behind it in brackets."""
    return re.split(r"[(<]", sql_type, maxsplit=1)[0].strip().lower()


def field_of(name: str, sql_type: str, comment: str, dialect):
    """Return the field of a column."""
    sql_type = sql_type.strip()
    field = _marked_field(name, sql_type, comment or "") or _plain_field(name, sql_type)
    own = {SQL_TYPE: sql_type.encode(), DIALECT: dialect.name.encode()}
    return field.with_metadata({**(field.metadata or {}), **own})


def _marked_field(name: str, sql_type: str, comment: str):
    """Return what a comment says that a column is, if the column's type is what holds that."""
    if not comment.startswith(COMMENT):
        return None
    try:
        field = field_from_text(name, comment[len(COMMENT) :])
        return field if storage_of(field) == sql_type.lower().replace(" ", "") else None
    except SchemaError:
        return None


def _plain_field(name: str, sql_type: str):
    base = base_of(sql_type)
    if base in ("varchar", "char"):
        return field_from_text(name, "utf8")
    if base == "decimal":
        return field_from_text(name, sql_type.lower() if "(" in sql_type else "decimal(10,0)")
    if base in NESTED:
        return field_from_text(name, "json")
    return field_from_text(name, _SIMPLE.get(base) or f"utf8:{base}")


def sql_type_of(field) -> str:
    """Return the text of the type of a column that is there, or nothing."""
    return (field.metadata or {}).get(SQL_TYPE, b"").decode()


def stored_field(field):
    """Return the field that a column made for this one is read as. Raises SchemaError."""
    import pyarrow as pa
    import pyarrow.types as is_

    for each in REFUSED_IN_NAMES:
        if each in field.name:
            raise SchemaError(f"column {field.name!r}: no name has {each!r} in it; rename it")
    field, type_ = with_kind(field, kind_of(field)).with_nullable(True), field.type
    if is_.is_nested(type_):
        return field_from_text(field.name, "json")
    if is_.is_fixed_size_binary(type_) and kind_of(field) != "uuid":
        return field.with_type(pa.binary())
    if is_.is_timestamp(type_) and type_.tz and not re.fullmatch(r"[\w/+:-]+", type_.tz):
        return field.with_type(pa.timestamp("us", "UTC"))
    wider = _WIDER.get(str(type_))
    return field.with_type(getattr(pa, wider)()) if wider else field


def storage_of(field) -> str:
    """Return the type in SQL that holds a field of ``stored_field``. Raises SchemaError."""
    import pyarrow.types as is_

    text, type_ = text_of(field), field.type
    if kind_of(field):
        return "string"
    if is_.is_timestamp(type_):
        return "timestamp"
    if is_.is_decimal(type_) and type_.precision <= MOST_DIGITS:
        return f"decimal({type_.precision},{type_.scale})"
    if text not in _WRITTEN:
        raise SchemaError(f"column {field.name!r}: there is no type for {type_}; cast it first")
    return _WRITTEN[text]


def comment_of(field) -> str:
    """Return what a column's comment has to say of a field, or nothing."""
    import pyarrow.types as is_

    if sql_type_of(field) and base_of(sql_type_of(field)) in NESTED:
        return ""
    is_zoned = is_.is_timestamp(field.type) and field.type.tz
    if kind_of(field) or is_zoned or is_.is_time(field.type) or is_.is_uint64(field.type):
        return COMMENT + text_of(field)
    return ""
