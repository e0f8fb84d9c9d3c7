"""The functions of the contract, over a kind of file."""

from __future__ import annotations

from pypods.connectors.bad_rows import BAD_ROWS_SUFFIX
from pypods.connectors.batches import first_rows, limited, take_columns
from pypods.connectors.checksum import checksum_of
from pypods.connectors.errors import SettingsError
from pypods.connectors.files.access import FileAccess
from pypods.connectors.files.streams import has_suffix
from pypods.connectors.names import check_columns, only_columns, rename_columns
from pypods.connectors.row_filter import RowFilter
from pypods.connectors.sorting import sorted_batches
from pypods.connectors.types import schema_from_rows

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

__all__ = ["FileConnector"]


class FileConnector(FileAccess):
    """What a connector offers, over a FileFormat."""

    # --- what there is -------------------------------------------------------------------------

    def list_streams(self, session: Any, settings: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the files, or their parts, and the folders that have some."""
        session.check()
        found = [each for each in session.files() if has_suffix(each.path, self.format.suffixes)]
        found = [each for each in found if BAD_ROWS_SUFFIX + "/" not in each.path]
        streams: list[dict[str, Any]] = []
        for file in found:
            parts = self.format.parts(session, settings, file.path)
            names = [f"{file.path}/{part}" for part in parts] or [file.path]
            kind = "sheet" if parts else "file"
            streams += [{"name": name, "kind": kind, "rows": None} for name in names]
        folders = sorted({each.path.rpartition("/")[0] for each in found} - {""})
        return streams + [{"name": name + "/", "kind": "folder", "rows": None} for name in folders]

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

        def look(store: Any, settings: dict[str, Any]) -> dict[str, Any]:
            source = self.find(store, settings, stream, query)
            whole, shown = source.whole_schema, source.stream.name
            wanted = only_columns(whole, check_columns(columns, whole.names, shown))
            wanted = rename_columns(wanted, names, shown)
            return {"schema": wanted, "key": source.key, "rows": source.rows()}

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

        They are of the files as they are: read after a file has changed, they are refused.
        """

        def look(store: Any, settings: dict[str, Any]) -> list[dict[str, Any]]:
            source = self.find(store, settings, stream, query)
            whole = source.whole_schema
            check_columns(columns, whole.names, source.stream.name)
            RowFilter(whole, source.stream.name, where=where)
            return source.partitions(count)

        return self.using(connection, look)

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
        source = self.find(session, settings, stream, query)
        if partition:
            source.format.recall(source, partition)
        whole, shown = source.whole_schema, source.stream.name
        wanted = check_columns(columns, whole.names, shown)
        chosen = RowFilter(whole, shown, where=where, order_by=order_by, after=after)
        needed = chosen.needed(wanted)
        rows: Iterator[Any] = (
            chosen.apply(batch)
            for batch in source.batches(columns=needed, partition=partition, batch_rows=batch_rows)
        )
        if chosen.order and chosen.order != [source.row_number]:
            rows = sorted_batches(rows, only_columns(whole, needed), chosen.order)
        renamed = rename_columns(only_columns(whole, wanted), names, shown)
        for batch in first_rows(limited(rows, batch_rows), limit):
            yield take_columns(batch, wanted, renamed)

    def count(
        self,
        connection: dict[str, Any],
        stream: Any,
        *,
        where: Any = None,
        query: str | None = None,
    ) -> int:
        """Return the number of rows."""

        def look(store: Any, settings: dict[str, Any]) -> int:
            source = self.find(store, settings, stream, query)
            if not where:
                return source.count()
            chosen = RowFilter(source.whole_schema, source.stream.name, where=where)
            rows = source.batches(columns=chosen.needed([]))
            return sum(chosen.apply(batch).num_rows for batch in rows)

        return self.using(connection, look)

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
        """Return the number of rows and their sum, each cast to the schema first.

        The schema's fields are those of the columns, by position. Files without types of their
        own are read as that schema says.
        """
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        given = schema_from_rows(schema)

        def look(store: Any, settings: dict[str, Any]) -> dict[str, Any]:
            source = self.find(store, settings, stream, query)
            names = list(given.names if columns is None else columns)
            if len(names) != len(given):
                raise SettingsError(f"there are {len(names)} columns and {len(given)} fields")
            fields = [field.with_name(name) for field, name in zip(given, names)]
            typed = self.format.read_as(source, fields)
            whole = typed.whole_schema
            check_columns(names, whole.names, source.stream.name)
            chosen = RowFilter(whole, source.stream.name, where=where)
            rows = (chosen.apply(batch) for batch in typed.batches(columns=chosen.needed(names)))
            return checksum_of((batch.select(names) for batch in rows), pa.schema(fields))

        return self.using(connection, look)

    # --- changing ------------------------------------------------------------------------------

    def truncate(self, connection: dict[str, Any], stream: Any) -> None:
        """Leave the stream with its columns and without rows."""
        import os

        import pyarrow as pa

        found = self.schema(connection, stream)["schema"]
        kept = [field for field in found if field.name != (connection.get("row_number") or "")]
        run = f"truncate-{os.urandom(8).hex()}"
        self.prepare(connection, stream, pa.schema(kept), mode="replace", run=run)
        self.finish(connection, stream, run=run, rows=0)
