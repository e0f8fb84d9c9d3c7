"""The bookkeeping beside files: which runs there were, how far each part has come, what is staged.

It lies in ``.pypods/<stream>/`` below the connection's folder:

``run-<run>.json``
    A run: mode, key, schema, attempt, state, and once it is finished its rows and its cursor.
``types.json``
    The types that files were written with which have none: for as long as nobody changes them.
``run-<run>/<attempt>-<part>.json``
    How far a part has come in that attempt: rows, batches, position, the files that have them.
``run-<run>/<attempt>-<part>-<number>-<writer>.arrow``
    The rows of one batch, compressed with LZ4.
``run-<run>/ahead-<attempt>-<part>-<writer>.json``, and files with such names and numbers
    Files that were made already of what the part has staged, and of what exactly: see ``ahead``.

A JSON file is written at once, so after a crash it is the old one or the new one. A batch counts
when the checkpoint that names its file is there, and the attempt is still the run's: ``prepare``
counts the attempt up and writes down, in the same file, what of the attempts before counts. What
an earlier attempt's writer does after that, it does in vain, and is told so.
"""

from __future__ import annotations

import json
import re

from pypods.connectors.errors import ConflictError
from pypods.connectors.files.ahead import find_ahead
from pypods.connectors.json_values import dump_schema, dump_values, load_schema, load_values
from pypods.connectors.names import short_hash
from pypods.connectors.staging import check_run

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["FOLDER", "FileLedger", "FileRun", "PartWriter"]

FOLDER = ".pypods"
STAGING = "staging"
FINISHING = "finishing"
FINISHED = "finished"
#: Finished runs that are remembered: so many runs later, one could be done a second time.
KEPT_RUNS = 20
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NO_PART: dict[str, Any] = {
    "batches": 0, "rows": 0, "bytes": 0, "bad": 0, "position": [], "files": [], "bad_files": [],
    "writer": "",
}  # fmt: skip


