"""Writing files in steps: rows wait below ``.pypods/`` until all are there, then files get names.

How far it is all or nothing says ``file_finish``.
"""

from __future__ import annotations

from functools import partial

from pypods.connectors.bad_rows import split_bad_rows, too_many
from pypods.connectors.batches import BATCH_ROWS, as_batches, last_values, limited
from pypods.connectors.errors import SchemaError, SettingsError
from pypods.connectors.files.ahead import Ahead
from pypods.connectors.files.bad_rows import BadRowsFiles
from pypods.connectors.files.finish import FileFinish
from pypods.connectors.files.ledger import FINISHED, FileLedger, PartWriter, shown_part
from pypods.connectors.names import check_columns
from pypods.connectors.staging import KEYED_MODES, check_bad_rows, prepared
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
        key = self.check_request(given, mode=mode, key=key, run=run)
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
                self.check_same(found, given, mode=mode, key=key)
                self.ledger.next_attempt(found)
            kept = [name for part in found.base.values() for name in part["bad_files"]]
            BadRowsFiles(self.store, self.stream, run).keep_only(kept)
            return _prepared(found, self.ledger, changes=plan.changes)

    def check_request(self, source: Any, *, mode: str, key: Any, run: Any) -> list[str]:
        """Return the key of a run that may be prepared. Raises SettingsError and SchemaError."""
        if self.stream.kind == "pattern":
            raise SettingsError(
                f"{self.shown} is a pattern, which can only be read; write a file or a folder"
            )
        checked = super().check_request(source, mode=mode, key=key, run=run)
        if mode in KEYED_MODES and not self.store.can_rename:
            raise SettingsError(f"mode {mode} needs files on this machine, and not in S3")
        if len(set(source.names)) < len(source):
            raise SchemaError(f"columns have one name twice: {', '.join(source.names)}")
        return checked

    def find_run(self, run: str) -> Any:
        """Return what is noted of a run, or None."""
        return self.ledger.find(run)

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
        most = check_bad_rows(bad_rows, max_bad_rows)
        found = self.open_run(run)
        self.ledger.take_over(found, attempt)
        writer = self.part_writer(found, part)
        letters = BadRowsFiles(self.store, self.stream, run)
        key = found.key if found.mode in KEYED_MODES else ()
        seen = writer.done["rows"] + writer.done["bad"]
        total: dict[str, Any] = {"rows": 0, "bytes": 0, "batches": 0, "bad": 0}
        values: list[Any] = []
        with Ahead(self, found, writer) as ahead:
            for given in limited(as_batches(batches, found.source_schema), BATCH_ROWS):
                values = last_values(given, position)
                good, bad = split_bad_rows(
                    given, found.schema, key, first_row=seen,
                    # More than that of this run are told of once the batch's are known.
                    most=None if most is None else given.num_rows,
                    check=partial(self.format.check_batch, self.source.settings),
                )  # fmt: skip
                names = []
                if bad and most is not None:
                    self._refuse_too_many(found, bad, most)
                    names.append(letters.add(part, writer.done["batches"] + 1, seen, bad))
                writer.add(good, size=given.nbytes, bad=len(bad), bad_files=names, position=values)
                ahead.follow()
                seen += given.num_rows
                counts = (good.num_rows, given.nbytes, len(bad))
                self._count(total, counts, committed)
            writer.check()
        return dict(total, position=values)

    @staticmethod
    def _count(total: dict[str, Any], counts: tuple[int, int, int], committed: Any) -> None:
        """Add a batch's rows, bytes and bad rows to its part's, and tell of them who asked."""
        for name, count in zip(("rows", "bytes", "bad"), counts):
            total[name] += count
        total["batches"] += 1
        if committed is not None:
            committed(*counts)

    def part_writer(self, found: Any, part: str) -> PartWriter:
        """Return what stages batches of a part."""
        return PartWriter(self.ledger, found, part)

    def _refuse_too_many(self, run: Any, bad: list[Any], most: int) -> None:
        before = sum(part["bad"] for part in self.ledger.parts(run).values())
        if before + len(bad) > most:
            raise too_many(len(bad), max(most - before, 0), bad[-1])

    # --- abandon, state ---------------------------------------------------------------

    def abandon(self, *, run: str) -> None:
        """Remove what a run left. Raises ConflictError for one that is finished."""
        self.recover()
        with self.ledger.lock():
            found = self.ledger.find(run)
            if found is not None:
                self.refuse_finished(found)
            self.ledger.forget(run)
            if found is not None:
                BadRowsFiles(self.store, self.stream, run).keep_only(())

    def state(self) -> dict[str, Any]:
        """Return the cursor and the last finished run."""
        self.recover()
        return self.ledger.state()


def _prepared(
    found: Any, ledger: FileLedger, *, finished: bool = False, changes: Any = ()
) -> dict[str, Any]:
    return prepared(
        found.schema, attempt=found.attempt, finished=finished, changes=changes,
        parts={name: shown_part(part) for name, part in found.base.items()},
        cursor=found.cursor if finished else ledger.state()["cursor"],
    )  # fmt: skip
