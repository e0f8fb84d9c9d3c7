# /// script
# requires-python = ">=3.8,<3.12"
# ///
"""duckdb 0.8.1, of 2023: writes a database file and reads it. It has no wheels past Python 3.11."""

from datetime import timezone
from pathlib import Path
from types import SimpleNamespace

import duckdb

# DuckDB has months in an interval and a timedelta has none, so the parts cross: nothing is lost.
INTERVAL_PARTS = """
CASE WHEN {0} IS NOT NULL THEN [
  datepart('year', {0}) * 12 + datepart('month', {0}),
  datepart('day', {0}),
  datepart('hour', {0}) * 3600000000 + datepart('minute', {0}) * 60000000
    + datepart('microsecond', {0})
] END"""

# What stays here between two calls: the open connection, and what to do with a batch.
_here = SimpleNamespace(connection=None, conversions=[])


def version():
    """Return the driver's version."""
    return duckdb.__version__


def create_file(path, rows):
    """Write a database file with the table "everything" of so many rows; return their number."""
    script = Path(__file__).with_name("everything.sql").read_text(encoding="utf-8")
    _connect(path, read_only=False)
    for statement in script.replace("$rows", str(int(rows))).split(";"):
        if statement.strip():
            _here.connection.execute(statement)
    ((written,),) = _query("SELECT count(*) FROM everything")
    close()
    return written


def open_table(path, table):
    """Start to read a table; return its columns' names and types."""
    _connect(path, read_only=True)
    columns = [(row[0], _spell_type(row[1])) for row in _query(f"DESCRIBE {table}")]
    selected = [
        INTERVAL_PARTS.format(f'"{name}"') if column_type == "INTERVAL" else f'"{name}"'
        for name, column_type in columns
    ]
    _here.conversions = [
        (position, convert)
        for position, (_, column_type) in enumerate(columns)
        for start, convert in CONVERSIONS.items()
        if column_type.startswith(start)
    ]
    _here.connection.execute(f"SELECT {', '.join(selected)} FROM {table} ORDER BY id")
    return columns


def fetch(rows):
    """Return the next rows as the list of values of each column, an empty list after the last."""
    columns = [list(values) for values in zip(*_here.connection.fetchmany(rows))]
    for position, convert in _here.conversions if columns else ():
        columns[position] = [
            None if value is None else convert(value) for value in columns[position]
        ]
    return columns


def close():
    """Close the file."""
    _here.connection.close()


def _connect(path, read_only):
    _here.connection = duckdb.connect(path, read_only=read_only)
    _here.connection.execute("SET TimeZone = 'UTC'")
    _here.connection.execute("SET enable_progress_bar = false")


def _query(sql):
    return _here.connection.execute(sql).fetchall()


def _spell_type(name):
    # A named enum is known in its own file only; written out, it is known to every DuckDB.
    enums = {
        row[0] for row in _query("SELECT type_name FROM duckdb_types() WHERE logical_type = 'ENUM'")
    }
    if name not in enums:
        return name
    members = _query(f"SELECT unnest(enum_range(NULL::{name}))")
    return "ENUM({})".format(", ".join("'" + m.replace("'", "''") + "'" for (m,) in members))


# Some values leave this driver as something else than they are; this puts them right.


def _add_zone(value):
    # A TIMESTAMP WITH TIME ZONE comes in UTC, but without saying so.
    return value.replace(tzinfo=timezone.utc)


def _make_dict(value):
    # A MAP comes as {"key": [...], "value": [...]}.
    return dict(zip(value["key"], value["value"]))


CONVERSIONS = {"TIMESTAMP WITH TIME ZONE": _add_zone, "MAP(": _make_dict}
