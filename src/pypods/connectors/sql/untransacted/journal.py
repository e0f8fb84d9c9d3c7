"""The bookkeeping of systems without transactions: rows that are only ever added.

What a transaction would do is done by one INSERT that adds one row, which is there or is not. Each
run has a log of its own; what it says is found by reading it from its beginning.

A batch waits in the staging table under a token that nobody else has, and counts once a checkpoint
names the token. ``prepare`` notes a new attempt, then which checkpoints of earlier ones count; a
writer of an earlier attempt may go on for a moment, and nobody looks at what it adds.
"""

from __future__ import annotations

import json

from pypods.connectors.errors import ConflictError
from pypods.connectors.json_values import dump_schema, dump_values, load_schema, load_values
from pypods.connectors.names import short_hash
from pypods.connectors.sql.statement import Statement, Value

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Journal", "LoggedRun"]

TEXT, NUMBER = "text", "number"
#: Texts are JSON in ASCII, so that no system's files have to escape anything in them.
LOG_COLUMNS = {
    "attempt": NUMBER,
    "kind": TEXT,
    "part": TEXT,
    "batch": NUMBER,
    "token": NUMBER,
    "body": TEXT,
}
RUN_COLUMNS = {
    "stream": TEXT,
    "run": TEXT,
    "finish_number": NUMBER,
    "rows_written": NUMBER,
    "cursor_value": TEXT,
}
#: Below an attempt's number are bits of chance: two who count up at the same time are two.
CHANCE_BITS = 20


class LoggedRun:
    """One run of a stream, as its log says, or as it is noted once it is finished."""

    def __init__(self, run: str, attempt: int, begun: Any, *, finished: Any = None) -> None:
        self.run = run
        self.attempt = attempt
        self.finished = finished is not None
        self.rows = None if finished is None else int(finished[0])
        self.cursor: Any = None if finished is None else json.loads(finished[1])
        begun = begun or {"mode": "", "key": [], "drift": "", "staging": "", "schema": None}
        self.mode: str = begun["mode"]
        self.key: list[str] = begun["key"]
        self.drift: str = begun["drift"]
        self.staging: str = begun["staging"]
        self.source_schema = None if begun["schema"] is None else load_schema(begun["schema"])


class Entries:
    """What a log says; ``parts`` has the checkpoints that count, in their order."""

    def __init__(self, rows: Any) -> None:
        self.attempt = 0
        self.begun: Any = None
        self.ready: Any = None
        self.built: list[str] = []
        self.parts: dict[str, list[dict[str, Any]]] = {}
        #: Whether there are checkpoints of the last attempt that do not follow one another.
        self.torn = False
        kept: dict[int, Any] = {}
        made: dict[int, dict[str, dict[int, list[Any]]]] = {}
        latest = {"begin": 0, "ready": 0}
        for attempt, kind, part, batch, _, body in rows:
            attempt = int(attempt)
            if kind == "attempt":
                self.attempt = max(self.attempt, attempt)
            elif kind == "build":
                self.built.append(json.loads(body))
            elif kind == "checkpoint":
                numbers = made.setdefault(attempt, {}).setdefault(json.loads(part), {})
                numbers.setdefault(int(batch), []).append(json.loads(body))
            elif kind == "kept":
                kept[attempt] = json.loads(body)
            elif kind in latest and attempt >= latest[kind]:
                latest[kind] = attempt
                if kind == "begin":
                    self.begun = json.loads(body)
                    kept.setdefault(attempt, {"parts": {}, "torn": False})
                else:
                    self.ready = json.loads(body)
        for attempt in sorted(kept):
            self._go_on(attempt, kept[attempt], made.get(attempt, {}))

    def _go_on(self, attempt: int, noted: dict[str, Any], made: dict[str, Any]) -> None:
        """Take what an attempt kept of those before it, and what it added."""
        self.torn, kept = noted["torn"], noted["parts"]
        parts = {part: self.parts.get(part, [])[:count] for part, count in kept.items() if count}
        if any(len(parts[part]) < count for part, count in kept.items() if count):
            raise ConflictError(
                f"attempt {attempt} went on from checkpoints that are not there any more; "
                f"abandon the run and begin anew"
            )
        for part, numbers in made.items():
            chain = parts.setdefault(part, [])
            # Two of one number: two writers had the part at the same time, and neither counts.
            while len(numbers.get(len(chain) + 1, ())) == 1:
                chain.append(numbers[len(chain) + 1][0])
            self.torn = self.torn or len(chain) < max(numbers)
        self.parts = parts


