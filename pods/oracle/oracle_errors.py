"""The driver's errors to the contract's, by their numbers; no connection."""

from __future__ import annotations

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

#: Numbers of ORA errors.
_KINDS = (
    (AuthenticationError, (1004, 1005, 1017, 1031, 1045, 28000, 28001, 28009)),
    (StreamNotFoundError, (942, 1435, 4043)),
    (ConflictError, (955,)),
    (DataError, (1, 1400, 1401, 1407, 1426, 1438, 1440, 1461, 1722, 1839, 1840, 1841, 1847, 2290,
                 2291, 2292, 12899, 22835, 40441, 40587)),
    (UnreachableError, (1033, 1034, 1089, 1090, 1092, 3113, 3114, 3135, 12528, 12537, 12541, 12547,
                        12570)),
)  # fmt: skip
#: What a second try may get past: busy, deadlock, snapshots too old, changed meanwhile.
_AGAIN = (54, 60, 1555, 4021, 8103, 8176, 8177, 30006)
#: Numbers of the driver's own errors, DPY.
_OWN = (
    (AuthenticationError, (4001,)),
    (SettingsError, (4000, 4017, 4018, 4026, 4027, 6001, 6002, 6003, 6006)),
    (DataError, (4002, 4003, 4004, 4036, 4037, 4038, 4039, 4040, 4042)),
    (UnreachableError, (1001, 4011, 4024, 6000, 6004, 6005, 6008, 6009)),
)


def error_for(error) -> ConnectorError:
    """Return the contract's error for one of the driver's."""
    about = error.args[0] if error.args else error
    lines = str(error).splitlines()
    said = " ".join(line.strip() for line in lines if line and not line.startswith("Help:"))
    message = f"Oracle: {said}"
    code, own = getattr(about, "code", 0), getattr(about, "full_code", "")
    if code in _AGAIN:
        return ConflictError(message, retry=True)
    for kind, numbers in _KINDS:
        if code in numbers:
            return kind(message)
    if own.startswith("DPY-"):
        number = int(own[4:])
        for kind, numbers in _OWN:
            if number in numbers:
                return kind(message)
        by_thousands = {2: SettingsError, 3: SchemaError, 6: UnreachableError}
        return by_thousands.get(number // 1000, ConnectorError)(message)
    # What stands in a statement: names, types, syntax.
    return (SchemaError if 900 <= code < 1000 or code in (1450, 22848) else ConnectorError)(message)
