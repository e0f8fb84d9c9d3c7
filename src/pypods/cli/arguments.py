"""Words of the command line to values, by way of JSON; calls nothing."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from typing import Any

DIGITS = tuple("0123456789")

#: A word that starts like this, and is not JSON, is taken for a slip, never for text.
JSON_STARTS = ('"', "'", "[", "{", "-", *DIGITS)

#: Python's own spelling of what JSON spells otherwise.
PYTHON_WORDS = {"True": "true", "False": "false", "None": "null"}


class ArgumentError(ValueError):
    """A word looks like JSON and is not; says how to write it."""


def parse_argument(word: str) -> Any:
    """Return the value of ``word``: JSON, or the word itself where it does not look like JSON.

    Raises ArgumentError for a word that starts as JSON does, and for ``True``, ``False`` and
    ``None``.
    """
    try:
        return json.loads(word, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as exc:
        quoted = shlex.quote(json.dumps(word, ensure_ascii=False))
        if word in PYTHON_WORDS:
            raise ArgumentError(
                f"{word} is written {PYTHON_WORDS[word]} in JSON; for the text write {quoted}"
            ) from exc
        if word.startswith("-") and word[1:2] not in DIGITS:
            raise ArgumentError(
                f"{word} is neither an option nor JSON; for the text write {quoted}"
            ) from exc
        if word.startswith(JSON_STARTS):
            raise ArgumentError(
                f"{word} is not JSON ({describe_slip(exc)}); for the text write {quoted}"
            ) from exc
        return word


def describe_slip(error: Exception) -> str:
    """Return what is wrong with a word, and where, counted from 1."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg[:1].lower()}{error.msg[1:]} at character {error.pos + 1}"
    return str(error) or type(error).__name__


def parse_keywords(pairs: Iterable[str]) -> dict[str, Any]:
    """Return the values of ``name=JSON`` pairs by name; raises ArgumentError."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, word = pair.partition("=")
        if not equals or not name.isidentifier():
            raise ArgumentError(f"{pair!r} is not of the form name=JSON, as in size=3")
        if name in values:
            raise ArgumentError(f"{name} is given twice")
        values[name] = parse_argument(word)
    return values


def refuse_constant(name: str) -> Any:
    """Raise ValueError: Python's parser takes NaN and Infinity, JSON has neither."""
    raise ValueError(f"JSON has no {name}")