class FileRun:
    """One run of a stream, as its file says; ``save`` writes it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.run: str = document["run"]
        self.state: str = document["state"]
        self.mode: str = document["mode"]
        self.key: list[str] = document["key"]
        self.drift: str = document["drift"]
        self.attempt: int = document["attempt"]
        #: What attempts before this one have staged, by part.
        self.base: dict[str, dict[str, Any]] = document["base"]
        self.source_schema = load_schema(document["source_schema"])
        self.schema = load_schema(document["schema"])
        #: What finishing does: files that get names, files that go.
        self.plan: dict[str, Any] = document.get("plan") or {}
        self.result: dict[str, Any] = document.get("result") or {}
        self.cursor: Any = document.get("cursor")
        self.number: int = document.get("number") or 0
        #: What was made of all that is staged, for ``finish``; it is noted elsewhere.
        self.ahead: dict[str, Any] | None = None

    @property
    def finished(self) -> bool:
        """Whether no rows can be staged any more."""
        return self.state != STAGING

    def as_document(self, stream: str) -> dict[str, Any]:
        """Return what is written down."""
        return {
            "stream": stream, "run": self.run, "state": self.state, "mode": self.mode,
            "key": self.key, "drift": self.drift, "attempt": self.attempt, "base": self.base,
            "source_schema": dump_schema(self.source_schema),
            "schema": dump_schema(self.schema), "plan": self.plan, "result": self.result,
            "cursor": self.cursor, "number": self.number,
        }  # fmt: skip


class FileLedger:
    """What is noted of one stream."""

    def __init__(self, store: Any, stream: str) -> None:
        self.store = store
        self.stream = stream
        readable = re.sub(r"[^A-Za-z0-9_.-]+", "_", stream)[:64]
        self.folder = f"{FOLDER}/{readable}-{short_hash(stream)}"

    def lock(self) -> Any:
        """Keep other runs of the stream away, where the store has locks."""
        return self.store.lock(f"{self.folder}/lock")

    # --- runs ----------------------------------------------------------------------------------

    def find(self, run: str) -> FileRun | None:
        """Return a run, if there is one."""
        text = self.store.read_text(self._run_path(run))
        return None if text is None else FileRun(json.loads(text))

    def runs(self) -> list[FileRun]:
        """Return all runs, in the order in which they were finished."""
        found = []
        for name in self.store.names(self.folder):
            if name.startswith("run-") and name.endswith(".json"):
                text = self.store.read_text(f"{self.folder}/{name}")
                if text is not None:
                    found.append(FileRun(json.loads(text)))
        return sorted(found, key=lambda each: each.number)

    def begin(
        self, run: str, *, mode: str, key: list[str], drift: str, source_schema: Any, schema: Any
    ) -> FileRun:
        """Note a new run."""
        made = FileRun(
            {
                "run": run, "state": STAGING, "mode": mode, "key": key, "drift": drift,
                "attempt": 1, "base": {}, "source_schema": dump_schema(source_schema),
                "schema": dump_schema(schema),
            }
        )  # fmt: skip
        self.store.make_folder(self.run_folder(run))
        self.save(made)
        return made

    def save(self, run: FileRun) -> None:
        """Write a run down."""
        text = json.dumps(run.as_document(self.stream))
        self.store.write_text(self._run_path(run.run), text)

    def next_attempt(self, run: FileRun) -> None:
        """Count one more attempt of a run, and keep what counts of those before."""
        run.base = self.parts(run)
        run.attempt += 1
        self.save(run)
        self._remove_unused(run)

    def _remove_unused(self, run: FileRun) -> None:
        """Remove staged files that no checkpoint names: of batches that were under way."""
        folder = self.run_folder(run.run)
        used = {name for part in run.base.values() for name in part["files"]}
        used.update((find_ahead(self, run) or {"names": ()})["names"])
        for name in self.store.names(folder):
            if name not in used:
                self.store.remove(f"{folder}/{name}")

    # --- types ---------------------------------------------------------------------------------

    def types(self, files: Any) -> Any:
        """Return the schema that files were written with, or None if one is not as it was then."""
        text = self.store.read_text(f"{self.folder}/types.json")
        if text is None:
            return None
        noted = json.loads(text)
        if not files or any(noted["files"].get(file.path) != file.mark for file in files):
            return None
        return load_schema(noted["schema"])

    def note_types(self, schema: Any, files: Any) -> None:
        """Note the schema that files were written with; None: of some it is not known."""
        path = f"{self.folder}/types.json"
        if schema is None:
            self.store.remove(path)
            return
        noted = {"schema": dump_schema(schema), "files": {each.path: each.mark for each in files}}
        self.store.write_text(path, json.dumps(noted))

    # --- the end of runs -----------------------------------------------------------------------

    def remove_old(self) -> None:
        """Forget finished runs but for the last ones, and the one whose cursor is the stream's."""
        done = [each for each in self.runs() if each.state == FINISHED]
        cursors = [each for each in done if each.cursor is not None]
        for each in done[:-KEPT_RUNS]:
            if each not in cursors[-1:]:
                self.forget(each.run)

    def forget(self, run: str) -> None:
        """Remove a run and what it staged. What it staged goes last: it is nobody's then."""
        self.store.remove(self._run_path(run))
        self.store.remove_tree(self.run_folder(run))

    def state(self) -> dict[str, Any]:
        """Return the last finished run, and the cursor of the last one that had one."""
        done = [each for each in self.runs() if each.state == FINISHED]
        cursors = [each.cursor for each in done if each.cursor is not None]
        return {
            "cursor": cursors[-1] if cursors else None,
            "run": done[-1].run if done else None,
        }

    # --- parts ---------------------------------------------------------------------------------

    def parts(self, run: FileRun) -> dict[str, dict[str, Any]]:
        """Return what is staged of each part: this attempt's checkpoints, else those before."""
        parts = dict(run.base)
        folder = self.run_folder(run.run)
        for name in self.store.names(folder):
            if name.startswith(f"{run.attempt}-") and name.endswith(".json"):
                text = self.store.read_text(f"{folder}/{name}")
                if text is not None:
                    document = json.loads(text)
                    parts[document.pop("part")] = document
        return dict(sorted(parts.items()))

    def run_folder(self, run: str) -> str:
        """Return where a run's rows wait."""
        return f"{self.folder}/run-{_name_of(run)}"

    def _run_path(self, run: str) -> str:
        return f"{self.folder}/run-{_name_of(run)}.json"

    def take_over(self, run: FileRun, attempt: int | None) -> None:
        """Raise ConflictError unless the run is the given attempt's, and not finished."""
        now = self.find(run.run)
        wanted = run.attempt if attempt is None else attempt
        if now is None or now.state != STAGING or now.attempt != wanted:
            why = (
                "is gone" if now is None else "is finished" if now.state != STAGING
                else f"was taken over by attempt {now.attempt}"
            )  # fmt: skip
            raise ConflictError(
                f"run {run.run!r} of {self.stream} {why}; prepare it again",
                retry=now is not None and now.state == STAGING,
            )


