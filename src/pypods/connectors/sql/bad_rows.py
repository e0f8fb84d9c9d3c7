"""Batches that a system refuses for some of their rows: those are found and put aside."""

from __future__ import annotations

from pypods.connectors.errors import DataError
from pypods.connectors.json_values import row_as_json

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["BadRow", "SUFFIX", "DeadLetters", "insert_good_rows"]

SUFFIX = "__bad_rows"
SAVEPOINT = "pypods_rows"
_COLUMNS = ("run", "part", "position", "reason", "row_json")


class BadRow:
    """A row that was refused: its place in the batch, why, and itself."""

    def __init__(self, at: int, reason: str, row: dict[str, Any]) -> None:
        self.at = at
        self.reason = reason
        self.row = row


def insert_good_rows(
    session: Any, insert: Callable[[Any], None], batch: Any, *, most: int
) -> list[BadRow]:
    """Insert a batch but for the rows that are refused; return those.

    A part that is refused is undone to a savepoint and halved. Raises DataError when there are
    more than ``most``.
    """
    bad: list[BadRow] = []
    parts = [(0, batch)]
    while parts:
        start, part = parts.pop()
        session.savepoint(SAVEPOINT)
        try:
            insert(part)
        except Exception as exc:
            error = session.translate(exc)
            if not isinstance(error, DataError):
                raise
            session.rollback_to(SAVEPOINT)
            if part.num_rows > 1:
                middle = part.num_rows // 2
                # The first half is next: bad rows are found in their order.
                parts += [(start + middle, part.slice(middle)), (start, part.slice(0, middle))]
                continue
            bad.append(BadRow(start, str(error), part.to_pylist()[0]))
            if len(bad) > most:
                raise too_many(len(bad), most, bad[-1]) from None
        else:
            session.release(SAVEPOINT)
    return bad


def too_many(count: int, most: int, last: BadRow) -> DataError:
    """Return the error for a run with more bad rows than it may have."""
    return DataError(
        f"{count} bad rows in this batch, and {most} more are allowed in the run; the last one, "
        f"row {last.at} of the batch: {last.reason}",
        position=last.at,
    )


class DeadLetters:
    """The table of refused rows beside a target."""

    def __init__(self, database: Any, session: Any, target: Any) -> None:
        self.database = database
        self.session = session
        self.parts = (*target[:-1], target[-1] + SUFFIX)

    def create(self) -> None:
        """Make it, in the transaction under way."""
        database = self.database
        key, number, text = database.key_text_type, database.number_type, database.text_type
        types = zip(_COLUMNS, (key, key, number, text, text))
        columns = ", ".join(f"{database.quote(name)} {type_} not null" for name, type_ in types)
        database.create_if_missing(self.session, self.parts, columns)

    def add(self, run: str, part: str, first: int, rows: list[BadRow]) -> None:
        """Put rows aside; ``first`` is the place of their batch's first row in the part."""
        self.create()
        for each in rows:
            values = (run, part, first + each.at, each.reason, row_as_json(each.row))
            self.session.run(self.database.insert_row(self.parts, dict(zip(_COLUMNS, values))))

    def forget(self, run: str) -> None:
        """Remove what a run put aside, if the table is there."""
        from pypods.connectors.sql.statement import Statement, Value

        if self.database.describe(self.session, self.parts) is not None:
            table, column = self.database.table(self.parts), self.database.quote("run")
            self.session.run(Statement(f"delete from {table} where {column} = ", Value(run)))
