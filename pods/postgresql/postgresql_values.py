"""Values of conditions as PostgreSQL reads them; no connection."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from pypods.connectors.sql.statement import Value
from pypods.connectors.types import kind_of


def text_form(value: Value, database) -> str:
    """Return a value as PostgreSQL reads it."""
    made = database.typed(value) if value.field is not None else value.value
    if isinstance(made, bool):
        return "true" if made else "false"
    if isinstance(made, (bytes, bytearray)):
        if value.field is not None and kind_of(value.field) == "uuid":
            return str(UUID(bytes=bytes(made)))
        return "\\x" + bytes(made).hex()
    if isinstance(made, (dt.datetime, dt.date, dt.time)):
        return made.isoformat()
    return str(made)
