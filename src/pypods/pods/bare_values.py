"""The builtin value that an instance of a subclass is nothing more than; for calls' arguments."""

from __future__ import annotations

from copyreg import __newobj__  # type: ignore[attr-defined]
from typing import Any

__all__ = ["bare_value"]

_BUILTINS: tuple[type, ...] = (
    *(dict, list, tuple, set, frozenset),
    *(bytes, int, float, complex),
)


def bare_value(value: object) -> tuple[bytes, Any] | None:
    """Return the builtin value that a value is but for its class, with no kind; else None.

    The class says so itself, where it says how an instance is copied (``__reduce_ex__``): by that
    value alone. A library's read-only dict does, and a ``Counter``; a ``defaultdict`` with a
    factory, or an instance with attributes, is more than its items. A text is its characters,
    whatever a program has noted on it.
    """
    if isinstance(value, str):
        return b"", str.__str__(value)
    builtin = next((each for each in _BUILTINS if isinstance(value, each)), None)
    if builtin is None:
        return None
    try:
        said = value.__reduce_ex__(2)
    except Exception:  # noqa: BLE001 - a class of the user's, which may raise anything
        return None
    if type(said) is not tuple:
        return None
    parts: list[Any] = [*said, None, None, None, None]
    make, arguments, state, items, pairs = parts[:5]
    if make is __newobj__:
        arguments = arguments[1:]
    if state or len(arguments) > 1:
        return None
    for part, takes in ((pairs, dict), (items, list)):
        if part is not None:
            return (b"", takes(part)) if builtin is takes and not arguments else None
    if not arguments:
        return b"", builtin()
    (content,) = arguments
    if builtin in (set, frozenset) and type(content) is list:
        return b"", builtin(content)
    return (b"", content) if type(content) is builtin else None
