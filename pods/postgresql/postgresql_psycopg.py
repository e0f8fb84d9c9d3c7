"""PostgreSQL over psycopg 3 and ADBC: rows in PostgreSQL's binary form, by ADBC."""

from __future__ import annotations

from importlib.metadata import version

import psycopg
from psycopg.conninfo import make_conninfo

from pypods.connectors.errors import ConnectorError, DataError
from pypods.connectors.sql.statement import Statement

from . import postgresql_reading, postgresql_writing
from .postgresql_database import PostgresqlDatabase, error_for
from .postgresql_sessions import PostgresqlSession
from .postgresql_settings import libpq_parameters

#: A ModuleNotFoundError where it is not installed, which is only imported when rows move.
_ADBC_VERSION = version("adbc-driver-postgresql")
_COUNTED = ("update", "insert", "delete")


class PsycopgSession(PostgresqlSession):
    """A session whose statements go over psycopg, until it is told to go over ADBC.

    Both end their transactions when they are told to: what is ingested and what is noted about it
    are of one transaction of one connection.
    """

    def __init__(self, settings, database) -> None:
        self.conninfo = make_conninfo(**libpq_parameters(settings))
        connection = psycopg.connect(
            self.conninfo, autocommit=True, cursor_factory=psycopg.RawCursor
        )
        super().__init__(connection, database)
        self.adbc = None

    def use_adbc(self) -> None:
        """Have statements go over a connection of ADBC's from now on."""
        import adbc_driver_postgresql.dbapi as adbc

        if self.adbc is None:
            self.adbc = adbc.connect(self.conninfo, autocommit=True)
            self.do_not_wait_for_the_disk()

    def rows(self, statement):
        """Return all rows of a statement."""
        if self.adbc is None:
            return super().rows(statement)
        text, values = self._rendered(statement)
        with self.adbc.cursor() as cursor:
            cursor.execute(text, values or None)
            return cursor.fetchall()

    def run(self, statement) -> int:
        """Run a statement and return how many rows it changed; -1 where that is not known."""
        if self.adbc is None:
            return super().run(statement)
        text, values = self._rendered(statement)
        with self.adbc.cursor() as cursor:
            if text.startswith(_COUNTED):  # ADBC does not say how many.
                text = f"with changed as ({text} returning 1) select count(*) from changed"
                cursor.execute(text, values or None)
                return cursor.fetchone()[0]
            cursor.execute(text, values or None)
            return -1

    def _rendered(self, statement):
        statement = statement if isinstance(statement, Statement) else Statement(statement)
        return statement.render("dollar", self.database.bind)

    def ingest(self, parts, batch) -> None:
        """Append a batch to a table, in PostgreSQL's binary form."""
        schema, table = parts
        with self.adbc.cursor() as cursor:
            cursor.adbc_ingest(table, batch, mode="append", db_schema_name=schema)

    def close(self) -> None:
        """Close what is open."""
        try:
            if self.adbc is not None:
                self.adbc.close()
        finally:
            self.connection.close()


class PsycopgDatabase(PostgresqlDatabase):
    """PostgreSQL, with ADBC for rows and psycopg for everything else."""

    style = "dollar"

    def driver(self) -> str:
        """Return the drivers and their versions."""
        return f"psycopg {psycopg.__version__}, adbc-driver-postgresql {_ADBC_VERSION}"

    def open(self, settings, *, writing: bool = False):
        """Return a session."""
        return PsycopgSession(settings, self)

    def translate(self, error: Exception) -> ConnectorError | None:
        """Return the contract's error for one of psycopg's or ADBC's."""
        is_adbc = type(error).__module__.startswith("adbc_driver_manager")
        if isinstance(error, OSError):  # What ADBC's readers raise.
            is_adbc = "libpq" in str(error) or "COPY" in str(error)
        if not isinstance(error, psycopg.Error) and not is_adbc:
            return None
        text = " ".join(str(error).split())
        state = getattr(error, "sqlstate", None) or ""
        if isinstance(error, psycopg.DataError) and not state:  # The driver's own: a NUL in a text.
            return DataError(f"PostgreSQL: {text}")
        return error_for(state, text)

    def result_columns(self, session, text: str):
        """Return name, type's number and modifier of a statement's columns."""
        with session.connection.cursor() as cursor:
            cursor.execute(text)
            return [
                (each.name, each.type_code, cursor.pgresult.fmod(at))
                for at, each in enumerate(cursor.description)
            ]

    def batches(self, session, statement, schema, batch_rows: int):
        """Yield the rows of a SELECT as batches."""
        partition = self._partition.pop(id(session), {})
        return postgresql_reading.read_batches(session, statement, schema, partition)

    def hold_snapshot(self, session):
        """Return a connection that holds a snapshot, and the snapshot's name."""
        holder = psycopg.connect(session.conninfo)
        try:
            holder.execute("set transaction isolation level repeatable read, read only")
            return holder, holder.execute("select pg_export_snapshot()").fetchone()[0]
        except BaseException:
            holder.close()
            raise

    def writer(self, session, staging, schema):
        """Return a function that appends a batch."""
        return postgresql_writing.make_writer(session, staging, schema)
