"""SQL Server's types to Arrow fields and back; no values, no connection.

What Arrow has no type for is text as SQL Server writes it, and the field's ``pypods.type`` is the
type's name: ``xml``, ``sql_variant``, ``geography``.
"""

from __future__ import annotations

import re

from pypods.connectors.types import field_from_text, kind_of, text_of, with_kind

#: The type's text in SQL, for values that are compared with the column.
SQL_TYPE = b"mssql.type"
MAX_DIGITS = 38
#: Bytes of a clustered index's key, and what is left of them for each character.
KEY_CHARACTERS = 450
KEY_BYTES = 900

_SIMPLE = {
    "bit": "bool", "tinyint": "uint8", "smallint": "int16", "int": "int32", "bigint": "int64",
    "real": "float32", "money": "decimal(19,4)", "smallmoney": "decimal(10,4)",
    "char": "utf8", "varchar": "utf8", "nchar": "utf8", "nvarchar": "utf8", "text": "utf8",
    "ntext": "utf8", "sysname": "utf8",
    "binary": "binary", "varbinary": "binary", "image": "binary", "timestamp": "binary",
    "rowversion": "binary", "date": "date", "time": "time(us)",
    "datetime": "timestamp(us)", "smalldatetime": "timestamp(us)", "datetime2": "timestamp(us)",
    "datetimeoffset": "timestamp(us, UTC)", "uniqueidentifier": "uuid", "json": "json",
}  # fmt: skip
_WRITTEN = {
    "bool": "bit", "uint8": "tinyint", "int16": "smallint", "int32": "int", "int64": "bigint",
    "float32": "real", "float64": "float(53)", "utf8": "nvarchar(max)", "binary": "varbinary(max)",
    "date": "date", "time(us)": "time(6)", "timestamp(us)": "datetime2(6)",
    "timestamp(us, UTC)": "datetimeoffset(6)", "uuid": "uniqueidentifier",
    # Of SQL Server 2025 only; a text that is marked so is JSON in each.
    "json": "nvarchar(max)",
}  # fmt: skip
#: Own types that a column is made of again, if it is said to be one.
OWN_KINDS = ("xml", "sql_variant", "hierarchyid", "geometry", "geography")
#: How a column without a type of Arrow's is read.
_AS_TEXT = {
    "xml": "cast({} as nvarchar(max))", "sql_variant": "cast({} as nvarchar(max))",
    "json": "cast({} as nvarchar(max))", "vector": "cast({} as nvarchar(max))",
    "hierarchyid": "{}.ToString()", "geometry": "{}.ToString()", "geography": "{}.ToString()",
    "money": "cast({} as decimal(19,4))", "smallmoney": "cast({} as decimal(10,4))",
}  # fmt: skip


def base_of(sql_type: str) -> str:
    """Return a type's text without its length: ``nvarchar`` of ``nvarchar(20)``."""
    return sql_type.partition("(")[0].strip().lower()


def declared(name: str, max_length: int, precision: int, scale: int) -> str:
    """Return a type's text from a row of sys.columns."""
    if name in ("decimal", "numeric"):
        return f"{name}({precision},{scale})"
    if name in ("nvarchar", "nchar"):
        return f"{name}({'max' if max_length < 0 else max_length // 2})"
    if name in ("varchar", "char", "varbinary", "binary"):
        return f"{name}({'max' if max_length < 0 else max_length})"
    if name in ("datetime2", "datetimeoffset", "time"):
        return f"{name}({scale})"
    return "float(53)" if name == "float" and precision == 53 else name


