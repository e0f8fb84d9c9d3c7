"""Which Python is asked for: a version, a specifier or a path; nothing is looked up here."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PythonRequest", "Version", "format_version"]

#: Release numbers, as (3, 8, 18).
Version = tuple[int, ...]

# Patterns are compiled when first used: this module is loaded with every pod.
_VERSION = r"(?:c?python[-@]?)?(\d+(?:\.\d+){0,2})(?:(?:a|b|rc)\d+)?$"
_CLAUSE = r"(~=|===?|!=|<=|>=|<|>)\s*v?(\d+(?:\.\d+)*)((?:a|b|rc)\d+)?(\.\*)?$"


@dataclass(frozen=True)
class PythonRequest:
    """One wish for a Python; `text` is what was written, a path made absolute.

    A version names every release that begins with it: "3.8" is met by 3.8.18.
    """

    text: str
    version: Version | None = None
    path: Path | None = None
    clauses: tuple[tuple[str, Version, bool], ...] = ()

    @classmethod
    def parse(cls, python: str | Path) -> PythonRequest:
        """Read "3.8", "3.8.18", ">=3.9,<3.12" or a path; `ValueError` for anything else."""
        text = str(python).strip()
        if isinstance(python, Path) or os.sep in text:
            path = Path(text).expanduser().absolute()
            return cls(str(path), path=path)
        if match := re.match(_VERSION, text):
            return cls(match[1], version=_read_version(match[1]))
        return cls.parse_specifier(text)

    @classmethod
    def parse_specifier(cls, text: str) -> PythonRequest:
        """Read a specifier such as ">=3.9,<3.12", as `requires-python` has it."""
        clauses = []
        for part in filter(None, map(str.strip, text.split(","))):
            match = re.match(_CLAUSE, part)
            if match is None or (match[4] and match[1] not in ("==", "!=")):
                break
            clauses.append((match[1], _read_version(match[2]), bool(match[4])))
        else:
            if clauses:
                return cls(text.strip(), clauses=tuple(clauses))
        raise ValueError(
            f'python {text!r} is no version ("3.8"), no specifier (">=3.9,<3.12") and no path '
            f'("/usr/bin/python3.8"); write one of those'
        )

    def accepts(self, version: Version) -> bool:
        """Say whether an interpreter of this version will do; a path takes any."""
        if self.version is not None:
            return version[: len(self.version)] == self.version
        return all(_CHECKS[operator](version, *wanted) for operator, *wanted in self.clauses)

    def __str__(self) -> str:
        return self.text


def format_version(version: Version) -> str:
    """Write (3, 8, 18) as "3.8.18"."""
    return ".".join(map(str, version))


def _read_version(text: str) -> Version:
    return tuple(map(int, text.split(".")))


def _pad(version: Version) -> Version:
    return version + (0,) * (4 - len(version))


def _equal(have: Version, wanted: Version, any_below: bool) -> bool:
    return have[: len(wanted)] == wanted if any_below else _pad(have) == _pad(wanted)


# The operators of the version specifiers standard, for release numbers.
# https://packaging.python.org/en/latest/specifications/version-specifiers/
_CHECKS: dict[str, Callable[..., bool]] = {
    "==": _equal,
    "===": _equal,
    "!=": lambda have, wanted, any_below: not _equal(have, wanted, any_below),
    "<": lambda have, wanted, _: _pad(have) < _pad(wanted),
    "<=": lambda have, wanted, _: _pad(have) <= _pad(wanted),
    ">": lambda have, wanted, _: _pad(have) > _pad(wanted),
    ">=": lambda have, wanted, _: _pad(have) >= _pad(wanted),
    "~=": lambda have, wanted, _: (
        _pad(have) >= _pad(wanted) and have[: len(wanted) - 1] == wanted[:-1]
    ),
}
