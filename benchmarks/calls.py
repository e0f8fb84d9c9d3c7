"""Small calls: what one costs, and how many there are in a second when many make them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from axis import Axis, Bench, Comparison, Outcome
from comparing import Found, Variant, compare
from field import FREE, ONE_CORE, TWO_CORES
from ratios import ahead_of_peers, no_longer_than, times_as_fast

__all__ = ["ADD", "IN_FLIGHT", "NULL_CALL", "THREADS", "WORKERS"]

TASKS = 100
ONE, TWO = "1 worker", "2 workers"


def list_cores() -> list[str]:
    """Return where processes can be held on this machine."""
    return [FREE, ONE_CORE, TWO_CORES] if len(os.sched_getaffinity(0)) > 1 else [FREE, ONE_CORE]


def measure_null_call(bench: Bench) -> Outcome:
    return _measure_call(bench, "nothing", list_cores(), _judge_null_call)


def measure_add(bench: Bench) -> Outcome:
    return _measure_call(bench, "add", [FREE], lambda found: [ahead_of_peers(found, variant=FREE)])


def _measure_call(
    bench: Bench, name: str, cores: Iterable[str], judge: Callable[[Found], Iterable[Comparison]]
) -> Outcome:
    variants = [Variant(where, {"measure": name}, pin=where, amount=1) for where in cores]
    return compare(bench, variants, judge, floors=["raw_pipe", "pickle_pipe"])


def _judge_null_call(found: Found) -> Iterable[Comparison]:
    yield no_longer_than(found, 2.0, "raw_pipe", ONE_CORE)
    if TWO_CORES in list_cores():
        yield no_longer_than(found, 1.3, "raw_pipe", TWO_CORES)
    yield ahead_of_peers(found, 1.0, FREE)
    yield ahead_of_peers(found, 2.0, FREE, besides=["multiprocessing_pipe"])


def measure_threads(bench: Bench) -> Outcome:
    variants = [
        Variant(
            f"{count} thread{'s' * (count > 1)}",
            {"measure": "threads", "threads": count},
            amount=1,
        )
        for count in (1, 4, 16)
    ]

    def judge(found: Found) -> Iterable[Comparison]:
        few, many = variants[0].name, variants[-1].name
        yield times_as_fast(found, 1.0, "ours", few, ours=many)
        yield ahead_of_peers(found, 1.0, many)

    return compare(bench, variants, judge, floors=["raw_pipe"])


def measure_in_flight(bench: Bench) -> Outcome:
    variant = Variant("", {"measure": "in_flight", "tasks": TASKS}, amount=1, most=10_000)
    return compare(bench, [variant], lambda found: [ahead_of_peers(found)])


def measure_workers(bench: Bench) -> Outcome:
    steps = 100_000 if bench.quick else 1_000_000
    variants = [
        Variant(name, {"measure": "spin", "workers": count, "steps": steps}, most=3, rounds=3)
        for name, count in ((ONE, 1), (TWO, 2))
    ]
    return compare(
        bench, variants, lambda found: [times_as_fast(found, 1.8, "ours", ONE, ours=TWO)]
    )


NULL_CALL = Axis(
    "null_call",
    "A call that does nothing",
    measure_null_call,
    "One thread calls `nothing()` in a loop and takes the time of each call. Left free, the system "
    "puts the two processes where it likes; then all of a contestant's processes are held on one "
    "core; then the host on one and all others on another. Floor: 64 bytes there and back through "
    "the same kind of pipes, by a Python that only reads and writes.",
    amount_unit="calls",
)
ADD = Axis(
    "add",
    "A call with arguments and a result: add(1, 2)",
    measure_add,
    "As above, left free.",
    amount_unit="calls",
)
THREADS = Axis(
    "threads",
    "Calls from many threads",
    measure_threads,
    "Threads of one host call `add` in one worker, all at once; the time is that of all calls, "
    "divided by their number. Floor: raw pipes and a lock.",
    amount_unit="calls",
)
IN_FLIGHT = Axis(
    "in_flight",
    f"asyncio, {TASKS} calls in flight",
    measure_in_flight,
    f"{TASKS} tasks of one event loop await `add` again and again. Who has nothing to await is "
    "called from a hundred threads.",
    amount_unit="calls",
)
WORKERS = Axis(
    "workers",
    "Computing on one worker and on two",
    measure_workers,
    "Eight calls of a loop in plain Python, submitted at once. Who has no pool gets as many "
    "instances, each with a thread.",
)
