"""Values of cursor columns as JSON and back, and how far behind them to read."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from decimal import Decimal
from typing import Any

from pypods.errors import IntegrationError

__all__ = ["decode_cursor", "encode_cursor", "greatest", "parse_lag", "start_of"]

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def encode_cursor(value: Any) -> Any:
    """Return a value as JSON has it: numbers and text as they are, else with their type.

    Raises IntegrationError for what has no order.
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return {"type": "float", "value": value.hex()}
    if isinstance(value, Decimal):
        return {"type": "decimal", "value": str(value)}
    if isinstance(value, dt.datetime):
        return {"type": "datetime", "value": value.isoformat()}
    if isinstance(value, dt.date):
        return {"type": "date", "value": value.isoformat()}
    if isinstance(value, dt.time):
        return {"type": "time", "value": value.isoformat()}
    if isinstance(value, uuid.UUID):
        return {"type": "uuid", "value": str(value)}
    if isinstance(value, bytes):
        return {"type": "bytes", "value": value.hex()}
    raise IntegrationError(
        f"a {type(value).__name__} cannot be a cursor; take a column of numbers, dates or text"
    )


def decode_cursor(cursor: Any) -> Any:
    """Return the value that ``encode_cursor`` wrote. Raises IntegrationError for another's."""
    if not isinstance(cursor, dict):
        return cursor
    decoders: dict[Any, Any] = {
        "float": float.fromhex,
        "decimal": Decimal,
        "datetime": dt.datetime.fromisoformat,
        "date": dt.date.fromisoformat,
        "time": dt.time.fromisoformat,
        "uuid": uuid.UUID,
        "bytes": bytes.fromhex,
    }
    try:
        return decoders[cursor["type"]](cursor["value"])
    except (KeyError, TypeError, ValueError, ArithmeticError) as exc:
        raise IntegrationError(
            f"the target's cursor {cursor!r:.100} is not one that this pypods wrote; "
            "read all again with --full-refresh"
        ) from exc


def parse_lag(lag: float | str) -> float:
    """Return a lag as a number, or as seconds. Raises ValueError for what is none."""
    if isinstance(lag, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", lag.strip())
        if match is None:
            raise ValueError(f"{lag!r} is no lag; write a number, or 90s, 15m, 12h or 2d")
        return float(match[1]) * UNITS[match[2]]
    if lag < 0:
        raise ValueError("a lag is not negative")
    return float(lag)


def start_of(value: Any, lag: float | str | None) -> Any:
    """Return where to read from: the last value seen, less the lag.

    Raises IntegrationError for a lag that the value has no place for.
    """
    if lag is None:
        return value
    amount = parse_lag(lag)
    try:
        if isinstance(value, dt.datetime):
            return value - dt.timedelta(seconds=amount)
        if isinstance(value, dt.date):
            # A part of a day reaches into the day before.
            return value - dt.timedelta(days=-(-amount // UNITS["d"]))
        if isinstance(lag, str):
            raise TypeError
        if isinstance(value, int) and not isinstance(value, bool):
            return value - int(-(-amount // 1))
        if isinstance(value, Decimal):
            return value - Decimal(amount)
        if isinstance(value, float):
            return value - amount
        raise TypeError
    except OverflowError:
        return None
    except TypeError as exc:
        raise IntegrationError(
            f"the lag {lag!r} cannot be taken off a {type(value).__name__}; numbers take a "
            "number, dates and times seconds or a length such as 2d"
        ) from exc


def greatest(values: list[Any]) -> Any:
    """Return the greatest value, None where there is none; NaN is greatest, as in PostgreSQL."""
    there = [value for value in values if value is not None]
    return max(there, key=lambda value: (value != value, value)) if there else None
