"""Declared types of SQLite's columns to Arrow fields and back; no values, no connection.

SQLite keeps what it is given, whatever a column is declared as; the declared type is what the
column is read as, and a value that is none of it is an error. What a type is written as has an
affinity that keeps its values: decimals of more than 15 digits, which a REAL would round, and JSON
are declared with TEXT in the type's name.
"""

from __future__ import annotations

import re

from pypods.connectors.types import kind_of, with_kind

#: Decimal digits that SQLite's REAL and INTEGER keep under NUMERIC affinity.
NUMERIC_DIGITS = 15

#: In a field's metadata: how the column is declared, and that its values may be of any kind.
DECLARED = b"sqlite.type"
INEXACT = b"sqlite.inexact"

_DECLARED = {
    "BOOL": "bool", "BOOLEAN": "bool",
    "TINYINT": "int8", "SMALLINT": "int16", "INT2": "int16", "INT4": "int32",
    "INT": "int64", "INTEGER": "int64", "INT8": "int64", "BIGINT": "int64", "MEDIUMINT": "int64",
    "UNSIGNED TINYINT": "uint8", "UNSIGNED SMALLINT": "uint16", "UNSIGNED INT4": "uint32",
    "REAL": "float64", "DOUBLE": "float64", "DOUBLE PRECISION": "float64", "FLOAT": "float64",
    "FLOAT4": "float32", "FLOAT8": "float64",
    "TEXT": "utf8", "CLOB": "utf8", "VARCHAR": "utf8", "CHAR": "utf8", "NVARCHAR": "utf8",
    "NCHAR": "utf8", "CHARACTER": "utf8", "CHARACTER VARYING": "utf8", "STRING": "utf8",
    "BLOB": "binary", "BINARY": "binary", "VARBINARY": "binary", "BYTEA": "binary",
    "DATE": "date", "TIME": "time(us)",
    "DATETIME": "timestamp(us)", "TIMESTAMP": "timestamp(us)",
    "TIMESTAMPTZ": "timestamp(us, UTC)", "TIMESTAMP WITH TIME ZONE": "timestamp(us, UTC)",
    "JSON": "json", "JSON_TEXT": "json", "UUID": "uuid", "UUID_TEXT": "uuid",
}  # fmt: skip
_WRITTEN = {
    "bool": "BOOLEAN", "int8": "TINYINT", "int16": "SMALLINT", "int32": "INT4", "int64": "INTEGER",
    "uint8": "UNSIGNED TINYINT", "uint16": "UNSIGNED SMALLINT", "uint32": "UNSIGNED INT4",
    "float32": "FLOAT4", "float64": "REAL", "utf8": "TEXT", "binary": "BLOB",
    "date": "DATE", "time(us)": "TIME", "timestamp(us)": "TIMESTAMP",
    "timestamp(us, UTC)": "TIMESTAMPTZ", "json": "JSON_TEXT", "uuid": "UUID_TEXT",
}  # fmt: skip


def type_text(declared: str) -> str | None:
    """Return the contract's text for a declared type, or None for one that says too little."""
    words = " ".join(declared.upper().split())
    found = re.fullmatch(r"([A-Z_0-9 ]+?) ?(?:\( ?(\d+) ?(?:, ?(\d+) ?)?\))?", words)
    if not found:
        return None
    name, first, second = found.groups()
    if name in ("DECIMAL", "NUMERIC", "DECIMAL_TEXT"):
        return f"decimal({first},{second or 0})" if first and 1 <= int(first) <= 76 else None
    if name in _DECLARED:
        return _DECLARED[name]
    return "int64" if "INT" in name and "POINT" not in name else None


def is_exact(declared: str) -> bool:
    """Whether SQLite keeps every value of a declared decimal type as it was given."""
    text = type_text(declared) or ""
    if not text.startswith("decimal"):
        return True
    return "TEXT" in declared.upper() or int(text[8:].split(",")[0]) <= NUMERIC_DIGITS


def declare(field, declared: str, *, exact: bool):
    """Return the field with what it is declared as, and whether SQLite keeps one kind of value."""
    metadata = {**(field.metadata or {}), DECLARED: declared.encode()}
    if not exact:
        metadata[INEXACT] = b"yes"
    return field.with_metadata(metadata)


def keeps_one_kind(field) -> bool:
    """Whether a column's values are of one kind, as far as its declaration says."""
    return INEXACT not in (field.metadata or {})


def is_mixed_decimal(field) -> bool:
    """Whether a column is a decimal that SQLite keeps as INTEGER, REAL or TEXT, as it sees fit."""
    import pyarrow.types as is_

    return not keeps_one_kind(field) and is_.is_decimal128(field.type)


def turns_into_text(field) -> bool:
    """Whether SQLite turns a number into text when a column is given one: TEXT affinity."""
    declared = (field.metadata or {}).get(DECLARED, b"").decode().upper()
    return any(word in declared for word in ("CHAR", "CLOB", "TEXT")) and "INT" not in declared


def stored_field(field):
    """Return the field that a column made for this one is read as."""
    import pyarrow as pa
    import pyarrow.types as is_

    type_ = field.type
    kind = kind_of(field)
    if kind == "uuid" and is_.is_fixed_size_binary(type_):
        return field
    if is_.is_nested(type_):
        return with_kind(field.with_type(pa.utf8()), "json")
    if is_.is_uint64(type_):
        return field.with_type(pa.decimal128(20, 0))
    if is_.is_fixed_size_binary(type_) and not is_.is_decimal(type_):
        return with_kind(field.with_type(pa.binary()), "")
    if is_.is_timestamp(type_) and type_.tz:
        return field.with_type(pa.timestamp("us", "UTC"))
    return field if kind == "json" else with_kind(field, "")


def declared_type(field, text: str) -> str | None:
    """Return the declaration for a field whose type has this text, or None."""
    import pyarrow.types as is_

    if is_.is_decimal(field.type):
        precision, scale = field.type.precision, field.type.scale
        name = "DECIMAL" if precision <= NUMERIC_DIGITS else "DECIMAL_TEXT"
        return f"{name}({precision},{scale})"
    return _WRITTEN.get(text)
