"""Writing files in steps: rows wait below ``.pypods/`` until all are there, then files get names.

How far it is all or nothing says ``file_finish``.
"""

from __future__ import annotations

from pypods.connectors.batches import BATCH_ROWS, as_batches, conform, last_values, limited
from pypods.connectors.errors import ConflictError, DataError, SchemaError, SettingsError
from pypods.connectors.files.bad_rows import BadRowsFiles
from pypods.connectors.files.finish import KEYED_MODES, FileFinish
from pypods.connectors.files.ledger import (
    FINISHED,
    STAGING,
    FileLedger,
    PartWriter,
    check_run,
    shown_part,
)
from pypods.connectors.names import check_columns
from pypods.connectors.types import normal_schema, schema_from_rows

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterable

__all__ = ["FileStaging"]


class FileStaging(FileFinish):
    """The steps of writing one stream."""

    # --- prepare -------------------------------------------------------------------------------

    def prepare(
        self, schema: Any, *, mode: str, key: Any, run: str, drift: str, exists: Any
    ) -> dict[str, Any]:
        """Check that all can be done, and find or make the place of the run."""
        given = normal_schema(schema_from_rows(schema))
        key = self._check(given, mode=mode, key=key, run=run)
        self.recover()
        with self.ledger.lock():
            found = self.ledger.find(run)
            if found is not None and found.state == FINISHED:
                return _prepared(found, self.ledger, finished=True)
            plan = self.plan(given, mode=mode, drift=drift, exists=exists)[1]
            check_columns(key, plan.schema.names, f"what is written into {self.shown}")
            self.format.check_target(self.source, plan.schema)
            if found is None:
                # Rows of a run whose file is gone are nobody's.
                self.store.remove_tree(self.ledger.run_folder(run))
                found = self.ledger.begin(
                    run, mode=mode, key=key, drift=drift, source_schema=given, schema=plan.schema
                )
            else:
                self._check_same(found, given, mode=mode, key=key)
                self.ledger.next_attempt(found)
            kept = [name for part in found.base.values() for name in part["bad_files"]]
            BadRowsFiles(self.store, self.stream, run).keep_only(kept)
            return _prepared(found, self.ledger, changes=plan.changes)

    def _check(self, schema: Any, *, mode: str, key: Any, run: Any) -> list[str]:
        check_run(run)
        offered = self.format.capabilities["write"]
        if mode not in offered:
            raise SettingsError(
                f"{self.format.title} are written in the modes {', '.join(offered)}, not {mode!r}"
            )
        if self.stream.kind == "pattern":
            raise SettingsError(
                f"{self.shown} is a pattern, which can only be read; write a file or a folder"
            )
        if mode in KEYED_MODES and not self.store.can_rename:
            raise SettingsError(f"mode {mode} needs files on this machine, and not in S3")
        key = check_columns(key or [], schema.names, "what is written")
        if mode in KEYED_MODES and not key:
            raise SettingsError(f"mode {mode} needs a key: the columns that rows are known by")
        if not len(schema):
            raise SchemaError("there are no columns to write")
        if len(set(schema.names)) < len(schema):
            raise SchemaError(f"columns have one name twice: {', '.join(schema.names)}")
        return list(key)

    def _check_same(self, found: Any, given: Any, *, mode: str, key: Any) -> None:
        same = (
            found.mode == mode
            and found.key == list(key)
            and found.source_schema.equals(given, check_metadata=True)
        )
        if not same:
            raise ConflictError(
                f"run {found.run!r} of {self.shown} began with another mode, key or schema "
                f"({found.mode}, key {found.key}); go on with those, or abandon it"
            )

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
        """Stage batches, each with its checkpoint."""
        if bad_rows not in ("fail", "collect"):
            raise SettingsError(f"bad_rows is fail or collect, not {bad_rows!r}")
        found = self._find(run)
        self.ledger.take_over(found, attempt)
        writer = self.part_writer(found, part)
        letters = BadRowsFiles(self.store, self.stream, run)
        key = found.key if found.mode in KEYED_MODES else ()
        seen = writer.done["rows"] + writer.done["bad"]
        total: dict[str, Any] = {"rows": 0, "bytes": 0, "batches": 0, "bad": 0}
        values: list[Any] = []
        for given in limited(as_batches(batches, found.source_schema), BATCH_ROWS):
            values = last_values(given, position)
            good, bad = self._split(
                given, found.schema, key, first_row=seen, collects=bad_rows == "collect"
            )
            names = []
            if bad:
                self._refuse_too_many(found, bad, max_bad_rows)
                names.append(letters.add(part, writer.done["batches"] + 1, seen, bad))
            writer.add(good, size=given.nbytes, bad=len(bad), bad_files=names, position=values)
            seen += given.num_rows
            counts = (good.num_rows, given.nbytes, len(bad))
            for name, count in zip(("rows", "bytes", "bad"), counts):
                total[name] += count
            total["batches"] += 1
            if committed is not None:
                committed(*counts)
        writer.check()
        return dict(total, position=values)

    def part_writer(self, found: Any, part: str) -> PartWriter:
        """Return what stages batches of a part."""
        return PartWriter(self.ledger, found, part)

    def _split(
        self, batch: Any, schema: Any, key: Any, *, first_row: int, collects: bool
    ) -> tuple[Any, list[Any]]:
        """Return the batch in the staged types without rows that do not fit, and those."""
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        from pypods.connectors.sql.bad_rows import BadRow

        bad: list[Any] = []
        places = list(range(batch.num_rows))
        while True:
            try:
                made = conform(batch, schema)
                _refuse_null_keys(made, key)
                self.format.check_batch(self.source.settings, made)
                return made, bad
            except DataError as error:
                if error.position is None:
                    raise
                at, row = error.position, first_row + error.position
                if not collects:
                    raise DataError(
                        f"row {row} (from 0) of the part, column {error.column!r}: {error}",
                        position=row,
                        column=error.column,
                    ) from None
                bad.append(BadRow(places[at], str(error), batch.slice(at, 1).to_pylist()[0]))
                del places[at]
                parts = [batch.slice(0, at), batch.slice(at + 1)]
                left = pa.Table.from_batches(parts).combine_chunks().to_batches()
                batch = left[0] if left else batch.slice(0, 0)

    def _refuse_too_many(self, run: Any, bad: list[Any], most: Any) -> None:
        from pypods.connectors.sql.bad_rows import too_many

        if most is not None:
            before = sum(part["bad"] for part in self.ledger.parts(run).values())
            if before + len(bad) > most:
                raise too_many(len(bad), max(most - before, 0), bad[-1])

    def _find(self, run: str) -> Any:
        found = self.ledger.find(run)
        if found is None or found.state != STAGING:
            why = "is finished" if found else "is not prepared"
            raise ConflictError(f"run {run!r} of {self.shown} {why}; prepare it first")
        return found

    # --- abandon, state ---------------------------------------------------------------

    def abandon(self, *, run: str) -> None:
        """Remove what a run left. Raises ConflictError for one that is finished."""
        self.recover()
        with self.ledger.lock():
            found = self.ledger.find(run)
            if found is not None and found.state != STAGING:
                raise ConflictError(
                    f"run {run!r} of {self.shown} is finished: its rows are in the target"
                )
            self.ledger.forget(run)
            if found is not None:
                BadRowsFiles(self.store, self.stream, run).keep_only(())

    def state(self) -> dict[str, Any]:
        """Return the cursor and the last finished run."""
        self.recover()
        return self.ledger.state()


def _refuse_null_keys(batch: Any, key: Any) -> None:
    import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]

    for name in key:
        column = batch.column(name)
        if column.null_count:
            at = pc.index(column.is_null(), True).as_py()
            raise DataError(
                f"row {at} (from 0), column {name!r}: a key cannot be NULL",
                position=at,
                column=name,
            )


def _prepared(
    found: Any, ledger: FileLedger, *, finished: bool = False, changes: Any = ()
) -> dict[str, Any]:
    return {
        "finished": finished,
        "parts": {name: shown_part(part) for name, part in found.base.items()},
        "cursor": found.cursor if finished else ledger.state()["cursor"],
        "changes": list(changes),
        "schema": found.schema,
        "attempt": found.attempt,
    }
