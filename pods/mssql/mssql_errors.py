"""The driver's errors to the contract's; no connection.

The driver says which SQLSTATE an error has by its class and its ``driver_error``, which is one text
for each, and in ``ddbc_error`` what the server said. It does not say the server's number.
"""

from __future__ import annotations

import mssql_python
from mssql_python.exceptions import sqlstate_to_exception

from pypods.connectors.errors import (
    AuthenticationError,
    ConflictError,
    ConnectorError,
    DataError,
    SchemaError,
    SettingsError,
    StreamNotFoundError,
    UnreachableError,
)

#: By SQLSTATE; a pair says whether trying again may help.
_STATES = {
    "28000": AuthenticationError,
    "42S02": StreamNotFoundError,
    "3F000": StreamNotFoundError,
    "3D000": SettingsError,
    "01S00": SettingsError,
    "42S01": ConflictError,
    "42S22": SchemaError,
    "42S21": SchemaError,
}
_UNREACHABLE = ("08001", "08002", "08003", "08004", "08007", "08S01", "HYT00", "HYT01")
#: What stands in messages whose SQLSTATE, 42000 or HY000, says little.
_WORDS = (
    ("Login failed", AuthenticationError),
    ("Cannot open database", AuthenticationError),
    ("permission was denied", AuthenticationError),
    ("do not have permission", AuthenticationError),
    ("Cannot find the object", StreamNotFoundError),
    ("Invalid object name", StreamNotFoundError),
    ("does not exist or you do not have", StreamNotFoundError),
    ("is not a valid instance of data type", DataError),
    ("Arithmetic overflow", DataError),
    ("Error converting data type", DataError),
    ("would be truncated", DataError),
    ("XML parsing", DataError),
)
_AGAIN = ("deadlock", "Snapshot isolation transaction aborted", "Lock request time out")


def _texts(states) -> dict:
    return {sqlstate_to_exception(state, "").driver_error: state for state in states}


_KINDS = {text: _STATES[state] for text, state in _texts(_STATES).items()}
_LOST = set(_texts(_UNREACHABLE))
_DEADLOCK = set(_texts(("40001",)))


def error_for(error) -> ConnectorError:
    """Return the contract's error for one of the driver's."""
    said = " ".join(str(error.ddbc_error or error.driver_error).split())
    message = f"SQL Server: {said}"
    if "Failed to load the driver" in said:
        return UnreachableError(
            message + "; install its system libraries (Debian: libltdl7 and libgssapi-krb5-2)",
            retry=False,
        )
    if error.driver_error in _DEADLOCK or any(words in said for words in _AGAIN):
        return ConflictError(message, retry=True)
    if error.driver_error in _KINDS:
        return _KINDS[error.driver_error](message)
    if error.driver_error in _LOST:
        return UnreachableError(message)
    for words, kind in _WORDS:
        if words in said:
            return kind(message)
    if isinstance(error, (mssql_python.DataError, mssql_python.IntegrityError)):
        return DataError(message)
    if isinstance(error, (mssql_python.ProgrammingError, mssql_python.NotSupportedError)):
        return SchemaError(message)
    if error.driver_error == "Connection operation failed":
        return UnreachableError(message)
    return ConnectorError(message)


def refuse_messages(messages) -> None:
    """Raise DataError for an error among what a statement had to say.

    Of many rows at once some may be refused and others not, which is no error to the driver.
    """
    for state, text in messages or ():
        if state.strip("[").startswith(("22", "23", "42", "44")):
            raise DataError(f"SQL Server: {' '.join(text.split())}")
