"""What came of the suite for each connector: kept in docs/conformance, and shown in the docs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pypods.conformance import Outcome, Results, list_checks, results_table

RECORD_VARIABLE = "PYPODS_RECORD_CONFORMANCE"
LONG_VARIABLE = "PYPODS_TEST_LONG"
DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "connectors.md"
TABLE_START, TABLE_END = "<!-- made by the tests: what came of the suite -->\n", "<!-- end -->\n"

#: The checks that this process has recorded, by connector.
_recorded: dict[str, set[str]] = {}


def checks_to_run(*, long: Iterable[str] = ()) -> list[str]:
    """Return the names of the checks; those that take long only with PYPODS_TEST_LONG=1."""
    left_out = set() if os.environ.get(LONG_VARIABLE) == "1" else set(long)
    return [name for name in list_checks() if name not in left_out]


def results_file(connector: str) -> Path:
    """Return where a connector's results are kept."""
    return DOCS / "conformance" / f"{connector}.json"


def read_results() -> dict[str, Results]:
    """Return what was kept, by connector."""
    return {path.stem: Results.read(path) for path in results_file("x").parent.glob("*.json")}


def keep_outcome(outcome: Outcome) -> None:
    """Fail if it is another outcome than the one that was kept.

    With PYPODS_RECORD_CONFORMANCE=1 it is kept instead, and the table of the docs made anew.
    """
    name, check = outcome.connector, outcome.check
    file = results_file(name)
    kept = Results.read(file) if file.exists() else Results(name)
    if os.environ.get(RECORD_VARIABLE) == "1":
        if check not in _recorded.setdefault(name, set()):
            _recorded[name].add(check)  # What came of it before this run counts no more.
            kept.checks.pop(check, None)
        kept.add(outcome)
        kept.write(file)
        PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        return
    status = kept.checks.get(check)
    assert outcome.status == status, (
        f"{name}: {check} is {outcome.status!r} and was {status!r} when {file.name} was written; "
        f"to write it anew, run the tests of this connector with {RECORD_VARIABLE}=1"
    )


def page_with_table(page: str) -> str:
    """Return docs/connectors.md with the table of what was kept."""
    before, _, rest = page.partition(TABLE_START)
    _, _, after = rest.partition(TABLE_END)
    return before + TABLE_START + results_table(read_results().values()) + TABLE_END + after
