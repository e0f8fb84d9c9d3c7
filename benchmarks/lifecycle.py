"""What a contestant costs before its first call and between calls: start, memory, environments."""

from __future__ import annotations

from collections.abc import Iterable

from axis import Axis, Bench, Comparison, Outcome
from comparing import Found, Variant, compare
from ratios import beyond, no_longer_than

__all__ = ["FIRST_RESULT", "MEMORY", "NEW_ENVIRONMENT"]

MIB = 2**20
EMPTY, FILLED = "empty", "with requests"
#: With what it depends on, so that nothing has to be looked up that could change meanwhile.
REQUESTS = (
    "requests==2.34.2",
    "certifi==2026.10.18",
    "charset-normalizer==3.5.2",
    "idna==3.20",
    "urllib3==2.8.0",
)


def measure_first_result(bench: Bench) -> Outcome:
    def judge(found: Found) -> Iterable[Comparison]:
        yield beyond(found, 0.040, "bare_python", "seconds")

    variant = Variant("", {"measure": "start"}, most=5, rounds=5)
    return compare(bench, [variant], judge, floors=["bare_python"])


def measure_memory(bench: Bench) -> Outcome:
    def judge(found: Found) -> Iterable[Comparison]:
        yield beyond(found, 8 * MIB, "bare_python", "bytes")

    variant = Variant("", {"measure": "memory"}, most=1, rounds=3)
    return compare(bench, [variant], judge, floors=["bare_python"])


def measure_new_environment(bench: Bench) -> Outcome:
    variants = [
        Variant(name, {"measure": "environment", "requirements": requirements}, most=3, rounds=5)
        for name, requirements in ((EMPTY, ()), (FILLED, REQUESTS))
    ]

    def judge(found: Found) -> Iterable[Comparison]:
        yield no_longer_than(found, 1.1, "uv", EMPTY)
        yield no_longer_than(found, 1.1, "uv", FILLED)

    return compare(bench, variants, judge, floors=["uv"])


FIRST_RESULT = Axis(
    "first_result",
    "From nothing to the first result",
    measure_first_result,
    "In a host that has the library imported, with the worker's environment there: start a worker, "
    "call `nothing()`, have the result. For Ray that is a cluster. Floor: `python -c pass` of the "
    "worker's interpreter.",
)
MEMORY = Axis(
    "memory",
    "Memory of an idle worker",
    measure_memory,
    "What is resident (RSS) in a new worker after one call that does nothing. Only the process "
    "that runs the function is counted, not what a library starts beside it. Floor: the same "
    "interpreter, waiting for input.",
    unit="bytes",
)
NEW_ENVIRONMENT = Axis(
    "new_environment",
    "A new environment",
    measure_new_environment,
    "Empty, and with requests and what that depends on, all of it pinned; after one that was not "
    "counted, so that the installer's cache is warm. pyisolate's includes the start of its worker. "
    "Floor: `uv venv`, and `uv pip install` into it.",
)
