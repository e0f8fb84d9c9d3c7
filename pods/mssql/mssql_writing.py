"""Batches into a table, many rows in one statement with bound values; no catalog.

The driver's bulk copy is not used: it goes over a connection of its own, so what it brings would
not be of the transaction of its checkpoint.
"""

from __future__ import annotations

from pypods.connectors.batches import refuse_finer, refuse_where
from pypods.connectors.types import kind_of

from . import mssql_errors, mssql_types

#: Characters of UTF-16 in a parameter that is not sent in pieces, row by row.
INLINE_CHARACTERS = 4000
#: The smallest magnitude that SQL Server's FLOAT and REAL have, but for zero.
SMALLEST = {64: 2.2250738585072014e-308, 32: 1.1754943508222875e-38}
#: Microseconds from the year 1 to 1970.
_SINCE_YEAR_ONE = 62_135_596_800_000_000


def make_writer(session, parts, schema):
    """Return a function that appends a batch, in the transaction under way."""
    names = ", ".join(map(session.database.quote, schema.names))
    marks = ", ".join("?" * len(schema))
    text = f"insert into {session.database.table(parts)} ({names}) values ({marks})"

    def insert(batch) -> None:
        columns = [_values(column, field) for column, field in zip(batch.columns, schema)]
        sizes = [_size(values, field) for values, field in zip(columns, schema)]
        cursor = session.connection.cursor()
        try:
            cursor.setinputsizes(sizes)
            cursor.executemany(text, list(zip(*columns)))
            mssql_errors.refuse_messages(cursor.messages)
        finally:
            cursor.close()

    return insert


def _values(column, field):
    """Return a column as values that the driver binds. Raises DataError."""
    import uuid

    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as is_

    type_ = column.type
    if is_.is_temporal(type_):
        if mssql_types.base_of(mssql_types.sql_type_of(field)) == "datetime":
            _refuse_between_ticks(column, field)
        elif not is_.is_date(type_):
            refuse_finer(column, field, mssql_types.rounds_to(field))
        if is_.is_time(type_):
            return column.cast(pa.utf8()).to_pylist()
        years = pc.year(column.cast(pa.timestamp("us")) if is_.is_timestamp(type_) else column)
        wrong = pc.or_(pc.less(years, 1), pc.greater(years, 9999))
        refuse_where(wrong, column, field, "SQL Server has the years 1 to 9999")
    elif is_.is_floating(type_):
        small = pc.and_(
            pc.less(pc.abs(column), SMALLEST[type_.bit_width]), pc.not_equal(column, 0.0)
        )
        wrong = pc.or_(pc.invert(pc.is_finite(column)), small)
        refuse_where(wrong, column, field, "SQL Server has no such number")
    elif kind_of(field) == "uuid":
        return [None if each is None else str(uuid.UUID(bytes=each)) for each in column.to_pylist()]
    return column.to_pylist()


def _refuse_between_ticks(column, field) -> None:
    """Raise DataError for a time that a DATETIME, of 300 ticks in a second, would change.

    Its ticks are read as milliseconds that end with 0, 3 and 7.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pc.add(column.view(pa.int64()), _SINCE_YEAR_ONE)
    rest = pc.subtract(numbers, pc.multiply(pc.divide(numbers, 10_000), 10_000))
    wrong = pc.invert(pc.is_in(rest, pa.array([0, 3000, 7000], pa.int64())))
    refuse_where(pc.and_(wrong, column.is_valid()), column, field, "a DATETIME would round it")


def _size(values, field):
    """Return how a column's values are bound: ODBC's type, its size and its digits."""
    import mssql_python as odbc
    import pyarrow.types as is_

    type_ = field.type
    if is_.is_boolean(type_):
        return (odbc.SQL_BIT, 1, 0)
    if is_.is_integer(type_):
        kinds = {8: odbc.SQL_SMALLINT, 16: odbc.SQL_SMALLINT, 32: odbc.SQL_INTEGER}
        return (kinds.get(type_.bit_width, odbc.SQL_BIGINT), 0, 0)
    if is_.is_floating(type_):
        return (odbc.SQL_DOUBLE, 15, 0)
    if is_.is_decimal(type_):
        return (odbc.SQL_DECIMAL, type_.precision, type_.scale)
    if is_.is_date(type_):
        return (odbc.SQL_TYPE_DATE, 10, 0)
    if is_.is_timestamp(type_):
        from mssql_python.constants import ConstantsDDBC

        with_zone = (ConstantsDDBC.SQL_DATETIMEOFFSET.value, 34, 7)
        return with_zone if type_.tz else (odbc.SQL_TYPE_TIMESTAMP, 26, 6)
    if is_.is_binary(type_):
        return (odbc.SQL_VARBINARY, max((len(each) for each in values if each), default=1), 0)
    longest = max((len(each.encode("utf-16-le")) // 2 for each in values if each), default=1)
    return (odbc.SQL_WVARCHAR, longest, 0)
