"""The driver's errors to the contract's, by their numbers; no connection."""

from __future__ import annotations

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

#: What a second try may get past: busy, deadlock, snapshots too old, changed meanwhile.
_PASSING = (54, 60, 1555, 4021, 8103, 8176, 8177, 30006)
#: Numbers of ORA errors. From 900 to 999 they are about what stands in a statement.
_ERRORS = ErrorTable({
    AuthenticationError: (1004, 1005, 1017, 1031, 1045, 28000, 28001, 28009),
    StreamNotFoundError: (942, 1435, 4043),
    ConflictError: (955, *_PASSING),
    DataError: (1, 1400, 1401, 1407, 1426, 1438, 1440, 1461, 1722, 1839, 1840, 1841, 1847, 2290,
                2291, 2292, 12899, 22835, 40441, 40587),
    UnreachableError: (1033, 1034, 1089, 1090, 1092, 3113, 3114, 3135, 12528, 12537, 12541, 12547,
                       12570),
    SchemaError: (1450, 22848),
}, passing=_PASSING)  # fmt: skip
#: Numbers of the driver's own errors, DPY.
_OWN = ErrorTable({
    AuthenticationError: (4001,),
    SettingsError: (4000, 4017, 4018, 4026, 4027, 6001, 6002, 6003, 6006),
    DataError: (4002, 4003, 4004, 4036, 4037, 4038, 4039, 4040, 4042),
    UnreachableError: (1001, 4011, 4024, 6000, 6004, 6005, 6008, 6009),
})  # fmt: skip
_OWN_BY_THOUSANDS = {2: SettingsError, 3: SchemaError, 6: UnreachableError}


def error_for(error) -> ConnectorError:
    """Return the contract's error for one of the driver's."""
    about = error.args[0] if error.args else error
    lines = str(error).splitlines()
    said = " ".join(line.strip() for line in lines if line and not line.startswith("Help:"))
    message = f"Oracle: {said}"
    code, own = getattr(about, "code", 0), getattr(about, "full_code", "")
    if own.startswith("DPY-") and code not in _ERRORS:
        number = int(own[4:])
        otherwise = _OWN_BY_THOUSANDS.get(number // 1000, ConnectorError)
        return _OWN.error(number, message, otherwise=otherwise)
    otherwise = SchemaError if 900 <= code < 1000 else ConnectorError
    return _ERRORS.error(code, message, otherwise=otherwise)
