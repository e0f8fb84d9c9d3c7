"""A call that does nothing: into a pod, over bare pipes, and with the original PyPods."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from time import perf_counter
from typing import Any

from axis import Axis, Bench, Comparison, Outcome
from cores import pinned
from peers.original import Original, prepare_original
from peers.ping_pong import PingPong
from rounds import Contestant, divide, take_turns

from pypods.pods import PodLoader, create_pod_folder

__all__ = ["AXIS"]

POD = "null_pod"
CODE = "def nothing():\n    return None\n\n\ndef add(a, b):\n    return a + b\n"
NOTHING, ADD, RAW, ORIGINAL = "nothing()", "add(1, 2)", "raw ping-pong", "pypods 0.2.0"
PINNED = ", on one core"


def measure(bench: Bench) -> Outcome:
    """Measure with the processes free to move between cores, and held on one."""
    folder = create_pod_folder(POD, pods_directory=bench.folder / "pods", python=bench.python)
    folder.pod_file.write_text(CODE, encoding="utf-8")
    bench.say("making the original's environment, unless the cache has it")
    original_folder = prepare_original(bench.cache, bench.python)
    with ExitStack() as stack:
        loader = PodLoader(POD, pods_directory=folder.path.parent)
        pod = stack.enter_context(loader)
        raw = stack.enter_context(PingPong(folder.venv_python))
        original = stack.enter_context(Original(original_folder))
        calls = bench.choose(2000, 50)
        few = bench.choose(3, 1)
        assert loader.pid is not None
        pids = [os.getpid(), loader.pid, raw.pid, original.pid]
        free: dict[str, Contestant] = {
            RAW: lambda: raw.play(calls),
            NOTHING: lambda: time_calls(pod.nothing, (), calls),
            ADD: lambda: time_calls(pod.add, (1, 2), calls),
            ORIGINAL: lambda: original.call(few),
        }
        on_one_core: dict[str, Contestant] = {
            name + PINNED: hold(pids, each) for name, each in free.items()
        }
        take_turns(free, rounds=1)  # What is done only once is not to count.
        bench.say("calling in turns")
        series = take_turns({**free, **on_one_core}, rounds=bench.choose(15, 2))
    comparisons = [
        Comparison(f"{NOTHING} / {RAW}", divide(series[NOTHING], series[RAW]), "times", 3.0),
        Comparison(
            f"{ORIGINAL} / {NOTHING}",
            divide(series[ORIGINAL], series[NOTHING]),
            "times",
            1000.0,
            more_is_better=True,
        ),
        Comparison(
            f"{NOTHING} / {RAW}{PINNED}",
            divide(series[NOTHING + PINNED], series[RAW + PINNED]),
            "times",
            3.0,
        ),
        Comparison(
            f"{ORIGINAL} / {NOTHING}{PINNED}",
            divide(series[ORIGINAL + PINNED], series[NOTHING + PINNED]),
            "times",
            1000.0,
            more_is_better=True,
        ),
    ]
    facts = {"the original's packages": original.versions}
    return Outcome(series, tuple(comparisons), facts)


def time_calls(function: Callable[..., Any], args: tuple[Any, ...], times: int) -> list[float]:
    """Call so often; return the seconds of each call."""
    clock = perf_counter
    seconds = []
    for _ in range(times):
        began = clock()
        function(*args)
        seconds.append(clock() - began)
    return seconds


def hold(pids: list[int], contestant: Contestant) -> Contestant:
    """Return a contestant that works while these processes are held on one core."""

    def held() -> list[float]:
        with pinned(pids):
            return contestant()

    return held


AXIS = Axis("null_call", "A call that does nothing, between the same two interpreters", measure)
