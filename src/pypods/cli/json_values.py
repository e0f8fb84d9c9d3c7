"""Any value a pod returns, as JSON to print; the table of docs/cli.md in code."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import json
import math
import pathlib
import uuid
from collections.abc import Iterator
from typing import Any

#: Printed as their ``str()``.
TEXT_TYPES = (decimal.Decimal, fractions.Fraction, uuid.UUID, pathlib.PurePath)

#: Whose arrays (and NumPy's scalars) are printed as lists of their items.
ARRAY_MODULES = ("array", "numpy")

#: Printed as their ``str()`` too, known by name so that ``bson`` need not be imported.
BSON_TEXT_TYPES = ("ObjectId", "Decimal128")


def to_json(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """Return ``value`` as JSON text; lone surrogates are always escaped."""
    plain = plain_value(value)
    text = json.dumps(plain, ensure_ascii=ascii_only, allow_nan=False, indent=indent)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(plain, allow_nan=False, indent=indent)
    return text


def plain_value(value: Any) -> Any:
    """Return ``value`` made of what JSON has: None, bool, numbers, text, lists and objects."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return plain_value(value.value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else not_finite(value)
    if isinstance(value, complex):
        return {"real": plain_value(value.real), "imag": plain_value(value.imag)}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, (dt.date, dt.time)):  # A datetime is a date.
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, TEXT_TYPES):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: plain_value(getattr(value, name)) for name in names}
    return plain_container(value)


def plain_container(value: Any) -> Any:
    """Return a container of plain values; what is no container either as its ``repr()``."""
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {str(key): plain_value(item) for key, item in value.items()}
        return [[plain_value(key), plain_value(item)] for key, item in value.items()]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        pairs = zip(value._fields, value, strict=True)
        return {name: plain_value(item) for name, item in pairs}
    if isinstance(value, (list, tuple)):
        return [plain_value(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain_value(item) for item in value), key=json.dumps)
    from pypods.pods.proxies import PodObject

    if isinstance(value, PodObject):  # It may have iterators' methods, too.
        return repr(value)
    if isinstance(value, Iterator):  # A stream: taken to its end.
        return [plain_value(item) for item in value]
    if type(value).__module__ in ARRAY_MODULES and hasattr(value, "tolist"):
        return plain_value(value.tolist())
    if type(value).__module__.startswith("bson.") and type(value).__name__ in BSON_TEXT_TYPES:
        return str(value)
    return repr(value)


def not_finite(value: float) -> str:
    """Return the name of a float that JSON has no number for."""
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
