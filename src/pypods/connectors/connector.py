"""The functions of the contract, for any system; a pod's ``pod.py`` offers them as its own."""

from __future__ import annotations

import contextlib
from abc import abstractmethod

from pypods.connectors.batches import BATCH_ROWS
from pypods.connectors.checksum import checksum_of
from pypods.connectors.errors import ConnectorError, SettingsError
from pypods.connectors.names import only_columns
from pypods.connectors.system import CAPABILITIES, System
from pypods.connectors.types import schema_from_rows

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable, Generator, Iterator, TypeVar

    from pypods.connectors.staging import StagedTarget

    Result = TypeVar("Result")

__all__ = ["CAPABILITIES", "FUNCTIONS", "Connector"]

#: The contract, in the order in which ``functions`` has it.
FUNCTIONS = (
    "describe_connector", "check", "streams", "schema", "partitions", "release_partitions", "read",
    "count", "checksum", "truncate", "execute", "prepare", "write", "finish", "abandon", "state",
    "write_all",
)  # fmt: skip


class Connector(System):
    """What a connector offers. Each call opens a session of its own and ends it.

    A session is what the system is spoken to through: a database's connection, a client, a folder.
    A connector says ``name``, ``title``, ``settings``, ``capabilities`` and ``verified``, and
    implements

    - ``driver``, ``open``, ``translate`` and ``server``: getting at the system;
    - ``list_streams``, ``schema`` and ``batches``: reading;
    - ``target``, where it writes: a StagedTarget, which has the steps of writing into one stream;
    - and of ``partitions``, ``release_partitions``, ``count``, ``checksum``, ``truncate`` and
      ``execute`` those that it claims, or can do better than by reading all rows. They go through
      ``using``.

    Every function of the contract raises ConnectorError of some kind, in which no secret of the
    connection stands.
    """

    #: What the names of runs of ``write_all`` begin with.
    write_all_prefix = "write_all-"

    def functions(self) -> tuple[Callable[..., Any], ...]:
        """Return the functions of the contract, for ``pod.py`` to bind and so to offer."""
        return tuple(getattr(self, name) for name in FUNCTIONS)

    # --- what there is -------------------------------------------------------------------------

    def describe_connector(self) -> dict[str, Any]:
        """Return name, driver, settings and capabilities."""
        return {
            "name": self.name,
            "title": self.title,
            "driver": self.driver(),
            "settings": self.settings.settings,
            "capabilities": dict(self.capabilities),
            "verified": self.verified,
        }

    def check(self, connection: dict[str, Any]) -> dict[str, str]:
        """Open a connection, and return the versions of server and driver."""
        return self.using(
            connection,
            lambda session, _: {"server": self.server(session), "driver": self.driver()},
        )

    def streams(self, connection: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what can be read, each with its name, its kind and an estimate of its rows."""
        return self.using(connection, self.list_streams)

    @abstractmethod
    def list_streams(self, session: Any, settings: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what ``streams`` does."""

    @abstractmethod
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
        """Return partitions, at most ``count``, that together have each row once."""
        return [{}]

    def release_partitions(self, connection: dict[str, Any], partitions: Any) -> None:
        """Let go of what is held open for partitions."""

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
        for name, value, least in (("batch_rows", batch_rows, 1), ("limit", limit, 0)):
            if value is None and least == 0:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise SettingsError(f"{name} is a number of rows, not {value!r}")
        settings = self.check_settings(connection)
        batches = self._batches_of_session(
            settings, stream, query=query, columns=columns, where=where, order_by=order_by,
            after=after, partition=partition, limit=limit, batch_rows=batch_rows, names=names,
        )  # fmt: skip
        try:
            while True:
                batch = self.guard(settings, lambda: next(batches, None))
                if batch is None:
                    return
                yield batch
        finally:
            batches.close()

    def _batches_of_session(
        self, settings: dict[str, Any], stream: Any, **what: Any
    ) -> Generator[Any, None, None]:
        with self.open(settings) as session:
            yield from self.batches(session, settings, stream, **what)

    @abstractmethod
    def batches(
        self,
        session: Any,
        settings: dict[str, Any],
        stream: Any,
        *,
        query: str | None,
        columns: Any,
        where: Any,
        order_by: Any,
        after: Any,
        partition: Any,
        limit: int | None,
        batch_rows: int,
        names: Any,
    ) -> Iterator[Any]:
        """Yield what ``read`` does."""

    def count(
        self,
        connection: dict[str, Any],
        stream: Any,
        *,
        where: Any = None,
        query: str | None = None,
    ) -> int:
        """Return the number of rows."""
        batches = self.read(connection, stream, where=where, query=query)
        return sum(batch.num_rows for batch in batches)

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
        return checksum_of(batches, only_columns(schema, names))

    # --- changing ------------------------------------------------------------------------------

    def truncate(self, connection: dict[str, Any], stream: Any) -> None:
        """Remove all rows of a stream."""
        raise SettingsError(f"{self.title}: all rows of a stream cannot be removed")

    def execute(self, connection: dict[str, Any], statement: str) -> dict[str, Any]:
        """Run a statement of the operation's author; return how many rows it changed, or None."""
        raise SettingsError(f"{self.title}: there are no statements to execute")

    # --- writing -------------------------------------------------------------------------------

    def target(self, session: Any, settings: dict[str, Any], stream: Any) -> StagedTarget:
        """Return what writes into a stream."""
        raise SettingsError(f"{self.title}: streams can only be read")

    def staging(
        self,
        connection: Any,
        stream: Any,
        work: Callable[[StagedTarget], Result],
        *,
        writing: bool = True,
    ) -> Result:
        """Return what work does with the stream as a target."""
        return self.using(
            connection,
            lambda session, settings: work(self.target(session, settings, stream)),
            writing=writing,
        )

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
        return self.staging(
            connection,
            stream,
            lambda target: target.prepare(
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
    ) -> dict[str, Any]:
        """Write batches into the staging place, each committed together with its checkpoint.

        ``attempt`` is what ``prepare`` said: once another one has prepared the run, ConflictError.
        ``committed`` is called after each commit, with its rows, bytes and bad rows; what it
        raises ends the write there.
        """
        return self.staging(
            connection,
            stream,
            lambda target: target.write(
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
        """Move everything that is staged into the target; in one step, where that is claimed."""
        return self.staging(
            connection, stream, lambda target: target.finish(run=run, cursor=cursor, rows=rows)
        )

    def abandon(self, connection: dict[str, Any], stream: Any, *, run: str) -> None:
        """Remove what a run left; the target is as it was."""
        self.staging(connection, stream, lambda target: target.abandon(run=run))

    def state(self, connection: dict[str, Any], stream: Any) -> dict[str, Any]:
        """Return the cursor and the name of the last finished run."""
        return self.staging(connection, stream, lambda target: target.state(), writing=False)

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

        run = f"{self.write_all_prefix}{os.urandom(8).hex()}"
        is_one = hasattr(batches, "schema") and not hasattr(batches, "__next__")
        batches = iter([batches] if is_one else batches)
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
            # What failed first is what is told.
            with contextlib.suppress(ConnectorError):
                self.abandon(connection, stream, run=run)
            raise
