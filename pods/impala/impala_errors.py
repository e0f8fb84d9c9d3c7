"""Errors of the servers and of their driver, as errors of the contract; no connection."""

from __future__ import annotations

import re
import socket
import ssl

from impala.error import Error, HttpError, NotSupportedError
from thrift.Thrift import TException
from thrift.transport.TTransport import TTransportException

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

MOST_CHARACTERS = 600
_HTTP_REFUSED = (401, 403)
_LOST = (TTransportException, ConnectionError, socket.timeout, socket.gaierror, ssl.SSLError)
#: Words of Spark (in capitals), Impala and Hive; the first kind that has one of them is it.
_WORDS = {
    AuthenticationError: (
        "Error validating the login", r"Bad status: 3\b", "SASL auth", "GSSAPI",
        "AuthorizationException", "Permission denied", "does not have privileges",
        "AccessControlException", "INSUFFICIENT_PERMISSION",
    ),
    SettingsError: (
        "SCHEMA_NOT_FOUND", "NoSuchDatabaseException", r"Error 10072\]",
        r"[Dd]atabase (?:'[^']*' |\S+ )?(?:not found|does not exist)",
    ),
    StreamNotFoundError: (
        "TABLE_OR_VIEW_NOT_FOUND", "NoSuchTableException", r"Error 10001\]",
        r"[Tt]able(?: or view)?(?: '[^']*'| \S+)? (?:not found|does not exist)",
        "Could not resolve (?:table reference|path)",
    ),
    ConflictError: (
        "ALREADY_EXISTS", "already exists", "Lock acquisition", r"Error 10324\]",
        "ConcurrentModification", "FAILED_READ_FILE", "FileNotFoundException", "have been updated",
    ),
    DataError: (
        "CAST_INVALID_INPUT", "CAST_OVERFLOW", "NUMERIC_VALUE_OUT_OF_RANGE", "ARITHMETIC_OVERFLOW",
        "EXCEED_LIMIT_LENGTH", "NOT_NULL", "NULL value", "Invalid .* value", "cannot be cast",
        "DIVIDE_BY_ZERO",
    ),
    SchemaError: (
        "UNRESOLVED", "PARSE_SYNTAX_ERROR", "ParseException", "AnalysisException",
        "SemanticException", "DATATYPE_MISMATCH", "COLUMN_", "UNSUPPORTED", "INVALID_",
        "INCOMPATIBLE_DATA", "Syntax error", "Could not resolve column",
    ),
}  # fmt: skip
#: What the server puts before what it has to say: classes, and the name that is there again.
_CLASS = r"(?:[\w$]+\.)+[\w$]+(?:Exception|Error): "
_BEFORE = re.compile(rf"(?:{_CLASS}|Error running query: |\[\S+\] (?={_CLASS}))+")
_PASSING = r"[Ll]ock|FAILED_READ_FILE|FileNotFoundException|have been updated|Concurrent"


def error_for(error: Exception):
    """Return the contract's error for one of the driver's; None for what is no driver's."""
    if isinstance(error, HttpError):
        refused = getattr(error, "code", 0) in _HTTP_REFUSED
        return (AuthenticationError if refused else UnreachableError)(f"Impala: {error}")
    if isinstance(error, NotSupportedError):
        return SettingsError(f"impyla: {error}")
    if not isinstance(error, (Error, TException, *_LOST)):
        return None
    text = _shown(str(error))
    before = _BEFORE.match(text)
    message = f"Impala: {text[before.end() :] if before else text}"
    for kind, words in _WORDS.items():
        if re.search("|".join(words), text):
            if kind is ConflictError:
                return ConflictError(message, retry=bool(re.search(_PASSING, text)))
            return kind(message)
    if isinstance(error, _LOST):
        return UnreachableError(message)
    return ConnectorError(message)


def _shown(text: str) -> str:
    """Return what is said, without the stack and the plan that may follow."""
    lines = []
    for line in text.splitlines():
        if re.match(r"\s*(at \S+\(|== |org\.apache\.\S+Exception: *$)", line):
            break
        lines.append(line.strip())
    return " ".join(filter(None, lines))[:MOST_CHARACTERS] or text[:MOST_CHARACTERS]
