"""The functions of the contract, over a Database."""

from __future__ import annotations

from pypods.connectors.batches import limited
from pypods.connectors.connector import Connector
from pypods.connectors.errors import ConnectorError, SettingsError, StreamNotFoundError
from pypods.connectors.names import (
    check_columns,
    join_stream,
    only_columns,
    rename_columns,
    split_stream,
)
from pypods.connectors.sql.select import Selection
from pypods.connectors.sql.statement import Statement

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

    from pypods.connectors.sql.session import Session
    from pypods.connectors.sql.staging import Staging

__all__ = ["SqlConnector"]


class SqlConnector(Connector):
    """What a connector offers, over a Database. A session is a Session of it."""

    write_all_prefix = "write_all "

    def __init__(self, database: Any) -> None:
        self.database = database
        self.name = database.name
        self.title = database.title
        self.settings = database.settings
        self.capabilities = database.capabilities
        self.verified = database.verified

    # --- getting at the system -----------------------------------------------------------------

    def driver(self) -> str:
        """Return the driver and its version."""
        driver: str = self.database.driver()
        return driver

    def open(self, settings: dict[str, Any], *, writing: bool = False) -> Session:
        """Return a session outside of any transaction."""
        session: Session = self.database.open(settings, writing=writing)
        return session

    def translate(self, error: Exception, settings: dict[str, Any]) -> ConnectorError | None:
        """Return what a driver's error is for everybody; None for what is no driver's."""
        translated: ConnectorError | None = self.database.translate(error)
        return translated

    def server(self, session: Any) -> str:
        """Return the system and its version."""
        server: str = self.database.server(session)
        return server

    # --- what there is -------------------------------------------------------------------------

    def check(self, connection: dict[str, Any]) -> dict[str, str]:
        """Open a connection, and return the versions of server and driver.

        A file that may be made by writing, and is not there yet, is no error.
        """
        if self.database.will_be_made(self.check_settings(connection)):
            return {"server": f"{self.title}, no file yet", "driver": self.driver()}
        return super().check(connection)

    def list_streams(self, session: Any, settings: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the tables and views."""
        streams: list[dict[str, Any]] = self.database.streams(session)
        return streams

    def schema(
        self,
        connection: dict[str, Any],
        stream: Any,
        *,
        query: str | None = None,
        columns: Any = None,
        names: Any = None,
    ) -> dict[str, Any]:
        """Return the Arrow schema, the key's columns and an estimate of the rows.

        ``columns`` and ``names`` are those of ``read``; the key has the names of the stream.
        """

        def look(session: Any, _: dict[str, Any]) -> dict[str, Any]:
            found, shown = self._find(session, stream, query)[1:]
            wanted = check_columns(columns, found.schema.names, shown)
            return {
                "schema": rename_columns(only_columns(found.schema, wanted), names, shown),
                "key": found.key,
                "rows": found.rows,
            }

        return self.using(connection, look)

    # --- reading -------------------------------------------------------------------------------

    def partitions(
        self,
        connection: dict[str, Any],
        stream: Any,
        count: int,
        *,
        where: Any = None,
        query: str | None = None,
        columns: Any = None,
    ) -> list[dict[str, Any]]:
        """Return partitions, at most ``count``, that together have each row once.

        What they hold open is let go of with ``release_partitions``.
        """

        def look(session: Any, settings: dict[str, Any]) -> list[dict[str, Any]]:
            relation, found, shown = self._find(session, stream, query)
            names = check_columns(columns, found.schema.names, shown)
            Selection(self.database, relation, found.schema, shown).rows(columns=names, where=where)
            if query is not None or found.kind != "table" or count < 2:
                return [{}]
            parts = self.database.resolve(session, split_stream(stream))
            made: list[dict[str, Any]] = self.database.partitions(settings, session, parts, count)
            return made

        return self.using(connection, look)

    def release_partitions(self, connection: dict[str, Any], partitions: Any) -> None:
        """Let go of what is held open for partitions."""
        settings = self.check_settings(connection)
        self.guard(settings, lambda: self.database.release_partitions(partitions))

    def batches(
        self,
        session: Any,
        settings: dict[str, Any],
        stream: Any,
        *,
        query: str | None,
        partition: Any,
        batch_rows: int,
        names: Any,
        **what: Any,
    ) -> Iterator[Any]:
        """Yield what ``read`` does."""
        database, partition = self.database, partition or {}
        database.enter_partition(session, partition)
        relation, found, shown = self._find(session, stream, query)
        selection = Selection(database, relation, found.schema, shown)
        statement = selection.rows(condition=database.partition_condition(partition), **what)
        schema = only_columns(
            found.schema, check_columns(what["columns"], found.schema.names, shown)
        )
        renamed = rename_columns(schema, names, shown)
        batches = database.batches(session, statement, schema, batch_rows)
        for batch in limited(batches, batch_rows):
            yield batch.rename_columns(renamed.names) if names else batch

    def count(
        self,
        connection: dict[str, Any],
        stream: Any,
        *,
        where: Any = None,
        query: str | None = None,
    ) -> int:
        """Return the number of rows."""

        def look(session: Any, _: dict[str, Any]) -> int:
            relation, found, shown = self._find(session, stream, query)
            selection = Selection(self.database, relation, found.schema, shown)
            ((rows,),) = session.rows(selection.count(where=where))
            return int(rows)

        return self.using(connection, look)

    # --- changing ------------------------------------------------------------------------------

    def truncate(self, connection: dict[str, Any], stream: Any) -> None:
        """Remove all rows of a table."""

        def change(session: Any, _: dict[str, Any]) -> None:
            self._find(session, stream, None)
            parts = self.database.resolve(session, split_stream(stream))
            session.begin()
            self.database.truncate(session, parts)
            session.commit()

        self.using(connection, change, writing=True)

    def execute(self, connection: dict[str, Any], statement: str) -> dict[str, Any]:
        """Run a statement of the operation's author; return how many rows it changed, or None."""

        def change(session: Any, _: dict[str, Any]) -> dict[str, Any]:
            session.begin()
            changed = session.run(Statement(statement))
            session.commit()
            return {"rows": None if changed < 0 else changed}

        return self.using(connection, change, writing=True)

    # --- writing -------------------------------------------------------------------------------

    def target(self, session: Any, settings: dict[str, Any], stream: Any) -> Staging:
        """Return what writes into a table."""
        table = self.database.resolve(session, split_stream(stream))
        target: Staging = self.database.staging(session, table)
        return target

    def state(self, connection: dict[str, Any], stream: Any) -> dict[str, Any]:
        """Return the cursor and the name of the last finished run."""
        if self.database.will_be_made(self.check_settings(connection)):
            return {"cursor": None, "run": None}
        return super().state(connection, stream)

    def _find(self, session: Any, stream: Any, query: str | None) -> tuple[Statement, Any, str]:
        """Return what SQL calls the stream, its description, and what messages call it."""
        if query is not None:
            if not query.strip():
                raise SettingsError("a query is the text of a statement")
            body = query.strip().rstrip(";")
            found = self.database.describe_query(session, body)
            return self.database.query_relation(body), found, "the query"
        asked = split_stream(stream)
        parts = self.database.resolve(session, asked)
        found = self.database.describe(session, parts)
        if found is None:
            raise StreamNotFoundError(
                f"{self.database.title} has no table or view {join_stream(parts)}"
            )
        return Statement(self.database.table(parts)), found, join_stream(asked)
