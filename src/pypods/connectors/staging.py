"""Writing in steps: rows wait in a staging place until all are there, and then move at once.

What a run began with it has to go on with, and a run is one for good: that is the same wherever the
rows wait.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from pypods.connectors.errors import ConflictError, SchemaError, SettingsError
from pypods.connectors.names import check_columns

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterable

__all__ = ["KEYED_MODES", "MODES", "StagedTarget", "check_bad_rows", "check_run"]

MODES = ("append", "replace", "upsert", "delete_insert")
KEYED_MODES = ("upsert", "delete_insert")
MAX_RUN_CHARACTERS = 200


class StagedTarget(ABC):
    """One stream as a target; the steps are the functions of the contract that have their names.

    What ``find_run`` finds says ``run``, ``mode``, ``key``, ``source_schema`` and ``finished``.
    """

    #: What messages call the system, and the stream.
    title: str
    shown: str
    #: The modes of writing that there are.
    modes: Iterable[str]

    @abstractmethod
    def prepare(
        self, schema: Any, *, mode: str, key: Any, run: str, drift: str, exists: Any
    ) -> dict[str, Any]:
        """Check that all can be done, and find or make the staging place of the run."""

    @abstractmethod
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
        """Write batches into the staging place, each with its checkpoint."""

    @abstractmethod
    def finish(self, *, run: str, cursor: Any, rows: Any) -> dict[str, Any]:
        """Move everything into the target, and note that it was done."""

    @abstractmethod
    def abandon(self, *, run: str) -> None:
        """Remove what a run left. Raises ConflictError for one that is finished."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return the cursor and the last finished run."""

    @abstractmethod
    def find_run(self, run: str) -> Any:
        """Return what is noted of a run, or None."""

    # --- what may be asked for -----------------------------------------------------------------

    def check_request(self, source: Any, *, mode: str, key: Any, run: Any) -> list[str]:
        """Return the key of a run that may be prepared. Raises SettingsError and SchemaError."""
        check_run(run)
        if mode not in self.modes:
            raise SettingsError(
                f"{self.title}: rows are written in the modes {', '.join(self.modes)}, not {mode!r}"
            )
        key = check_columns(key or [], source.names, "what is written")
        if mode in KEYED_MODES and not key:
            raise SettingsError(f"mode {mode} needs a key: the columns that rows are known by")
        if not len(source):
            raise SchemaError("there are no columns to write")
        return list(key)

    def check_same(self, found: Any, source: Any, *, mode: str, key: Any) -> None:
        """Raise ConflictError unless a run goes on with what it began with."""
        same = (
            found.mode == mode
            and found.key == list(key)
            and found.source_schema.equals(source, check_metadata=True)
        )
        if not same:
            raise ConflictError(
                f"run {found.run!r} of {self.shown} began with another mode, key or schema "
                f"({found.mode}, key {found.key}); go on with those, or abandon it"
            )

    def open_run(self, run: str) -> Any:
        """Return what is noted of a run that can be written. Raises ConflictError."""
        found = self.find_run(run)
        if found is None or found.finished:
            why = "is finished" if found else "is not prepared"
            raise ConflictError(f"run {run!r} of {self.shown} {why}; prepare it first")
        return found

    def refuse_finished(self, found: Any) -> None:
        """Raise ConflictError for a run that cannot be abandoned any more."""
        if found.finished:
            raise ConflictError(
                f"run {found.run!r} of {self.shown} is finished: its rows are in the target"
            )


def check_run(run: Any) -> str:
    """Return a run's name. Raises SettingsError."""
    if not isinstance(run, str) or not 0 < len(run) <= MAX_RUN_CHARACTERS:
        raise SettingsError(f"a run has a name of 1 to {MAX_RUN_CHARACTERS} characters")
    return run


def check_bad_rows(bad_rows: str, most: Any) -> int | None:
    """Return how many bad rows a run may collect, None for none. Raises SettingsError."""
    if bad_rows not in ("fail", "collect"):
        raise SettingsError(f"bad_rows is fail or collect, not {bad_rows!r}")
    return None if bad_rows == "fail" else 2**62 if most is None else int(most)


def prepared(
    schema: Any,
    *,
    attempt: int,
    finished: bool = False,
    parts: Any = None,
    cursor: Any = None,
    changes: Iterable[str] = (),
) -> dict[str, Any]:
    """Return what ``prepare`` does; ``parts`` are checkpoints by the parts' names."""
    return {
        "finished": finished,
        "parts": parts or {},
        "cursor": cursor,
        "changes": list(changes),
        "schema": schema,
        "attempt": attempt,
    }
