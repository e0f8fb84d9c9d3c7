"""Batches into a table: in binary with ADBC where that is exact, else as text with psycopg."""

from __future__ import annotations

from pypods.connectors.batches import refuse_finer
from pypods.connectors.types import kind_of

from . import postgresql_types


def make_writer(session, parts, schema):
    """Return a function that appends a batch, in the transaction under way."""
    units = [postgresql_types.rounds_to(field) for field in schema]
    if all(map(postgresql_types.is_written_in_binary, schema)):
        session.use_adbc()
        return lambda batch: session.ingest(parts, _in_binary(batch))
    session.do_not_wait_for_the_disk()
    names = ", ".join(map(session.database.quote, schema.names))
    text = f"copy {session.database.table(parts)} ({names}) from stdin"

    def copy(batch) -> None:
        for column, field, unit in zip(batch.columns, schema, units):
            refuse_finer(column, field, unit)
        columns = [_as_texts(column, field) for column, field in zip(batch.columns, schema)]
        with session.connection.cursor() as cursor, cursor.copy(text) as stream:
            for row in zip(*columns):
                stream.write_row(row)

    return copy


def _in_binary(batch):
    """Return a batch whose columns have the bytes that PostgreSQL reads."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for column, field in zip(batch.columns, batch.schema):
        if postgresql_types.sql_type_of(field) == "jsonb":
            # The version of its binary form, then the text.
            column = pc.binary_join_element_wise(
                pa.scalar(b"\x01"), column.cast(pa.binary()), pa.scalar(b"")
            )
        columns.append(column)
    return pa.record_batch(columns, names=batch.schema.names)


def _as_texts(column, field):
    """Return a column as values of which psycopg writes the text that PostgreSQL reads."""
    import uuid

    import pyarrow as pa

    type_ = column.type
    if kind_of(field) == "uuid":
        return [None if each is None else str(uuid.UUID(bytes=each)) for each in column.to_pylist()]
    if pa.types.is_temporal(type_):
        # Python's own dates end with the year 9999.
        return column.cast(pa.utf8()).to_pylist()
    return column.to_pylist()
