"""The end of a run: its files are made, the run is noted as done, and files get their names.

How far it is all or nothing: ``finish`` writes the new files under hidden names, so whatever can
fail has failed before anything is seen. Then it notes in the run's own file which of them get which
names, and which files go: from that moment on the run is done. What is left is done at once, and
after a crash by whoever prepares, finishes, or (on this machine) reads the stream next.

- A single file takes the old one's place in one step: nobody ever sees anything else than all of
  the old rows or all of the new ones.
- A folder's files get their names one after the other, and old ones go after that. Whoever looks
  into the folder without this connector may in between see some of the new files, or both.
- S3 can give no names. Objects are uploaded after the run is noted as done, each visible once it is
  complete. Nobody can hold a lock there: two runs that write one stream at the same time do not
  see each other, and rows cannot be added to a single object, only to a folder.
"""

from __future__ import annotations

from pypods.connectors.drift import plan_columns
from pypods.connectors.errors import (
    ConflictError,
    ConnectorError,
    SchemaError,
    SettingsError,
    StreamNotFoundError,
)
from pypods.connectors.files.ahead import find_ahead
from pypods.connectors.files.builder import FileBuilder, whole_schema
from pypods.connectors.files.ledger import FINISHED, FINISHING, STAGING, FileLedger
from pypods.connectors.staging import KEYED_MODES, StagedTarget

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

__all__ = ["FileFinish"]


class Target:
    """What is there already, as ``plan_columns`` asks for it."""

    defaults: tuple[str, ...] = ()

    def __init__(self, schema: Any) -> None:
        self.schema = schema


