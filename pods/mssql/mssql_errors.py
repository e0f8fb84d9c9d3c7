"""The driver's errors to the contract's; no connection.

The driver says which SQLSTATE an error has by its class and its ``driver_error``, which is one text
for each, and in ``ddbc_error`` what the server said. It does not say the server's number.
"""

from __future__ import annotations

import mssql_python
from mssql_python.exceptions import sqlstate_to_exception

from pypods.connectors.error_table import ErrorTable
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

_BY_STATE = {
    UnreachableError: ("08001", "08002", "08003", "08004", "08007", "08S01", "HYT00", "HYT01"),
    AuthenticationError: ("28000",),
    StreamNotFoundError: ("42S02", "3F000"),
    SettingsError: ("3D000", "01S00"),
    SchemaError: ("42S22", "42S21"),
    ConflictError: ("42S01", "40001"),
}
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
_PASSING = ("deadlock", "Snapshot isolation transaction aborted", "Lock request time out")


def _text(state: str) -> str:
    """Return what an error of a SQLSTATE has as its driver_error."""
    return sqlstate_to_exception(state, "").driver_error


_ERRORS = ErrorTable(
    {kind: [_text(state) for state in states] for kind, states in _BY_STATE.items()},
    passing=[_text("40001")],
)


def error_for(error) -> ConnectorError:
    """Return the contract's error for one of the driver's."""
    said = " ".join(str(error.ddbc_error or error.driver_error).split())
    message = f"SQL Server: {said}"
    if "Failed to load the driver" in said:
        return UnreachableError(
            message + "; install its system libraries (Debian: libltdl7 and libgssapi-krb5-2)",
            retry=False,
        )
    if any(words in said for words in _PASSING):
        return ConflictError(message, retry=True)
    if error.driver_error in _ERRORS:
        return _ERRORS.error(error.driver_error, message)
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