class PartWriter:
    """Stages batches of one part. Raises ConflictError when somebody else does so as well."""

    def __init__(self, ledger: FileLedger, run: FileRun, part: str) -> None:
        import os

        self.ledger = ledger
        self.run = run
        self.part = part
        readable = part if re.fullmatch(r"[A-Za-z0-9_]{1,32}", part) else short_hash(part)
        self.start = f"{run.attempt}-{readable}"
        self.folder = ledger.run_folder(run.run)
        self.path = f"{self.folder}/{self.start}.json"
        self.writer = os.urandom(4).hex()
        self.done = dict(_NO_PART, **ledger.parts(run).get(part, {}))
        #: What the checkpoint said when we looked last.
        self.known = ledger.store.read_text(self.path)

    def add(
        self, batch: Any, *, size: int, bad: int, bad_files: list[str], position: list[Any]
    ) -> None:
        """Stage a batch, which may be empty, and commit it with its checkpoint."""
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        files = []
        if batch.num_rows:
            name = f"{self.start}-{self.done['batches'] + 1:06d}-{self.writer}.arrow"
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            with self.ledger.store.create(f"{self.folder}/{name}") as file, pa.ipc.new_file(
                file, batch.schema, options=options
            ) as writer:
                writer.write_batch(batch)
            files.append(name)
        self.commit(
            rows=batch.num_rows, size=size, bad=bad, files=files, bad_files=bad_files,
            position=position,
        )  # fmt: skip

    def commit(
        self,
        *,
        rows: int,
        size: int,
        bad: int,
        files: list[str],
        bad_files: list[str],
        position: list[Any],
    ) -> None:
        """Write the next checkpoint: so many rows more, which lie in those files if in any."""
        store, done = self.ledger.store, dict(self.done)
        done["batches"] += 1
        done["files"] = [*done["files"], *files]
        done["bad_files"] = [*done["bad_files"], *bad_files]
        done["rows"] += rows
        done["bytes"] += size
        done["bad"] += bad
        done["position"] = dump_values(position)
        done["writer"] = self.writer
        text = json.dumps(dict(done, part=self.part))
        with self.ledger.lock():
            self.ledger.take_over(self.run, None)
            self.check()
            store.write_text(self.path, text)
        # Where there is no lock: whoever counted the attempt up before this may not have seen it.
        self.ledger.take_over(self.run, None)
        self.done, self.known = done, text

    def check(self) -> None:
        """Raise ConflictError if somebody else has written a checkpoint of this part."""
        if self.ledger.store.read_text(self.path) != self.known:
            raise ConflictError(
                f"part {self.part!r} of run {self.run.run!r} is written by somebody else as well; "
                f"prepare the run again and go on where it says",
                retry=True,
            )


def shown_part(part: dict[str, Any]) -> dict[str, Any]:
    """Return what ``prepare`` says of a part."""
    position = part["position"]
    return {
        "rows": part["rows"],
        "bytes": part["bytes"],
        "batches": part["batches"],
        "bad": part["bad"],
        "position": load_values(position) if position else [],
    }


def _name_of(run: str) -> str:
    """Return what files are called that belong to a run."""
    return run if _PLAIN.fullmatch(check_run(run)) else short_hash(run)
