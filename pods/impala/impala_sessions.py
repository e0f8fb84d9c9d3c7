"""A connection to HiveServer2: no transactions, values as literals."""

from __future__ import annotations

import re

from impala import dbapi, error

from pypods.connectors.sql.session import Session
from pypods.connectors.sql.statement import Value

from .impala_values import literal

#: Open connections that no session has, by their settings: a session of the server's is what takes
#: longest. Each is a connection, its cursor and what the server says that it is.
_free: dict = {}


def _open(settings):
    connection = dbapi.connect(
        host=settings["host"],
        port=settings["port"],
        auth_mechanism=settings["auth_mechanism"],
        user=settings["user"],
        # PLAIN needs one, and a server without passwords takes any.
        password=settings["password"] or (None if settings["auth_mechanism"] == "NOSASL" else "-"),
        use_ssl=settings["use_ssl"],
        ca_cert=settings["ca_cert"],
        verify_cert=settings["verify_cert"],
        timeout=settings["timeout"],
        retries=1,
    )
    cursor = connection.cursor(convert_types=False)
    cursor.execute("select version()")
    ((version,),) = cursor.fetchall()
    return connection, cursor, version


class ImpalaSession(Session):
    """A connection. Each statement is by itself, so a transaction begins and ends nothing."""

    def __init__(self, settings, database) -> None:
        self._key = tuple(sorted((name, str(value)) for name, value in settings.items()))
        free = _free.setdefault(self._key, [])
        connection, self.cursor, self.version = free.pop() if free else _open(settings)
        super().__init__(connection, database)
        self._is_good = True
        self.default = settings["database"]

    @property
    def kind(self) -> str:
        """Which server it is: impala, hive, or spark, whose versions end with a commit."""
        if "impala" in self.version.lower():
            return "impala"
        return "spark" if re.search(r" [0-9a-f]{40}$", self.version) else "hive"

    def refresh(self, parts) -> None:
        """Make the server forget which files a table had when this session saw it last."""
        words = {"spark": "refresh table", "impala": "refresh"}.get(self.kind)
        if words:
            self.run(f"{words} {self.database.table(parts)}")

    def text_of(self, statement) -> str:
        """Return a statement with its values in it, as literals."""
        if isinstance(statement, str):
            return statement
        return "".join(
            self._literal(piece) if isinstance(piece, Value) else piece
            for piece in statement.pieces
        )

    def _literal(self, value: Value) -> str:
        given = self.database.bind(value)
        sql_type = "" if value.field is None else self.database.type_sql(value.field)
        return literal(given, sql_type)

    def execute(self, statement):
        """Return the session's cursor, on which the statement was executed."""
        self._is_good = False
        try:
            self.cursor.execute(self.text_of(statement))
        except error.OperationalError:
            self._is_good = True  # The server's answer: the connection is as it was.
            raise
        self._is_good = True
        return self.cursor

    def rows(self, statement):
        """Return all rows of a statement, bytes as text."""
        cursor = self.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
        return [
            tuple(each.decode() if isinstance(each, bytes) else each for each in row)
            for row in rows
        ]

    def run(self, statement) -> int:
        """Run a statement; how many rows it changed is not told."""
        self.execute(statement)
        return -1

    def insert_values(self, parts, names, rows, most_characters: int) -> None:
        """Insert rows that are texts already, in statements of at most so many characters."""
        listed = ", ".join(map(self.database.quote, names))
        begin = f"insert into {self.database.table(parts)} ({listed}) values "
        some, size = [], 0
        for row in rows:
            if some and size + len(row) > most_characters:
                self.run(begin + ", ".join(some))
                some, size = [], 0
            some.append(row)
            size += len(row)
        if some:
            self.run(begin + ", ".join(some))

    def location(self, parts) -> str:
        """Return where the files of a table are."""
        return self.properties(parts).get("location", "")

    def properties(self, parts) -> dict:
        """Return what DESCRIBE FORMATTED says beside columns, by names in lower case."""
        found = {}
        for name, value, *_ in self.rows(f"describe formatted {self.database.table(parts)}"):
            found.setdefault(re.sub(r"[\s:]+$", "", name or "").lower(), (value or "").strip())
        return found

    def close(self) -> None:
        """Keep the connection for the next session, unless it was lost."""
        if self._is_good:
            _free[self._key].append((self.connection, self.cursor, self.version))
        else:
            self.connection.close()

    def begin(self) -> None:
        """Begin nothing."""

    def commit(self) -> None:
        """End nothing: what was done is there."""

    def rollback(self) -> None:
        """End nothing: what was done is there."""

    def savepoint(self, name: str) -> None:
        """Note nothing: an INSERT that fails has a token that never counts."""

    def rollback_to(self, name: str) -> None:
        """Undo nothing."""

    def release(self, name: str) -> None:
        """Forget nothing."""
