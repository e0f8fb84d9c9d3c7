"""The functions of the contract, for a Database; a pod's ``pod.py`` offers them as its own."""

from __future__ import annotations

from pypods.connectors.batches import BATCH_ROWS, limited
from pypods.connectors.checksum import checksum_of
from pypods.connectors.errors import (
    ConnectorError,
    SettingsError,
    StreamNotFoundError,
    without_secrets,
)
from pypods.connectors.names import check_columns, join_stream, rename_columns, split_stream
from pypods.connectors.sql.select import Selection
from pypods.connectors.sql.staging import Staging
from pypods.connectors.sql.statement import Statement
from pypods.connectors.types import schema_from_rows

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable, Generator, Iterator, TypeVar

    Result = TypeVar("Result")

__all__ = ["SqlConnector"]


class SqlConnector:
    """What a connector offers, over a Database. Each call opens a session of its own and ends it.

    Every method raises ConnectorError of some kind, in which no secret of the connection stands.
    """

    def __init__(self, database: Any) -> None:
        self.database = database

    # --- what there is -------------------------------------------------------------------------

    def describe_connector(self) -> dict[str, Any]:
        """Return name, driver, settings and capabilities."""
        database = self.database
        return {
            "name": database.name,
            "title": database.title,
            "driver": database.driver(),
            "settings": database.settings.settings,
            "capabilities": dict(database.capabilities),
            "verified": database.verified,
        }

    def check(self, connection: dict[str, Any]) -> dict[str, str]:
        """Open a connection, and return the versions of server and driver.

        A file that may be made by writing, and is not there yet, is no error.
        """
        if self.database.will_be_made(self.database.settings.check(connection)):
            return {
                "server": f"{self.database.title}, no file yet",
                "driver": self.database.driver(),
            }

        def look(session: Any) -> dict[str, str]:
            return {
                "server": self.database.server(session),
                "driver": self.database.driver(),
            }

        return self._with_session(connection, look)

    def streams(self, connection: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the tables and views, each with its name, its kind and an estimate of its rows."""
        return self._with_session(connection, self.database.streams)

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
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        def look(session: Any) -> dict[str, Any]:
            _, found, shown = self._find(session, stream, query)
            wanted = check_columns(columns, found.schema.names, shown)
            schema = pa.schema([found.schema.field(name) for name in wanted])
            return {
                "schema": rename_columns(schema, names, shown),
                "key": found.key,
                "rows": found.rows,
            }

        return self._with_session(connection, look)

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

        def look(session: Any) -> list[dict[str, Any]]:
            relation, found, shown = self._find(session, stream, query)
            names = check_columns(columns, found.schema.names, shown)
            Selection(self.database, relation, found.schema, shown).rows(columns=names, where=where)
            if query is not None or found.kind != "table" or count < 2:
                return [{}]
            parts = self.database.resolve(session, split_stream(stream))
            made: list[dict[str, Any]] = self.database.partitions(
                self.database.settings.check(connection), session, parts, count
            )
            return made

        return self._with_session(connection, look)

    def release_partitions(self, connection: dict[str, Any], partitions: Any) -> None:
        """Let go of what is held open for partitions."""
        self._guard(connection, lambda: self.database.release_partitions(partitions))

    def read(
        self,
        connection: dict[str, Any],
        stream: Any,
        *,
        columns: Any = None,
        where: Any = None,
        order_by: Any = None,
        after: Any = None,
        partition: Any = None,
        limit: int | None = None,
        query: str | None = None,
        batch_rows: Any = BATCH_ROWS,
        names: Any = None,
    ) -> Iterator[Any]:
        """Yield the rows as Arrow record batches of one schema.

        ``names`` says what columns are called in the batches, ``{"old": "new"}``; all else speaks
        of the names of the stream.
        """
        if isinstance(batch_rows, bool) or not isinstance(batch_rows, int) or batch_rows < 1:
            raise SettingsError(f"batch_rows is a number of rows, not {batch_rows!r}")
        settings = self.database.settings.check(connection)
        generator = self._read(
            settings, stream, query, partition or {}, batch_rows,
            columns=columns, where=where, order_by=order_by, after=after, limit=limit,
        )  # fmt: skip
        try:
            while True:
                batch = self._guard(connection, lambda: next(generator, None))
                if batch is None:
                    return
                if names:
                    schema = rename_columns(
                        batch.schema, names, "the query" if query else str(stream)
                    )
                    batch = batch.rename_columns(schema.names)
                yield batch
        finally:
            generator.close()

    def _read(
        self,
        settings: dict[str, Any],
        stream: Any,
        query: str | None,
        partition: dict[str, Any],
        batch_rows: int,
        **what: Any,
    ) -> Generator[Any, None, None]:
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        database = self.database
        with database.open(settings) as session:
            database.enter_partition(session, partition)
            relation, found, shown = self._find(session, stream, query)
            selection = Selection(database, relation, found.schema, shown)
            statement = selection.rows(condition=database.partition_condition(partition), **what)
            names = check_columns(what["columns"], found.schema.names, shown)
            schema = pa.schema([found.schema.field(name) for name in names])
            yield from limited(database.batches(session, statement, schema, batch_rows), batch_rows)

    def count(
        self,
        connection: dict[str, Any],
        stream: Any,
        *,
        where: Any = None,
        query: str | None = None,
    ) -> int:
        """Return the number of rows."""

        def look(session: Any) -> int:
            relation, found, shown = self._find(session, stream, query)
            selection = Selection(self.database, relation, found.schema, shown)
            ((rows,),) = session.rows(selection.count(where=where))
            return int(rows)

        return self._with_session(connection, look)

    def checksum(
        self,
        connection: dict[str, Any],
        stream: Any,
        *,
        schema: Any,
        columns: Any = None,
        where: Any = None,
        query: str | None = None,
    ) -> dict[str, Any]:
        """Return the number of rows and their sum, each cast to the schema first."""
        schema = schema_from_rows(schema)
        names = schema.names if columns is None else columns
        batches = self.read(connection, stream, columns=names, where=where, query=query)
        return checksum_of(batches, _only(schema, names))

    # --- changing ------------------------------------------------------------------------------

    def truncate(self, connection: dict[str, Any], stream: Any) -> None:
        """Remove all rows of a table."""

        def change(session: Any) -> None:
            self._find(session, stream, None)
            parts = self.database.resolve(session, split_stream(stream))
            session.begin()
            self.database.truncate(session, parts)
            session.commit()

        self._with_session(connection, change, writing=True)

    def execute(self, connection: dict[str, Any], statement: str) -> dict[str, Any]:
        """Run a statement of the operation's author; return how many rows it changed, or None."""

        def change(session: Any) -> dict[str, Any]:
            session.begin()
            changed = session.run(Statement(statement))
            session.commit()
            return {"rows": None if changed < 0 else changed}

        return self._with_session(connection, change, writing=True)

    # --- writing -------------------------------------------------------------------------------

    def prepare(
        self,
        connection: dict[str, Any],
        stream: Any,
        schema: Any,
        *,
        mode: str,
        key: Any = (),
        run: str,
        drift: str = "evolve",
        exists: bool | None = None,
    ) -> dict[str, Any]:
        """Check that all can be done, and make or find the staging place of this run.

        ``exists``: whether the stream has to be there (True), must not be (False), or may (None).
        """
        return self._staging(
            connection,
            stream,
            lambda staging: staging.prepare(
                schema, mode=mode, key=key, run=run, drift=drift, exists=exists
            ),
        )

    def write(
        self,
        connection: dict[str, Any],
        stream: Any,
        batches: Any,
        *,
        run: str,
        part: str = "0",
        position: Any = (),
        bad_rows: str = "fail",
        max_bad_rows: int | None = 0,
        attempt: int | None = None,
        committed: Any = None,
    ) -> dict[str, int]:
        """Write batches into the staging place, each committed together with its checkpoint.

        ``attempt`` is what ``prepare`` said: once another one has prepared the run, ConflictError.
        ``committed`` is called after each commit, with its rows, bytes and bad rows; what it
        raises ends the write there.
        """
        return self._staging(
            connection,
            stream,
            lambda staging: staging.write(
                batches, run=run, part=part, position=position, bad_rows=bad_rows,
                max_bad_rows=max_bad_rows, attempt=attempt, committed=committed,
            ),
        )  # fmt: skip

    def finish(
        self,
        connection: dict[str, Any],
        stream: Any,
        *,
        run: str,
        cursor: Any = None,
        rows: int | None = None,
    ) -> dict[str, Any]:
        """Move everything from staging to the target, in one transaction."""
        return self._staging(
            connection, stream, lambda staging: staging.finish(run=run, cursor=cursor, rows=rows)
        )

    def abandon(self, connection: dict[str, Any], stream: Any, *, run: str) -> None:
        """Remove what a run left; the target is as it was."""
        self._staging(connection, stream, lambda staging: staging.abandon(run=run))

    def state(self, connection: dict[str, Any], stream: Any) -> dict[str, Any]:
        """Return the cursor and the name of the last finished run."""
        if self.database.will_be_made(self.database.settings.check(connection)):
            return {"cursor": None, "run": None}
        state: dict[str, Any] = self._staging(
            connection, stream, lambda staging: staging.state(), writing=False
        )
        return state

    def write_all(
        self,
        connection: dict[str, Any],
        stream: Any,
        batches: Any,
        *,
        mode: str = "append",
        key: Any = (),
        schema: Any = None,
    ) -> dict[str, Any]:
        """Prepare, write and finish in one call; all or nothing. Returns what ``finish`` does."""
        import itertools
        import os

        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        run = f"write_all {os.urandom(8).hex()}"
        batches = iter(batches)
        if schema is None:
            first = next(batches, None)
            if first is None:
                raise SettingsError("there is no batch to take the schema from; give schema=")
            batches = itertools.chain([first], batches)
            schema = first.schema if hasattr(first, "schema") else pa.schema(first)
        self.prepare(connection, stream, schema, mode=mode, key=key, run=run)
        try:
            written = self.write(connection, stream, batches, run=run)
            return self.finish(connection, stream, run=run, rows=written["rows"])
        except BaseException:
            self.abandon(connection, stream, run=run)
            raise

    # --- sessions and errors -------------------------------------------------------------------

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

    def _staging(
        self, connection: Any, stream: Any, work: Callable[[Any], Result], *, writing: bool = True
    ) -> Result:
        def do(session: Any) -> Result:
            target = self.database.resolve(session, split_stream(stream))
            return work(Staging(self.database, session, target))

        return self._with_session(connection, do, writing=writing)

    def _with_session(
        self, connection: Any, work: Callable[[Any], Result], *, writing: bool = False
    ) -> Result:
        settings = self.database.settings.check(connection)

        def do() -> Result:
            with self.database.open(settings, writing=writing) as session:
                return work(session)

        return self._guard(connection, do)

    def _guard(self, connection: Any, work: Callable[[], Result]) -> Result:
        """Do the work; what the driver raises becomes an error of the contract.

        That one is raised outside of the handler, so that the driver's own error, which may have
        the password in its text, is not linked to it.
        """
        try:
            return work()
        except ConnectorError as exc:
            error: Any = exc
        except Exception as exc:
            error = self.database.translate(exc)
            if error is None:
                raise
        error.__cause__ = error.__context__ = None
        secrets = self.database.settings.secrets(connection)
        error.args = (without_secrets(str(error), secrets), *error.args[1:])
        raise error


def _only(schema: Any, names: Any) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    return pa.schema([schema.field(name) for name in names])
