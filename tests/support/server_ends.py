"""Servers and files with their connectors' pods, and a table that is moved between them."""

from __future__ import annotations

import datetime as dt
import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from pypods.integrator import Integration, Operation, Source, Target

__all__ = [
    "KEPT_ROWS", "MODES", "ROWS", "SHARED_ROWS", "SOURCE_ROWS", "FileEnd", "ServerEnd", "old_rows",
    "operation", "rows", "wanted_rows",
]  # fmt: skip

#: Of kilobytes: a source sends some megabytes ahead, and is to be killed while it does.
ROWS = 3000
#: Of the target before; the first of them are in the source too.
OLD_ROWS, SHARED_ROWS = 10, 6
MODES = ("append", "replace", "upsert", "delete_insert")
OWN_TABLES = {"_pypods_runs", "_pypods_checkpoints"}


def rows(first: int, count: int, name: str = "näme", *, times: int = 600) -> pa.Table:
    ids = range(first, first + count)
    begin = dt.datetime(2024, 1, 1)
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "name": [f"{name} {n} " * times if n % 7 else None for n in ids],
            "price": [n / 8 for n in ids],
            "amount": pa.array([Decimal(n) / 4 for n in ids], pa.decimal128(12, 2)),
            "at": pa.array([begin + dt.timedelta(microseconds=n) for n in ids], pa.timestamp("us")),
        }
    )


SOURCE_ROWS = rows(1, ROWS)
KEPT_ROWS = rows(ROWS - SHARED_ROWS + 1, OLD_ROWS, "old")


def old_rows(mode):
    """Return what is in a target before: what is appended has to be new, as the table has a key."""
    return KEPT_ROWS.slice(SHARED_ROWS) if mode == "append" else KEPT_ROWS


def wanted_rows(mode, old):
    """Return what is to be in the target in the end."""
    new, old = SOURCE_ROWS.to_pylist(), old.to_pylist() if old is not None else []
    if mode == "append":
        return sorted(new + old, key=lambda row: (row["id"], row["name"] or ""))
    if mode == "replace":
        return new
    return new + [row for row in old if row["id"] > ROWS]


@dataclass
class ServerEnd:
    """A server with its connector's pod, and what a test does there."""

    server: object
    pod: object

    @property
    def connector(self):
        return self.server.connector

    @property
    def default(self):
        """Return the database that is always there."""
        name = "postgres" if self.connector == "postgresql" else "information_schema"
        return self.server.place(name)

    def locate(self, name):
        """Return connection and stream of the table in a database or schema of that name."""
        if self.connector == "postgresql":
            return self.default, [name, "t"]
        return self.server.place(name), "t"

    def make(self, name, table=None):
        """Make a database or schema, with the table if rows are given."""
        kind = "schema" if self.connector == "postgresql" else "database"
        self.pod.execute(self.default, f"create {kind} {name}")
        if table is not None:
            place, stream = self.locate(name)
            self.pod.write_all(place, stream, table, mode="replace", key=["id"])

    def drop(self, name):
        kind, end = ("schema", " cascade") if self.connector == "postgresql" else ("database", "")
        self.pod.execute(self.default, f"drop {kind} {name}{end}")

    def ask(self, query):
        return [
            tuple(row.values())
            for batch in self.pod.read(self.default, None, query=query)
            for row in pa.record_batch(batch).to_pylist()
        ]

    def tables(self, name):
        query = (
            f"select table_name as n from information_schema.tables where table_schema = '{name}'"
        )
        return {each for (each,) in self.ask(query)}

    def rows(self, name):
        """Return the table's rows by id; none where there is no table."""
        if "t" not in self.tables(name):
            return []
        place, stream = self.locate(name)
        batches = self.pod.read(place, stream, order_by=["id", "name"])
        return [row for batch in batches for row in pa.record_batch(batch).to_pylist()]

    def leftovers(self, name):
        """Return what a run has left: staging tables, checkpoints, an end that is not done."""
        tables = self.tables(name)
        left = sorted(tables - OWN_TABLES - {"t"})
        if tables >= OWN_TABLES:
            left += self.ask(f"select part from {name}._pypods_checkpoints")
            left += self.ask(f"select state from {name}._pypods_runs where state <> 'finished'")
        return left


@dataclass
class FileEnd:
    """SQLite databases in a folder, with the connector's pod."""

    folder: Path
    pod: object
    connector = "sqlite"

    def locate(self, name):
        """Return connection and stream of the table in the database of that name."""
        return {"database": str(self.folder / f"{name}.db")}, "t"

    def make(self, name, table=None):
        """Make the table, if rows are given; a database begins when something is written."""
        if table is not None:
            place, stream = self.locate(name)
            self.pod.write_all(place, stream, table, mode="replace", key=["id"])

    def drop(self, name):
        (self.folder / f"{name}.db").unlink()

    def rows(self, name):
        """Return the table's rows by id."""
        place, stream = self.locate(name)
        batches = self.pod.read(place, stream, order_by=["id", "name"])
        return [row for batch in batches for row in pa.record_batch(batch).to_pylist()]

    def leftovers(self, name):
        """Return what a run has left: staging tables, checkpoints, an end that is not done."""
        database = sqlite3.connect(self.folder / f"{name}.db")
        try:
            found = database.execute("select name from sqlite_master where type = 'table'")
            tables = {each for (each,) in found}
            left = sorted(tables - OWN_TABLES - {"t"})
            if tables >= OWN_TABLES:
                left += database.execute("select part from _pypods_checkpoints")
                left += database.execute("select state from _pypods_runs where state <> 'finished'")
        finally:
            database.close()
        return left


def operation(source, target, name, origin="origin", **settings):
    """Return an operation from a source's table to the table in a place of a target's."""
    ends = []
    for kind, end, place in ((Source, source, origin), (Target, target, name)):
        connection, stream = end.locate(place)
        ends.append(kind(connector=end.connector, connection=connection, stream=stream))
    one = Integration(name="copy", source=ends[0], target=ends[1], **settings)
    return Operation(name="kills", integrations=[one])
