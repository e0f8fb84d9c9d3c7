# /// script
# requires-python = ">=3.8,<3.9"
# ///
"""psycopg2 2.8.6, of 2020, on Python 3.8: a table of PostgreSQL, written and read."""

from contextlib import closing
from datetime import datetime, time, timedelta, timezone

import psycopg2
from psycopg2.extras import Json, NumericRange, execute_values, register_uuid

# What pod.py imports is offered as well, unless it says what is.
__all__ = ["drop", "prepare", "read", "server_version", "version", "write"]

register_uuid()


def version():
    """Return the driver's version."""
    return psycopg2.__version__.split()[0]


def server_version(address):
    """Return the server's version."""
    ((name,),) = _run(address, "SHOW server_version")
    return name.split()[0]


def prepare(address, place, tables):
    """Make a schema with these empty tables: {name: [(column, type)]}."""
    _run(address, f'CREATE SCHEMA "{place}"')
    for table, columns in tables.items():
        definitions = ", ".join(f'"{name}" {column_type}' for name, column_type in columns)
        _run(address, f'CREATE TABLE "{place}"."{table}" ({definitions})')


def write(address, place, table, rows):
    """Add the rows to the table; return how many there are in it then."""
    with closing(_connect(address)) as connection:
        cursor = connection.cursor()
        adapted = [[_to_driver(value) for value in row] for row in rows]
        execute_values(cursor, f'INSERT INTO "{place}"."{table}" VALUES %s', adapted)
        connection.commit()
    ((count,),) = _run(address, f'SELECT count(*) FROM "{place}"."{table}"')
    return count


def read(address, place, table):
    """Return the rows of the table."""
    rows = _run(address, f'SELECT * FROM "{place}"."{table}" ORDER BY id')
    return [tuple(_from_driver(value) for value in row) for row in rows]


def drop(address, place):
    """Remove the schema."""
    _run(address, f'DROP SCHEMA IF EXISTS "{place}" CASCADE')


def _to_driver(value):
    if isinstance(value, dict):
        return Json(value)
    if isinstance(value, tuple):
        return NumericRange(*value)
    return value


def _from_driver(value):
    # The driver's own classes stay here; what they hold crosses.
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, NumericRange):
        return (value.lower, value.upper, value._bounds)
    # The zone is of the driver's own class, too; the moment and the offset are what counts.
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(timezone.utc)
    if isinstance(value, time) and value.tzinfo is not None:
        return value.replace(tzinfo=timezone(value.utcoffset() or timedelta()))
    return value


def _connect(address):
    return psycopg2.connect(
        host=address["host"],
        port=address["port"],
        user=address["user"],
        password=address["password"] or None,
        dbname=address["database"] or "postgres",
    )


def _run(address, sql):
    with closing(_connect(address)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []
