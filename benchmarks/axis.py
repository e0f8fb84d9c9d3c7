"""What the measurement of one axis is given and what it returns; measures nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rounds import Series

__all__ = ["Axis", "Bench", "Comparison", "Outcome"]


@dataclass(frozen=True)
class Bench:
    """Where and how long to measure. `folder` is for what is thrown away afterwards."""

    folder: Path
    cache: Path
    python: Path
    quick: bool
    say: Callable[[str], None]

    def choose(self, thorough: int, quick: int) -> int:
        """Return how often to do something: less often where only the program is tried out."""
        return quick if self.quick else thorough


@dataclass(frozen=True)
class Comparison:
    """One contestant against another; `unit` is "times" or "seconds"."""

    what: str
    value: float
    unit: str
    aim: float | None = None
    #: Whether the value is to be at least the aim, rather than at most.
    more_is_better: bool = False

    @property
    def is_met(self) -> bool | None:
        """Whether the aim is reached; None where there is none."""
        if self.aim is None:
            return None
        return self.value >= self.aim if self.more_is_better else self.value <= self.aim


@dataclass(frozen=True)
class Outcome:
    """What an axis measured: each contestant's series, and how they compare."""

    series: Mapping[str, Series]
    comparisons: tuple[Comparison, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Axis:
    """One thing to measure: a name for machines, a title for people, and the work."""

    name: str
    title: str
    measure: Callable[[Bench], Outcome]
