"""Objects that stay in the worker: a database's cursor in a loop, all rows, an attribute."""

from __future__ import annotations

from collections.abc import Iterable

from axis import Axis, Bench, Comparison, Outcome
from comparing import Found, Variant, compare
from field import FREE, ONE_CORE
from ratios import ahead_of_peers, beyond, times_as_fast

__all__ = ["CURSOR"]

LOOKUPS, ATTRIBUTE, NOTHING = "execute and fetchone", "an attribute", "a call that does nothing"

#: How much longer than in one process a lookup may take, in seconds.
LOOKUP_SECONDS = 60e-6
#: An attribute may take 1.3 times as long as a call that does nothing.
ATTRIBUTE_SPEED = 1 / 1.3


def on_one_core(variant: str) -> str:
    """Return the name of a variant in which host and worker share a core."""
    return f"{variant}, {ONE_CORE}"


def measure(bench: Bench) -> Outcome:
    rows = bench.choose(100_000, 1000)
    fetchall = f"fetchall of {rows:,} rows"
    lookups = {"measure": "cursor", "what": "lookups", "rows": 10_000}
    variants = [
        Variant(
            fetchall,
            {"measure": "cursor", "what": "fetchall", "rows": rows},
            amount=rows,
            turn_seconds=0.5,
        )
    ]
    for named, pin in ((str, FREE), (on_one_core, ONE_CORE)):
        variants += [
            Variant(named(LOOKUPS), lookups, pin, amount=1, most=10_000, turn_seconds=0.5),
            Variant(named(ATTRIBUTE), {"measure": "attribute"}, pin, amount=1),
            Variant(named(NOTHING), {"measure": "nothing"}, pin, amount=1),
        ]

    def judge(found: Found) -> Iterable[Comparison]:
        for named in (str, on_one_core):
            yield beyond(found, LOOKUP_SECONDS, "in_process", "seconds", named(LOOKUPS))
            yield times_as_fast(found, 1.5, "rpyc", named(LOOKUPS))
            yield times_as_fast(
                found, ATTRIBUTE_SPEED, "ours", named(NOTHING), ours=named(ATTRIBUTE)
            )
        yield ahead_of_peers(found, variant=ATTRIBUTE)
        yield times_as_fast(found, 0.4, "in_process", fetchall)
        # Its copy is a pickle, which is as fast as packed columns.
        yield times_as_fast(found, 1.0, "rpyc", fetchall)

    return compare(bench, variants, judge, floors=["in_process"])


CURSOR = Axis(
    "cursor",
    "A database's cursor that stays in the worker",
    measure,
    "sqlite3, with a table in the worker's memory: the host executes a query for one row and "
    "fetches it, again and again; it fetches all rows, four columns each, as a list that is its "
    "own (who gives references is asked for a copy); and it reads an attribute of a connection, "
    "beside a call that does nothing. With both processes on one core it is shown what the work "
    "takes; left free, what it takes to wake the other core up is in it, twice. Floor: the same "
    "loop in the worker's interpreter, in one process.",
    amount_unit="rows",
)
