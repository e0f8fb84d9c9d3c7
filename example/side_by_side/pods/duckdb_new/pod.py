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

# What stays here between two calls: the open connection, and what to do with a batch.
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
    _here.maps = _find_columns(columns, "MAP(")
    _here.insert = _write_insert(table, [column_type for _, column_type in columns])


def insert(columns):
    """Add a batch of rows, given as the list of values of each column; return how many."""
    rows = len(columns[0])
    for position in reversed(_here.maps):
        # As a parameter a dict is a STRUCT; the keys and the values make a MAP.
        maps = columns[position]
        columns[position : position + 1] = [
            [None if one is None else list(one) for one in maps],
            [None if one is None else list(one.values()) for one in maps],
        ]
    _here.connection.execute(_here.insert, columns)
    return rows


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
    """Return the next rows as the list of values of each column, an empty list after the last."""
    columns = [list(values) for values in zip(*_here.connection.fetchmany(rows))]
    # This driver's UTC is an object of pytz's own class; Python's UTC is the same everywhere.
    for position in _here.zones if columns else ():
        columns[position] = [
            None if value is None else value.astimezone(timezone.utc) for value in columns[position]
        ]
    return columns


def close():
    """Close the file."""
    _here.connection.close()


def _connect(path, read_only):
    _here.connection = duckdb.connect(path, read_only=read_only)
    _here.connection.execute("SET TimeZone = 'UTC'")
    _here.connection.execute("SET enable_progress_bar = false")


def _find_columns(columns, start):
    return [i for i, (_, column_type) in enumerate(columns) if column_type.startswith(start)]


def _write_insert(table, types):
    # One parameter per column, the list of its values: many times faster than one per value.
    lists, values = [], []

    def add_list(element_type):
        lists.append(f"unnest(${len(lists) + 1}::{element_type}[]) AS list{len(lists) + 1}")
        return f"list{len(lists)}"

    for column_type in types:
        if column_type == "INTERVAL":
            values.append(FROM_INTERVAL_PARTS.format(add_list("BIGINT[]")))
        elif column_type.startswith("MAP("):
            of_none = f"NULL::{column_type}"
            (parts,) = _here.connection.execute(
                f"SELECT typeof(map_keys({of_none})), typeof(map_values({of_none}))"
            ).fetchall()
            keys, items = map(add_list, parts)
            values.append(f"CASE WHEN {keys} IS NOT NULL THEN map({keys}, {items}) END")
        else:
            values.append(add_list(column_type))
    return f"INSERT INTO {table} SELECT {', '.join(values)} FROM (SELECT {', '.join(lists)})"