class Journal:
    """A log for each run, and one table of finished runs, in the schema of the target."""

    def __init__(self, database: Any, session: Any, target: Any) -> None:
        self.database = database
        self.session = session
        self.target = tuple(target)
        self.stream = target[-1]
        self.runs = (*target[:-1], f"{database.own_prefix}runs")
        self.attempt = 0
        #: Of the batch under way: tokens under which its rows wait, and its rows put aside.
        self.tokens: list[int] = []
        self.letters: list[Any] = []
        self._new_parts: set[str] = set()
        #: The rows that were read last, and those that were added here since.
        self._rows: dict[str, list[Any]] = {}
        self._finished: dict[str, Any] = {}

    @property
    def first_attempt(self) -> int:
        """What the attempt that was noted last is called."""
        return self.attempt

    def place(self, run: str, what: str = "") -> tuple[str, ...]:
        """Return the name of one of a run's own tables: its log, or what ``staging`` says."""
        return (
            *self.target[:-1],
            f"{self.database.own_prefix}{short_hash(self.stream, run)}{what}",
        )

    def log(self, run: str) -> tuple[str, ...]:
        """Return the name of a run's log."""
        return self.place(run, "_log")

    def exists(self) -> bool:
        """Whether anything was ever noted here."""
        return bool(self.database.is_there(self.session, self.runs))

    def create(self) -> None:
        """Make the table of finished runs where it is missing."""
        self.database.create_log(self.session, self.runs, RUN_COLUMNS)

    # --- runs ----------------------------------------------------------------------------------

    def read(self, run: str, *, fresh: bool = False) -> Entries:
        """Return what a run's log says; unless ``fresh``, as it was read before."""
        if run in self._rows and not fresh:
            return Entries(self._rows[run])
        names = ", ".join(map(self.database.quote, LOG_COLUMNS))
        table = self.database.table(self.log(run))
        self._rows[run] = list(self.session.rows(f"select {names} from {table}"))
        return Entries(self._rows[run])

    def note(
        self, run: str, kind: str, body: Any = None, *, part: str = "", batch: int = 0
    ) -> None:
        """Add one row to a run's log."""
        self._add(run, [self._row(kind, body, part, batch, 0)])

    def _add(self, run: str, rows: list[list[Any]]) -> None:
        self.database.insert_rows(self.session, self.log(run), LOG_COLUMNS, rows)
        if run in self._rows:
            self._rows[run] += rows

    def _row(self, kind: str, body: Any, part: str, batch: int, token: int) -> list[Any]:
        return [self.attempt, kind, json.dumps(part), batch, token, json.dumps(body)]

    def next_attempt(self, run: str, *, finishing: bool = False) -> int:
        """Note one more attempt of a run: from now on an earlier one's checkpoints do not count.

        Raises ConflictError where somebody else does so at the same time.
        """
        import os

        if self.finished(run) is not None:
            return 0
        if not finishing:
            self.database.create_log(self.session, self.log(run), LOG_COLUMNS)
        last = self.read(run).attempt
        chance = int.from_bytes(os.urandom(4), "little") % 2**CHANCE_BITS
        self.attempt = (((last >> CHANCE_BITS) + 1) << CHANCE_BITS) + chance
        self.note(run, "attempt")
        entries = self.read(run, fresh=True)
        self._check_attempt(run, entries.attempt)
        if entries.begun is not None:
            kept = {part: len(chain) for part, chain in entries.parts.items()}
            # Who prepares is told where to go on; who finishes has to know that something is torn.
            self.note(run, "kept", {"parts": kept, "torn": finishing and entries.torn})
        return self.attempt

    def _check_attempt(self, run: str, last: int) -> None:
        if last != self.attempt:
            raise ConflictError(
                f"run {run!r} of {self.stream!r} was taken over by another attempt; "
                f"prepare it again"
            )

    def finished(self, run: str) -> Any:
        """Return rows and cursor of a finished run, or None."""
        if run in self._finished:
            return self._finished[run]
        rows = self.session.rows(
            Statement(
                f"select rows_written, cursor_value from {self.database.table(self.runs)}",
                " where stream = ", Value(json.dumps(self.stream)),
                " and run = ", Value(json.dumps(run)),
            )
        )  # fmt: skip
        self._finished[run] = rows[0] if rows else None
        return self._finished[run]

    def find(self, run: str) -> LoggedRun | None:
        """Return a run, if there is one."""
        finished = self.finished(run)
        if finished is not None:
            return LoggedRun(run, 0, None, finished=finished)
        if run not in self._rows and not self.database.is_there(self.session, self.log(run)):
            return None
        entries = self.read(run)
        if entries.begun is None:
            return None
        return LoggedRun(run, entries.attempt, entries.begun)

    def begin_run(
        self, run: str, *, mode: str, key: Any, drift: str, staging: str, source_schema: Any
    ) -> None:
        """Note a new run."""
        schema = dump_schema(source_schema)
        begun = {"mode": mode, "key": list(key), "drift": drift, "staging": staging}
        self.note(run, "begin", {**begun, "schema": schema})
        self._check_attempt(run, self.read(run, fresh=True).attempt)

    def hold_attempt(self, run: str, attempt: int, part: str | None = None) -> None:
        """Look whether an attempt is still the last one, of all parts. Raises ConflictError."""
        self.attempt = attempt
        table = self.database.table(self.log(run))
        try:
            ((last,),) = self.session.rows(
                f"select max(attempt) from {table} where kind = 'attempt'"
            )
        except Exception:
            if self.database.is_there(self.session, self.log(run)):
                raise
            raise ConflictError(
                f"run {run!r} of {self.stream!r} is gone; prepare it again"
            ) from None
        self._check_attempt(run, int(last or 0))

    def finish_run(self, run: str, *, rows: int, cursor: Any) -> None:
        """Note that a run is finished, with its cursor."""
        ((number,),) = self.session.rows(
            Statement(
                f"select max(finish_number) from {self.database.table(self.runs)}",
                " where stream = ", Value(json.dumps(self.stream)),
            )
        )  # fmt: skip
        row = [json.dumps(self.stream), json.dumps(run), int(number or 0) + 1, rows,
               json.dumps(cursor)]  # fmt: skip
        self.database.insert_rows(self.session, self.runs, RUN_COLUMNS, [row])

    def forget_run(self, run: str) -> None:
        """Remove the log of a run, and what it says was made for it."""
        if run not in self._rows and not self.database.is_there(self.session, self.log(run)):
            return
        for name in self.read(run).built:
            self.database.drop_table(self.session, (*self.target[:-1], name))
        self.database.drop_table(self.session, self.place(run))
        self.database.drop_table(self.session, self.log(run))

    def last_state(self) -> dict[str, Any]:
        """Return the last finished run, and the cursor of the last one that had one."""
        rows = self.session.rows(
            Statement(
                "select finish_number, run, cursor_value from ",
                self.database.table(self.runs),
                " where stream = ", Value(json.dumps(self.stream)),
            )
        )  # fmt: skip
        rows = sorted(rows, key=lambda row: int(row[0]), reverse=True)
        cursors = (json.loads(cursor) for _, _, cursor in rows)
        return {
            "cursor": next((each for each in cursors if each is not None), None),
            "run": json.loads(rows[0][1]) if rows else None,
        }

    # --- checkpoints ---------------------------------------------------------------------------

    def begin_part(self, run: str, part: str) -> None:
        """Know a part that nothing of is written yet."""
        self._new_parts.add(part)

    def parts(self, run: str) -> dict[str, dict[str, Any]]:
        """Return how far each part of a run has come."""
        nothing: dict[str, list[Any]] = {part: [] for part in self._new_parts}
        return {
            part: {
                **{
                    name: sum(int(each[name]) for each in chain)
                    for name in ("rows", "bytes", "bad")
                },
                "batches": len(chain),
                "position": load_values(chain[-1]["position"]) if chain else [],
            }
            for part, chain in sorted({**nothing, **self.read(run).parts}.items())
        }

    def checkpoint(
        self, run: str, part: str, *, batches: int, rows: int, size: int, bad: int, position: Any
    ) -> None:
        """Note one more batch, the ``batches``-th."""
        body = {
            "rows": rows,
            "bytes": size,
            "bad": bad,
            "position": dump_values(position),
            "tokens": self.tokens,
            "letters": self.letters,
        }
        self.note(run, "checkpoint", body, part=part, batch=batches)
        self.tokens, self.letters = [], []

    def count(self, run: str, entries: Entries) -> Statement:
        """Return the condition for the rows whose tokens count, which are noted if they are many.

        A list that nobody adds to: what a late writer notes meanwhile is not in it.
        """
        tokens = [
            token for chain in entries.parts.values() for each in chain for token in each["tokens"]
        ]
        column = self.database.quote(self.database.token_column)
        if 0 < len(tokens) <= self.database.most_listed_tokens:
            return Statement(f"{column} in ({', '.join(map(str, tokens))})")
        if tokens:
            rows = [self._row("counted", None, "", 0, token) for token in tokens]
            self._add(run, rows)
        return Statement(
            f"{column} in (select token from "
            f"{self.database.table(self.log(run))} where kind = 'counted' "
            f"and attempt = {self.attempt:d})"
        )
