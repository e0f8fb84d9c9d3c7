"""The functions of the contract over streams of records, read page by page and sent in requests."""

from __future__ import annotations

from abc import abstractmethod

from pypods.connectors.bad_rows import BAD_ROWS_SUFFIX
from pypods.connectors.batches import first_rows, limited, take_columns
from pypods.connectors.connector import Connector
from pypods.connectors.errors import DataError, SchemaError, SettingsError, StreamNotFoundError
from pypods.connectors.names import check_columns, only_columns, rename_columns
from pypods.connectors.records.json_columns import batch_of_records, column_from_json
from pypods.connectors.row_filter import RowFilter
from pypods.connectors.sorting import sorted_batches, still_sorted

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Generator, Iterator

    from pypods.connectors.records.sending import Sender

__all__ = ["RECORD_CAPABILITIES", "RecordConnector", "RecordStream", "stream_name"]


#: ``create``: whether streams of any name, with any columns, can be written. ``delivery``: how
#: often a row arrives whose request was under way when something died.
RECORD_CAPABILITIES: dict[str, Any] = {
    "read": True, "query": False, "where": True, "order": True, "after": True, "partition": False,
    "snapshot": False, "write": ["append", "upsert"], "atomic": False, "resume": True,
    "schema": False, "execute": True, "truncate": False, "count": True, "rows": False,
    "parallel_write": True, "create": True, "delivery": "at least once",
}  # fmt: skip


class RecordStream:
    """A stream as its connection declares it.

    ``schema`` is None where it is to be inferred; ``paths`` says where in a record a column lies;
    ``sorted_by`` are columns in whose order the system gives its rows. ``about`` is the system's.
    """

    def __init__(
        self,
        name: str,
        *,
        schema: Any = None,
        paths: dict[str, list[str]] | None = None,
        key: Any = (),
        sorted_by: Any = (),
        about: Any = None,
    ) -> None:
        self.name = name
        self.schema = schema
        self.paths = dict(paths or {})
        self.key = list(key)
        self.sorted_by = list(sorted_by)
        self.about = about
        #: Whether the schema is what the first page has.
        self.inferred = schema is None


def stream_name(stream: Any) -> str:
    """Return a stream's name; parts are joined with dots. Raises SettingsError."""
    name = ".".join(map(str, stream)) if isinstance(stream, (list, tuple)) else stream
    if not isinstance(name, str) or not name or "\0" in name:
        raise SettingsError(f"a stream is a name that the connection declares, not {stream!r}")
    return name


class RecordConnector(Connector):
    """What a system of records offers.

    Beside what ``Connector`` asks for, it implements ``find`` and ``pages`` for reading, and
    ``sender`` for writing. Its settings have ``ledger``, the folder in which runs are noted.
    """

    capabilities = RECORD_CAPABILITIES

    @abstractmethod
    def find(
        self, session: Any, settings: dict[str, Any], stream: str, *, look: bool = False
    ) -> RecordStream:
        """Return what a stream's name stands for. Raises StreamNotFoundError.

        ``look``: ask the system whether it is there, where its name does not say so.
        """

    @abstractmethod
    def pages(self, session: Any, stream: RecordStream, chosen: RowFilter | None) -> Iterator[Any]:
        """Yield lists of records. What ``chosen`` leaves out may be left out, and need not be."""

    @abstractmethod
    def sender(
        self, session: Any, settings: dict[str, Any], stream: str, *, mode: str, key: list[str]
    ) -> Sender:
        """Return what sends rows into a stream. Raises SettingsError where nothing does."""

    def column(self, stream: RecordStream, values: list[Any], field: Any, *, first_row: int) -> Any:
        """Return an array of one column's values, as they stand in records. Raises DataError."""
        return column_from_json(values, field, first_row=first_row, loose=not stream.inferred)

    # --- what there is -------------------------------------------------------------------------

    def schema(
        self,
        connection: dict[str, Any],
        stream: Any,
        *,
        query: str | None = None,
        columns: Any = None,
        names: Any = None,
    ) -> dict[str, Any]:
        """Return the declared schema, or that of the first page, and the declared key."""

        def look(session: Any, settings: dict[str, Any]) -> dict[str, Any]:
            source = self._open(session, settings, stream, query)
            wanted = check_columns(columns, source.schema.names, source.name)
            schema = rename_columns(only_columns(source.schema, wanted), names, source.name)
            return {"schema": schema, "key": source.key, "rows": None}

        return self.using(connection, look)

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
        """Return the stream as the one part that it is."""

        def look(session: Any, settings: dict[str, Any]) -> list[dict[str, Any]]:
            if count < 1:
                raise SettingsError(f"count is a number of partitions, not {count!r}")
            source = self._open(session, settings, stream, query)
            check_columns(columns, source.schema.names, source.name)
            RowFilter(source.schema, source.name, where=where)
            return [{}]

        return self.using(connection, look)

    # --- reading -------------------------------------------------------------------------------

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
    ) -> Generator[Any, None, None]:
        """Yield the rows page by page; sorted here, unless the system says it has sorted them."""
        if partition:
            raise SettingsError(f"{self.title}: streams have no partitions, and so no {partition}")
        source = self._open(session, settings, stream, query)
        whole = source.schema
        wanted = check_columns(columns, whole.names, source.name)
        renamed = rename_columns(only_columns(whole, wanted), names, source.name)
        chosen = RowFilter(whole, source.name, where=where, order_by=order_by, after=after)
        needed = only_columns(whole, chosen.needed(wanted))
        rows: Iterator[Any] = source.batches(needed, chosen, batch_rows)
        if chosen.order and chosen.order == source.sorted_by[: len(chosen.order)]:
            rows = still_sorted(rows, chosen.order, source.name)
        rows = (chosen.apply(batch) for batch in rows)
        if chosen.order and chosen.order != source.sorted_by[: len(chosen.order)]:
            rows = sorted_batches(rows, needed, chosen.order)
        for batch in first_rows(limited(rows, batch_rows), limit):
            yield take_columns(batch, wanted, renamed)

    def _open(
        self, session: Any, settings: dict[str, Any], stream: Any, query: str | None
    ) -> _Source | _BadRows:
        if query is not None:
            raise SettingsError(f"{self.title}: there are no queries; name a stream")
        name = stream_name(stream)
        if name.endswith(BAD_ROWS_SUFFIX) and settings.get("ledger"):
            return _BadRows(self.target(session, settings, name[: -len(BAD_ROWS_SUFFIX)]), name)
        found = self.find(session, settings, name)
        if found.inferred:
            found.schema = self._infer(session, found)
        return _Source(self, session, found)

    def _infer(self, session: Any, stream: RecordStream) -> Any:
        from pypods.connectors.records.inference import infer_schema

        pages = self.pages(session, stream, None)
        records: list[Any] = next(iter(pages), [])
        _check_objects(records)
        schema = infer_schema(records)
        if not len(schema):
            raise SchemaError(
                f"{stream.name} has no records to infer columns from; declare its schema in the "
                f"connection"
            )
        check_columns(stream.key, schema.names, stream.name)
        return schema

    # --- writing -------------------------------------------------------------------------------

    def truncate(self, connection: dict[str, Any], stream: Any) -> None:
        """Refuse: there is no request that does this for any such system."""
        self.check_settings(connection)
        raise SettingsError(
            f"{self.title}: all rows of {stream_name(stream)} cannot be removed by the connector; "
            f"ask the system's own interface for it, with execute if it is one request"
        )

    def target(self, session: Any, settings: dict[str, Any], stream: Any) -> Any:
        """Return what sends rows and notes them in the ledger."""
        from pypods.connectors.records.sending import Sending

        if not settings.get("ledger"):
            raise SettingsError(
                f"{self.title}: writing needs the setting 'ledger', a folder in which it is noted "
                f"what has been sent"
            )
        return Sending(self, session, settings, stream_name(stream))


