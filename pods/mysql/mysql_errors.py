"""Errors of MySQL, MariaDB and their driver, as errors of the contract; no connection."""

from __future__ import annotations

import re

import pymysql

from pypods.connectors.error_table import ErrorTable
from pypods.connectors.errors import (
    AuthenticationError,
    ConflictError,
    DataError,
    SchemaError,
    SettingsError,
    StreamNotFoundError,
    UnreachableError,
)

#: Locks, deadlocks, a statement that was ended, a table that was changed meanwhile.
_PASSING = (1020, 1205, 1213, 1317, 1412, 1614, 3024, 3572)
_ERRORS = ErrorTable({
    # Who comes in, and what he may.
    AuthenticationError: (1044, 1045, 1095, 1130, 1142, 1143, 1227, 1251, 1370, 1396, 1410, 1524,
                          1698, 1820, 1862, 3118, 3159, 3955, 4151),
    SettingsError: (1017, 1049, 1115, 1193, 1273),
    StreamNotFoundError: (1051, 1109, 1146, 1932),
    UnreachableError: (1040, 1053, 1077, 1080, 1129, 1152, 1158, 1159, 1160, 1161, 1184, 1203,
                       1226, 1927, 2002, 2003, 2005, 2006, 2012, 2013, 2014, 2026, 2055, 4031),
    ConflictError: (1050, *_PASSING),
    DataError: (1022, 1048, 1062, 1136, 1153, 1169, 1216, 1217, 1263, 1264, 1265, 1292, 1301,
                1305, 1364, 1365, 1366, 1367, 1369, 1406, 1411, 1416, 1441, 1451, 1452, 1526, 1557,
                1586, 1644, 1690, 1748, 3140, 3141, 3145, 3156, 3157, 3158, 3819, 3903, 4025, 4037,
                4038, 4078),
    SchemaError: (1052, 1054, 1059, 1060, 1061, 1063, 1064, 1067, 1068, 1070, 1071, 1072, 1073,
                  1074, 1075, 1089, 1091, 1101, 1103, 1113, 1117, 1118, 1149, 1163, 1164, 1166,
                  1170, 1171, 1221, 1222, 1247, 1248, 1280, 1293, 1294, 1347, 1425, 1426, 1427,
                  1439, 1525, 1846, 1901, 3105, 3106, 3152, 3754),
}, passing=_PASSING)  # fmt: skip
_ROW = re.compile(r"\bat row (\d+)")
_COLUMN = re.compile(r"\b(?:for |)column (?:(?:`[^`]*`\.)*`([^`]+)`|'([^']+)')")


def error_for(error: Exception):
    """Return the contract's error for one of the driver's; None for what is no driver's."""
    if isinstance(error, RuntimeError) and "cryptography" in str(error):
        return SettingsError(
            f"the pod lacks a package: {error}; add PyMySQL[rsa] to requirements.txt"
        )
    if not isinstance(error, pymysql.MySQLError):
        return None
    code, text = 0, str(error)
    if len(error.args) > 1 and isinstance(error.args[0], int):
        code, text = error.args[0], str(error.args[1])
    return error_for_code(code, text)


def error_for_code(code: int, text: str):
    """Return the contract's error for a number of the server's, or of a warning."""
    message = f"MySQL: {' '.join(text.split())}" + (f" ({code})" if code else "")
    if not code:  # The driver's own, of a connection that is gone.
        return UnreachableError(message)
    error = _ERRORS.error(code, message)
    return data_error(message, text) if isinstance(error, DataError) else error


def data_error(message: str, text: str) -> DataError:
    """Return the error for a row, with its place in what was sent and its column, if it is said."""
    row, column = _ROW.search(text), _COLUMN.search(text)
    return DataError(
        message,
        position=int(row[1]) - 1 if row and int(row[1]) > 0 else None,
        column=next(filter(None, column.groups()), None) if column else None,
    )
