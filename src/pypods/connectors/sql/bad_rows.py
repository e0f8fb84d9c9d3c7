"""Batches that a system refuses for some of their rows: those are found and put aside."""

from __future__ import annotations

from pypods.connectors.bad_rows import BAD_ROWS_SUFFIX, COLUMNS, BadRow, rows_to_keep, too_many
from pypods.connectors.errors import DataError

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["DeadLetters", "insert_good_rows"]

SAVEPOINT = "pypods_rows"


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


class DeadLetters:
    """The table of refused rows beside a target."""

    def __init__(self, database: Any, session: Any, target: Any) -> None:
        self.database = database
        self.session = session
        self.parts = (*target[:-1], target[-1] + BAD_ROWS_SUFFIX)

    def create(self) -> None:
        """Make it, in the transaction under way where that can be."""
        database = self.database
        key, number, text = database.key_text_type, database.number_type, database.text_type
        types = {"run": key, "part": key, "position": number}
        columns = ", ".join(
            f"{database.quote(name)} {types.get(name, text)} not null" for name in COLUMNS
        )
        database.create_if_missing(self.session, self.parts, columns, beside=True)

    def add(self, run: str, part: str, first: int, rows: list[BadRow]) -> None:
        """Put rows aside; ``first`` is the place of their batch's first row in the part."""
        self.create()
        for values in rows_to_keep(run, part, first, rows):
            self.session.run(self.database.insert_row(self.parts, dict(zip(COLUMNS, values))))

    def forget(self, run: str) -> None:
        """Remove what a run put aside, if the table is there."""
        from pypods.connectors.sql.statement import Statement, Value

        if self.database.describe(self.session, self.parts) is not None:
            table, column = self.database.table(self.parts), self.database.quote("run")
            self.session.run(Statement(f"delete from {table} where {column} = ", Value(run)))
