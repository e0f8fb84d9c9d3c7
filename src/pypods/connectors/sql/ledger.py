"""The bookkeeping beside a target: which runs there were and how far each part has come."""

from __future__ import annotations

import json

from pypods.connectors.errors import ConflictError
from pypods.connectors.json_values import dump_schema, dump_values, load_schema, load_values
from pypods.connectors.sql.statement import Statement, Value, join

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["CHECKPOINTS", "RUNS", "Ledger", "Run"]

RUNS = "_pypods_runs"
CHECKPOINTS = "_pypods_checkpoints"
STAGING = "staging"
#: Where moving rows is no single transaction: it was begun; it is done, and our tables are there.
MOVING = "moving"
MOVED = "moved"
FINISHED = "finished"

_TEXT, _KEY, _NUMBER = "text", "key", "number"
_RUN_COLUMNS = {
    "stream": _KEY,
    "run": _KEY,
    "state": _KEY,
    "mode": _TEXT,
    "key_columns": _TEXT,
    "drift": _TEXT,
    "staging": _TEXT,
    "source_schema": _TEXT,
    "attempt": _NUMBER,
    "finish_number": _NUMBER,
    "rows_written": _NUMBER,
    "cursor_value": _TEXT,
}
_CHECKPOINT_COLUMNS = {
    "stream": _KEY,
    "run": _KEY,
    "part": _KEY,
    "batches": _NUMBER,
    "rows_written": _NUMBER,
    "bytes_written": _NUMBER,
    "bad_rows": _NUMBER,
    "last_position": _TEXT,
}


class Run:
    """One run of a stream, as its row in the ledger says."""

    def __init__(self, values: Any) -> None:
        row = dict(zip(_RUN_COLUMNS, values))
        self.run: str = row["run"]
        self.finished = row["state"] in (MOVED, FINISHED)
        self.is_moving = row["state"] == MOVING
        self.is_moved = row["state"] == MOVED
        self.mode: str = row["mode"]
        self.key: list[str] = json.loads(row["key_columns"])
        self.drift: str = row["drift"]
        self.staging: str = row["staging"]
        self.source_schema = load_schema(row["source_schema"])
        self.attempt = int(row["attempt"])
        self.rows = None if row["rows_written"] is None else int(row["rows_written"])
        self.cursor: Any = None if row["cursor_value"] is None else json.loads(row["cursor_value"])


