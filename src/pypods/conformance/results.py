"""What came of the suite for several connectors: kept as JSON, shown as one table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pypods.conformance.check import CHECKS
from pypods.conformance.outcome import FAILED, NOT_CHECKED, NOT_OFFERED, PASSED, Outcome
from pypods.conformance.suite import list_checks

__all__ = ["Results", "results_table"]

#: The checks are in modules; what a person calls what is in them.
GROUPS = {
    "meeting": "first contact",
    "values": "types",
    "reading": "reading",
    "writing": "writing",
    "safety": "safety",
    "limits": "size",
}
#: Of a check that was run in several ways, the first of these is what came of it.
WORST_FIRST = (FAILED, NOT_OFFERED, NOT_CHECKED, PASSED)
#: The check whose notes say with what the others were run.
ABOUT = "description"


@dataclass
class Results:
    """What came of one connector's checks, with which driver and against which system.

    ``verified`` is False, or says why, where that system was none of the real ones.
    """

    connector: str
    driver: str = ""
    server: str = ""
    verified: bool | str = False
    checks: dict[str, str] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Take over what came of a check; of one that was run before, the worse."""
        found = {outcome.status, self.checks.get(outcome.check, outcome.status)}
        self.checks[outcome.check] = next(each for each in WORST_FIRST if each in found)
        if outcome.check == ABOUT:
            said = dict(note.split(": ", 1) for note in outcome.notes)
            self.driver = said.get("driver", self.driver)
            self.server = said.get("server", self.server)
            verified = said.get("verified", "False")
            self.verified = verified == "True" or (verified != "False" and verified)

    @classmethod
    def read(cls, path: Path) -> Results:
        """Return the results that a file holds."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        """Write a file that ``read`` reads."""
        order = list_checks()
        document: dict[str, Any] = {
            "connector": self.connector,
            "driver": self.driver,
            "server": self.server,
            "verified": self.verified,
            "checks": {name: self.checks[name] for name in order if name in self.checks},
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @property
    def against(self) -> str:
        """What it was verified against, or that it was not."""
        if self.verified is True:
            return self.server
        return self.verified or "not verified"


def results_table(results: Iterable[Results]) -> str:
    """Return results as a Markdown table: a row for each connector, a column for each group."""
    groups: dict[str, list[str]] = {title: [] for title in GROUPS.values()}
    for name in list_checks():
        module = CHECKS[name].run.__module__.rpartition(".")[2]
        groups[GROUPS[module]].append(name)
    lines = [
        f"| connector | driver | verified with | {' | '.join(groups)} |",
        f"|---|---|---|{'---|' * len(groups)}",
    ]
    for each in sorted(results, key=lambda one: one.connector):
        cells = [group_cell(each.checks, names) for names in groups.values()]
        lines.append(
            f"| `{each.connector}` | {each.driver} | {each.against} | {' | '.join(cells)} |"
        )
    return "\n".join(lines) + "\n"


def group_cell(found: dict[str, str], names: list[str]) -> str:
    """Return how many of some checks were passed, and what came of the others."""
    passed = sum(found.get(name) == PASSED for name in names)
    said = [f"{passed} of {len(names)}"]
    for status in (FAILED, NOT_OFFERED, NOT_CHECKED, None):
        others = [f"`{name}`" for name in names if found.get(name) == status]
        if others:
            word = "not run" if status is None else status
            said.append(f"{'**failed**' if status == FAILED else word}: {' '.join(others)}")
    return "; ".join(said)
