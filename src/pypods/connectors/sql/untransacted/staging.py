"""Writing in steps where a system has no transactions; what takes their place is a journal.

A batch counts once its checkpoint is there. ``finish`` builds what is to be seen in a table of its
own, notes that it is ready, and puts it into its place by steps of the system each of which is
atomic, or may be done again without doing anything twice.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from pypods.connectors.bad_rows import BAD_ROWS_SUFFIX, COLUMNS, rows_to_keep
from pypods.connectors.drift import plan_columns
from pypods.connectors.errors import ConflictError
from pypods.connectors.sql.staging import Staging
from pypods.connectors.sql.statement import Statement, Value
from pypods.connectors.sql.untransacted.journal import NUMBER, TEXT, Journal
from pypods.connectors.staging import KEYED_MODES

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

__all__ = ["UntransactedStaging"]

_LETTER_COLUMNS = {name: NUMBER if name == "position" else TEXT for name in COLUMNS}


class LoggedLetters:
    """Refused rows, which go into the log with their batch's checkpoint and beside the target last.

    It has of ``DeadLetters`` what writes.
    """

    def __init__(self, journal: Any) -> None:
        self.journal = journal

    def add(self, run: str, part: str, first: int, rows: Any) -> None:
        """Keep rows for the checkpoint of their batch."""
        self.journal.letters += rows_to_keep(run, part, first, rows)


class UntransactedStaging(Staging):
    """The steps of writing into one stream, without transactions."""

    def __init__(self, database: Any, session: Any, target: Any) -> None:
        super().__init__(database, session, target)
        self.ledger: Any = Journal(database, session, self.target)
        self.letters: Any = LoggedLetters(self.ledger)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do as if there were one: each step is whole by itself."""
        self.ledger.tokens, self.ledger.letters = [], []
        yield

    # --- prepare and write ---------------------------------------------------------------------

    def _describe_target(self, exists: Any) -> Any:
        self.database.settle(self.session, self.target)
        target = super()._describe_target(exists)
        if target is not None:
            self.database.check_writable(self.session, self.target)
        return target

    def _begin(
        self, plan: Any, source: Any, target: Any, *, mode: str, key: Any, run: str, drift: str
    ) -> None:
        staged = self.ledger.place(run)
        # Left by an attempt that was killed before it noted that the run began.
        self.database.drop_table(self.session, staged)
        self.database.create_staged(self.session, staged, plan.schema)
        self.ledger.begin_run(
            run, mode=mode, key=key, drift=drift, staging=staged[-1], source_schema=source
        )

    def _writer(self, staged: Any, schema: Any) -> Any:
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        name = self.database.token_column
        field = pa.field(name, pa.int64(), nullable=False)
        write = self.database.writer(self.session, staged, schema.append(field))

        def insert(batch: Any) -> None:
            # A token for each: of an INSERT that fails half way nothing may count.
            token = int.from_bytes(os.urandom(8), "little") >> 1
            column = pa.array([token], pa.int64()).take(pa.array([0] * batch.num_rows, pa.int32()))
            fields = [*batch.schema, field]
            write(pa.record_batch([*batch.columns, column], schema=pa.schema(fields)))
            self.ledger.tokens.append(token)

        return insert

    def open_run(self, run: str) -> Any:
        """Return a run that is prepared. Raises ConflictError."""
        found = super().open_run(run)
        if self.ledger.read(run).ready is not None:
            raise ConflictError(f"run {run!r} of {self.shown} is being finished; finish it again")
        return found

    # --- finish --------------------------------------------------------------------------------

    def finish(self, *, run: str, cursor: Any, rows: Any) -> dict[str, Any]:
        """Build what is to be seen, put it into its place, note it; each step can be repeated."""
        ledger = self.ledger
        if not ledger.exists() or ledger.find(run) is None:
            raise ConflictError(f"run {run!r} of {self.shown} is not prepared; prepare it first")
        attempt = ledger.next_attempt(run, finishing=True)
        found = ledger.find(run)
        if found.finished:
            ledger.forget_run(run)
            return {"rows": found.rows, "rows_in_target": None}
        entries = ledger.read(run)
        if entries.ready is None or self.database.is_stale(
            self.session, entries.ready, self.target
        ):
            entries.ready = self._make_ready(found, entries, rows)
            ledger.note(run, "ready", entries.ready)
            # Whoever began after this look finds the note, and does not build another one.
            ledger.hold_attempt(run, attempt)
        ready = entries.ready
        own = (*self.target[:-1], f"{found.staging}_{attempt:x}")
        if own[-1] not in (ready["table"], *entries.built):
            ledger.note(run, "build", own[-1])
        self.database.put_in_place(self.session, ready, self.target, own)
        self._deliver_letters(run, entries)
        ledger.finish_run(run, rows=ready["rows"], cursor=cursor)
        ledger.forget_run(run)
        return {"rows": ready["rows"], "rows_in_target": ready["rows"] if ready["whole"] else None}

    def _make_ready(self, found: Any, entries: Any, rows: Any) -> dict[str, Any]:
        """Build the table that takes the target's place, or whose rows move into it."""
        if entries.torn:
            raise ConflictError(
                f"run {found.run!r} of {self.shown} was written by two at once; nothing was "
                f"changed; prepare the run again and go on where it says, or abandon it"
            )
        noted = sum(each["rows"] for chain in entries.parts.values() for each in chain)
        if rows is not None and noted != rows:
            raise ConflictError(
                f"run {found.run!r} of {self.shown} has {noted} rows, and there must be {rows}; "
                f"nothing was changed; prepare the run again and go on where it says, "
                f"or abandon it"
            )
        staged = (*self.target[:-1], found.staging)
        counted = self.ledger.count(found.run, entries)
        table = self.database.table(staged)
        condition, _ = counted.render("qmark")
        staged_rows = f"(select * from {table} where {condition}) as s"
        written = self._check_count(found, staged_rows, rows)
        self._check_keys(found, staged_rows)
        target = self._describe_target(None)
        plan = plan_columns(
            found.source_schema, target, found.drift, database=self.database, shown=self.shown
        )
        new = (*self.target[:-1], f"{found.staging}_{self.ledger.attempt:x}")
        self.ledger.note(found.run, "build", new[-1])
        how = self._build(found, new, staged_rows, target, plan)
        for name in self.database.names_for(how, new[-1]):
            self.ledger.note(found.run, "build", name)
        return {
            "table": new[-1],
            "how": how,
            "rows": written,
            "whole": target is None or found.mode == "replace",
            **self.database.note_ready(self.session, new, self.target),
        }

    def _build(self, found: Any, new: Any, staged_rows: str, target: Any, plan: Any) -> str:
        """Make the new table; return how it gets into its place: rename, swap, move."""
        database, session = self.database, self.session
        columns = [*plan.schema.names]
        listed = ", ".join(map(database.quote, columns))
        if target is None:
            database.create_table(session, new, plan.schema, found.key)
            database.fill(session, new, columns, f"select {listed} from {staged_rows}")
            return "rename"
        if found.mode == "append" and database.can_move(session, self.target, plan):
            database.evolve(session, self.target, plan)
            database.create_like(session, new, self.target, None)
            database.fill(session, new, columns, f"select {listed} from {staged_rows}")
            return "move"
        database.create_like(session, new, self.target, plan)
        before = database.mark_state(session, self.target)
        keys = ", ".join(map(database.quote, found.key))
        if found.mode == "append":
            self._keep(new, target, "")
        elif found.mode in KEYED_MODES:
            first = database.quote(found.key[0])
            self._keep(
                new, target,
                f" left join (select distinct {keys} from {staged_rows}) as k "
                f"on {database.same_key('t', 'k', found.key)} where k.{first} is null",
            )  # fmt: skip
        written = {database.fold(name) for name in columns}
        others = [name for name in target.schema.names if database.fold(name) not in written]
        if found.mode == "upsert" and others:
            # Columns that are not written stay as they are.
            items = [f"s.{database.quote(name)}" for name in columns]
            items += [f"t.{database.quote(name)}" for name in others]
            database.fill(
                session, new, [*columns, *others],
                f"select {', '.join(items)} from {staged_rows} "
                f"left join (select t.* from {database.table(self.target)} as t join "
                f"(select distinct {keys} from {staged_rows}) as k "
                f"on {database.same_key('t', 'k', found.key)}) as t "
                f"on {database.same_key('t', 's', found.key)}",
            )  # fmt: skip
        else:
            database.fill(session, new, columns, f"select {listed} from {staged_rows}")
        if found.mode != "replace" and database.mark_state(session, self.target) != before:
            raise ConflictError(
                f"somebody else wrote into {self.shown} while run {found.run!r} was finished; "
                f"finish it again"
            )
        way: str = database.way_to_replace(plan)
        return way

    def _keep(self, new: Any, target: Any, condition: str) -> None:
        """Copy the target's rows that stay."""
        names = target.schema.names
        items = ", ".join(f"t.{self.database.quote(name)}" for name in names)
        self.database.fill(
            self.session, new, names,
            f"select {items} from {self.database.table(self.target)} as t{condition}",
        )  # fmt: skip

    def _deliver_letters(self, run: str, entries: Any) -> None:
        """Put the refused rows into the table beside the target, unless they are there."""
        rows = [
            letter
            for chain in entries.parts.values()
            for each in chain
            for letter in each["letters"]
        ]
        if not rows:
            return
        parts = (*self.target[:-1], self.target[-1] + BAD_ROWS_SUFFIX)
        self.database.create_log(self.session, parts, _LETTER_COLUMNS)
        there = self.session.rows(
            Statement(f"select count(*) from {self.database.table(parts)} where run = ", Value(run))
        )
        if int(there[0][0]) == 0:
            self.database.insert_rows(self.session, parts, _LETTER_COLUMNS, rows)

    # --- abandon -------------------------------------------------------------------------------

    def abandon(self, *, run: str) -> None:
        """Remove what a run left. Raises ConflictError once it is finished, or being finished."""
        ledger = self.ledger
        if not ledger.exists():
            return
        if ledger.finished(run) is not None:
            raise ConflictError(
                f"run {run!r} of {self.shown} is finished: its rows are in the target"
            )
        if not self.database.is_there(self.session, ledger.log(run)):
            return
        ledger.next_attempt(run)
        if ledger.read(run).ready is not None:
            raise ConflictError(
                f"run {run!r} of {self.shown} is being finished, and may be in the target; "
                f"finish it again"
            )
        ledger.forget_run(run)
