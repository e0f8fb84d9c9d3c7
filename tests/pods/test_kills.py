"""A worker that is killed after any line of ours that it runs; hosts: test_host_death.

PYPODS_TEST_KILLS is how many of these moments are tried. The seed of the choice is printed;
PYPODS_TEST_CHAOS_SEED repeats one.
"""

from __future__ import annotations

import contextlib
import gc
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pypods.errors import PodCallError, PodDiedError

LoadPod = Callable[..., Any]

KILLS = int(os.environ.get("PYPODS_TEST_KILLS", "1"))
SEED = int(os.environ.get("PYPODS_TEST_CHAOS_SEED", "0")) or random.SystemRandom().getrandbits(32)
#: More lines than any of the things below takes.
MAX_LINES = 100_000

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

SOURCE = """
import os, signal, sys, threading

lines = [0, 0]

def trace(frame, event, _):
    if event == "line" and "pypods" in frame.f_code.co_filename.split(os.sep):
        lines[0] += 1
        if lines[0] == lines[1]:
            os.kill(os.getpid(), signal.SIGKILL)
    return trace

def die_after(count):
    "Let this process be killed after so many lines of the worker's own code; count them."
    lines[:] = 0, count
    frame = sys._getframe(1)
    while frame is not None:
        frame.f_trace = trace
        frame = frame.f_back
    threading.settrace(trace)
    sys.settrace(trace)

def lines_run(): return lines[0]
def same(value): return value
def blocks(n, size):
    for i in range(n): yield bytes([i]) * size
def apply(function, value): return function(value)
def sizes(values): return [len(each) for each in values]
def fail(value): raise ValueError(len(value))
"""

LARGE = np.arange(30_000.0)


def call(pod: Any) -> None:
    assert np.array_equal(pod.same({"a": LARGE, "b": 1})["a"], LARGE)


def stream(pod: Any) -> None:
    assert [len(each) for each in pod.blocks(20, 70_000)] == [70_000] * 20


def part_of_a_stream(pod: Any) -> None:
    with pod.blocks(200, 70_000) as blocks:
        assert next(blocks) == bytes(70_000)


def callback(pod: Any) -> None:
    assert np.array_equal(pod.apply(lambda value: value * 2, LARGE), LARGE * 2)


def iterator(pod: Any) -> None:
    assert pod.sizes(bytes(size) for size in (10, 70_000, 100_000)) == [10, 70_000, 100_000]


def futures(pod: Any) -> None:
    futures = [pod.same.submit(bytearray(70_000)) for _ in range(5)]
    assert [future.result(60) for future in futures] == [bytearray(70_000)] * 5


def failure(pod: Any) -> None:
    with pytest.raises(ValueError, match="70000"):
        pod.fail(bytes(70_000))


THINGS = [call, stream, part_of_a_stream, callback, iterator, futures, failure]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only counted


def mapped() -> int:
    return Path("/proc/self/maps").read_text().count("memfd:pypods")


@pytest.mark.parametrize("options", [{}, {"threads": 2}, {"max_shared_bytes": 0}], ids=str)
@pytest.mark.timeout(120 + KILLS * 3)
def test_a_worker_that_is_killed_after_any_line_takes_nothing_with_it(
    bare_loader: LoadPod, outer_python: Path, options: dict[str, Any]
) -> None:
    print(f"PYPODS_TEST_CHAOS_SEED={SEED}")
    chance = random.Random(SEED)
    loader = bare_loader(SOURCE, python=outer_python, **options)
    gc.collect()
    before, others = descriptors(), mapped()  # Of pods that other modules' tests share.
    pod = loader.load_pod()
    for thing in THINGS:
        thing(pod)
    kept = pod.same(LARGE)
    gc.collect()
    # What is kept, of a pod that has died, keeps that one's memory too.
    limit, deaths = descriptors() + 1, 0
    most = {}
    for thing in THINGS:
        pod.die_after(MAX_LINES)
        thing(pod)
        most[thing] = pod.lines_run()
    for _ in range(KILLS):
        for thing in THINGS:
            pid = loader.pid
            with contextlib.suppress(PodDiedError):
                pod.die_after(chance.randrange(1, most[thing] + 1))
                try:
                    thing(pod)
                except PodCallError as exc:  # Of a call in a callback.
                    if "the next call starts it anew" not in str(exc):
                        raise
            for _ in range(2):
                with contextlib.suppress(PodDiedError):  # It dies as it gives back what it used.
                    again = pod.same(LARGE)
            if loader.pid == pid:  # It ran fewer lines this time.
                loader.unload_pod()
                pod = loader.load_pod()
                again = pod.same(LARGE)
            else:
                deaths += 1
            assert np.array_equal(again, LARGE)
            assert np.array_equal(kept, LARGE)
            del again
            gc.collect()
            assert descriptors() <= limit
            assert mapped() - others <= (0 if options.get("max_shared_bytes") == 0 else 3)
    print(f"{deaths} deaths, {most.values()} lines")
    assert deaths
    loader.unload_pod()
    del kept
    gc.collect()
    assert mapped() == others
    assert descriptors() <= before