class FileFinish(StagedTarget):
    """One stream as a target: what is there, and how it becomes what it is to be."""

    #: Whether files can be made of what is staged while more of it comes.
    stages_ahead = True

    def __init__(self, source: Any) -> None:
        self.source = source
        self.format = source.format
        self.store = source.store
        self.stream = source.stream
        self.title = source.format.title
        self.modes = source.format.capabilities["write"]
        self.shown = source.stream.name
        self.ledger = FileLedger(self.store, self.stream.name)

    # --- what is there -------------------------------------------------------------------------

    def plan(self, given: Any, *, mode: str, drift: str, exists: Any) -> tuple[Any, Any]:
        """Return the files that are there, and how rows get into them."""
        files = self.files()
        if not files and exists is True:
            raise StreamNotFoundError(f"there is no {self.shown}, and there has to be one")
        if files and exists is False:
            raise ConflictError(f"there is {self.shown} already, and there must be none")
        target = None
        if files and not (mode == "replace" and drift == "evolve"):
            extends = mode == "append" and self.stream.kind == "file"
            if extends and not self.store.can_rename:
                raise SettingsError(
                    f"{self.shown} is there, and nothing can be added to an object in S3; write a "
                    f"folder, to which files are added"
                )
            if extends and not self.format.can_extend:
                raise SettingsError(
                    f"{self.shown} is there, and {self.format.title} cannot get more rows without "
                    f"losing what else is in them; replace it, or write a folder of files"
                )
            target = Target(self.format.target_schema(self.source.of(files), given))
        plan = plan_columns(given, target, drift, database=self.format, shown=self.shown)
        if (plan.add or plan.widen) and mode != "replace" and not self.format.can_evolve:
            raise SchemaError(
                f"{self.shown}: {'; '.join(plan.changes)}: {self.format.title} cannot be changed "
                f"so; use drift discard, or mode replace"
            )
        return files, plan

    def files(self) -> list[Any]:
        """Return the facts of the files that are there."""
        if self.stream.kind == "folder":
            return list(self.stream.find(self.store))
        facts = self.store.look(self.stream.path)
        if facts is None and self.store.is_folder(self.stream.path):
            raise ConflictError(f"{self.shown} is a folder; end its name with / to write into it")
        return [] if facts is None else [facts]

    # --- finish --------------------------------------------------------------------------------

    def finish(self, *, run: str, cursor: Any, rows: Any) -> dict[str, Any]:
        """Make files of everything, note that the run is done, and give them their names."""
        self.recover()
        try:
            with self.ledger.lock():
                found = self.ledger.find(run)
                if found is None:
                    raise ConflictError(f"run {run!r} of {self.shown} is not prepared")
                if found.state == STAGING:
                    found.base = self.ledger.parts(found)
                    found.ahead = find_ahead(self.ledger, found) if self.stages_ahead else None
                    written = self._check_count(found, rows)
                    self._build(found)
                    found.attempt += 1
                    found.state = FINISHING
                    found.result["rows"] = written
                    found.cursor = cursor
                    found.number = max((each.number for each in self.ledger.runs()), default=0) + 1
                    self.ledger.save(found)
                    self._publish(found)
                return dict(found.result)
        finally:
            self.store.discard_staged()

    def _check_count(self, found: Any, rows: Any) -> int:
        noted = sum(part["rows"] for part in found.base.values())
        there = self._count_staged(found) if found.ahead is None else found.ahead["rows"]
        if there != noted or (rows is not None and there != rows):
            raise ConflictError(
                f"run {found.run!r} of {self.shown} has {there} rows, its checkpoints say {noted}"
                + ("" if rows is None else f" and there must be {rows}")
                + "; nothing was changed; abandon the run and begin anew"
            )
        return int(there)

    def _count_staged(self, found: Any) -> int:
        # One column is enough, and the others stay compressed.
        columns = [0] if len(found.schema) else None
        return sum(batch.num_rows for batch in self._staged(found, columns))

    def _staged(self, found: Any, columns: Any = None) -> Iterator[Any]:
        """Yield the rows of a run, part by part, in the order they came in."""
        folder = self.ledger.run_folder(found.run)
        for _, part in sorted(found.base.items(), key=lambda each: (len(each[0]), each[0])):
            for name in part["files"]:
                yield from self.staged_batches(f"{folder}/{name}", columns)

    def staged_batches(self, path: str, columns: Any = None) -> Iterator[Any]:
        """Yield the rows of a staged file; ``columns``: only those, by number."""
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        options = pa.ipc.IpcReadOptions(included_fields=columns)
        with self.store.open(path) as file:
            reader = pa.ipc.open_file(file, options=options)
            for at in range(reader.num_record_batches):
                yield reader.get_batch(at)

    def _build(self, found: Any) -> None:
        """Write the files that are to be, under hidden names, and plan what becomes of them."""
        files, plan = self.plan(
            found.source_schema, mode=found.mode, drift=found.drift, exists=None
        )
        before = self.source.of(files)
        schema = whole_schema(
            plan, None if found.mode == "replace" or not files
            else self.format.target_schema(before, found.source_schema),
        )  # fmt: skip
        self.format.check_target(before, schema)
        builder = FileBuilder(self, found, schema)
        found.schema = schema
        new = builder.fill(self._staged(found))
        if found.mode == "replace" or not files:
            ahead = found.ahead
            if ahead is not None and ahead["schema"].equals(schema, check_metadata=True):
                builder.publish, builder.rows = ahead["publish"], ahead["rows"]
            else:
                builder.write_all(new)
            builder.replaces(files)
        elif found.mode == "append":
            if self.stream.kind == "file":
                builder.write_one(
                    self.stream.path,
                    lambda file: self.format.extend(before, self.stream.path, file, schema, new),
                )
            else:
                builder.write_all(new, even_empty=False)
        else:
            from pypods.connectors.files.keys import MergeByKey

            MergeByKey(
                builder, before, lambda: self._staged(found), found.key,
                updates=found.mode == "upsert",
            ).write()  # fmt: skip
        for file in files:
            now = self.store.look(file.path)
            if now is None or now.mark != file.mark:
                raise ConflictError(f"{file.path} was changed by somebody meanwhile", retry=True)
        found.plan = {"publish": builder.publish, "remove": builder.remove}
        counted = found.mode in KEYED_MODES or found.mode == "replace" or not files
        found.result = {"rows_in_target": builder.rows if counted else None}

    def _publish(self, found: Any) -> None:
        """Do what was planned, or what is left of it."""
        names = set(self.store.names(self.ledger.run_folder(found.run)))
        finals = {final for _, final in found.plan["publish"]}
        for staged, final in found.plan["publish"]:
            if not self.store.can_rename or staged.rpartition("/")[2] in names:
                self.store.publish(staged, final)
        for path in found.plan["remove"]:
            if path not in finals:
                self.store.remove(path)
        self._note_types(found, finals)
        found.plan = {"publish": [], "remove": []}
        if not self.store.can_rename:
            # What is removed now is not to be uploaded once more.
            self.ledger.save(found)
        self.store.remove_tree(self.ledger.run_folder(found.run))
        found.state, found.base = FINISHED, {}
        self.ledger.save(found)
        self.ledger.remove_old()

    def _note_types(self, found: Any, new: set[str]) -> None:
        """Remember with which types files were written that have none themselves."""
        if self.format.has_types:
            return
        files = self.files()
        old = [file for file in files if file.path not in new]
        known = not old or self.ledger.types(old) is not None
        self.ledger.note_types(found.schema if known else None, files)

    # --- after a crash -------------------------------------------------------------------------

    def recover(self) -> None:
        """Bring to its end what a crash has left of a run that was noted as done."""
        if not any(each.state == FINISHING for each in self.ledger.runs()):
            return
        with self.ledger.lock():
            for found in self.ledger.runs():
                if found.state != FINISHING:
                    continue
                if not self.store.can_rename and found.plan["publish"]:
                    self._build_again(found)
                self._publish(found)

    def _build_again(self, found: Any) -> None:
        """Write once more what was not uploaded; only what is staged goes into it."""
        plan = found.plan
        finals = [final for _, final in plan["publish"]]
        builder = FileBuilder(self, found, found.schema)
        builder.write_all(builder.fill(self._staged(found)))
        if [final for _, final in builder.publish] != finals:
            raise ConnectorError(f"run {found.run!r} of {self.shown} cannot be brought to its end")
