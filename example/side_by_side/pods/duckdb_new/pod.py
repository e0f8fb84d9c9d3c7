"""duckdb 2.0.0: takes rows, writes them into a database file of its own and reads them back."""

from datetime import timezone
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
FROM_INTERVAL_PARTS = (
    "to_months({0}[1]::INTEGER) + to_days({0}[2]::INTEGER) + to_microseconds({0}[3])"
)

# What stays here between two calls: the open connection, and what to do with rows.
_here = SimpleNamespace(connection=None, insert="", maps=[], zones=[])


def version():
    """Return the driver's version."""
    return duckdb.__version__


def open_file(path):
    """Open a database file and close it again; raises what the driver raises if it cannot."""
    duckdb.connect(path, read_only=True).close()


def create_table(path, table, columns):
    """Start to write a database file, with an empty table of these columns (name, type)."""
    _connect(path, read_only=False)
    definitions = ", ".join(f'"{name}" {column_type}' for name, column_type in columns)
    _here.connection.execute(f"CREATE TABLE {table} ({definitions})")
    # One parameter per column, the list of its values: many times faster than one per value.
    lists, values = [], []
    for number, (_, column_type) in enumerate(columns, 1):
        is_interval = column_type == "INTERVAL"
        lists.append(
            f"unnest(${number}::{'BIGINT[]' if is_interval else column_type}[]) AS c{number}"
        )
        values.append(FROM_INTERVAL_PARTS.format(f"c{number}") if is_interval else f"c{number}")
    _here.insert = (
        f"INSERT INTO {table} SELECT {', '.join(values)} FROM (SELECT {', '.join(lists)})"
    )
    _here.maps = _find_columns(columns, "MAP(")


def insert(rows):
    """Add rows to the table."""
    columns = list(zip(*rows))
    for position in _here.maps:
        # As a parameter, a dict is a STRUCT; written like this it is a MAP.
        columns[position] = [
            None if value is None else {"key": list(value), "value": list(value.values())}
            for value in columns[position]
        ]
    _here.connection.execute(_here.insert, [list(values) for values in columns])


def open_table(path, table):
    """Start to read a table; return its columns' names and types."""
    _connect(path, read_only=True)
    described = _here.connection.execute(f"DESCRIBE {table}").fetchall()
    columns = [(row[0], row[1]) for row in described]
    selected = [
        INTERVAL_PARTS.format(f'"{name}"') if column_type == "INTERVAL" else f'"{name}"'
        for name, column_type in columns
    ]
    _here.zones = _find_columns(columns, "TIMESTAMP WITH TIME ZONE")
    _here.connection.execute(f"SELECT {', '.join(selected)} FROM {table} ORDER BY id")
    return columns


def fetch(rows):
    """Return the next rows of the table, an empty list after the last."""
    return [_convert(row) for row in _here.connection.fetchmany(rows)]


def close():
    """Close the file."""
    _here.connection.close()


def _connect(path, read_only):
    _here.connection = duckdb.connect(path, read_only=read_only)
    _here.connection.execute("SET TimeZone = 'UTC'")
    _here.connection.execute("SET enable_progress_bar = false")


def _find_columns(columns, start):
    return [i for i, (_, column_type) in enumerate(columns) if column_type.startswith(start)]


def _convert(row):
    # This driver's UTC is an object of pytz's own class; Python's UTC is the same everywhere.
    row = list(row)
    for position in _here.zones:
        if row[position] is not None:
            row[position] = row[position].astimezone(timezone.utc)
    return tuple(row)
