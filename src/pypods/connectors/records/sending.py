"""Rows sent to a system that commits nothing at once; how far it came is noted in a ledger.

The ledger is that of files, in a folder of this machine: a run, its attempts, and a checkpoint for
each part, written after every request that was answered. So a run that was interrupted goes on
after the last request that is noted. The one request that may have been under way is sent again,
with the same identity and, as rows are cut into requests by their number, with the same rows. A
system that knows requests by their identity takes it once; another one takes it at least once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from pypods.connectors.bad_rows import BadRow, split_bad_rows
from pypods.connectors.batches import BATCH_ROWS, as_batches, conform, last_values, limited
from pypods.connectors.drift import plan_columns
from pypods.connectors.errors import ConflictError, DataError, StreamNotFoundError
from pypods.connectors.files.bad_rows import BadRowsFiles, BadRowsFormat, bad_rows_stream
from pypods.connectors.files.ledger import FINISHED, STAGING, PartWriter
from pypods.connectors.files.source import FileSource
from pypods.connectors.files.staging import FileStaging
from pypods.connectors.files.store import LocalStore
from pypods.connectors.files.streams import FileStream
from pypods.connectors.names import short_hash
from pypods.connectors.staging import KEYED_MODES, check_bad_rows

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator

__all__ = ["ROWS_PER_CHECKPOINT", "Request", "Sender", "Sending"]

#: Of rows that are sent one by one, where one that is sent twice is there once.
ROWS_PER_CHECKPOINT = 100


class Request:
    """Rows that go at once: a batch, and an identity that no other rows of the target have.

    ``identities`` are those of its rows one by one, whatever they are sent together with.
    """

    def __init__(self, batch: Any, identity: str, identities: list[str]) -> None:
        self.batch = batch
        self.identity = identity
        self.identities = identities


class Sender(ABC):
    """What sends rows into one stream, in one mode."""

    #: Rows that are sent between two checkpoints; in one request, if the system can take them so.
    rows_per_request = 1

    #: The columns that the stream has, where that is known.
    schema: Any = None

    def check_columns(self, schema: Any) -> None:
        """Raise SchemaError for columns that cannot be sent. Nothing is known of them here."""
        del schema

    @abstractmethod
    def check(self, batch: Any) -> None:
        """Raise DataError for the first row, from 0, that cannot be sent."""

    @abstractmethod
    def send(self, request: Request) -> None:
        """Send rows. Raises DataError where the system refuses some for what they are.

        With a position, from 0, it took those before that row and none after; without one, none.
        """


class _Kind:
    """What ``FileStaging`` asks a kind of file."""

    def __init__(self, connector: Any) -> None:
        self.title = connector.title
        self.capabilities = connector.capabilities

    def check_target(self, source: Any, schema: Any) -> None:
        """Do nothing: columns are checked with their rows."""

    def fold(self, name: str) -> str:
        """Return the name: all of it tells columns apart."""
        return name

    def stored(self, field: Any) -> Any:
        """Return the field as it is."""
        return field

    def taken(self, there: Any, field: Any) -> Any:
        """Return the field as which a declared column takes another's values, or None."""
        from pypods.connectors.types import fits

        return there if fits(there, field) else None


class _Columns:
    """The declared columns of a target, as ``plan_columns`` asks for them."""

    defaults: tuple[str, ...] = ()

    def __init__(self, schema: Any) -> None:
        self.schema = schema


