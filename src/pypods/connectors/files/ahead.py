"""The files of a run made while more of its rows come, so that its end has less to do.

What is staged stays what counts. A file that was made ahead is taken at the end only if it has the
rows of all staged files, in their order, in the schema that is to be; else it is made then. So
whatever goes wrong here is no error, and with a row more it is as if there were nothing.
"""

from __future__ import annotations

import json

from pypods.connectors.files.builder import FileBuilder
from pypods.connectors.json_values import dump_schema, load_schema

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

__all__ = ["Ahead", "find_ahead"]

_START = "ahead-"
#: Staged files after which it begins: by then another part has staged one too, if there is one.
FIRST_FILES = 3
_END, _STOP = "", None


class Ahead:
    """Makes files of what one part stages, on a thread of its own, inside a with block.

    Only of the first rows of a stream, or of those that replace it, and only where the run has no
    other part: what one of several has staged is not all of a file.
    """

    def __init__(self, staging: Any, found: Any, writer: Any) -> None:
        self._staging = staging
        self._found = found
        self._writer = writer
        self._start = f"{_START}{writer.start}-{writer.writer}"
        self._builder = FileBuilder(staging, found, found.schema, prefix=self._start)
        self._thread: Any = None
        self._names: Any = None
        self._given: list[str] = []
        self._is_wanted = (
            staging.stages_ahead
            and staging.store.can_rename
            and (found.mode == "replace" or not staging.files())
        )
        self._is_made = False

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        self._close(_END if kind is None else _STOP)

    def follow(self) -> None:
        """Take what the part has staged by now."""
        staged = self._writer.done["files"]
        if not self._is_wanted or len(staged) < FIRST_FILES:
            return
        if self._has_others():
            self._is_wanted = False
            self._close(_STOP)
            return
        if self._thread is None:
            from queue import Queue
            from threading import Thread

            self._names = Queue()
            self._thread = Thread(target=self._make, name="pypods ahead", daemon=True)
            self._thread.start()
        for name in staged[len(self._given) :]:
            self._given.append(name)
            self._names.put(name)

    def _has_others(self) -> bool:
        own = self._writer.part
        if any(part["files"] for name, part in self._found.base.items() if name != own):
            return True
        noted = f"{self._found.attempt}-"
        names = self._staging.store.names(self._writer.folder)
        path = self._writer.path.rpartition("/")[2]
        return any(
            name.startswith(noted) and name.endswith(".json") and name != path for name in names
        )

    def _make(self) -> None:
        try:
            self._builder.write_all(self._builder.fill(self._rows()))
        except BaseException:  # noqa: BLE001 - who makes the files at the end meets it, and tells
            return
        self._is_made = True

    def _rows(self) -> Iterator[Any]:
        while True:
            name = self._names.get()
            if name is _STOP:
                raise InterruptedError
            if name == _END:
                return
            yield from self._staging.staged_batches(f"{self._writer.folder}/{name}")

    def _close(self, last: str | None) -> None:
        if self._thread is None:
            return
        self._names.put(last)
        self._thread.join()
        self._thread = None
        store, builder = self._staging.store, self._builder
        if last is _END and self._is_made:
            made = {
                "files": self._given, "schema": dump_schema(builder.schema),
                "publish": builder.publish, "rows": builder.rows,
            }  # fmt: skip
            store.write_text(f"{self._writer.folder}/{self._start}.json", json.dumps(made))
            return
        for path, _ in builder.publish:
            store.remove(path)


def find_ahead(ledger: Any, found: Any) -> dict[str, Any] | None:
    """Return what was made of all that is staged: its ``schema``, ``publish`` and ``rows``.

    Of the run's ``base``, that is. ``names`` are those of the files that this is.
    """
    parts = [part for part in found.base.values() if part["files"]]
    if len(parts) != 1:
        return None
    folder = ledger.run_folder(found.run)
    for name in ledger.store.names(folder):
        if name.startswith(_START) and name.endswith(".json"):
            made: dict[str, Any] = json.loads(ledger.store.read_text(f"{folder}/{name}"))
            if made["files"] == parts[0]["files"]:
                names = [name, *(path.rpartition("/")[2] for path, _ in made["publish"])]
                return dict(made, schema=load_schema(made["schema"]), names=names)
    return None
