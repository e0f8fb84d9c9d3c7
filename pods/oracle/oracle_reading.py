"""Rows of a SELECT as Arrow batches, which the driver makes in the types it is asked for."""

from __future__ import annotations

from pypods.connectors.batches import conform, refuse_where
from pypods.connectors.sql.statement import Statement

from . import oracle_types

FETCHED_ROWS = 8192


def read_batches(session, statement: Statement, schema, batch_rows: int):
    """Yield the rows of a SELECT. Raises DataError for a value that Arrow cannot hold."""
    import pyarrow as pa

    if not len(schema):
        return
    text, values = statement.render(session.database.style, session.database.bind)
    asked = []
    for field in schema:
        asked.append(pa.field(field.name, oracle_types.asked_type(field)))
        if oracle_types.is_finer_than_arrow(field):
            asked.append(pa.field(f"finer {len(asked)}", pa.int8()))
    first_row = 0
    frames = session.connection.fetch_df_batches(
        text, values or None, size=min(batch_rows, FETCHED_ROWS),
        fetch_decimals=True, requested_schema=pa.schema(asked),
    )  # fmt: skip
    for frame in frames:
        for batch in pa.table(frame).to_batches():
            if batch.num_rows:
                yield _in_schema(batch.columns, schema, first_row)
            first_row += batch.num_rows


def _in_schema(columns, schema, first_row: int):
    """Return a batch in the types that were said."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as is_

    columns = list(columns)
    arrays = []
    for field in schema:
        column = columns.pop(0)
        if oracle_types.is_finer_than_arrow(field):
            lost = pc.not_equal(columns.pop(0), 0)
            why = "Arrow's microseconds cannot hold it; read it as text with a query"
            refuse_where(lost, column, field, why, first_row=first_row)
        if is_.is_timestamp(field.type) and field.type.tz:
            column = column.cast(field.type)  # sys_extract_utc gave it.
        arrays.append(column)
    plain = pa.record_batch(arrays, names=schema.names)
    return conform(plain, schema, first_row=first_row)