class _Source:
    """A stream to be read, with its schema."""

    def __init__(self, connector: RecordConnector, session: Any, stream: RecordStream) -> None:
        self.connector = connector
        self.session = session
        self.stream = stream
        self.name = stream.name
        self.schema = stream.schema
        self.key = stream.key
        self.sorted_by = stream.sorted_by

    def batches(self, schema: Any, chosen: RowFilter, batch_rows: int) -> Iterator[Any]:
        """Yield the rows of all pages, in batches of those columns."""
        first_row = 0
        for page in self.connector.pages(self.session, self.stream, chosen):
            if self.stream.inferred:
                self._check_names(page, first_row)
            for start in range(0, len(page), batch_rows):
                records = page[start : start + batch_rows]
                yield self._batch(records, schema, first_row + start)
            first_row += len(page)

    def _batch(self, records: list[Any], schema: Any, first_row: int) -> Any:
        def column(values: list[Any], field: Any, *, first_row: int) -> Any:
            return self.connector.column(self.stream, values, field, first_row=first_row)

        try:
            return batch_of_records(
                records, schema, self.stream.paths, first_row=first_row, column=column
            )
        except DataError as error:
            if not self.stream.inferred or error.column is None:
                raise DataError(
                    f"{self.name}: {error}", position=error.position, column=error.column
                ) from None
            raise DataError(
                f"{self.name}: {error}, which is what the first page has there; declare the "
                f"stream's schema in the connection",
                position=error.position,
                column=error.column,
            ) from None

    def _check_names(self, page: list[Any], first_row: int) -> None:
        known = set(self.schema.names)
        _check_objects(page, first_row)
        for at, record in enumerate(page):
            if not known.issuperset(record):
                name = next(name for name in record if name not in known)
                raise SchemaError(
                    f"{self.name}: row {first_row + at} (from 0) has {name!r}, which no record of "
                    f"the first page has; declare the stream's schema in the connection"
                )


class _BadRows:
    """The rows of a stream that were refused, which lie in the ledger."""

    key = ()
    sorted_by = ()

    def __init__(self, target: Any, name: str) -> None:
        self.name = name
        self._files = target.bad_rows_source()
        if not self._files.files:
            raise StreamNotFoundError(f"nothing was refused so far: there is no {name}")
        self.schema = self._files.whole_schema

    def batches(self, schema: Any, _: RowFilter, batch_rows: int) -> Any:
        """Yield the rows, in batches of those columns."""
        return self._files.batches(columns=schema.names, batch_rows=batch_rows)


def _check_objects(records: list[Any], first_row: int = 0) -> None:
    for at, record in enumerate(records):
        if not isinstance(record, dict):
            batch_of_records([record], [], {}, first_row=first_row + at)
