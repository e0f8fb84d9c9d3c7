"""Writing in steps: rows wait in notes that the system keeps, until all are there.

``prepare``, ``write`` and what fences one attempt from another are those of files. ``finish`` notes
that the run is being applied, and then applies it in steps that the connector makes count once; a
crash among them leaves the rest to whoever prepares, finishes or abandons the stream next.
"""

from __future__ import annotations

from pypods.connectors.drift import plan_columns
from pypods.connectors.errors import ConflictError, DataError, StreamNotFoundError
from pypods.connectors.files.builder import fill_batch, whole_schema
from pypods.connectors.files.finish import Target
from pypods.connectors.files.ledger import FINISHED
from pypods.connectors.files.staging import FileStaging
from pypods.connectors.stores.notes import note_schema

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

__all__ = ["StoreSource", "StoreStaging"]


class StoreSource:
    """A stream as staging knows one: ``format`` is the connector."""

    def __init__(self, connector: Any, session: Any, settings: dict[str, Any], stream: Any) -> None:
        self.format = connector
        self.session = session
        self.settings = settings
        self.stream = stream
        self.store = session.notes


class StoreStaging(FileStaging):
    """The steps of writing one stream."""

    stages_ahead = False

    def __init__(self, source: Any) -> None:
        super().__init__(source)
        self.modes = source.format.modes(source.stream)

    @property
    def session(self) -> Any:
        """What the system is spoken to through."""
        return self.source.session

    @property
    def settings(self) -> dict[str, Any]:
        """The connection's settings."""
        settings: dict[str, Any] = self.source.settings
        return settings

    def plan(self, given: Any, *, mode: str, drift: str, exists: Any) -> tuple[Any, Any]:
        """Return the columns that are there, None without any, and how rows get into them."""
        there = self.format.written_schema(self.session, self.settings, self.stream)
        if exists is not None:
            is_there = self.format.describe(self.session, self.settings, self.stream) is not None
            if exists and not is_there:
                raise StreamNotFoundError(f"there is no {self.shown}, and there has to be one")
            if is_there and not exists:
                raise ConflictError(f"there is {self.shown} already, and there must be none")
        target = None
        if there is not None and not (mode == "replace" and drift == "evolve"):
            target = Target(there)
        plan = plan_columns(given, target, drift, database=self.format, shown=self.shown)
        return (None if target is None else there), plan

    def staged(self, found: Any, schema: Any) -> Iterator[Any]:
        """Yield what a run has staged, in the order it came in, in the target's columns."""
        for batch in self._staged(found):
            yield fill_batch(batch, schema)

    def refuse_twice(self, found: Any) -> None:
        """Refuse a key that is there twice: which of its rows is the last is not known."""
        seen = set()
        for batch in self._staged(found):
            for values in zip(*(batch.column(name).to_pylist() for name in found.key)):
                if None in values:
                    raise DataError(
                        f"run {found.run!r} of {self.shown}: a key cannot be NULL; nothing was "
                        f"changed",
                        column=found.key[values.index(None)],
                    )
                if values in seen:
                    raise DataError(
                        f"run {found.run!r} of {self.shown} has more than one row with the key "
                        f"({', '.join(found.key)}) = ({', '.join(map(repr, values))}); "
                        f"nothing was changed; have each key once",
                        column=found.key[0],
                    )
                seen.add(values)

    def _build(self, found: Any) -> None:
        there, plan = self.plan(
            found.source_schema, mode=found.mode, drift=found.drift, exists=None
        )
        found.schema = whole_schema(plan, None if found.mode == "replace" else there)
        self.format.check_target(self.source, found.schema)
        self.format.check_run(self, found, found.schema)
        written = sum(part["rows"] for part in found.base.values())
        found.result = {"rows_in_target": written if found.mode == "replace" else None}

    def _publish(self, found: Any) -> None:
        self.format.apply(self, found, found.schema)
        note_schema(self.ledger, found.schema)
        found.state, found.base = FINISHED, {}
        self.ledger.save(found)
        self.store.remove_tree(self.ledger.run_folder(found.run))
        self.ledger.remove_old()
