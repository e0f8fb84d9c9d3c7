"""DuckDB's types to Arrow fields and back; no values, no connection.

Most cross as they are. What Arrow has no type for is text as DuckDB writes it, and the field's
``pypods.type`` is the type's name in lower case.
"""

from __future__ import annotations

from pypods.connectors.types import field_from_text, kind_of, with_kind

#: The type's text in SQL.
SQL_TYPE = b"duckdb.type"
#: Read as text: (what the text is, in the contract's words).
_AS_TEXT = {
    "HUGEINT": "decimal(39,0)", "UHUGEINT": "decimal(39,0)",
    "INTERVAL": "utf8:interval", "TIME WITH TIME ZONE": "utf8:timetz", "BIT": "utf8:bit",
    "BIGNUM": "utf8:bignum", "VARINT": "utf8:bignum", "TIME_NS": "utf8:time_ns",
    "TIMESTAMP_NS": "utf8:timestamp_ns",
}  # fmt: skip
OWN_KINDS = {"interval": "INTERVAL", "timetz": "TIMETZ", "bit": "BIT"}
_WRITTEN = {
    "bool": "BOOLEAN", "int8": "TINYINT", "int16": "SMALLINT", "int32": "INTEGER",
    "int64": "BIGINT", "uint8": "UTINYINT", "uint16": "USMALLINT", "uint32": "UINTEGER",
    "uint64": "UBIGINT", "float": "REAL", "double": "DOUBLE", "string": "VARCHAR",
    "binary": "BLOB", "date32[day]": "DATE", "time64[us]": "TIME", "timestamp[us]": "TIMESTAMP",
}  # fmt: skip


def field_of(name: str, sql_type: str, arrow_field, nullable: bool):
    """Return the field of a column, from DuckDB's text for its type and what Arrow says of it."""
    from pypods.connectors.types import normal_field

    if sql_type in _AS_TEXT:
        field = field_from_text(name, _AS_TEXT[sql_type], nullable)
    elif sql_type == "UUID":
        field = field_from_text(name, "uuid", nullable)
    elif sql_type == "JSON":
        field = field_from_text(name, "json", nullable)
    elif sql_type.startswith("ENUM("):
        field = field_from_text(name, "utf8", nullable)
    elif sql_type.startswith(("UNION(", "GEOMETRY", "VARIANT")):
        field = field_from_text(name, f"utf8:{sql_type.partition('(')[0].lower()}", nullable)
    else:
        field = normal_field(arrow_field.with_name(name).with_nullable(nullable))
    return field.with_metadata({**(field.metadata or {}), SQL_TYPE: sql_type.encode()})


def sql_type_of(field) -> str:
    """Return DuckDB's text for the type of a column that is there, or nothing."""
    return (field.metadata or {}).get(SQL_TYPE, b"").decode()


def select_item(field, quoted: str) -> str:
    """Return what is selected for a column."""
    sql_type = sql_type_of(field)
    if sql_type == "UUID":
        return f"unhex(replace({quoted}::varchar, '-', ''))"
    if sql_type in _AS_TEXT or sql_type.startswith(("ENUM(", "UNION(", "GEOMETRY", "VARIANT")):
        return f"{quoted}::varchar"
    return quoted


def stored_field(field):
    """Return the field that a column made for this one is read as."""
    import pyarrow as pa
    import pyarrow.types as is_

    type_, kind = field.type, kind_of(field)
    if (kind == "uuid" and is_.is_fixed_size_binary(type_)) or kind == "json" or kind in OWN_KINDS:
        return field
    if is_.is_fixed_size_binary(type_) and not is_.is_decimal(type_):
        return with_kind(field.with_type(pa.binary()), "")
    return with_kind(field.with_type(_stored_type(type_)), "")


def _stored_type(type_):
    import pyarrow as pa
    import pyarrow.types as is_

    if is_.is_timestamp(type_) and type_.tz:
        return pa.timestamp("us", "UTC")
    if is_.is_list(type_):
        return pa.list_(pa.field("item", _stored_type(type_.value_type)))
    if is_.is_struct(type_):
        return pa.struct([(each.name, _stored_type(each.type)) for each in type_])
    if is_.is_fixed_size_binary(type_) and not is_.is_decimal(type_):
        return pa.binary()
    return type_


def sql_type_for(type_, kind: str = "") -> str | None:
    """Return the SQL type of a column for an Arrow type, or None."""
    import pyarrow.types as is_

    if kind in ("json", "uuid"):
        return kind.upper()
    if kind in OWN_KINDS:
        return OWN_KINDS[kind]
    if is_.is_decimal(type_):
        return f"DECIMAL({type_.precision},{type_.scale})" if type_.precision <= 38 else None
    if is_.is_timestamp(type_) and type_.tz:
        return "TIMESTAMPTZ"
    if is_.is_list(type_):
        inner = sql_type_for(type_.value_type)
        return f"{inner}[]" if inner else None
    if is_.is_struct(type_):
        inner = [(each.name, sql_type_for(each.type)) for each in type_]
        if not inner or any(sql is None for _, sql in inner):
            return None
        quoted = [(name.replace('"', '""'), sql) for name, sql in inner]
        return "STRUCT(" + ", ".join(f'"{name}" {sql}' for name, sql in quoted) + ")"
    return _WRITTEN.get(str(type_))
