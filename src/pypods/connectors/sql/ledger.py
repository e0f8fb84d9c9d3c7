"""The bookkeeping beside a target: which runs there were and how far each part has come."""

from __future__ import annotations

import json

from pypods.connectors.errors import ConflictError
from pypods.connectors.json_values import dump_schema, dump_values, load_schema, load_values
from pypods.connectors.sql.statement import Statement, Value

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
    "state": _TEXT,
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
                self.session.run(self._create_text(parts, columns, key))
            self.session.commit()
        except Exception:
            self.session.rollback()
            if not self.exists():
                raise

    def _create_text(self, parts: Any, columns: dict[str, str], key: Any) -> str:
        database = self.database
        types = {
            _TEXT: database.text_type,
            _NUMBER: "bigint",
            _KEY: database.key_text_type + " not null",
        }
        parts_sql = [f"{database.quote(name)} {types[kind]}" for name, kind in columns.items()]
        parts_sql.append(f"primary key ({', '.join(map(database.quote, key))})")
        made = f"create table if not exists {database.table(parts)} ({', '.join(parts_sql)})"
        return f"{made}{database.table_options(self.session)}"

    # --- runs ----------------------------------------------------------------------------------

    def find(self, run: str, *, lock: str = "") -> Run | None:
        """Return a run, if there is one; ``lock`` is what the SELECT ends with."""
        rows = self.session.rows(
            Statement(
                f"select {self._names(_RUN_COLUMNS)} from {self.database.table(self.runs)}",
                self._of(run),
                lock,
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
        self._update(self.runs, run, Statement("attempt = attempt + 1"))
        found = self.find(run)
        return found.attempt if found else 0

    def hold_attempt(self, run: str, attempt: int) -> None:
        """Keep the run as it is until the end of the transaction. Raises ConflictError."""
        found = self.find(run, lock=self.database.lock_for_share)
        if found is None or found.finished or found.is_moving or found.attempt != attempt:
            state = "is gone" if found is None else "is finished" if found.finished else ""
            state = "is being finished" if found is not None and found.is_moving else state
            raise ConflictError(
                f"run {run!r} of {self.stream!r} "
                + (state or f"was taken over by attempt {found.attempt if found else 0}")
                + "; prepare it again"
            )

    def begin_move(self, run: str, *, rows: int, cursor: Any) -> None:
        """Note that a run is about to be finished, so, and that nobody writes for it any more."""
        values = _finished(MOVING, rows, cursor)
        self._update(self.runs, run, values)

    def set_state(self, run: str, state: str) -> None:
        """Note how far the end of a run has come."""
        self._update(self.runs, run, Statement("state = ", Value(state)))

    def unsettled(self) -> list[Run]:
        """Return the stream's runs whose end was begun and is not done."""
        rows = self.session.rows(
            Statement(
                f"select {self._names(_RUN_COLUMNS)} from {self.database.table(self.runs)}",
                " where stream = ", Value(self.stream),
                " and state in (", Value(MOVING), ", ", Value(MOVED), ")",
            )
        )  # fmt: skip
        return [Run(row) for row in rows]

    def finish_run(self, run: str, *, rows: int, cursor: Any, state: str = FINISHED) -> None:
        """Note that a run is finished, with its cursor."""
        table = self.database.table(self.runs)
        ((number,),) = self.session.rows(
            Statement(
                f"select coalesce(max(finish_number), 0) + 1 from {table} where stream = ",
                Value(self.stream),
            )
        )
        self._update(
            self.runs,
            run,
            _finished(state, rows, cursor) + Statement(", finish_number = ", Value(int(number))),
        )
        self._delete(self.checkpoints, run)

    def forget_run(self, run: str) -> None:
        """Remove what is noted of a run."""
        self._delete(self.checkpoints, run)
        self._delete(self.runs, run)

    def last_state(self) -> dict[str, Any]:
        """Return the last finished run, and the cursor of the last one that had one."""
        rows = self.session.rows(
            Statement(
                f"select run, cursor_value from {self.database.table(self.runs)}",
                " where stream = ", Value(self.stream),
                " and finish_number is not null order by finish_number desc",
            )
        )  # fmt: skip
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
                " order by part",
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
        condition = Statement(" and part = ", Value(part), " and batches = ", Value(batches - 1))
        changed = self._update(
            self.checkpoints,
            run,
            Statement(
                "batches = batches + 1, rows_written = rows_written + ", Value(rows),
                ", bytes_written = bytes_written + ", Value(size),
                ", bad_rows = bad_rows + ", Value(bad),
                ", last_position = ", Value(dump_values(position)),
            ),
            condition,
        )  # fmt: skip
        if changed == 0:
            raise ConflictError(
                f"part {part!r} of run {run!r} is written by somebody else as well; prepare the "
                f"run again and go on where it says"
            )

    # --- SQL -----------------------------------------------------------------------------------

    def _names(self, names: Any) -> str:
        return ", ".join(map(self.database.quote, names))

    def _of(self, run: str) -> Statement:
        return Statement(" where stream = ", Value(self.stream), " and run = ", Value(run))

    def _update(self, parts: Any, run: str, sets: Statement, condition: Any = "") -> int:
        changed: int = self.session.run(
            Statement(f"update {self.database.table(parts)} set ", sets, self._of(run), condition)
        )
        return changed

    def _delete(self, parts: Any, run: str) -> None:
        self.session.run(Statement(f"delete from {self.database.table(parts)}", self._of(run)))


def _finished(state: str, rows: int, cursor: Any) -> Statement:
    return Statement(
        "state = ", Value(state), ", rows_written = ", Value(rows), ", cursor_value = ",
        Value(None if cursor is None else json.dumps(cursor)),
    )  # fmt: skip
