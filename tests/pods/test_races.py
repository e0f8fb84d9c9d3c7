"""Many threads on one pod: each reply is its caller's own, whole and once.

PYPODS_TEST_CALLS is how many calls each thread makes.
"""

from __future__ import annotations

import os
import random
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LoadPod = Callable[..., Any]

THREADS = 64
CALLS = int(os.environ.get("PYPODS_TEST_CALLS", "10"))

SOURCE = """
import zlib
def check(thread, number, data):
    return thread, number, zlib.crc32(data)
def echo(thread, number, data):
    return thread, number, data
def count(): return len(_counted)
def counted(thread, number, data):
    _counted.append((thread, number))
    return thread, number, None
_counted = []
"""
#: One of a hundred is large, as it is with most pods.
SIZES = [0, 1, 30, 1_000, 5_000] * 20 + [60_000, 65_535, 65_536, 70_000, 300_000]


@pytest.mark.parametrize("options", [{}, {"threads": 4}, {"workers": 2}], ids=str)
@pytest.mark.timeout(60 + CALLS * 0.2)
def test_each_of_many_threads_gets_its_own_replies(
    bare_loader: LoadPod, outer_python: Path, options: dict[str, Any]
) -> None:
    loader = bare_loader(SOURCE, python=outer_python, **options)
    pod = loader.load_pod()
    wrong: list[object] = []
    counted = [0] * THREADS

    def run(thread: int) -> None:
        chance = random.Random(thread)
        pool = chance.randbytes(max(SIZES) + 1_000)
        for number in range(CALLS):
            start = chance.randrange(1_000)
            data = pool[start : start + chance.choice(SIZES)]
            name = chance.choice(["check", "echo", "counted"])
            expected = {"check": zlib.crc32(data), "echo": data, "counted": None}[name]
            counted[thread] += name == "counted"
            reply = getattr(pod, name)(thread, number, data)
            if reply != (thread, number, expected):
                wrong.append((thread, number, name, len(data)))

    began = time.perf_counter()
    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{THREADS} x {CALLS} calls in {time.perf_counter() - began:.1f} s")
    assert wrong == []
    assert loader.state == "RUNNING"
    if "workers" not in options:
        assert pod.count() == sum(counted)
