"""Batches into a table, many rows in one statement with bound values; no catalog."""

from __future__ import annotations

import oracledb

from pypods.connectors.batches import refuse_finer, refuse_where
from pypods.connectors.errors import SettingsError

from . import oracle_types

#: Bytes of a value that is bound as it is; a longer one is bound as a LONG, into a LOB.
INLINE_BYTES = 4000
EMPTY = ("refuse", "null")


def make_writer(session, parts, schema):
    """Return a function that appends a batch, in the transaction under way."""
    empty = session.settings["empty_text"]
    if empty not in EMPTY:
        raise SettingsError(f"setting 'empty_text' of oracle is one of {', '.join(EMPTY)}")
    table, quote = session.database.table(parts), session.database.quote

    def insert(batch) -> None:
        columns = []
        for column, field in zip(batch.columns, schema):
            values = _values(column, field, empty)
            columns.append((quote(field.name), values, _bind_type(values, field)))
        # Oracle takes no short value behind a LONG.
        longs = (oracledb.DB_TYPE_LONG, oracledb.DB_TYPE_LONG_RAW)
        columns.sort(key=lambda each: each[2] in longs)
        names = ", ".join(name for name, _, _ in columns)
        marks = ", ".join(f":{number}" for number in range(1, len(columns) + 1))
        cursor = session.connection.cursor()
        try:
            cursor.setinputsizes(*[type_ for _, _, type_ in columns])
            rows = list(zip(*[values for _, values, _ in columns]))
            cursor.executemany(f"insert into {table} ({names}) values ({marks})", rows)
        finally:
            cursor.close()

    return insert


def _values(column, field, empty: str):
    """Return a column as values that the driver binds. Raises DataError."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as is_

    type_ = column.type
    if is_.is_timestamp(type_):
        refuse_finer(column, field, oracle_types.rounds_to(field))
    if is_.is_timestamp(type_) or is_.is_date(type_):
        plain = column.cast(pa.timestamp("us")) if is_.is_timestamp(type_) else column
        wrong = pc.or_(pc.less(pc.year(plain), 1), pc.greater(pc.year(plain), 9999))
        refuse_where(wrong, column, field, "the years are 1 to 9999")
        # Of the session's zone, UTC: the driver sends none.
        return plain.to_pylist()
    if is_.is_boolean(type_) and oracle_types.base_of(field) != "BOOLEAN":
        return column.cast(pa.int8()).to_pylist()
    values = column.to_pylist()
    if is_.is_string(type_) or is_.is_binary(type_):
        if empty == "refuse":
            why = (
                "Oracle would make NULL of what is empty; leave such rows out, or say "
                "empty_text: null in the connection"
            )
            refuse_where(pc.equal(pc.binary_length(column), 0), column, field, why)
        return [each or None for each in values]
    return values


def _bind_type(values, field):
    """Return how a column's values are bound: a type, or the bytes that a text has at most."""
    import pyarrow.types as is_

    type_ = field.type
    if is_.is_floating(type_):
        wide = type_.bit_width == 64
        return oracledb.DB_TYPE_BINARY_DOUBLE if wide else oracledb.DB_TYPE_BINARY_FLOAT
    if is_.is_date(type_):
        return oracledb.DB_TYPE_DATE
    if is_.is_timestamp(type_):
        return oracledb.DB_TYPE_TIMESTAMP
    if is_.is_string(type_):
        longest = max((len(each.encode()) for each in values if each), default=1)
        return max(longest, 1) if longest <= INLINE_BYTES else oracledb.DB_TYPE_LONG
    if is_.is_binary(type_) or (is_.is_fixed_size_binary(type_) and not is_.is_decimal(type_)):
        longest = max((len(each) for each in values if each), default=1)
        # RAWs are half as long at the most.
        return oracledb.DB_TYPE_RAW if 2 * longest <= INLINE_BYTES else oracledb.DB_TYPE_LONG_RAW
    if is_.is_boolean(type_) and oracle_types.base_of(field) == "BOOLEAN":
        return oracledb.DB_TYPE_BOOLEAN
    return oracledb.DB_TYPE_NUMBER
