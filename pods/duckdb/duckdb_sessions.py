"""A connection to a DuckDB file, with savepoints, which DuckDB has not; no catalog."""

from __future__ import annotations

import duckdb

from pypods.connectors.sql.session import Session
from pypods.connectors.sql.statement import Statement

#: What a batch is called in SQL while it is inserted.
BATCH = "pypods_batch"


class DuckdbSession(Session):
    """A connection in transactions. DuckDB has no savepoints: what came before one is done again.

    So a transaction remembers what was done in it, from the first savepoint on.
    """

    def __init__(self, connection, database) -> None:
        super().__init__(connection, database)
        self._done: list = []
        self._savepoint = None

    def execute(self, statement):
        """Return the connection, on which the statement was executed."""
        statement = statement if isinstance(statement, Statement) else Statement(statement)
        text, values = statement.render("dollar", self.database.bind)
        return self.connection.execute(text, values or None)

    def rows(self, statement):
        """Return all rows of a statement."""
        return self.execute(statement).fetchall()

    def run(self, statement) -> int:
        """Run a statement and return how many rows it changed; -1 where that is not known."""
        result = self.execute(statement)
        self._done.append(lambda: self.execute(statement))
        described = result.description
        if described and described[0][0] == "Count":
            rows = result.fetchall()
            return int(rows[0][0]) if rows else -1
        return -1

    def insert(self, text: str, batch) -> None:
        """Run a statement that reads a batch by its name."""

        def do() -> None:
            import pyarrow as pa

            self.connection.register(BATCH, pa.Table.from_batches([batch]))
            self.connection.execute(text)
            # Not after a failure: nothing can be done then but to roll back, which forgets it.
            self.connection.unregister(BATCH)

        do()
        self._done.append(do)

    def begin(self) -> None:
        """Begin a transaction."""
        self.connection.execute("begin transaction")
        self._done = []

    def commit(self) -> None:
        """End the transaction, with its changes."""
        self._done = []
        self.connection.execute("commit")

    def rollback(self) -> None:
        """End the transaction, if DuckDB has not done so itself."""
        self._done = []
        try:
            self.connection.execute("rollback")
        except duckdb.TransactionException:
            return
        self.connection.unregister(BATCH)

    def savepoint(self, name: str) -> None:
        """Note what was done until here."""
        self._savepoint = len(self._done)

    def rollback_to(self, name: str) -> None:
        """Begin anew, and do again what was done until the savepoint."""
        done = self._done[: self._savepoint]
        self.rollback()
        self.begin()
        for do in done:
            do()
        self._done = done

    def release(self, name: str) -> None:
        """Forget the savepoint."""
        self._savepoint = None
