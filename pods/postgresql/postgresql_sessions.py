"""Connections to PostgreSQL, psycopg's and ADBC's behind one face; no catalog."""

from __future__ import annotations

import psycopg

from pypods.connectors.sql.session import Session
from pypods.connectors.sql.statement import Statement

#: What makes text forms the same everywhere.
OPTIONS = "-c timezone=UTC -c datestyle=ISO,YMD -c intervalstyle=postgres -c bytea_output=hex"
_COUNTED = ("update", "insert", "delete")


def conninfo_of(settings) -> str:
    """Return libpq's text for the settings, quoted by psycopg."""
    from psycopg.conninfo import make_conninfo

    return make_conninfo(
        host=settings["host"],
        port=settings["port"],
        dbname=settings["database"],
        user=settings["user"],
        password=settings["password"],
        sslmode=settings["sslmode"],
        connect_timeout=settings["connect_timeout"],
        application_name="pypods",
        client_encoding="UTF8",
        options=OPTIONS,
    )


class PostgresqlSession(Session):
    """A session whose statements go over psycopg, until it is told to go over ADBC.

    Both end their transactions when they are told to: what is ingested and what is noted about it
    are of one transaction of one connection.
    """

    def __init__(self, settings, database) -> None:
        self.conninfo = conninfo_of(settings)
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

    def do_not_wait_for_the_disk(self) -> None:
        """Let a server that crashes lose the last transactions of this session.

        Rows and their checkpoint are lost together, so a run goes on where it says; finish, in a
        session of its own, waits for the disk, and with it for all that came before.
        """
        self.run("set synchronous_commit = off")

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

    def commit(self) -> None:
        """End the transaction, with its changes."""
        self.run("commit")

    def rollback(self) -> None:
        """End the transaction, without its changes; a connection that is lost has none."""
        try:
            self.run("rollback")
        except Exception as exc:
            if getattr(exc, "sqlstate", None) not in (None, "25P01"):
                raise

    def close(self) -> None:
        """Close what is open."""
        try:
            if self.adbc is not None:
                self.adbc.close()
        finally:
            self.connection.close()
