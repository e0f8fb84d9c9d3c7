"""What a connector raises; plain exceptions, whose attributes cross to the host.

::

    ConnectorError
    ├── SettingsError           the connection, or an argument, is not what the connector takes
    ├── UnreachableError        nobody answers, or the connection was lost (trying again may help)
    ├── AuthenticationError     the system does not let us in, or not do this
    ├── StreamNotFoundError     no such table, file, topic
    ├── SchemaError             columns or types that do not fit
    ├── DataError               a row that does not fit; says which one and which column
    └── ConflictError           somebody else did something that rules this out

A message says what happened, where, and the next step; never a secret.
"""

from __future__ import annotations

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "AuthenticationError",
    "ConflictError",
    "ConnectorError",
    "DataError",
    "SchemaError",
    "SettingsError",
    "StreamNotFoundError",
    "UnreachableError",
    "without_secrets",
]

HIDDEN = "***"


class ConnectorError(Exception):
    """Root of what connectors raise; ``retry`` says whether trying again may help."""

    retry = False

    def __init__(self, message: str, *, retry: bool | None = None) -> None:
        super().__init__(message)
        # On the instance: only what an instance has crosses to the host.
        self.retry = type(self).retry if retry is None else retry


class SettingsError(ConnectorError):
    """The connection, or an argument of a call, is not what the connector takes."""


class UnreachableError(ConnectorError):
    """Nobody answers there, or the connection was lost."""

    retry = True


class AuthenticationError(ConnectorError):
    """The system does not let us in, or does not let us do this."""


class StreamNotFoundError(ConnectorError):
    """No such table, file or topic."""


class SchemaError(ConnectorError):
    """Columns or types that do not fit."""


class DataError(ConnectorError):
    """A row that does not fit.

    ``position`` is the number of the row in the batch, part or stream that the message names,
    from 0; ``column`` is a name. Either is None where it is not known.
    """

    def __init__(
        self, message: str, *, position: int | None = None, column: str | None = None
    ) -> None:
        super().__init__(message)
        self.position = position
        self.column = column


class ConflictError(ConnectorError):
    """Somebody else did something that rules this out."""


def without_secrets(message: str, secrets: Any) -> str:
    """Return a message in which none of those texts stands; drivers like to quote them."""
    for secret in sorted((str(each) for each in secrets if each), key=len, reverse=True):
        message = message.replace(secret, HIDDEN)
    return message
