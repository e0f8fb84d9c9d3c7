"""JSON texts to values and back, no digit lost; and what lies at a path in them.

Numbers with a fraction or an exponent are Decimals, so that what a float has no digits for can be
told.
"""

from __future__ import annotations

import json

from pypods.connectors.errors import DataError, SettingsError

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["MISSING", "dump_json", "parse_json", "parse_path", "put_at", "value_at"]

#: What lies at a path where nothing does.
MISSING: Any = object()
_SHOWN_CHARACTERS = 60


def parse_json(text: Any, shown: str) -> Any:
    """Return what a JSON text, or its UTF-8 bytes, says. Raises DataError; ``shown`` is whose."""
    from decimal import Decimal

    try:
        if isinstance(text, (bytes, bytearray)):
            text = bytes(text).decode("utf-8-sig")
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except json.JSONDecodeError as exc:
        near = text[max(exc.pos - 20, 0) : exc.pos + _SHOWN_CHARACTERS]
        raise DataError(
            f"{shown} is no JSON at line {exc.lineno}, column {exc.colno} ({exc.msg}): {near!r}"
        ) from None
    except (ValueError, RecursionError) as exc:  # Also bytes that are no UTF-8.
        raise DataError(f"{shown} is no JSON: {exc}") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"JSON has no {name}")


def dump_json(value: Any) -> str:
    """Return a value as JSON; Decimals are numbers with all their digits.

    Raises TypeError, and ValueError for NaN and infinity.
    """
    from decimal import Decimal

    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"JSON has no {value}")
        return str(value)
    if isinstance(value, dict):
        items = (f"{json.dumps(name, ensure_ascii=False)}: {dump_json(each)}"
                 for name, each in value.items())  # fmt: skip
        return "{" + ", ".join(items) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(dump_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


# --- paths --------------------------------------------------------------------------------------


def parse_path(path: Any) -> list[str]:
    """Return the steps of a path such as ``data.items`` or ``["odd.name", 0]``; "" has none.

    Raises SettingsError.
    """
    if path is None or path == "":
        return []
    if isinstance(path, str):
        steps = path.split(".")
    elif isinstance(path, (list, tuple)):
        steps = [str(each) for each in path]
    else:
        raise SettingsError(f"a path is text such as data.items, or a list of names, not {path!r}")
    if not all(steps):
        raise SettingsError(f"path {path!r} has an empty step")
    return steps


def value_at(document: Any, path: list[str]) -> Any:
    """Return what lies at a path, or MISSING. A step into an array is its index."""
    for step in path:
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list) and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        else:
            return MISSING
    return document


def put_at(document: dict[str, Any], path: list[str], value: Any) -> None:
    """Put a value at a path of names, with objects on the way."""
    for step in path[:-1]:
        document = document.setdefault(step, {})
    document[path[-1]] = value
