"""Connections to SQL Server in transactions, with savepoints; no catalog."""

from __future__ import annotations

import mssql_python

from pypods.connectors.errors import ConflictError, SettingsError
from pypods.connectors.sql.session import Session

ENCRYPT = ("yes", "no", "strict")
#: An error undoes the whole transaction. That nothing is cut off without one is ODBC's default.
OPTIONS = "set xact_abort on"


def connection_string(settings) -> str:
    """Return ODBC's text for the settings, each value in braces."""
    if settings["encrypt"] not in ENCRYPT:
        raise SettingsError(f"setting 'encrypt' of mssql is one of {', '.join(ENCRYPT)}")
    # An instance has a name, and its port is asked for.
    has_port = settings["port"] is not None and "\\" not in settings["host"]
    values = {
        "Server": f"{settings['host']},{settings['port']}" if has_port else settings["host"],
        "Database": settings["database"],
        "UID": settings["user"],
        "PWD": settings["password"],
        "Authentication": settings["authentication"],
        "Encrypt": settings["encrypt"],
        "TrustServerCertificate": "yes" if settings["trust_server_certificate"] else "no",
        "HostnameInCertificate": settings["host_name_in_certificate"],
        "ServerCertificate": settings["server_certificate"],
    }
    return ";".join(
        f"{name}={{{value.replace('}', '}}')}}}"
        for name, value in values.items()
        if value is not None
    )


class MssqlSession(Session):
    """A session of autocommitted statements, but for those between begin and commit."""

    def __init__(self, settings, database) -> None:
        # What a session set must not be there for the next one.
        mssql_python.pooling(enabled=False)
        connection = mssql_python.connect(
            connection_string(settings), autocommit=True, timeout=settings["connect_timeout"]
        )
        super().__init__(connection, database)
        try:
            self.run(OPTIONS)
        except BaseException:
            connection.close()
            raise

    def rows(self, statement):
        """Return all rows of a statement, as tuples."""
        return [tuple(row) for row in super().rows(statement)]

    def begin(self) -> None:
        """Begin a transaction, with the next statement."""
        self.connection.setautocommit(False)

    def commit(self) -> None:
        """End the transaction, with its changes."""
        self.connection.commit()
        self.connection.setautocommit(True)

    def rollback(self) -> None:
        """End the transaction, without its changes; the server may have done so already."""
        self.connection.rollback()
        self.connection.setautocommit(True)

    def savepoint(self, name: str) -> None:
        """Note a place in the transaction; until it is gone an error undoes its statement alone."""
        self.run("set xact_abort off")
        self.run(f"save transaction {name}")

    def rollback_to(self, name: str) -> None:
        """Undo what was done since. Some errors undo the whole transaction all the same."""
        if not self.rows("select @@trancount")[0][0]:
            raise ConflictError(
                "SQL Server undid the whole transaction and not the refused row alone; "
                "go on where the checkpoint says, with bad_rows=fail to see which row it was"
            )
        self.run(f"rollback transaction {name}")
        self.run("set xact_abort on")

    def release(self, name: str) -> None:
        """Forget the place."""
        self.run("set xact_abort on")
