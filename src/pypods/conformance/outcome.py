"""What came of a check, as data; nothing of how it ran."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["PASSED", "FAILED", "NOT_CHECKED", "NOT_OFFERED", "Outcome", "as_table"]

PASSED = "passed"
FAILED = "failed"
NOT_OFFERED = "not offered"
NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Outcome:
    """One check of one connector: what came of it, why, and what was noted on the way.

    ``status`` is ``passed``, ``failed``, ``not offered`` (the connector does not claim it) or
    ``not checked`` (the scratch place has no means to). ``place`` is where it failed: in the
    check, and in the connector's own code if that raised.
    """

    connector: str
    check: str
    title: str
    status: str
    detail: str = ""
    place: str = ""
    notes: tuple[str, ...] = field(default=())
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "notes": list(self.notes)}


def as_table(outcomes: Iterable[Outcome]) -> str:
    """Return outcomes of one or more connectors as a Markdown table, a row for each check."""
    outcomes = list(outcomes)
    connectors = list(dict.fromkeys(each.connector for each in outcomes))
    titles = dict.fromkeys((each.check, each.title) for each in outcomes)
    found = {(each.check, each.connector): each.status for each in outcomes}
    lines = [f"| | {' | '.join(connectors)} |", f"|---|{'---|' * len(connectors)}"]
    for check, title in titles:
        cells = [found.get((check, connector), "") for connector in connectors]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
