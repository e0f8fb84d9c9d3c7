"""The functions of the contract, for a kind of file; a pod's ``pod.py`` offers them as its own."""

from __future__ import annotations

from pypods.connectors.batches import BATCH_ROWS, limited
from pypods.connectors.checksum import checksum_of
from pypods.connectors.errors import SettingsError
from pypods.connectors.files.access import FileAccess
from pypods.connectors.files.streams import BAD_ROWS_SUFFIX, has_suffix
from pypods.connectors.names import check_columns
from pypods.connectors.row_filter import RowFilter
from pypods.connectors.sorting import sorted_batches
from pypods.connectors.types import schema_from_rows

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Generator, Iterator

__all__ = ["FileConnector"]


class FileConnector(FileAccess):
    """What a connector offers, over a FileFormat.

    Every method raises ConnectorError of some kind, in which no secret of the connection stands.
    """

    # --- what there is -------------------------------------------------------------------------

    def describe_connector(self) -> dict[str, Any]:
        """Return name, driver, settings and capabilities."""
        return {
            "name": self.format.name,
            "title": self.format.title,
            "driver": self.format.driver(),
            "settings": self.format.settings.settings,
            "capabilities": dict(self.format.capabilities),
            "verified": True,
        }

    def check(self, connection: dict[str, Any]) -> dict[str, str]:
        """Look whether the folder is there, and return it and the library's version."""

        def look(store: Any, _: dict[str, Any]) -> dict[str, str]:
            store.check()
            return {"server": store.shown, "driver": self.format.driver()}

        return self.with_store(connection, look)

    def streams(self, connection: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the files, or their parts, and the folders that have some."""

        def look(store: Any, settings: dict[str, Any]) -> list[dict[str, Any]]:
            store.check()
            found = [each for each in store.files() if has_suffix(each.path, self.format.suffixes)]
            found = [each for each in found if BAD_ROWS_SUFFIX + "/" not in each.path]
            streams: list[dict[str, Any]] = []
            for file in found:
                parts = self.format.parts(store, settings, file.path)
                names = [f"{file.path}/{part}" for part in parts] or [file.path]
                kind = "sheet" if parts else "file"
                streams += [{"name": name, "kind": kind, "rows": None} for name in names]
            folders = sorted({each.path.rpartition("/")[0] for each in found} - {""})
            return streams + [
                {"name": name + "/", "kind": "folder", "rows": None} for name in folders
            ]

        return self.with_store(connection, look)

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
            whole = source.whole_schema
            wanted = _only(whole, check_columns(columns, whole.names, source.stream.name))
            return {"schema": _renamed(wanted, names), "key": source.key, "rows": source.rows()}

        return self.with_store(connection, look)

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

        return self.with_store(connection, look)

    def release_partitions(self, connection: dict[str, Any], partitions: Any) -> None:
        """Do nothing: nothing is held open for partitions."""

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
        """Yield the rows as Arrow record batches of one schema."""
        for name, value, least in (("batch_rows", batch_rows, 1), ("limit", limit, 0)):
            if value is None and least == 0:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise SettingsError(f"{name} is a number of rows, not {value!r}")
        store, settings = self.open(connection)
        generator = self._read(
            store, settings, stream, query, columns=columns, where=where, order_by=order_by,
            after=after, partition=partition, limit=limit, batch_rows=batch_rows, names=names,
        )  # fmt: skip
        try:
            while True:
                batch = self.guard(connection, store, lambda: next(generator, None))
                if batch is None:
                    return
                yield batch
        finally:
            generator.close()

    def _read(
        self,
        store: Any,
        settings: dict[str, Any],
        stream: Any,
        query: str | None,
        *,
        columns: Any,
        where: Any,
        order_by: Any,
        after: Any,
        partition: Any,
        limit: int | None,
        batch_rows: int,
        names: Any,
    ) -> Generator[Any, None, None]:
        source = self.find(store, settings, stream, query)
        if partition:
            source.format.recall(source, partition)
        whole, shown = source.whole_schema, source.stream.name
        wanted = check_columns(columns, whole.names, shown)
        chosen = RowFilter(whole, shown, where=where, order_by=order_by, after=after)
        needed = [name for name in whole.names if name in {*wanted, *chosen.columns}]
        rows: Iterator[Any] = (
            chosen.apply(batch)
            for batch in source.batches(columns=needed, partition=partition, batch_rows=batch_rows)
        )
        if chosen.order and chosen.order != [source.row_number]:
            rows = sorted_batches(rows, _only(whole, needed), chosen.order)
        renamed = _renamed(_only(whole, wanted), names)
        left = limit
        for batch in limited(rows, batch_rows):
            if left is not None:
                if not left:
                    return
                batch = batch.slice(0, left)
                left -= batch.num_rows
            yield _take(batch, wanted, renamed)

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
            rows = source.batches(columns=sorted(chosen.columns))
            return sum(chosen.apply(batch).num_rows for batch in rows)

        return self.with_store(connection, look)

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
            needed = [name for name in whole.names if name in {*names, *chosen.columns}]
            rows = (chosen.apply(batch) for batch in typed.batches(columns=needed))
            return checksum_of((batch.select(names) for batch in rows), _schema(fields))

        return self.with_store(connection, look)

    # --- changing ------------------------------------------------------------------------------

    def truncate(self, connection: dict[str, Any], stream: Any) -> None:
        """Leave the stream with its columns and without rows."""
        import os

        found = self.schema(connection, stream)["schema"]
        kept = [field for field in found if field.name != (connection.get("row_number") or "")]
        run = f"truncate-{os.urandom(8).hex()}"
        self.prepare(connection, stream, _schema(kept), mode="replace", run=run)
        self.finish(connection, stream, run=run, rows=0)

    def execute(self, connection: dict[str, Any], statement: str) -> dict[str, Any]:
        """Refuse: files know no statements."""
        raise SettingsError(f"{self.format.title} know no statements")

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
        return self.staging(
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
    ) -> dict[str, Any]:
        """Write batches into the staging place, each committed together with its checkpoint.

        ``attempt`` is what ``prepare`` said: once another one has prepared the run, ConflictError.
        ``committed`` is called after each commit with its rows, bytes and bad rows.
        """
        return self.staging(
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
        """Make files of all that is staged, and give them their names."""
        return self.staging(
            connection, stream, lambda staging: staging.finish(run=run, cursor=cursor, rows=rows)
        )

    def abandon(self, connection: dict[str, Any], stream: Any, *, run: str) -> None:
        """Remove what a run left; the target is as it was."""
        self.staging(connection, stream, lambda staging: staging.abandon(run=run))

    def state(self, connection: dict[str, Any], stream: Any) -> dict[str, Any]:
        """Return the cursor and the name of the last finished run."""
        state: dict[str, Any] = self.staging(connection, stream, lambda staging: staging.state())
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

        run = f"write_all-{os.urandom(8).hex()}"
        batches = iter([batches] if hasattr(batches, "schema") else batches)
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


def _schema(fields: Any) -> Any:
    import pyarrow as pa

    return pa.schema(fields)


def _only(schema: Any, names: Any) -> Any:
    return _schema([schema.field(name) for name in names])


def _renamed(schema: Any, names: Any) -> Any:
    """Return a schema with new names, as ``{"old": "new"}`` says."""
    if not names:
        return schema
    for name in names:
        if name not in schema.names:
            raise SettingsError(f"column {name!r} is to be renamed, and is not read")
    return _schema([field.with_name(names.get(field.name, field.name)) for field in schema])


def _take(batch: Any, names: list[str], schema: Any) -> Any:
    """Return these columns of a batch, called as the schema has them."""
    import pyarrow as pa

    if not names:
        return batch.select([])
    return pa.record_batch([batch.column(name) for name in names], schema=schema)
