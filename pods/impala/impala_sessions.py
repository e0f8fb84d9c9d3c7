"""One session of a HiveServer2: no transactions, statements whose values are part of their text."""

from __future__ import annotations

import getpass
from contextlib import suppress

from impala.dbapi import connect as _connect

from pypods.connectors.errors import SettingsError
from pypods.connectors.sql.statement import Statement, Value
from pypods.connectors.sql.untransacted.session import UntransactedSession

from .impala_dialects import dialect_of
from .impala_values import literal

AUTH_MECHANISMS = ("NOSASL", "PLAIN", "LDAP", "GSSAPI")
#: What answers at an address, once it was asked.
_dialects: dict = {}


def connect(settings):
    """Return a connection of the driver's, which has no session yet."""
    if settings["auth_mechanism"] not in AUTH_MECHANISMS:
        raise SettingsError(
            f"auth_mechanism is one of {', '.join(AUTH_MECHANISMS)}, "
            f"not {settings['auth_mechanism']!r}"
        )
    return _connect(
        host=settings["host"],
        port=settings["port"],
        timeout=settings["timeout"],
        use_ssl=settings["use_ssl"],
        ca_cert=settings["ca_cert"],
        verify_cert=settings["verify"],
        auth_mechanism=settings["auth_mechanism"],
        user=settings["user"],
        password=settings["password"],
        kerberos_service_name=settings["kerberos_service_name"],
        use_http_transport=settings["http_transport"],
        http_path=settings["http_path"],
    )


def _cursor(connection, settings, configuration):
    return connection.cursor(
        user=settings["user"] or getpass.getuser(),
        configuration=configuration,
        convert_types=False,
        convert_strings_to_unicode=False,
        # It would ask for the log of each first, which servers need not keep.
        close_finished_queries=False,
    )


def _text(value):
    return value.decode() if isinstance(value, bytes) else value


class ImpalaSession(UntransactedSession):
    """A session, with a cursor that runs all its statements."""

    def __init__(self, settings, database) -> None:
        super().__init__(connect(settings), database)
        self.default = settings["database"].lower()
        #: What was last seen of targets, by their names: see ``impala_swap.mark_state``.
        self.marks: dict = {}
        #: Targets that this session has looked after, and the new table that it has made.
        self.settled: set = set()
        self.made: tuple = ("", "")
        #: What tables were when this session last looked at them.
        self.seen: dict = {}
        try:
            self.dialect, self.version = self._ask(settings)
            self.cursor = _cursor(self.connection, settings, self.dialect.configuration)
            self.run(f"use {database.quote(self.default)}")
        except BaseException:
            self.close()
            raise

    def _ask(self, settings):
        """Return the dialect of the server, and what it calls its version."""
        address = (settings["host"], settings["port"], settings["http_path"])
        if address not in _dialects:
            self.cursor = _cursor(self.connection, settings, {})
            self.cursor.execute("select version()")
            version = _text(self.cursor.fetchall()[0][0])
            self.cursor.close()
            _dialects[address] = dialect_of(version), version
        return _dialects[address]

    def text_of(self, statement) -> str:
        """Return a statement's text, with its values in it."""
        if isinstance(statement, str):
            return statement
        database = self.database
        return "".join(
            literal(database.bind(each), each.field, self.dialect)
            if isinstance(each, Value)
            else each
            for each in Statement(statement).pieces
        )

    def execute(self, statement):
        """Return the session's cursor, on which the statement was executed."""
        self.cursor.execute(self.text_of(statement))
        return self.cursor

    def rows(self, statement):
        """Return all rows of a statement."""
        found = self.execute(statement).fetchall()
        return [tuple(_text(value) for value in row) for row in found]

    def run(self, statement) -> int:
        """Run a statement and return how many rows it changed; -1 where that is not known."""
        return int(self.execute(statement).rowcount)

    def close(self) -> None:
        """End the session, and what it is doing."""
        # A server that is gone has ended it.
        if hasattr(self, "cursor"):
            with suppress(Exception):
                self.cursor.close()
        with suppress(Exception):
            self.connection.close()
