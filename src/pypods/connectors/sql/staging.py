"""Writing in steps: rows wait in a staging table until all are there, then move at once.

Every batch is committed together with its checkpoint, so that a run which was killed at any moment
goes on where the ledger says. Two things keep what an earlier attempt has under way from being
added to that: ``prepare`` counts up the run's attempt, which waits for transactions that hold it;
and a part's checkpoint is written only by the one that continues the last one.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial

from pypods.connectors.batches import BATCH_ROWS, as_batches, last_values, limited
from pypods.connectors.drift import plan_columns
from pypods.connectors.errors import (
    ConflictError,
    DataError,
    SettingsError,
    StreamNotFoundError,
)
from pypods.connectors.names import check_columns, join_stream, short_hash
from pypods.connectors.sql.bad_rows import DeadLetters
from pypods.connectors.sql.ledger import Ledger
from pypods.connectors.sql.one_ahead import OneAhead
from pypods.connectors.sql.part_writer import PartWriter
from pypods.connectors.staging import KEYED_MODES, StagedTarget, check_bad_rows, prepared
from pypods.connectors.types import normal_schema, schema_from_rows

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator

__all__ = ["Staging", "finished"]

STAGING_PREFIX = "_pypods_"


class Staging(StagedTarget):
    """The steps of writing into one stream, over one session."""

    def __init__(self, database: Any, session: Any, target: Any) -> None:
        self.database = database
        self.session = session
        self.target = tuple(target)
        self.title = database.title
        self.modes = database.capabilities["write"]
        self.shown = join_stream(target)
        self.ledger = Ledger(database, session, self.target)
        self.letters = DeadLetters(database, session, self.target)

    # --- prepare -------------------------------------------------------------------------------

    def prepare(
        self, schema: Any, *, mode: str, key: Any, run: str, drift: str, exists: Any
    ) -> dict[str, Any]:
        """Check that all can be done, and find or make the staging table of the run."""
        source = normal_schema(schema_from_rows(schema))
        key = self.check_request(source, mode=mode, key=key, run=run)
        target = self._describe_target(exists)
        plan = plan_columns(source, target, drift, database=self.database, shown=self.shown)
        self.database.check_widening(self.session, self.target, plan)
        check_columns(key, plan.schema.names, f"what is written into {self.shown}")
        self.ledger.create()
        with self.transaction():
            # The attempt counts up first: that waits for what another attempt has under way.
            found = self._next_attempt(run)
            if found is None:
                self._begin(plan, source, target, mode=mode, key=key, run=run, drift=drift)
                attempt, parts = self.ledger.first_attempt, {}
            elif found.finished:
                return prepared(
                    plan.schema, attempt=found.attempt, finished=True,
                    cursor=found.cursor, changes=plan.changes,
                )  # fmt: skip
            else:
                self.check_same(found, source, mode=mode, key=key)
                attempt, parts = found.attempt, self.ledger.parts(run)
        cursor = self.ledger.last_state()["cursor"]
        return prepared(
            plan.schema, attempt=attempt, parts=parts, cursor=cursor, changes=plan.changes
        )

    def _describe_target(self, exists: Any) -> Any:
        target = self.database.describe(self.session, self.target)
        if target is None and exists is True:
            raise StreamNotFoundError(f"there is no table {self.shown}, and there has to be one")
        if target is not None and exists is False:
            raise ConflictError(f"there is a table {self.shown} already, and there must be none")
        if target is not None and target.kind != "table":
            raise SettingsError(f"{self.shown} is a {target.kind}, which cannot be written")
        return target

    def _begin(
        self, plan: Any, source: Any, target: Any, *, mode: str, key: Any, run: str, drift: str
    ) -> None:
        parts = self.staging_of(run)
        # Left by an attempt that was killed where making a table is no part of a transaction.
        self.database.drop_table(self.session, parts)
        if target is None:
            unique = key if mode in ("upsert", "replace") else ()
            self.database.create_table(self.session, parts, plan.schema, unique)
        else:
            self.database.create_staging(self.session, parts, self.target, plan, mode=mode, key=key)
        self.ledger.begin_run(
            run, mode=mode, key=key, drift=drift, staging=parts[-1], source_schema=source
        )

    def staging_of(self, run: str) -> tuple[str, ...]:
        """Return the name of the table in which the rows of a run wait."""
        return (*self.target[:-1], STAGING_PREFIX + short_hash(self.target[-1], run))

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
        committed: Any = None,
    ) -> dict[str, int]:
        """Write batches into the staging table, each with its checkpoint."""
        most = check_bad_rows(bad_rows, max_bad_rows)
        found = self.open_run(run)
        attempt = found.attempt if attempt is None else attempt
        staged = self._staged(found)
        with self.transaction():
            self.ledger.hold_attempt(run, attempt)
            if part not in self.ledger.parts(run):
                self.ledger.begin_part(run, part)
            schema = self._staged_schema(found, staged)
            done = self.ledger.parts(run)[part]
        writer = PartWriter(
            self, self._writer(staged, schema), schema,
            run=run, part=part, attempt=attempt, done=done, max_bad_rows=most,
            key=found.key if found.mode in KEYED_MODES else (),
        )  # fmt: skip
        with OneAhead() as ahead:
            for batch in limited(as_batches(batches, found.source_schema), BATCH_ROWS):
                ahead.start(partial(writer.write_batch, batch, last_values(batch, position)))
                _tell(writer.commits, committed)
        _tell(writer.commits, committed)
        return writer.total

    def _writer(self, staged: Any, schema: Any) -> Any:
        """Return a function that puts a batch into the staging table."""
        return self.database.writer(self.session, staged, schema)

    def find_run(self, run: str) -> Any:
        """Return what is noted of a run, or None."""
        return self.ledger.find(run) if self.ledger.exists() else None

    def _staged_schema(self, found: Any, staged: Any) -> Any:
        """Return the schema that batches are made to be: of the staged columns that are written."""
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        table = self.database.describe(self.session, staged)
        if table is None:
            raise ConflictError(
                f"the staging table of run {found.run!r} is gone; abandon the run and begin anew"
            )
        known = {self.database.fold(field.name): field for field in table.schema}
        fields = []
        for field in found.source_schema:
            there = known.get(self.database.fold(field.name))
            if there is not None:
                taken = self.database.taken(there, self.database.stored(field)) or there
                fields.append(taken.with_name(field.name))
        return pa.schema(fields)

    # --- finish --------------------------------------------------------------------------------

    def finish(self, *, run: str, cursor: Any, rows: Any) -> dict[str, Any]:
        """Move everything into the target and note it, in one transaction."""
        if not self.ledger.exists():
            self.open_run(run)
        with self.transaction():
            found = self._take_over(run)
            if found.finished:
                return {"rows": found.rows, "rows_in_target": None}
            written, target, plan = self._check_finish(found, rows)
            self._move(found, target, plan)
            self.ledger.finish_run(run, rows=written, cursor=cursor)
        return finished(found, target, written)

    def _next_attempt(self, run: str) -> Any:
        """Begin one more attempt of a run and return that, or None if there is no such run."""
        self.ledger.next_attempt(run)
        return self.ledger.find(run)

    def _take_over(self, run: str) -> Any:
        """Return a run for which from now on nobody else writes. Raises ConflictError."""
        found = self._next_attempt(run)
        if found is None:
            raise ConflictError(f"run {run!r} of {self.shown} is not prepared")
        return found

    def _staged(self, found: Any) -> tuple[str, ...]:
        return (*self.target[:-1], found.staging)

    def _check_finish(self, found: Any, rows: Any) -> tuple[int, Any, Any]:
        """Return how many rows there are, the target as it is, and the plan to get them there."""
        relation = self.database.table(self._staged(found))
        written = self._check_count(found, relation, rows)
        self._check_keys(found, relation)
        target = self._describe_target(None)
        plan = plan_columns(
            found.source_schema, target, found.drift,
            database=self.database, shown=self.shown,
        )  # fmt: skip
        return written, target, plan

    def _check_count(self, found: Any, relation: str, rows: Any) -> int:
        noted = sum(each["rows"] for each in self.ledger.parts(found.run).values())
        ((there,),) = self.session.rows(f"select count(*) from {relation}")
        if there != noted or (rows is not None and there != rows):
            raise ConflictError(
                f"run {found.run!r} of {self.shown} has {there} rows, its checkpoints say {noted}"
                + ("" if rows is None else f" and there must be {rows}")
                + "; nothing was changed; prepare the run again and go on where it says, "
                "or abandon it"
            )
        return int(there)

    def _check_keys(self, found: Any, relation: str) -> None:
        """Refuse a key that is there twice: which of its rows is the last is not known."""
        if found.mode != "upsert":
            return
        names = ", ".join(map(self.database.quote, found.key))
        twice = self.session.rows(
            self.database.limited(
                _statement(
                    f"select {names}, count(*) from {relation} group by {names} having count(*) > 1"
                ),
                1,
            )
        )
        if twice:
            raise DataError(
                f"run {found.run!r} of {self.shown} has {twice[0][-1]} rows with the key "
                f"({', '.join(found.key)}) = ({', '.join(map(repr, twice[0][:-1]))}); "
                f"nothing was changed; have each key once, or use mode delete_insert",
                column=found.key[0],
            )

    def _move(self, found: Any, target: Any, plan: Any) -> None:
        database, session = self.database, self.session
        staged = self._staged(found)
        if target is None:
            database.rename_table(session, staged, self.target[-1])
            return
        if found.mode == "replace":
            database.replace_all(session, staged, self.target, plan)
            return
        database.evolve(session, self.target, plan)
        self._move_rows(found, plan.schema.names)
        database.drop_table(session, staged)

    def _move_rows(self, found: Any, names: Any) -> None:
        database, session = self.database, self.session
        staged = self._staged(found)
        if found.mode == "append":
            database.insert_all(session, staged, self.target, names)
        elif found.mode == "upsert":
            database.upsert_all(session, staged, self.target, names, found.key)
        else:
            database.delete_insert_all(session, staged, self.target, names, found.key)

    # --- abandon and state ---------------------------------------------------------------------

    def abandon(self, *, run: str) -> None:
        """Remove what a run left. Raises ConflictError for one that is finished."""
        if not self.ledger.exists():
            return
        with self.transaction():
            found = self._next_attempt(run)
            if found is None:
                return
            self.refuse_finished(found)
            self.database.drop_table(self.session, self._staged(found))
            self.letters.forget(run)
            self.ledger.forget_run(run)

    def state(self) -> dict[str, Any]:
        """Return the cursor and the last finished run."""
        if not self.ledger.exists():
            return {"cursor": None, "run": None}
        return self.ledger.last_state()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Begin a transaction, and end it: with its changes, or without if the block raises."""
        self.session.begin()
        try:
            yield
        except BaseException:
            self.session.rollback()
            raise
        self.session.commit()


def finished(found: Any, target: Any, written: int) -> dict[str, Any]:
    """Return what ``finish`` says of a run that was moved; ``target`` is what was there before."""
    known = written if found.mode == "replace" or target is None else None
    return {"rows": written, "rows_in_target": known}


def _statement(text: str) -> Any:
    from pypods.connectors.sql.statement import Statement

    return Statement(text)


def _tell(commits: Any, committed: Any) -> None:
    """Call a function of the host with each commit; only the call's own thread may do so."""
    while commits:
        commit = commits.popleft()
        if committed is not None:
            committed(*commit)
