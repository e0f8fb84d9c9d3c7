"""Rows of a SELECT as Arrow batches, with ADBC: PostgreSQL's COPY in binary; no catalog.

A COPY takes no parameters. So the values of conditions go to the server as parameters of another
statement, which keeps them as settings of the session, and the SELECT asks for those by number.
"""

from __future__ import annotations

from functools import partial

from pypods.connectors.batches import conform, refuse_infinite
from pypods.connectors.errors import DataError
from pypods.connectors.sql.statement import Statement, Value

from . import postgresql_types
from .postgresql_values import text_form

BATCH_BYTES = 4 * 2**20
#: Days from 1970 to 2000, which is where PostgreSQL counts from.
_EPOCH_DAYS = 10957


def read_batches(session, statement, schema, partition):
    """Yield the rows of a SELECT. Raises DataError for a value that Arrow cannot hold."""
    import adbc_driver_postgresql.dbapi as adbc

    first_row = 0
    connect = partial(adbc.connect, session.conninfo, autocommit=True)
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("begin isolation level repeatable read read only")
        if partition.get("snapshot"):
            cursor.execute(f"set transaction snapshot '{partition['snapshot']}'")
        text = _settle_values(cursor, statement, session.database)
        refuse_dimensions(cursor, text, schema)
        cursor.adbc_statement.set_options(
            **{"adbc.postgresql.batch_size_hint_bytes": str(BATCH_BYTES)}
        )
        cursor.execute(text)
        with cursor.fetch_record_batch() as reader:
            for batch in reader:
                if batch.num_rows:
                    yield _in_schema(batch, schema, first_row)
                first_row += batch.num_rows


def _settle_values(cursor, statement: Statement, database) -> str:
    """Give the server the values of a statement, and return its text with where they are."""
    pieces = []
    number = 0
    for piece in statement.pieces:
        if not isinstance(piece, Value):
            pieces.append(piece)
            continue
        number += 1
        name = f"pypods.value_{number}"
        cursor.execute("select set_config($1, $2, false)", (name, text_form(piece, database)))
        cursor.fetchall()
        sql_type = postgresql_types.sql_type_of(piece.field) if piece.field else "text"
        pieces.append(f"current_setting('{name}')::{sql_type}")
    return "".join(pieces)


def _in_schema(batch, schema, first_row: int):
    """Return a batch in the types that were said, its names as they are there."""
    import pyarrow as pa

    columns = []
    for column, field in zip(batch.columns, schema):
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        refuse_infinite(column, field, first_row, epoch_days=_EPOCH_DAYS)
        if pa.types.is_list(column.type) and isinstance(
            column.type.value_type, pa.BaseExtensionType
        ):
            column = column.cast(pa.list_(column.type.value_type.storage_type))
        columns.append(column)
    plain = pa.record_batch(columns, names=schema.names)
    return conform(plain, schema, first_row=first_row)


def refuse_dimensions(cursor, text: str, schema) -> None:
    """Raise DataError for arrays that are no lists: of arrays, or not beginning with 1."""
    import pyarrow as pa

    for field in schema:
        if not pa.types.is_list(field.type):
            continue
        name = '"' + field.name.replace('"', '""') + '"'
        cursor.execute(
            f"select {name}::text from ({text}) as q "
            f"where array_ndims({name}) > 1 or array_lower({name}, 1) <> 1 limit 1"
        )
        found = cursor.fetchall()
        if found:
            raise DataError(
                f"column {field.name!r}: {found[0][0]} is an array of more than one dimension, or "
                f"one that does not begin with 1; read it as text with a query",
                column=field.name,
            )
