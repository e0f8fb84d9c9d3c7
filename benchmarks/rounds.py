"""Measurements taken in turns, and their medians; nothing of what is measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

__all__ = ["Contestant", "Series", "divide", "subtract", "take_turns"]

#: Does its work a few times, and returns how many seconds each time took.
Contestant = Callable[[], list[float]]


@dataclass(frozen=True)
class Series:
    """What one contestant took, in seconds: the samples of each round."""

    rounds: tuple[tuple[float, ...], ...]

    @property
    def samples(self) -> list[float]:
        """Every sample, the rounds put together."""
        return [sample for each in self.rounds for sample in each]

    @property
    def p50(self) -> float:
        """The median of all samples, in seconds."""
        return median(self.samples)

    @property
    def p95(self) -> float:
        """What nineteen of twenty samples did not exceed, in seconds."""
        ordered = sorted(self.samples)
        return ordered[math.ceil(0.95 * len(ordered)) - 1]


def take_turns(contestants: Mapping[str, Contestant], *, rounds: int) -> dict[str, Series]:
    """Let each contestant work once in every round, in the order given: A B C A B C.

    What disturbs the machine for a while then disturbs all of them.
    """
    taken: dict[str, list[tuple[float, ...]]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            taken[name].append(tuple(contestant()))
    return {name: Series(tuple(each)) for name, each in taken.items()}


def divide(one: Series, other: Series) -> float:
    """Return how many times longer `one` took: the median over the rounds' own ratios."""
    return median(median(a) / median(b) for a, b in zip(one.rounds, other.rounds, strict=True))


def subtract(one: Series, other: Series) -> float:
    """Return how many seconds longer `one` took: the median over the rounds' own differences."""
    return median(median(a) - median(b) for a, b in zip(one.rounds, other.rounds, strict=True))
