"""What a check is, and how one says that something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["CHECKS", "Check", "NotCheckedError", "WrongError", "check", "demand"]


class WrongError(Exception):
    """A connector did something else than the contract says."""


class NotCheckedError(Exception):
    """The scratch place has no means to check this."""


@dataclass(frozen=True)
class Check:
    """One check: its name, what a person calls it, and the capabilities that it is about."""

    name: str
    title: str
    needs: tuple[str, ...]
    run: Callable[[Any], None]


CHECKS: dict[str, Check] = {}


def check(title: str, *needs: str) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Register a function as a check, under its own name without ``check_``.

    A need is a capability, or ``write:upsert`` for one of the modes.
    """

    def register(run: Callable[[Any], None]) -> Callable[[Any], None]:
        name = run.__name__.removeprefix("check_")
        CHECKS[name] = Check(name=name, title=title, needs=needs, run=run)
        return run

    return register


def demand(holds: bool, what: str) -> None:
    """Raise WrongError, saying what is wrong, unless it holds."""
    if not holds:
        raise WrongError(what)
