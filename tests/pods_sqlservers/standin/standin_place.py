"""PostgreSQL beneath a stand-in: its databases, statements translated to it, what was asked.

A stand-in takes the place of a driver's connection. It translates each statement of the dialect
with sqlglot and lets PostgreSQL do it, so that what the dialect's own SQL does to rows can be seen.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import psycopg
from psycopg import sql

LOG = Path(__file__).with_name("statements.log")
SERVER = {
    "host": os.environ.get("PYPODS_STANDIN_HOST", "127.0.0.1"),
    "port": os.environ.get("PYPODS_STANDIN_PORT", "5432"),
    "user": os.environ.get("PYPODS_STANDIN_USER", "postgres"),
    "password": os.environ.get("PYPODS_STANDIN_PASSWORD") or None,
}


def make_database(name, script):
    """Make a database of its own, in which texts are compared byte by byte."""
    with psycopg.connect(dbname="postgres", autocommit=True, **SERVER) as connection:
        connection.execute(
            sql.SQL("create database {} template template0 lc_collate 'C' lc_ctype 'C'").format(
                sql.Identifier(name)
            )
        )
    with psycopg.connect(dbname=name, autocommit=True, **SERVER) as connection:
        connection.execute(script)


def drop_database(name):
    """Drop a database, whoever is in it."""
    with psycopg.connect(dbname="postgres", autocommit=True, **SERVER) as connection:
        connection.execute(
            sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
        )


def connect(name, search_path):
    """Return a connection to one."""
    connection = psycopg.connect(
        dbname=name, autocommit=True, cursor_factory=psycopg.RawCursor,
        # Nothing here outlives the server, so no commit waits for the disk.
        options=f"-c timezone=UTC -c search_path={search_path} -c synchronous_commit=off",
        **SERVER,
    )  # fmt: skip
    connection.prepare_threshold = None  # Plans go stale when tables are made anew.
    return connection


class Cut:
    """When the connection is to be lost: before so many more statements; None: never."""

    left = None


def step(pg):
    """Lose the connection, if it is time to: what it did not commit is undone."""
    if Cut.left is not None:
        Cut.left -= 1
        if Cut.left < 0:
            Cut.left = None
            pg.close()


def record(statement, values):
    """Note a statement and how many values it had."""
    with LOG.open("a", encoding="utf-8") as log:
        log.write(json.dumps([statement, len(values)]) + "\n")


def recorded():
    """Return the statements that were asked, each once."""
    lines = LOG.read_text(encoding="utf-8").splitlines() if LOG.exists() else []
    return list(dict.fromkeys(json.loads(line)[0] for line in lines))


def numbered(tree):
    """Return PostgreSQL's text of a parsed statement, its marks as $1, $2."""
    from sqlglot import exp

    for number, mark in enumerate(list(tree.find_all(exp.Placeholder, bfs=False)), 1):
        name = mark.name if mark.name and mark.name != "?" else str(number)
        mark.replace(exp.Parameter(this=exp.Literal.number(name)))
    return tree.sql("postgres")


def as_arrow(cursor, type_of, batch_size, names=None):
    """Return a result's rows as a reader of batches, its types as ``type_of`` an OID says."""
    import pyarrow as pa

    fields = [
        (column.name, type_of(column.type_code, cursor.pgresult.fmod(at)))
        for at, column in enumerate(cursor.description)
    ]
    schema = pa.schema(fields)
    rows = cursor.fetchall()

    def batches():
        for start in range(0, len(rows), batch_size):
            part = rows[start : start + batch_size]
            columns = zip(*part, strict=True) if schema.names else []
            arrays = [
                pa.array([_plain(each, field.type) for each in column], field.type)
                for column, field in zip(columns, schema, strict=True)
            ]
            yield pa.record_batch(arrays, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _plain(value, type_):
    import pyarrow as pa

    if value is not None and pa.types.is_large_string(type_) and not isinstance(value, str):
        return str(value).upper()  # A UUID, as SQL Server writes it.
    return value


def digits_of(modifier):
    """Return precision and scale of a NUMERIC's type modifier."""
    return ((modifier - 4) >> 16) & 0xFFFF, (modifier - 4) & 0x7FF
