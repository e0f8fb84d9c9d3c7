"""What it costs a program to import pypods, and which modules that loads."""

from __future__ import annotations

import sys

from axis import Axis, Bench, Comparison, Outcome, Place
from processes import run_program, time_program
from roster import FLOOR, OURS
from rounds import subtract, take_turns

__all__ = ["AXIS"]

BARE = "pass"
STATEMENTS = ("import pypods.pods", "from pypods.pods import PodLoader")
#: What must wait until it is needed.
HEAVY = ("asyncio", "bson", "typer", "virtualenv")


def measure(bench: Bench) -> Outcome:
    """Measure in the host's interpreter, each time a new process."""
    contestants = {each: time_program([sys.executable, "-c", each]) for each in (BARE, *STATEMENTS)}
    take_turns(contestants, rounds=1)
    bench.say("importing in turns")
    series = take_turns(contestants, rounds=bench.choose(60, 3))
    return Outcome(
        series,
        tuple(
            Comparison(f"{each} - {BARE}", subtract(series[each], series[BARE]), "seconds", 0.030)
            for each in STATEMENTS
        ),
        facts={
            f"heavy modules that {each!r} loads": list_heavy_modules(each) for each in STATEMENTS
        },
        places={each: Place(each, FLOOR if each == BARE else OURS, "") for each in contestants},
    )


def list_heavy_modules(statement: str) -> list[str]:
    """Return which heavy modules a statement loads, in a new interpreter."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    loaded = run_program([sys.executable, "-c", program]).split()
    return [name for name in HEAVY if name in loaded]


AXIS = Axis(
    "imports",
    "Import of pypods, in the host's interpreter",
    measure,
    "A new process each time, from start to end. Floor: the same interpreter without an import.",
)
