"""A client of ClickHouse's HTTP interface as a session: no transactions, values bound by it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import UUID

import clickhouse_connect
from clickhouse_connect import common

from pypods.connectors.errors import SettingsError
from pypods.connectors.sql.statement import Value
from pypods.connectors.sql.untransacted.session import UntransactedSession
from pypods.connectors.types import kind_of

from .clickhouse_types import split_type, sql_type_of

#: What sessions rely on. A user who may change none of it reads all the same.
_SETTINGS = {
    "session_timezone": "UTC",
    "join_use_nulls": 1,
    "async_insert": 0,
    "mutations_sync": 2,
    "alter_sync": 2,
    "input_format_null_as_default": 0,
}


#: A client asks the server for hundreds of settings before its first statement, and holds nothing.
_clients: dict = {}


def _connect(settings):
    common.set_setting("invalid_setting_action", "drop")
    return clickhouse_connect.get_client(
        host=settings["host"],
        port=settings["port"] or (8443 if settings["secure"] else 8123),
        database=settings["database"],
        username=settings["user"],
        password=settings["password"] or "",
        secure=settings["secure"],
        verify=settings["verify"],
        ca_cert=settings["ca_cert"],
        connect_timeout=settings["connect_timeout"],
        send_receive_timeout=settings["timeout"],
        settings=_SETTINGS,
        autogenerate_session_id=False,
        query_limit=0,
    )


class ClickhouseSession(UntransactedSession):
    """A client, which sessions with the same settings share."""

    def __init__(self, settings, database) -> None:
        known = tuple(sorted((name, str(value)) for name, value in settings.items()))
        if known not in _clients:
            _clients[known] = _connect(settings)
        super().__init__(_clients[known], database)
        self._checked: set = set()
        #: How targets were when they were last looked at: see ``clickhouse_swap.mark_state``.
        self.marks: dict = {}

    def once(self, check, name: str) -> None:
        """Check something by its name, unless this session did."""
        if (check, name) not in self._checked:
            check(self, name)
            self._checked.add((check, name))

    def bound(self, statement):
        """Return a statement's text, with places for values, and the values."""
        if isinstance(statement, str):
            return statement, None
        text, values = [], {}
        for piece in statement.pieces:
            if not isinstance(piece, Value):
                text.append(piece)
                continue
            form, given = _placed(piece, f"p{len(values)}", self.database)
            text.append(form)
            if given is not None:
                values[f"p{len(values)}"] = given
        return "".join(text), values or None

    def rows(self, statement):
        """Return all rows of a statement."""
        text, values = self.bound(statement)
        return list(self.connection.query(text, parameters=values).result_rows)

    def run(self, statement) -> int:
        """Run a statement and return how many rows it wrote; -1 where that is not known."""
        text, values = self.bound(statement)
        said = self.connection.command(text, parameters=values)
        return int(getattr(said, "written_rows", 0) or -1)

    def stream(self, statement, settings):
        """Return a context manager of a SELECT's record batches."""
        text, values = self.bound(statement)
        return self.connection.query_arrow_stream(
            text, parameters=values, settings=settings, use_strings=True
        )

    def insert(self, parts, table) -> None:
        """Insert an Arrow table."""
        self.connection.insert_arrow(self.database.table(parts), table)

    def close(self) -> None:
        """Keep the client for the next session."""


def _placed(value: Value, name: str, database):
    """Return what stands in SQL for a value, and the text that is bound to it."""
    given = value.value if value.field is None else database.bind(value)
    if given is None:
        return "NULL", None
    if isinstance(given, (list, tuple, dict)):
        raise SettingsError(f"{given!r} cannot be compared with a column")
    if value.field is None:
        kind = "Int64" if isinstance(given, int) else "String"
        return f"{{{name}:{kind}}}", given if kind == "Int64" else str(given)
    base, _ = split_type(sql_type_of(value.field))
    if isinstance(given, bytes) and kind_of(value.field) == "uuid":
        given = str(UUID(bytes=given))
    if isinstance(given, bytes):
        return f"unhex({{{name}:String}})", given.hex()
    if isinstance(given, dt.datetime):
        if given.tzinfo is not None:
            given = given.astimezone(dt.timezone.utc)
        base = "DateTime64(6, 'UTC')"
        given = f"{given:%H:%M:%S.%f}".join((f"{given.year:04d}-{given:%m-%d} ", ""))
    elif isinstance(given, bool):
        given = "true" if given else "false"
    elif isinstance(given, Decimal):
        given = f"{given:f}"
    elif isinstance(given, dt.time):
        given = given.isoformat("microseconds")
    elif isinstance(given, float):
        given = repr(given)
    if base == "String":
        return f"{{{name}:String}}", str(given)
    return f"cast({{{name}:String}} as {base})", str(given)