def field_of(name: str, sql_type: str, nullable: bool):
    """Return the Arrow field of a column. Unknown types are text of that name."""
    base = base_of(sql_type)
    if base in ("decimal", "numeric"):
        text = "decimal" + (re.sub(r"^\w+", "", sql_type) or "(18,0)")
    elif base == "float":
        found = re.search(r"\((\d+)\)", sql_type)
        text = "float32" if found and int(found[1]) <= 24 else "float64"
    else:
        text = _SIMPLE.get(base) or f"utf8:{base}"
    field = field_from_text(name, text, nullable)
    return field.with_metadata({**(field.metadata or {}), SQL_TYPE: sql_type.encode()})


def sql_type_of(field) -> str:
    """Return the type's text in SQL, as the catalog has it, or nothing."""
    return (field.metadata or {}).get(SQL_TYPE, b"").decode()


def select_item(field, name: str) -> str:
    """Return what a column is read as: ``name`` is its name in SQL.

    Behind a time of 7 digits comes what Arrow's microseconds would lose of it, which the driver
    cuts off and says nothing. None has a name of its own, which an ORDER BY would take.
    """
    form = _AS_TEXT.get(base_of(sql_type_of(field)))
    if is_finer_than_arrow(field):
        return f"{name}, datepart(nanosecond, {name}) % 1000"
    return form.format(name) if form else name


def is_finer_than_arrow(field) -> bool:
    """Whether a column keeps tenths of microseconds."""
    return re.fullmatch(r"(datetime2|datetimeoffset)(\(7\))?", sql_type_of(field)) is not None


def rounds_to(field) -> int:
    """Return the microseconds that a column rounds times to: 1000 for ``datetime2(3)``."""
    found = re.match(r"(?:datetime2|datetimeoffset|time)\((\d)\)", sql_type_of(field))
    if found:
        return 10 ** max(6 - int(found[1]), 0)
    return 60_000_000 if base_of(sql_type_of(field)) == "smalldatetime" else 1


def stored_field(field):
    """Return the field that a column made for this one is read as."""
    import pyarrow as pa
    import pyarrow.types as is_

    type_, kind = field.type, kind_of(field)
    if kind == "uuid" and is_.is_fixed_size_binary(type_):
        return field
    if kind in ("json", *OWN_KINDS):
        return field
    if is_.is_nested(type_):
        return with_kind(field.with_type(pa.utf8()), "json")
    wider = {"int8": "int16", "uint16": "int32", "uint32": "int64", "uint64": "decimal(20,0)"}
    if str(type_) in wider:
        return field_from_text(field.name, wider[str(type_)], field.nullable)
    if is_.is_fixed_size_binary(type_) and not is_.is_decimal(type_):
        return with_kind(field.with_type(pa.binary()), "")
    if is_.is_timestamp(type_) and type_.tz:
        return with_kind(field.with_type(pa.timestamp("us", "UTC")), "")
    return with_kind(field, "")


def sql_type_for(field) -> str | None:
    """Return the SQL type of a column for a field of ``stored_field``, or None."""
    import pyarrow.types as is_

    if is_.is_decimal(field.type):
        precision, scale = field.type.precision, field.type.scale
        return f"decimal({precision},{scale})" if precision <= MAX_DIGITS else None
    if kind_of(field) in OWN_KINDS:
        return kind_of(field)
    return _WRITTEN.get(text_of(field))


def key_type(sql_type: str, columns: int) -> str:
    """Return a type that may be in a key of so many columns, for one that may be too long."""
    if sql_type == "nvarchar(max)":
        return f"nvarchar({KEY_CHARACTERS // columns})"
    return f"varbinary({KEY_BYTES // columns})" if sql_type == "varbinary(max)" else sql_type


def bound(value, field):
    """Return a condition's value as the driver takes it."""
    import datetime as dt
    import uuid

    if kind_of(field) == "uuid" and isinstance(value, bytes):
        return str(uuid.UUID(bytes=value))
    # As a parameter, a DATETIME2 would be compared with what the column's tick rounds up to.
    if isinstance(value, dt.datetime) and base_of(sql_type_of(field)) == "datetime":
        return value.isoformat(timespec="milliseconds")
    return value
