"""SQLite for the connectors' SQL half: connections, catalog, partitions, errors."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from urllib.parse import quote as percent_encoded

from pypods.connectors.errors import (
    AuthenticationError,
    ConflictError,
    ConnectorError,
    DataError,
    SchemaError,
    SettingsError,
    StreamNotFoundError,
    UnreachableError,
)
from pypods.connectors.settings import Settings, setting
from pypods.connectors.sql.database import CAPABILITIES, Description
from pypods.connectors.sql.file_database import FILE_SETTING, FileDatabase
from pypods.connectors.sql.session import Session
from pypods.connectors.sql.statement import Statement, Value
from pypods.connectors.types import field_from_text, text_of

from . import sqlite_reading, sqlite_types, sqlite_values

#: Rows of one INSERT: each statement costs as much as several values.
ROWS_AT_ONCE = 32
#: How many values a statement may have in every SQLite.
MAX_VALUES = 999


class SqliteSession(Session):
    """A connection of the standard library, in transactions that say when they begin."""

    def begin(self) -> None:
        """Begin a transaction that writes: a second writer waits here, not in the middle."""
        self.connection.execute("begin immediate")

    def rollback(self) -> None:
        """End the transaction, if SQLite has not done so itself."""
        if self.connection.in_transaction:
            self.connection.execute("rollback")


class SqliteDatabase(FileDatabase):
    """SQLite, with the standard library for writing and ADBC for reading."""

    name = "sqlite"
    title = "SQLite"
    settings = Settings(
        "sqlite",
        FILE_SETTING,
        setting("timeout", "number", "seconds to wait for a file that is locked", default=60.0),
    )
    capabilities = {**CAPABILITIES, "parallel_write": True}
    folds_case = True
    row_numbers = ("_rowid_", "rowid", "oid")
    #: Whether batches are read with ADBC; without it they come from the standard library.
    fast = True

    # --- connecting ----------------------------------------------------------------------------

    def driver(self) -> str:
        """Return the driver and its version."""
        if not self.fast:
            return f"sqlite3 {sqlite3.sqlite_version}"
        from importlib.metadata import version

        return f"adbc-driver-sqlite {version('adbc-driver-sqlite')}"

    def open(self, settings, *, writing: bool = False) -> Session:
        """Return a session."""
        path = self.path(settings, writing=writing)
        if writing:
            return self._connect(path, "rwc", settings)
        try:
            return self._connect(path, "ro", settings)
        except sqlite3.OperationalError as exc:
            if "readonly" not in str(exc):
                raise
        # A writer that was killed left a journal, which a reader may not roll back.
        with suppress(sqlite3.Error):
            self._connect(path, "rw", settings).close()
        return self._connect(path, "ro", settings)

    def _connect(self, path, mode, settings) -> Session:
        connection = sqlite3.connect(
            self.uri(path, mode),
            uri=True,
            timeout=settings["timeout"],
            isolation_level=None,
            check_same_thread=False,
        )
        session = SqliteSession(connection, self)
        session.uri = self.uri(path, "ro")
        session.timeout = settings["timeout"]
        try:
            connection.execute("select count(*) from sqlite_master").fetchone()
        except BaseException:
            connection.close()
            raise
        return session

    def uri(self, path: str, mode: str) -> str:
        """Return a path as SQLite's own kind of address."""
        return f"file:{percent_encoded(str(Path(path).absolute()))}?mode={mode}"

    def server(self, session) -> str:
        """Return the version of the library."""
        return f"SQLite {sqlite3.sqlite_version}"

    def translate(self, error: Exception) -> ConnectorError | None:
        """Return the contract's error for one of sqlite3's or ADBC's."""
        text = str(error)
        is_adbc = type(error).__module__.startswith("adbc_driver_manager")
        if not isinstance(error, sqlite3.Error) and not is_adbc:
            if isinstance(error, OverflowError):
                return DataError(f"SQLite: {text}")
            return None
        kinds = (
            (("locked", "busy"), UnreachableError, "; try again when the other writer is done"),
            (("unable to open", "disk I/O"), UnreachableError, ""),
            (("no such table",), StreamNotFoundError, ""),
            (("readonly", "not authorized"), AuthenticationError, ""),
            (("not a database", "malformed"), SettingsError, ""),
            (("already exists",), ConflictError, ""),
            (("no such column", "syntax error", "incomplete input"), SchemaError, ""),
        )
        if isinstance(error, (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError)):
            return DataError(f"SQLite: {text}")
        for words, kind, advice in kinds:
            if any(word in text for word in words):
                return kind(f"SQLite: {text}{advice}")
        return ConnectorError(f"SQLite: {text}")

    # --- what there is -------------------------------------------------------------------------

    def resolve(self, session, parts):
        """Return schema and table, the table's name as it was made."""
        if len(parts) > 2:
            raise SettingsError("a stream of SQLite is table, or main.table")
        schema = parts[0] if len(parts) == 2 else "main"
        if schema not in ("main", "temp"):
            raise StreamNotFoundError(f"SQLite has the schema main here, and no {schema!r}")
        rows = session.rows(
            Statement(
                f"select name from {self.quote(schema)}.sqlite_master "
                "where type in ('table', 'view') and name = ",
                Value(parts[-1]),
                " collate nocase",
            )
        )
        return (schema, rows[0][0] if rows else parts[-1])

    def streams(self, session):
        """Return the tables and views."""
        rows = session.rows(
            "select name, type from sqlite_master where type in ('table', 'view') "
            "and name not like 'sqlite\\_%' escape '\\' "
            "and name not like '\\_pypods\\_%' escape '\\' order by name"
        )
        return [
            {"name": self._shown(name), "kind": kind, "rows": self._estimate(session, name, kind)}
            for name, kind in rows
        ]

    def _shown(self, name: str) -> str:
        from pypods.connectors.names import join_stream

        return join_stream([name])

    def _estimate(self, session, name: str, kind: str):
        """Return the highest row number, which SQLite finds at once, where there is one."""
        if kind != "table":
            return None
        try:
            ((highest,),) = session.rows(f"select max(_rowid_) from {self.quote(name)}")
        except sqlite3.Error:
            return None
        return highest if isinstance(highest, int) else 0 if highest is None else None

    def describe(self, session, parts):
        """Return what a table or view has."""
        schema, name = parts
        kinds = session.rows(
            Statement(
                f"select type, sql from {self.quote(schema)}.sqlite_master "
                "where type in ('table', 'view') and name = ",
                Value(name),
                " collate nocase",
            )
        )
        if not kinds:
            return None
        columns = self._columns(session, name, schema)
        relation = Statement(self.table(parts))
        kind = kinds[0][0]
        return Description(
            self._schema(session, relation, columns),
            key=[name for name, *_, place in sorted(columns, key=lambda each: each[-1]) if place],
            rows=self._estimate(session, name, kind),
            defaults=[column for column, _, _, has_default, _ in columns if has_default],
            kind=kind,
        )

    def _columns(self, session, name: str, schema: str):
        """Return (name, declared type, nullable, has default, place in key) of each column."""
        rows = session.rows(
            Statement(
                'select name, type, "notnull", dflt_value, pk, hidden from pragma_table_xinfo(',
                Value(name), ", ", Value(schema), ") order by cid",
            )
        )  # fmt: skip
        alias = sum(1 for row in rows if row[4]) == 1
        columns = []
        for column, declared, required, default, place, hidden in rows:
            if hidden == 1:  # Of a virtual table, and none that a * shows.
                continue
            is_rowid = alias and place and declared.upper() == "INTEGER"
            nullable = not (required or is_rowid)
            has_default = default is not None or hidden != 0 or is_rowid
            columns.append((column, declared, nullable, has_default, place))
        return columns

    def _schema(self, session, relation, columns):
        import pyarrow as pa

        fields = []
        for name, declared, nullable, *_ in columns:
            declared = declared or ""
            text = sqlite_types.type_text(declared)
            exact = sqlite_types.is_exact(declared)
            if text is None:
                text, exact = self._find_type(session, relation, name)
            field = field_from_text(name, text, nullable)
            fields.append(sqlite_types.declare(field, declared, exact=exact))
        return pa.schema(fields)

    def _find_type(self, session, relation, name: str) -> tuple[str, bool]:
        """Return the type of a column that is declared as none: that of all its values.

        And whether they are all of one kind; if not, each of them is text.
        """
        column = self.quote(name)
        rows = session.rows(
            Statement(f"select distinct typeof({column}) from ", relation,
                      f" where {column} is not null")
        )  # fmt: skip
        found = {row[0] for row in rows}
        if found == {"integer"}:
            return "int64", True
        if found == {"real"}:
            return "float64", True
        if found == {"blob"}:
            return "binary", True
        return "utf8", found <= {"text"}

    def describe_query(self, session, query: str):
        """Return what a query has; columns that are a table's own have its declared types."""
        cursor = session.connection.execute(f"select * from ({query}\n) limit 0")
        names = [each[0] for each in cursor.description]
        cursor.close()
        if len({name.lower() for name in names}) < len(names):
            raise SchemaError(f"the query has a column twice ({', '.join(names)}); name each once")
        session.run(f"create temp view pypods_query as {query}")
        try:
            columns = self._columns(session, "pypods_query", "temp")
            schema = self._schema(session, Statement("temp.pypods_query"), columns)
        finally:
            session.run("drop view temp.pypods_query")
        return Description(schema, kind="query")

    # --- types and values ----------------------------------------------------------------------

    def stored(self, field):
        """Return the field that a column made for this one is read as."""
        return sqlite_types.stored_field(field)

    def type_sql(self, field) -> str:
        """Return the declared type of a column."""
        declared = sqlite_types.declared_type(field, text_of(field))
        if declared is None:
            raise self.refuse_type(field)
        return declared

    def bind(self, value: Value):
        """Return a value as SQLite keeps those of the column it is compared with."""
        if value.field is None or value.value is None:
            return value.value
        from pypods.connectors.rows import column_of

        field = value.field.with_nullable(True)
        typed = self.typed(value)
        return sqlite_values.to_kept(column_of([typed], field), field)[0]

    # --- reading -------------------------------------------------------------------------------

    def batches(self, session, statement, schema, batch_rows: int):
        """Yield the rows of a SELECT as batches."""
        if self.fast and sqlite_reading.can_read_fast(schema):
            return sqlite_reading.read_with_adbc(session, statement, schema, batch_rows)
        return sqlite_reading.read_with_sqlite3(session, statement, schema, batch_rows)

    def partitions(self, settings, session, parts, count: int):
        """Return ranges of row numbers, the first and the last one open at their ends."""
        names = {each[0].lower() for each in self._columns(session, parts[1], parts[0])}
        rowid = next((name for name in self.row_numbers if name not in names), None)
        if rowid is None:
            return [{}]
        try:
            return self.ranges(session, parts, rowid, count)
        except sqlite3.Error:  # A table without row numbers.
            return [{}]

    # --- writing -------------------------------------------------------------------------------

    def writer(self, session, staging, schema):
        """Return a function that inserts a batch."""
        names = ", ".join(map(self.quote, schema.names))
        row = f"({', '.join('?' * len(schema))})"
        text = f"insert into {self.table(staging)} ({names}) values "
        at_once = max(1, min(ROWS_AT_ONCE, MAX_VALUES // len(schema)))
        many = text + ", ".join([row] * at_once)

        def insert(batch) -> None:
            columns = [
                sqlite_values.to_kept(column, field)
                for column, field in zip(batch.columns, batch.schema)
            ]
            rows = zip(*columns)
            whole = batch.num_rows // at_once
            session.connection.executemany(
                many, (list(chain(*islice(rows, at_once))) for _ in range(whole))
            )
            session.connection.executemany(text + row, rows)

        return insert

    def rename_table(self, session, parts, name: str) -> None:
        """Give a table another name."""
        session.run(f"alter table {self.table(parts)} rename to {self.quote(name)}")

    def check_widening(self, session, target, plan) -> None:
        """Raise SchemaError where a column would have to be made anew, and an index is on it."""
        for field in plan.widen:
            used = session.rows(
                Statement(
                    "select 1 from pragma_index_list(", Value(target[1]), ", ", Value(target[0]),
                    ") as l, pragma_index_info(l.name) as i where i.name = ",
                    Value(field.name), " collate nocase",
                )
            )  # fmt: skip
            key = [c[0] for c in self._columns(session, target[1], target[0]) if c[-1]]
            if used or field.name in key:
                raise SchemaError(
                    f"column {field.name!r} has to become {text_of(field)}, and SQLite cannot "
                    f"change a column of an index or a key; drop that first"
                )

    def widen_column(self, session, parts, field) -> None:
        """Make a column anew with a type that holds more; it becomes the table's last one."""
        table, old = self.table(parts), self.quote(field.name)
        new = self.quote(f"_pypods_{field.name}")
        session.run(f"alter table {table} add column {new} {self.type_sql(field)}")
        session.run(f"update {table} set {new} = {old}")
        session.run(f"alter table {table} drop column {old}")
        session.run(f"alter table {table} rename column {new} to {old}")

    def upsert_all(self, session, staging, target, names, key) -> None:
        """Change the target's rows that have a staged key, and insert the others."""
        there, new = self.table(target), self.table(staging)
        others = [name for name in names if name not in key]
        if others:
            sets = ", ".join(f"{self.quote(name)} = s.{self.quote(name)}" for name in others)
            same = self.same_key("t", "s", key)
            session.run(f"update {there} as t set {sets} from {new} as s where {same}")
        columns, keys = ", ".join(map(self.quote, names)), ", ".join(map(self.quote, key))
        known = " and ".join(f"{self.quote(name)} is not null" for name in key)
        # SQLite makes an index for IN, and none for EXISTS.
        session.run(
            f"insert into {there} ({columns}) select {columns} from {new} "
            f"where ({keys}) not in (select {keys} from {there} where {known})"
        )

    def delete_insert_all(self, session, staging, target, names, key) -> None:
        """Delete the target's rows that have a staged key, and insert all."""
        keys = ", ".join(map(self.quote, key))
        session.run(
            f"delete from {self.table(target)} "
            f"where ({keys}) in (select {keys} from {self.table(staging)})"
        )
        self.insert_all(session, staging, target, names)
