"""Connections to Oracle in transactions, which what is done to tables does not end; no catalog."""

from __future__ import annotations

import datetime as dt

import oracledb

from pypods.connectors.errors import SettingsError
from pypods.connectors.sql.session import Session

#: A statement on tables ends its transaction; this one is another one than the session's.
APART = "declare pragma autonomous_transaction; begin execute immediate :1; end;"
#: A zone and forms in which what the driver has no type for is compared and written.
OPTIONS = (
    "alter session set time_zone = '+00:00' nls_numeric_characters = '.,' "
    "nls_date_format = 'YYYY-MM-DD\"T\"HH24:MI:SS' "
    "nls_timestamp_format = 'YYYY-MM-DD\"T\"HH24:MI:SS.FF' ddl_lock_timeout = 10"
)
#: Bytes of a text that a block of PL/SQL takes as one.
INLINE_BYTES = 32_000


def arguments_of(settings) -> dict:
    """Return what the driver's ``connect`` takes."""
    where = [name for name in ("service_name", "sid", "dsn") if settings[name] is not None]
    if len(where) != 1:
        raise SettingsError("oracle needs one of the settings 'service_name', 'sid' and 'dsn'")
    names = ["user", "password", "wallet_location", "wallet_password", "config_dir", *where]
    if "dsn" not in where:
        names += ["host", "port", "protocol"]
    given = {name: settings[name] for name in names if settings[name] is not None}
    return {
        **given,
        "ssl_server_dn_match": settings["ssl_server_dn_match"],
        "tcp_connect_timeout": float(settings["connect_timeout"]),
    }


class OracleSession(Session):
    """A session whose transaction begins with its first change."""

    def __init__(self, settings, database) -> None:
        # Texts and numbers as they are, instead of handles and floats.
        oracledb.defaults.fetch_lobs = False
        oracledb.defaults.fetch_decimals = True
        self.settings = settings
        super().__init__(oracledb.connect(**arguments_of(settings)), database)
        try:
            self.run(OPTIONS)
        except BaseException:
            self.connection.close()
            raise

    def execute(self, statement):
        """Return a cursor on which the statement, or a plain text, was executed."""
        from pypods.connectors.sql.statement import Statement

        statement = statement if isinstance(statement, Statement) else Statement(statement)
        text, values = statement.render(self.database.style, self.database.bind)
        cursor = self.connection.cursor()
        try:
            if values:
                cursor.setinputsizes(*[bind_type(value) for value in values])
            cursor.execute(text, values) if values else cursor.execute(text)
        except BaseException:
            cursor.close()
            raise
        return cursor

    def change_tables(self, text: str) -> None:
        """Run a statement on tables, at once and for good, without ending the transaction."""
        value = text
        if len(text.encode()) > INLINE_BYTES:
            value = self.connection.createlob(oracledb.DB_TYPE_CLOB, text)
        cursor = self.connection.cursor()
        try:
            cursor.execute(APART, [value])
        finally:
            cursor.close()

    def begin(self) -> None:
        """Begin a transaction: nothing is under way, so the next change does."""

    def release(self, name: str) -> None:
        """Leave the place; Oracle forgets it with the transaction."""


def bind_type(value):
    """Return the type as which a condition's value is bound; None: the driver knows."""
    if isinstance(value, dt.datetime):
        return oracledb.DB_TYPE_TIMESTAMP
    return oracledb.DB_TYPE_BINARY_DOUBLE if isinstance(value, float) else None