class Sending(FileStaging):
    """The steps of sending rows into one stream."""

    def __init__(self, connector: Any, session: Any, settings: dict[str, Any], name: str) -> None:
        from urllib.parse import quote

        self.connector = connector
        self.session = session
        self.settings = settings
        self.sender: Sender | None = None
        store = LocalStore(settings["ledger"])
        # A name for files; what the stream is called is what the ledger goes by.
        readable = quote(name, safe=" ")[:100].replace(".", "%2E")
        stream = FileStream(f"{readable}-{short_hash(name)}", "records", ())
        super().__init__(FileSource(_Kind(connector), store, settings, stream))  # type: ignore[arg-type]
        self.shown = name

    # --- prepare -------------------------------------------------------------------------------

    def plan(self, given: Any, *, mode: str, drift: str, exists: Any) -> tuple[Any, Any]:
        """Return no files, and how rows get into the stream."""
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        assert self.sender is not None
        if exists is not None:
            self._check_exists(exists)
        target = None
        if self.sender.schema is not None:
            # By key, some of the columns may come.
            names = {each for each in self.sender.schema.names if mode != "upsert"}
            names.update(given.names)
            fields = [field for field in self.sender.schema if field.name in names]
            target = _Columns(pa.schema(fields))
        plan = plan_columns(given, target, drift, database=self.format, shown=self.shown)
        self.sender.check_columns(plan.schema)
        return [], plan

    def _check_exists(self, exists: bool) -> None:
        try:
            self.connector.find(self.session, self.settings, self.shown, look=True)
        except StreamNotFoundError:
            if exists:
                raise
        else:
            if not exists:
                raise ConflictError(f"there is {self.shown} already, and there must be none")

    def check_request(self, source: Any, *, mode: str, key: Any, run: Any) -> list[str]:
        """Return the key of a run that may be prepared. Raises SettingsError and SchemaError."""
        checked = super().check_request(source, mode=mode, key=key, run=run)
        self.sender = self._sender(mode, checked)
        return checked

    def _sender(self, mode: str, key: list[str]) -> Any:
        return self.connector.sender(self.session, self.settings, self.shown, mode=mode, key=key)

    def recover(self) -> None:
        """Do nothing: a run ends in one step."""

    # --- write ---------------------------------------------------------------------------------

    def write(
        self,
        batches: Iterable[Any],
        *,
        run: str,
        part: str,
        position: Any,
        bad_rows: str,
        max_bad_rows: Any,
        attempt: Any,
        committed: Any,
    ) -> dict[str, Any]:
        """Send batches, request by request, each with its checkpoint once it is answered."""
        most = check_bad_rows(bad_rows, max_bad_rows)
        found = self.open_run(run)
        self.ledger.take_over(found, attempt)
        self.sender = self._sender(found.mode, found.key)
        letters = BadRowsFiles(self.store, self.stream, run)
        writer = PartWriter(self.ledger, found, part)
        seen = writer.done["rows"] + writer.done["bad"]
        total: dict[str, Any] = {"rows": 0, "bytes": 0, "batches": 0, "bad": 0}
        values: list[Any] = []
        suspects: set[int] = set()
        checked = self._checked(batches, found, seen, most, suspects)
        for rows in in_requests(checked, self.sender.rows_per_request):
            values = last_values(rows, position)
            bad: list[BadRow] = []
            good = conform(rows, found.schema, first_row=seen)
            if not suspects.isdisjoint(range(seen, seen + rows.num_rows)):
                good, bad = self._split(rows, found, seen, most)
            taken = {each.at for each in bad}
            places = [seen + at for at in range(rows.num_rows) if at not in taken]
            # Nobody else may have taken the run over when rows leave for good.
            self.ledger.take_over(found, None)
            bad += self._send(good, places, first=seen, run=run, part=part, most=most)
            bad.sort(key=lambda each: each.at)
            names = []
            if bad and most is not None:
                self._refuse_too_many(found, bad, most)
                names.append(letters.add(part, writer.done["batches"] + 1, seen, bad))
            counts = (rows.num_rows - len(bad), rows.nbytes, len(bad))
            writer.commit(
                rows=counts[0], size=counts[1], bad=counts[2], files=[], bad_files=names,
                position=values,
            )  # fmt: skip
            seen += rows.num_rows
            self._count(total, counts, committed)
        writer.check()
        return dict(total, position=values)

    def _checked(
        self,
        batches: Iterable[Any],
        found: Any,
        seen: int,
        most: int | None,
        suspects: set[int],
    ) -> Iterator[Any]:
        """Yield the batches, each looked through before any row of it is sent.

        The places of rows that cannot be sent are added to the suspects.
        """
        for batch in limited(as_batches(batches, found.source_schema), BATCH_ROWS):
            good, bad = self._split(batch, found, seen, most)
            if bad and most is not None:
                self._refuse_too_many(found, bad, most)
            suspects.update(seen + each.at for each in bad)
            if found.mode in KEYED_MODES:
                _refuse_twins(good, found.key, self.shown)
            seen += batch.num_rows
            yield batch

    def _split(
        self, batch: Any, found: Any, first_row: int, most: int | None
    ) -> tuple[Any, list[BadRow]]:
        """Return the batch as it is sent, without rows that cannot be, and those."""
        assert self.sender is not None
        key = found.key if found.mode in KEYED_MODES else ()
        return split_bad_rows(
            batch, found.schema, key, first_row=first_row, check=self.sender.check,
            # More than that of this run are told of once the batch's are known.
            most=None if most is None else batch.num_rows,
        )  # fmt: skip

    def _send(
        self, batch: Any, places: list[int], *, first: int, run: str, part: str, most: int | None
    ) -> list[BadRow]:
        """Send rows that have these places in the part; return those that are refused.

        What is refused is halved until it is known which rows it is about. ``first`` is the place
        of the row that a BadRow counts from.
        """
        assert self.sender is not None
        refused: list[BadRow] = []
        parts = [(0, batch)] if batch.num_rows else []
        while parts:
            start, some = parts.pop()
            named = [self.shown, run, part]
            identity = short_hash(*named, str(places[start]), str(some.num_rows))
            identities = [
                short_hash(*named, str(place)) for place in places[start : start + some.num_rows]
            ]
            try:
                self.sender.send(Request(some, identity, identities))
            except DataError as error:
                at = 0 if some.num_rows == 1 else error.position
                if most is None:
                    raise _about(error, places[start : start + some.num_rows], at, part) from None
                if at is None:
                    middle = some.num_rows // 2
                    parts += [(start + middle, some.slice(middle)), (start, some.slice(0, middle))]
                    continue
                row = some.slice(at, 1).to_pylist()[0]
                refused.append(BadRow(places[start + at] - first, str(error), row))
                if at + 1 < some.num_rows:
                    parts.append((start + at + 1, some.slice(at + 1)))
        return refused

    # --- the end of a run ----------------------------------------------------------------------

    def finish(self, *, run: str, cursor: Any, rows: Any) -> dict[str, Any]:
        """Note that all was sent, with the cursor."""
        with self.ledger.lock():
            found = self.ledger.find(run)
            if found is None:
                raise ConflictError(f"run {run!r} of {self.shown} is not prepared")
            if found.state == STAGING:
                sent = sum(part["rows"] for part in self.ledger.parts(found).values())
                if rows is not None and rows != sent:
                    raise ConflictError(
                        f"run {run!r} of {self.shown} has sent {sent} rows and there must be "
                        f"{rows}; prepare it again and go on where it says"
                    )
                found.attempt += 1
                found.state, found.base = FINISHED, {}
                found.result = {"rows": sent, "rows_in_target": None}
                found.cursor = cursor
                found.number = max((each.number for each in self.ledger.runs()), default=0) + 1
                self.ledger.save(found)
                self.store.remove_tree(self.ledger.run_folder(run))
                self.ledger.remove_old()
            return dict(found.result)

    def abandon(self, *, run: str) -> None:
        """Forget a run. Raises ConflictError where rows cannot be taken back.

        Rows that were sent by key may stay: sent again, they take their own places.
        """
        found = self.ledger.find(run)
        if found is not None and not found.finished and found.mode != "upsert":
            sent = sum(part["rows"] for part in self.ledger.parts(found).values())
            # Of a run that nobody can name again, nothing is sent twice.
            if sent and not run.startswith(self.connector.write_all_prefix):
                raise ConflictError(
                    f"run {run!r} of {self.shown} has sent {sent} rows, which cannot be taken "
                    f"back; prepare it again and go on where it says, or begin another run and "
                    f"have these rows twice"
                )
        super().abandon(run=run)

    def bad_rows_source(self) -> Any:
        """Return the files of rows that were refused."""
        stream = bad_rows_stream(self.stream)
        return FileSource(BadRowsFormat(), self.store, {}, stream, stream.find(self.store))


