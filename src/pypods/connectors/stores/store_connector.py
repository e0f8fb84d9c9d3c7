"""The functions of the contract, for systems of keys, documents and messages.

A session has ``notes``, what the system keeps for us.
"""

from __future__ import annotations

from abc import abstractmethod

from pypods.connectors.bad_rows import BAD_ROWS_SUFFIX
from pypods.connectors.batches import first_rows, limited, take_columns
from pypods.connectors.connector import Connector
from pypods.connectors.errors import SettingsError, StreamNotFoundError
from pypods.connectors.files.bad_rows import BadRowsFormat, bad_rows_stream
from pypods.connectors.files.ledger import FOLDER
from pypods.connectors.names import check_columns, only_columns, rename_columns
from pypods.connectors.row_filter import RowFilter
from pypods.connectors.sorting import sorted_batches
from pypods.connectors.stores.described import Asked, Described, StoreStream
from pypods.connectors.stores.staging import StoreSource, StoreStaging

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

__all__ = ["INTERNAL", "StoreConnector"]

#: What everything begins with that is ours in such a system.
INTERNAL = FOLDER.replace(".", "_")


class StoreConnector(Connector):
    """What a connector offers.

    Beside what ``Connector`` asks for, it implements

    - ``parse``, ``describe``, ``split``, ``rows``: what is there;
    - ``check_target``, ``check_batch``, ``stored``, ``check_run``, ``apply``: writing.
    """

    # --- what there is -------------------------------------------------------------------------

    @abstractmethod
    def parse(self, settings: dict[str, Any], stream: Any) -> StoreStream:
        """Return what a stream's name stands for. Raises SettingsError."""

    @abstractmethod
    def describe(
        self, session: Any, settings: dict[str, Any], stream: StoreStream
    ) -> Described | None:
        """Return what a stream is, or None if it is not there."""

    @abstractmethod
    def rows(
        self, session: Any, settings: dict[str, Any], found: Described, asked: Asked
    ) -> tuple[Iterator[Any], bool]:
        """Return batches of the asked columns, and whether they are in the asked order.

        Rows may be among them that are not asked for.
        """

    def find(self, session: Any, settings: dict[str, Any], stream: Any, query: Any) -> Described:
        """Return what a stream is. Raises SettingsError and StreamNotFoundError."""
        if query is not None or stream is None:
            raise SettingsError(f"{self.title} takes no query; name a stream")
        parsed = self.parse(settings, stream)
        if parsed.name.endswith(BAD_ROWS_SUFFIX):
            return Described(parsed, BadRowsFormat().schema(None))
        found = self.describe(session, settings, parsed)
        if found is None:
            raise StreamNotFoundError(f"{self.title} has no {parsed.kind} {parsed.name!r}")
        return found

    def schema(
        self,
        connection: dict[str, Any],
        stream: Any,
        *,
        query: str | None = None,
        columns: Any = None,
        names: Any = None,
    ) -> dict[str, Any]:
        """Return the Arrow schema, the key's columns and the number of rows where it is known."""

        def look(session: Any, settings: dict[str, Any]) -> dict[str, Any]:
            found = self.find(session, settings, stream, query)
            shown = found.stream.name
            wanted = only_columns(found.schema, check_columns(columns, found.schema.names, shown))
            return {
                "schema": rename_columns(wanted, names, shown),
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
        """Return partitions, at most ``count``, that together have each row once."""

        def look(session: Any, settings: dict[str, Any]) -> list[dict[str, Any]]:
            found = self.find(session, settings, stream, query)
            check_columns(columns, found.schema.names, found.stream.name)
            RowFilter(found.schema, found.stream.name, where=where)
            return self.split(session, settings, found, count)

        return self.using(connection, look)

    @abstractmethod
    def split(
        self, session: Any, settings: dict[str, Any], found: Described, count: int
    ) -> list[dict[str, Any]]:
        """Return partitions of a stream, at most that many; ``{}`` is all of it."""

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
        found = self.find(session, settings, stream, query)
        whole, shown = found.schema, found.stream.name
        wanted = check_columns(columns, whole.names, shown)
        chosen = RowFilter(whole, shown, where=where, order_by=order_by, after=after)
        self.check_partition(partition)
        needed = chosen.needed(wanted)
        asked = Asked(needed, chosen, partition or {}, batch_rows)
        if shown.endswith(BAD_ROWS_SUFFIX):
            rows, in_order = self._bad_rows(session, found, needed), False
        else:
            rows, in_order = self.rows(session, settings, found, asked)
        rows = (chosen.apply(batch) for batch in rows)
        if chosen.order and not in_order:
            rows = sorted_batches(rows, only_columns(whole, needed), chosen.order)
        renamed = rename_columns(only_columns(whole, wanted), names, shown)
        for batch in first_rows(limited(rows, batch_rows), limit):
            yield take_columns(batch, wanted, renamed)

    def check_partition(self, partition: Any) -> None:
        """Raise SettingsError for a partition that is none of ours."""
        if partition:
            raise SettingsError(f"{self.title} has no partition {partition!r}")

    def _bad_rows(self, session: Any, found: Described, columns: list[str]) -> Iterator[Any]:
        name = found.stream.name[: -len(BAD_ROWS_SUFFIX)]
        folder = bad_rows_stream(StoreStream(name, found.stream.kind)).path  # type: ignore[arg-type]
        source = StoreSource(self, session, {}, found.stream)
        for each in session.notes.names(folder):
            yield from BadRowsFormat().read(
                source, {"path": f"{folder}/{each}"}, only_columns(found.schema, columns), 2**16
            )

    # --- writing -------------------------------------------------------------------------------

    def target(self, session: Any, settings: dict[str, Any], stream: Any) -> StoreStaging:
        """Return what writes into a stream."""
        return StoreStaging(StoreSource(self, session, settings, self.parse(settings, stream)))

    def fold(self, name: str) -> str:
        """Return what two names have to share to be one column."""
        return name

    def stored(self, field: Any) -> Any:
        """Return the field that a column made for this one is read as."""
        return field

    def taken(self, there: Any, field: Any) -> Any:
        """Return the field as which a column that is there takes another's values, or None."""
        from pypods.connectors.types import fits

        return there if fits(there, field) else None

    def written_schema(self, session: Any, settings: dict[str, Any], stream: StoreStream) -> Any:
        """Return the columns that a stream has for rows that are to be written, or None.

        None where it is not there, or nobody knows of any.
        """
        found = self.describe(session, settings, stream)
        return None if found is None else found.schema

    @abstractmethod
    def check_target(self, source: Any, schema: Any) -> None:
        """Raise SchemaError, or another error of ours, if such rows cannot be written there."""

    @abstractmethod
    def check_batch(self, settings: dict[str, Any], batch: Any) -> None:
        """Raise DataError for the first row, from 0, that the system cannot hold."""

    @abstractmethod
    def check_run(self, staging: StoreStaging, run: Any, schema: Any) -> None:
        """Raise an error if what is staged cannot be applied; nothing is changed yet."""

    @abstractmethod
    def apply(self, staging: StoreStaging, run: Any, schema: Any) -> None:
        """Bring what is staged into the target; what was brought there before is not again."""

    def modes(self, stream: StoreStream) -> list[str]:
        """Return the modes in which a stream is written; one kind may have less than another."""
        modes: list[str] = self.capabilities["write"] if stream.kind else []
        return modes

    def truncate(self, connection: dict[str, Any], stream: Any) -> None:
        """Leave the stream with its columns and without rows."""
        import os

        self.schema(connection, stream)
        run = f"truncate-{os.urandom(8).hex()}"

        def columns(session: Any, settings: dict[str, Any]) -> Any:
            return self.written_schema(session, settings, self.parse(settings, stream))

        self.prepare(connection, stream, self.using(connection, columns), mode="replace", run=run)
        self.finish(connection, stream, run=run, rows=0)
