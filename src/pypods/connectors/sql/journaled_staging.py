"""Writing in steps where DDL is no part of a transaction: a note in the ledger, and one step.

``finish`` notes in the run's row that it moves the rows, and how many there are. What follows is
either a table that gets another name, which the system does as a whole or not at all, or one
transaction that moves the rows and notes that they are moved. A kill in between leaves a run that
is noted as moving; whoever comes next settles it. Is its staging table there, then nothing has
happened; is it gone, then it was renamed, and all has. Tables that are left are dropped after that,
which is noted too.

Each step counts up the run's attempt first, and so holds the run's row: nobody else settles the run
meanwhile, and one that was settled is not gone on with. Where DDL ends the transaction, and with it
that lock, one per stream is held by the session, for as long as the server still works for a client
that was killed.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress

from pypods.connectors.errors import ConflictError
from pypods.connectors.sql.ledger import FINISHED, MOVED, STAGING
from pypods.connectors.sql.staging import Staging, finished

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

__all__ = ["JournaledStaging"]

#: Of a target that was replaced, until it is dropped: its run's staging table with this behind it.
OLD_SUFFIX = "_old"


class JournaledStaging(Staging):
    """The steps of writing into one stream of a ``JournaledDatabase``."""

    def prepare(self, schema: Any, **asked: Any) -> dict[str, Any]:
        """Check that all can be done, and find or make the staging table of the run."""
        with self._alone():
            return super().prepare(schema, **asked)

    def finish(self, *, run: str, cursor: Any, rows: Any) -> dict[str, Any]:
        """Move everything into the target and note it; all of it or nothing, whatever is killed."""
        if not self.ledger.exists():
            self.open_run(run)
        with self._alone():
            with self.transaction():
                found = self._take_over(run)
                if found.finished:
                    return {"rows": found.rows, "rows_in_target": None}
                written, target, plan = self._check_finish(found, rows)
                self.ledger.begin_move(run, rows=written, cursor=cursor)
            try:
                self._move_in_one_step(found, target, plan, rows=written, cursor=cursor)
            except ConflictError:
                raise  # Somebody took the run over, and has noted what became of it.
            except Exception:
                # Without a connection, whoever comes next does this.
                with suppress(Exception), self.transaction():
                    self._next_attempt(run)
                raise
            self._settle()
        return finished(found, target, written)

    def _move_in_one_step(
        self, found: Any, target: Any, plan: Any, *, rows: int, cursor: Any
    ) -> None:
        database, session = self.database, self.session
        staged = self._staged(found)
        replaces = target is not None and found.mode == "replace"
        swaps = replaces and database.can_swap(session, staged, self.target, plan)
        if target is not None and not swaps and (plan.add or plan.widen):
            # Columns that are added or widened before a kill stay so; rows are as they were.
            with self._held(found):
                database.evolve(session, self.target, plan)
        with self._held(found):
            if target is None:
                database.rename_table(session, staged, self.target[-1])
            elif swaps:
                database.swap(session, staged, self.target, self._old(found))
            else:
                if replaces:
                    session.run(f"delete from {database.table(self.target)}")
                    database.insert_all(session, staged, self.target, plan.schema.names)
                else:
                    self._move_rows(found, plan.schema.names)
                self.ledger.finish_run(found.run, rows=rows, cursor=cursor, state=MOVED)

    def abandon(self, *, run: str) -> None:
        """Remove what a run left. Raises ConflictError for one that is finished."""
        if not self.ledger.exists():
            return
        with self._alone():
            with self.transaction():
                found = self._next_attempt(run)
                if found is not None:
                    self.refuse_finished(found)
                    self.letters.forget(run)
                    self.ledger.forget_run(run)
            # Also that of a run whose preparing was killed.
            self.database.drop_table(self.session, self.staging_of(run))

    def state(self) -> dict[str, Any]:
        """Return the cursor and the last finished run."""
        if self.ledger.exists() and self.ledger.unsettled():
            with self._alone():
                return super().state()
        return super().state()

    # --- who may do a step ---------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the stream, with what was left of earlier ends of runs settled."""
        self.database.hold_stream(self.session, self.target)
        try:
            if self.ledger.exists():
                self._settle()
            yield
        finally:
            self.database.release_stream(self.session, self.target)

    @contextmanager
    def _held(self, found: Any) -> Iterator[None]:
        """Hold the run in a transaction. Raises ConflictError if somebody took it over."""
        with self.transaction():
            attempt = self.ledger.next_attempt(found.run)
            if attempt != found.attempt + 1:
                raise ConflictError(
                    f"run {found.run!r} of {self.shown} was taken over by another attempt; "
                    f"prepare it again"
                )
            found.attempt = attempt
            yield

    # --- what a kill left ----------------------------------------------------------------------

    def _next_attempt(self, run: str) -> Any:
        """Begin one more attempt of a run, with what became of its end noted."""
        found = super()._next_attempt(run)
        if found is None or not found.is_moving:
            return found
        if self._is_staged(found):
            self.ledger.set_state(run, STAGING)
        else:
            self.ledger.finish_run(run, rows=found.rows, cursor=found.cursor, state=MOVED)
        return self.ledger.find(run)

    def _is_staged(self, found: Any) -> bool:
        return self.database.describe(self.session, self._staged(found)) is not None

    def _settle(self) -> None:
        """Note which runs' rows were moved, and drop what is left of them."""
        for each in self.ledger.unsettled():
            if each.is_moving and self._is_staged(each):
                continue  # Nothing has happened; whoever takes it over notes so.
            with self.transaction():
                found = self._next_attempt(each.run)
                if found is not None and found.is_moved:
                    self.database.drop_table(self.session, self._staged(found))
                    self.database.drop_table(self.session, self._old(found))
                    self.ledger.set_state(found.run, FINISHED)

    def _old(self, found: Any) -> tuple[str, ...]:
        return (*self.target[:-1], found.staging + OLD_SUFFIX)
