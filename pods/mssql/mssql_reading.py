"""Rows of a SELECT as Arrow batches, which the driver makes itself; no catalog."""

from __future__ import annotations

from pypods.connectors.batches import conform, refuse_where
from pypods.connectors.rows import column_of
from pypods.connectors.sql.statement import Statement
from pypods.connectors.types import kind_of

from . import mssql_types

FETCHED_ROWS = 8192


def read_batches(session, statement: Statement, schema, batch_rows: int):
    """Yield the rows of a SELECT. Raises DataError for a value that Arrow cannot hold."""
    cursor = session.execute(statement)
    first_row = 0
    try:
        reader = cursor.arrow_reader(batch_size=min(batch_rows, FETCHED_ROWS))
        try:
            for batch in reader:
                if batch.num_rows:
                    yield _in_schema(batch.columns, schema, first_row)
                first_row += batch.num_rows
        finally:
            reader.close()
    finally:
        cursor.close()


def _in_schema(columns, schema, first_row: int):
    """Return a batch in the types that were said."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = list(columns)
    arrays = []
    for field in schema:
        column = columns.pop(0)
        if mssql_types.is_finer_than_arrow(field):
            lost = pc.not_equal(columns.pop(0).cast(pa.int64()), 0)
            why = "Arrow's microseconds cannot hold it; read it as text with a query"
            refuse_where(lost, column, field, why, first_row=first_row)
        if kind_of(field) == "uuid":
            column = _uuids(column, field, first_row)
        arrays.append(column)
    if not len(schema):
        return pa.record_batch([pa.nulls(len(columns[0]))], names=[""]).select([])
    plain = pa.record_batch(arrays, names=schema.names)
    return conform(plain, schema, first_row=first_row)


def _uuids(column, field, first_row: int):
    import uuid

    values = [None if each is None else uuid.UUID(each).bytes for each in column.to_pylist()]
    return column_of(values, field, first_row=first_row)