def _about(error: DataError, places: list[int], at: int | None, part: str) -> DataError:
    """Return the error about one of the rows at these places of a part."""
    where = f"one of the rows {places[0]} to {places[-1]}" if at is None else f"row {places[at]}"
    return DataError(
        f"{where} (from 0) of part {part!r}: {error}",
        position=None if at is None else places[at],
        column=error.column,
    )


def in_requests(batches: Iterable[Any], count: int) -> Iterator[Any]:
    """Yield rows in batches of exactly that many, but for the last one.

    However the batches are cut that come: so the same rows are the same requests.
    """
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    waiting: list[Any] = []
    rows = 0
    for batch in batches:
        start = 0
        while rows + batch.num_rows - start >= count:
            step = count - rows
            waiting.append(batch.slice(start, step))
            yield _joined(pa, waiting)
            start, rows, waiting = start + step, 0, []
        if start < batch.num_rows:
            waiting.append(batch.slice(start))
            rows += batch.num_rows - start
    if waiting:
        yield _joined(pa, waiting)


def _joined(pa: Any, batches: list[Any]) -> Any:
    if len(batches) == 1:
        return batches[0]
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


def _refuse_twins(batch: Any, key: list[str], shown: str) -> None:
    """Refuse a key that a batch has twice: which of its rows is the last is not known."""
    import pyarrow as pa

    if not key or batch.num_rows < 2:
        return
    counted = pa.Table.from_batches([batch]).group_by(key).aggregate([([], "count_all")])
    if counted.num_rows == batch.num_rows:
        return
    for row in counted.to_pylist():
        count = row.pop("count_all")
        if count > 1:
            raise DataError(
                f"{shown} gets {count} rows with the key {row!r} in one batch; have each key once",
                column=key[0],
            )