class Ledger:
    """The two tables, in the schema of the target; each method is part of a transaction."""

    #: What the first attempt of a run is called.
    first_attempt = 1

    def __init__(self, database: Any, session: Any, target: Any) -> None:
        self.database = database
        self.session = session
        self.stream = target[-1]
        self.runs = (*target[:-1], RUNS)
        self.checkpoints = (*target[:-1], CHECKPOINTS)
        self._is_there = False

    def exists(self) -> bool:
        """Whether there is one."""
        if not self._is_there:
            found = self.database.describe(self.session, self.checkpoints)
            self._is_there = found is not None
        return self._is_there

    def create(self) -> None:
        """Make the tables where they are missing; somebody else may do so at the same time."""
        if self.exists():
            return
        self.session.begin()
        try:
            for parts, columns, key in (
                (self.runs, _RUN_COLUMNS, ("stream", "run")),
                (self.checkpoints, _CHECKPOINT_COLUMNS, ("stream", "run", "part")),
            ):
                self.database.create_if_missing(
                    self.session, parts, self._columns_text(columns, key)
                )
            self.session.commit()
        except Exception:
            self.session.rollback()
            if not self.exists():
                raise

    def _columns_text(self, columns: dict[str, str], key: Any) -> str:
        database = self.database
        types = {
            _TEXT: database.text_type,
            _NUMBER: database.number_type,
            _KEY: database.key_text_type + " not null",
        }
        parts_sql = [f"{database.quote(name)} {types[kind]}" for name, kind in columns.items()]
        parts_sql.append(f"primary key ({', '.join(map(database.quote, key))})")
        return ", ".join(parts_sql)

    # --- runs ----------------------------------------------------------------------------------

    def find(self, run: str, *, share: bool = False) -> Run | None:
        """Return a run, if there is one; shared, it stays so until the transaction's end."""
        database = self.database
        rows = self.session.rows(
            Statement(
                f"select {self._names(_RUN_COLUMNS)} from {database.table(self.runs)}",
                database.hint_for_share if share else "",
                self._of(run),
                database.lock_for_share if share else "",
            )
        )
        return Run(rows[0]) if rows else None

    def begin_run(
        self, run: str, *, mode: str, key: Any, drift: str, staging: str, source_schema: Any
    ) -> None:
        """Note a new run."""
        values = {
            "stream": self.stream,
            "run": run,
            "state": STAGING,
            "mode": mode,
            "key_columns": json.dumps(list(key)),
            "drift": drift,
            "staging": staging,
            "source_schema": dump_schema(source_schema),
            "attempt": 1,
        }
        self.session.run(self.database.insert_row(self.runs, values))

    def next_attempt(self, run: str) -> int:
        """Count one more attempt of a run: from now on an earlier one's writes are refused."""
        attempt = self.database.quote("attempt")
        self._update(self.runs, run, Statement(f"{attempt} = {attempt} + 1"))
        self._lock_parts(run)
        found = self.find(run)
        return found.attempt if found else 0

    def hold_attempt(self, run: str, attempt: int, part: str | None = None) -> None:
        """Keep the run as it is until the end of the transaction. Raises ConflictError.

        ``part`` is the one that is written, once it is noted.
        """
        if part is not None:
            self._lock_parts(run, Statement(f" and {self.database.quote('part')} = ", Value(part)))
        found = self.find(run, share=True)
        if found is None or found.finished or found.is_moving or found.attempt != attempt:
            state = "is gone" if found is None else "is finished" if found.finished else ""
            state = "is being finished" if found is not None and found.is_moving else state
            raise ConflictError(
                f"run {run!r} of {self.stream!r} "
                + (state or f"was taken over by attempt {found.attempt if found else 0}")
                + "; prepare it again"
            )

    def _lock_parts(self, run: str, condition: Any = "") -> None:
        """Wait for who writes a part, where that one cannot lock the run: others write as well."""
        if self.database.lock_for_update and not self.database.lock_for_share:
            table, part = self.database.table(self.checkpoints), self.database.quote("part")
            lock = self.database.lock_for_update
            self.session.rows(
                Statement(f"select {part} from {table}", self._of(run), condition, lock)
            )

    def begin_move(self, run: str, *, rows: int, cursor: Any) -> None:
        """Note that a run is about to be finished, so, and that nobody writes for it any more."""
        self._set(run, MOVING, rows=rows, cursor=cursor, number=None)

    def set_state(self, run: str, state: str) -> None:
        """Note how far the end of a run has come."""
        self._update(self.runs, run, Statement(f"{self.database.quote('state')} = ", Value(state)))

    def unsettled(self) -> list[Run]:
        """Return the stream's runs whose end was begun and is not done."""
        quote = self.database.quote
        rows = self.session.rows(
            Statement(
                f"select {self._names(_RUN_COLUMNS)} from {self.database.table(self.runs)}",
                f" where {quote('stream')} = ", Value(self.stream),
                f" and {quote('state')} in (", Value(MOVING), ", ", Value(MOVED), ")",
            )
        )  # fmt: skip
        return [Run(row) for row in rows]

    def finish_run(self, run: str, *, rows: int, cursor: Any, state: str = FINISHED) -> None:
        """Note that a run is finished, with its cursor."""
        table, quote = self.database.table(self.runs), self.database.quote
        ((number,),) = self.session.rows(
            Statement(
                f"select coalesce(max({quote('finish_number')}), 0) + 1 from {table} "
                f"where {quote('stream')} = ",
                Value(self.stream),
            )
        )
        self._set(run, state, rows=rows, cursor=cursor, number=int(number))
        self._delete(self.checkpoints, run)

    def _set(self, run: str, state: str, *, rows: int, cursor: Any, number: int | None) -> None:
        values = {
            "state": state,
            "finish_number": number,
            "rows_written": rows,
            "cursor_value": None if cursor is None else json.dumps(cursor),
        }
        sets = [
            Statement(f"{self.database.quote(name)} = ", Value(value))
            for name, value in values.items()
        ]
        self._update(self.runs, run, join(", ", sets))

    def forget_run(self, run: str) -> None:
        """Remove what is noted of a run."""
        self._delete(self.checkpoints, run)
        self._delete(self.runs, run)

    def last_state(self) -> dict[str, Any]:
        """Return the last finished run, and the cursor of the last one that had one."""
        quote = self.database.quote
        number = quote("finish_number")
        rows = self.session.rows(
            Statement(
                f"select {self._names(('run', 'cursor_value'))} "
                f"from {self.database.table(self.runs)} where {quote('stream')} = ",
                Value(self.stream),
                f" and {number} is not null order by {number} desc",
            )
        )
        cursor = next((each for _, each in rows if each is not None), None)
        return {
            "cursor": None if cursor is None else json.loads(cursor),
            "run": rows[0][0] if rows else None,
        }

    # --- checkpoints ---------------------------------------------------------------------------

    def parts(self, run: str) -> dict[str, dict[str, Any]]:
        """Return how far each part of a run has come."""
        names = [name for name in _CHECKPOINT_COLUMNS if name not in ("stream", "run")]
        rows = self.session.rows(
            Statement(
                f"select {self._names(names)} from {self.database.table(self.checkpoints)}",
                self._of(run),
                f" order by {self.database.quote('part')}",
            )
        )
        return {
            part: {
                "rows": int(written),
                "bytes": int(size),
                "batches": int(batches),
                "bad": int(bad),
                "position": load_values(position),
            }
            for part, batches, written, size, bad, position in rows
        }

    def begin_part(self, run: str, part: str) -> None:
        """Note a part that nothing of is written yet."""
        values = {
            "stream": self.stream,
            "run": run,
            "part": part,
            "batches": 0,
            "rows_written": 0,
            "bytes_written": 0,
            "bad_rows": 0,
            "last_position": "[]",
        }
        self.session.run(self.database.insert_row(self.checkpoints, values))

    def checkpoint(
        self, run: str, part: str, *, batches: int, rows: int, size: int, bad: int, position: Any
    ) -> None:
        """Note one more batch, the ``batches``-th. Raises ConflictError if it is there."""
        quote = self.database.quote
        condition = Statement(
            f" and {quote('part')} = ", Value(part),
            f" and {quote('batches')} = ", Value(batches - 1),
        )  # fmt: skip
        more = {"batches": 1, "rows_written": rows, "bytes_written": size, "bad_rows": bad}
        sets = [
            Statement(f"{quote(name)} = {quote(name)} + ", Value(count))
            for name, count in more.items()
        ]
        sets.append(Statement(f"{quote('last_position')} = ", Value(dump_values(position))))
        changed = self._update(self.checkpoints, run, join(", ", sets), condition)
        if changed == 0:
            raise ConflictError(
                f"part {part!r} of run {run!r} is written by somebody else as well; prepare the "
                f"run again and go on where it says"
            )

    # --- SQL -----------------------------------------------------------------------------------

    def _names(self, names: Any) -> str:
        return ", ".join(map(self.database.quote, names))

    def _of(self, run: str) -> Statement:
        quote = self.database.quote
        return Statement(
            f" where {quote('stream')} = ",
            Value(self.stream),
            f" and {quote('run')} = ",
            Value(run),
        )

    def _update(self, parts: Any, run: str, sets: Statement, condition: Any = "") -> int:
        changed: int = self.session.run(
            Statement(f"update {self.database.table(parts)} set ", sets, self._of(run), condition)
        )
        return changed

    def _delete(self, parts: Any, run: str) -> None:
        self.session.run(Statement(f"delete from {self.database.table(parts)}", self._of(run)))
