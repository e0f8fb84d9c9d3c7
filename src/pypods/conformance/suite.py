"""The checks by name, and what runs them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from pypods.conformance import limits, meeting, reading, safety, values, writing
from pypods.conformance.check import CHECKS, Check, NotCheckedError, WrongError
from pypods.conformance.failure_place import place_of
from pypods.conformance.outcome import FAILED, NOT_CHECKED, NOT_OFFERED, PASSED, Outcome
from pypods.conformance.scratch import Scratch
from pypods.conformance.subject import Subject
from pypods.errors import PodCallError

__all__ = ["list_checks", "run_check", "run_conformance"]

#: Where the checks are, in the order in which they are run.
_ROOMS = (meeting, values, reading, writing, safety, limits)


def list_checks() -> list[str]:
    """Return the names of all checks, in the order in which they are run."""
    order = {room.__name__: at for at, room in enumerate(_ROOMS)}
    return sorted(CHECKS, key=lambda name: order[CHECKS[name].run.__module__])


def run_conformance(
    loader: Any, scratch: Scratch, *, only: Iterable[str] | None = None
) -> list[Outcome]:
    """Run the checks over a connector's loader and a scratch place; return what came of each."""
    subject = Subject(loader, scratch)
    names = list_checks() if only is None else list(only)
    return [run_check(subject, name) for name in names]


def run_check(subject: Subject, name: str) -> Outcome:
    """Run one check. What it raises is its outcome."""
    check: Check = CHECKS[name]
    lacking = [need for need in check.needs if not subject.offers(need)]
    subject.notes = []
    began = time.monotonic()
    status, detail, place = PASSED, "", ""
    if lacking:
        status, detail = NOT_OFFERED, ", ".join(lacking)
    else:
        try:
            check.run(subject)
        except NotCheckedError as exc:
            status, detail = NOT_CHECKED, str(exc)
        except Exception as exc:  # noqa: BLE001 - whatever a connector raises is what is wrong
            status, detail, place = FAILED, said(exc), place_of(exc)
    return Outcome(
        connector=subject.name,
        check=name,
        title=check.title,
        status=status,
        detail=detail,
        place=place,
        notes=tuple(subject.notes),
        seconds=time.monotonic() - began,
    )


def said(error: Exception) -> str:
    """Return what an error says, that of a connector by its own class."""
    if isinstance(error, WrongError):
        return str(error)
    name = error.type_name if isinstance(error, PodCallError) else type(error).__name__
    return f"{name.rpartition('.')[2]}: {error}"
