"""An axis on which contestants do the same thing in turns; knows nothing of what that is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from axis import Bench, Comparison, Outcome, Place
from field import FREE
from host_program import AbsentError
from roster import FLOOR, OURS, PEER, ROSTER, Contestant
from rounds import Series

__all__ = ["Found", "Variant", "compare"]

TURN_SECONDS, QUICK_TURN_SECONDS = 0.2, 0.03
ROUNDS, QUICK_ROUNDS = 5, 1
#: Whose one sample is shorter than this is asked for a few, before it is said how fast it is.
SHORT_SECONDS, SHORT_TIMES = 1e-3, 20
#: Who needs longer for one sample takes part in fewer rounds.
LONG_SECONDS, LONG_ROUNDS = 2.0, 3


@dataclass(frozen=True)
class Variant:
    """One way of an axis: what is asked for, and where the processes are to run."""

    name: str
    request: Mapping[str, Any]
    pin: str = FREE
    #: What of one sample is done how often, for a rate.
    amount: float = 0.0
    #: The part of the request that is fitted to how fast a contestant is, and its bounds.
    scaled: str = "times"
    most: int = 100_000
    #: How much of it in the first turn, which only tells how fast a contestant is.
    first: int = 1
    #: What else is asked for in the first turn; the facts that it tells are kept.
    at_first: Mapping[str, Any] = field(default_factory=dict)
    #: How long a turn is meant to take, and in how many rounds.
    turn_seconds: float = TURN_SECONDS
    rounds: int = ROUNDS


@dataclass
class _Entry:
    """A contestant in a variant: what it is asked, and what it took."""

    contestant: Contestant
    variant: Variant
    request: dict[str, Any]
    rounds: int
    taken: list[tuple[float, ...]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    absent: str = ""
    hung: bool = False

    @property
    def label(self) -> str:
        return name_series(self.contestant.title, self.variant.name)

    def turn(self, bench: Bench) -> None:
        """Let it measure once; what stops it once keeps it out of the rounds to come."""
        if self.absent:
            return
        try:
            answer = bench.field.ask(self.contestant, self.request, pin=self.variant.pin)
        except AbsentError as exc:
            self.absent, self.hung = str(exc), exc.is_gone
            return
        self.taken.append(tuple(answer["seconds"]))
        self.facts.update(answer.get("facts", {}))


def name_series(title: str, variant: str) -> str:
    """Return what a series is called."""
    return f"{title}, {variant}" if variant else title


@dataclass(frozen=True)
class Found:
    """What was measured, to be asked by the titles of contestants and variants."""

    entries: Mapping[str, _Entry]

    def of(self, module: str, variant: str = "") -> Series | None:
        """Return a series; None if there is none."""
        entry = self.entries.get(name_series(ROSTER[module].title, variant))
        if entry is None or entry.absent or not entry.taken:
            return None
        return Series(tuple(entry.taken))

    def fact(self, module: str, variant: str, name: str) -> Any:
        """Return what a contestant said beside its times; None if it did not."""
        entry = self.entries.get(name_series(ROSTER[module].title, variant))
        return None if entry is None or entry.absent else entry.facts.get(name)

    def why_not(self, module: str, variant: str = "") -> str:
        """Return why there is no series."""
        entry = self.entries.get(name_series(ROSTER[module].title, variant))
        return "" if entry is None else entry.absent

    def has(self, module: str, variant: str = "") -> bool:
        """Return whether a contestant was asked at all."""
        return name_series(ROSTER[module].title, variant) in self.entries

    def best_peer(self, variant: str = "", *, besides: Iterable[str] = ()) -> str | None:
        """Return the module of the fastest peer, None if no peer was measured."""
        found = {
            entry.contestant.module: Series(tuple(entry.taken)).p50
            for entry in self.entries.values()
            if entry.contestant.kind == PEER
            and entry.variant.name == variant
            and entry.taken
            and not entry.absent
            and entry.contestant.module not in besides
        }
        return min(found, key=found.__getitem__) if found else None


def compare(
    bench: Bench,
    variants: Iterable[Variant],
    compare_found: Callable[[Found], Iterable[Comparison]],
    *,
    floors: Iterable[str] = (),
) -> Outcome:
    """Measure every variant with everybody, in turns; then let the results be compared."""
    variants = list(variants)
    wanted = set(floors)
    contestants = [
        each for each in bench.field.contestants if each.kind != FLOOR or each.module in wanted
    ]
    bench.field.install(contestants)
    entries = []
    for contestant in contestants:
        hung = ""
        for variant in variants:
            entry = _begin(bench, contestant, variant, hung)
            entries.append(entry)
            if entry.hung:
                hung = f"not tried, after what happened with {variant.name}"
    rounds = max(entry.rounds for entry in entries)
    for number in range(rounds):
        bench.say(f"  round {number + 1} of {rounds}")
        for variant in variants:
            for entry in entries:
                if entry.variant is variant and number < entry.rounds:
                    entry.turn(bench)
    found = Found({entry.label: entry for entry in entries})
    return _conclude(found, tuple(compare_found(found)))


def _begin(bench: Bench, contestant: Contestant, variant: Variant, hung: str) -> _Entry:
    """Ask once, to see whether it can and how fast it is; not who hung in an earlier variant."""
    request = {**variant.request, variant.scaled: variant.first, **variant.at_first}
    entry = _Entry(contestant, variant, request, bench.choose(variant.rounds, QUICK_ROUNDS))
    entry.absent = hung
    entry.turn(bench)
    if entry.taken and entry.taken[0][-1] < SHORT_SECONDS and variant.scaled == "times":
        request[variant.scaled] = min(SHORT_TIMES, variant.most)
        entry.turn(bench)  # The first ones of many are slow.
    if entry.absent:
        bench.say(f"  {entry.label}: {entry.absent}")
        return entry
    took = max(1e-7, median(entry.taken[-1]))
    entry.taken.clear()
    for name in variant.at_first:
        del request[name]
    turn = QUICK_TURN_SECONDS if bench.quick else variant.turn_seconds
    parts = request.get("threads", request.get("tasks", 1))
    request[variant.scaled] = max(1, min(variant.most, int(turn / took / parts)))
    if took > LONG_SECONDS:
        entry.rounds = min(entry.rounds, LONG_ROUNDS)
    return entry


def _conclude(found: Found, comparisons: tuple[Comparison, ...]) -> Outcome:
    entries = found.entries.values()
    series = {
        entry.label: Series(tuple(entry.taken))
        for entry in entries
        if entry.taken and not entry.absent
    }
    return Outcome(
        series=series,
        comparisons=comparisons,
        facts={
            f"{name}: {entry.label}": value
            for entry in entries
            if entry.label in series
            for name, value in entry.facts.items()
        },
        places={
            entry.label: Place(
                entry.contestant.title,
                entry.contestant.kind,
                entry.variant.name,
                entry.variant.amount,
            )
            for entry in entries
        },
        absent={entry.label: entry.absent for entry in entries if entry.label not in series},
    )


OUR_MODULE = next(each.module for each in ROSTER.values() if each.kind == OURS)
