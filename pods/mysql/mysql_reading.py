"""Rows of a SELECT as Arrow batches, from the texts that the server sends; no catalog."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from uuid import UUID

from pymysql.cursors import SSCursor

from pypods.connectors.errors import DataError
from pypods.connectors.rows import growing_batches
from pypods.connectors.text_rows import typed
from pypods.connectors.types import kind_of

from . import mysql_types
from .mysql_rows import ResultRows


def read_batches(session, statement, schema, batch_rows: int):
    """Yield the rows of a SELECT as they arrive. Raises DataError for what Arrow cannot hold."""
    text, values = statement.render(session.database.style, session.database.bind)
    session.read_much()
    cursor = session.connection.cursor(SSCursor)
    try:
        cursor.execute(text, values or None)
        # Values come as the bytes of texts; Arrow reads them faster, and exactly.
        rows = ResultRows(cursor._result)
        yield from typed(growing_batches(rows.fetch, batch_rows=batch_rows), schema, _ready)
    finally:
        session.cut(cursor)


def _has_bytes(field) -> bool:
    import pyarrow.types as is_

    is_native_uuid = mysql_types.base_of(mysql_types.sql_type_of(field)) == "uuid"
    binary = is_.is_binary(field.type) or is_.is_fixed_size_binary(field.type)
    return binary and not is_native_uuid


def _ready(column, field):
    """Return a column of texts as ``text_forms`` reads it, or as it is to be."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if mysql_types.base_of(mysql_types.sql_type_of(field)) in mysql_types.GEOMETRIES:
        _refuse_systems(column, field)
    if _has_bytes(field):
        return column.cast(field.type)
    if pa.types.is_integer(field.type):
        # Of an integer the server sends digits; what is none for the type is told of below.
        with suppress(pa.ArrowInvalid):
            return column.cast(field.type)
    column = column.cast(pa.utf8())
    if pa.types.is_timestamp(field.type) and field.type.tz:
        return pc.binary_join_element_wise(column, "", "Z")
    return column


def _refuse_systems(column, field) -> None:
    import pyarrow.compute as pc

    at = pc.index(pc.starts_with(column, b"SRID"), True).as_py()
    if at >= 0:
        raise DataError(
            f"column {field.name!r} has a geometry of {column[at].as_py().decode()}, which its WKB "
            f"would not say; read it as text with a query: st_astext({field.name})",
            column=field.name,
        )


def select_item(name: str, field) -> str:
    """Return what is selected of a column, ``name`` being its name in SQL."""
    base = mysql_types.base_of(mysql_types.sql_type_of(field))
    if base == "float":
        # As a FLOAT it would be sent with six digits.
        return f"({name} + 0e0)"
    if base == "bit":
        return f"({name} + 0)"
    if base in mysql_types.GEOMETRIES:
        return f"if(st_srid({name}) <> 0, concat('SRID ', st_srid({name})), st_aswkb({name}))"
    return name


def ascending(name: str, field) -> str:
    """Return the order of a column; NULLs are first. It has to be that of its comparisons."""
    base = mysql_types.base_of(mysql_types.sql_type_of(field))
    # These compare as texts, and sort as numbers.
    return f"concat({name})" if base in ("enum", "set") else name


def bound(value, field):
    """Return a condition's value as the driver is to write it."""
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.timezone.utc).replace(tzinfo=None)
    if kind_of(field) == "uuid" and not isinstance(value, str):
        value = value if isinstance(value, UUID) else UUID(bytes=bytes(value))
        native = mysql_types.base_of(mysql_types.sql_type_of(field)) == "uuid"
        return str(value) if native else value.bytes
    return value
