"""A connection to a SQL system, in transactions that are begun and ended here; no catalog."""

from __future__ import annotations

from pypods.connectors.errors import ConnectorError
from pypods.connectors.sql.statement import Statement

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Session"]


class Session:
    """A DB-API connection in transactions that are begun and ended here."""

    def __init__(self, connection: Any, database: Any) -> None:
        self.connection = connection
        self.database = database

    def rows(self, statement: Any) -> list[Any]:
        """Return all rows of a statement."""
        cursor = self.execute(statement)
        try:
            return list(cursor.fetchall())
        finally:
            cursor.close()

    def run(self, statement: Any) -> int:
        """Run a statement and return how many rows it changed; -1 where that is not known."""
        cursor = self.execute(statement)
        try:
            return int(cursor.rowcount)
        finally:
            cursor.close()

    def execute(self, statement: Any) -> Any:
        """Return a cursor on which the statement, or a plain text, was executed."""
        statement = statement if isinstance(statement, Statement) else Statement(statement)
        text, values = statement.render(self.database.style, self.database.bind)
        cursor = self.connection.cursor()
        try:
            cursor.execute(text, values) if values else cursor.execute(text)
        except BaseException:
            cursor.close()
            raise
        return cursor

    def begin(self) -> None:
        """Begin a transaction."""
        self.run("begin")

    def commit(self) -> None:
        """End the transaction, with its changes."""
        self.connection.commit()

    def rollback(self) -> None:
        """End the transaction, without its changes."""
        self.connection.rollback()

    def savepoint(self, name: str) -> None:
        """Note a place in the transaction to come back to."""
        self.run(f"savepoint {name}")

    def rollback_to(self, name: str) -> None:
        """Undo what was done since, and forget the place."""
        self.run(f"rollback to savepoint {name}")
        self.release(name)

    def release(self, name: str) -> None:
        """Forget the place."""
        self.run(f"release savepoint {name}")

    def translate(self, error: Exception) -> ConnectorError | None:
        """Return what a driver's error is for everybody; None for what is no driver's."""
        if isinstance(error, ConnectorError):
            return error
        translated: ConnectorError | None = self.database.translate(error)
        return translated

    def close(self) -> None:
        """Close the connection, without the changes of a transaction under way."""
        self.connection.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
