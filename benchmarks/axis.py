"""What the measurement of one axis is given and what it returns; measures nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from field import Field
from rounds import Series

__all__ = ["Axis", "Bench", "Comparison", "Outcome", "Place"]


@dataclass(frozen=True)
class Bench:
    """Where and how long to measure. `folder` is for what is thrown away afterwards."""

    folder: Path
    field: Field
    python: Path
    quick: bool
    say: Callable[[str], None]

    def choose(self, thorough: int, quick: int) -> int:
        """Return how often to do something: less often where only the program is tried out."""
        return quick if self.quick else thorough


@dataclass(frozen=True)
class Comparison:
    """One contestant against another; `unit` is "times", "seconds" or "bytes".

    `value` is None where one of the two could not be measured; `note` then says why.
    """

    what: str
    value: float | None
    unit: str
    aim: float | None = None
    #: Whether the value is to be at least the aim, rather than at most.
    more_is_better: bool = False
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the aim is reached; None where there is none."""
        if self.aim is None:
            return None
        if self.value is None:
            return False
        return self.value >= self.aim if self.more_is_better else self.value <= self.aim


@dataclass(frozen=True)
class Place:
    """Where a series belongs in a table: whose it is, and of which variant of the axis."""

    contestant: str
    kind: str
    variant: str
    #: How much one sample moved or did, in bytes, rows or calls; 0 where that means nothing.
    amount: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What an axis measured: each contestant's series, and how they compare."""

    series: Mapping[str, Series]
    comparisons: tuple[Comparison, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    #: Why a contestant has no series, by the name that it would have.
    absent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Axis:
    """One thing to measure: a name for machines, a title for people, and the work."""

    name: str
    title: str
    measure: Callable[[Bench], Outcome]
    #: How it is taken, for the page.
    method: str = ""
    #: What a sample is in: "seconds" or "bytes".
    unit: str = "seconds"
    #: What `Place.amount` counts.
    amount_unit: str = ""
