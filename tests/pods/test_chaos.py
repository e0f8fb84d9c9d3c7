"""Everything at once, at random: no reply is lost, doubled or crossed, and nothing is left.

The seed is printed; PYPODS_TEST_CHAOS_SEED repeats one, PYPODS_TEST_CHAOS_SECONDS makes it longer.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from pypods.errors import PodCallError, PodDiedError, PodTimeoutError

LoadPod = Callable[..., Any]

SECONDS = float(os.environ.get("PYPODS_TEST_CHAOS_SECONDS", "3"))
SEED = int(os.environ.get("PYPODS_TEST_CHAOS_SEED", "0")) or random.SystemRandom().getrandbits(32)
THREADS = 16

SOURCE = """
import hashlib, time
def digest(tag, data): return tag, hashlib.sha256(data).hexdigest()
def same(tag, value): return tag, value
def nap(tag, seconds):
    time.sleep(seconds)
    return tag
def count(tag, n):
    for i in range(n): yield tag, i
def callback(tag, f, n): return tag, [f(i) for i in range(n)]
def total(tag, numbers): return tag, sum(numbers)
def fail(tag): raise ValueError(tag)
"""


class Chaos:
    """One random caller: each thing it does checks that the answer is its own."""

    def __init__(self, loader: Any, seed: int) -> None:
        self.loader = loader
        self.pod = loader.pod
        self.random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.number = itertools.count()
        self.seed = seed

    def tag(self) -> str:
        return f"{self.seed}:{next(self.number)}"

    def bytes(self) -> None:
        data = self.random.randbytes(self.random.choice([0, 10, 5_000, 70_000, 300_000]))
        tag = self.tag()
        assert self.pod.digest(tag, data) == (tag, hashlib.sha256(data).hexdigest())

    def echo(self) -> None:
        tag = self.tag()
        value = [(n, str(n), None if n % 3 else n / 2) for n in range(self.random.randrange(200))]
        assert self.pod.same(tag, value) == (tag, value)

    def large_echo(self) -> None:
        tag, data = self.tag(), self.random.randbytes(150_000)
        assert self.pod.same(tag, bytearray(data)) == (tag, bytearray(data))

    def stream(self) -> None:
        tag, size = self.tag(), self.random.randrange(500)
        assert list(self.pod.count(tag, size)) == [(tag, n) for n in range(size)]

    def part_of_a_stream(self) -> None:
        tag, size = self.tag(), self.random.randrange(1, 100)
        stream = self.pod.count(tag, 10**9)
        assert list(itertools.islice(stream, size)) == [(tag, n) for n in range(size)]
        if self.random.random() < 0.5:
            stream.close()

    def callback(self) -> None:
        tag, size = self.tag(), self.random.randrange(5)
        outer = [self.pod.same(tag, n)[1] if n == 2 else n * n for n in range(size)]
        assert self.pod.callback(
            tag, lambda n: self.pod.same(tag, n)[1] if n == 2 else n * n, size
        ) == (tag, outer)

    def iterator(self) -> None:
        tag, size = self.tag(), self.random.randrange(300)
        assert self.pod.total(tag, iter(range(size))) == (tag, sum(range(size)))

    def failure(self) -> None:
        tag = self.tag()
        with pytest.raises(ValueError, match=tag):
            self.pod.fail(tag)

    def future(self) -> None:
        tags = [self.tag() for _ in range(self.random.randrange(1, 8))]
        futures = [self.pod.same.submit(tag, 1) for tag in tags]
        assert [future.result(60) for future in futures] == [(tag, 1) for tag in tags]

    def cancelled(self) -> None:
        tag = self.tag()
        future = self.pod.nap.submit(tag, 0.02)
        if self.random.random() < 0.5:
            time.sleep(self.random.random() * 0.03)
        future.cancel()
        with contextlib.suppress(CancelledError):
            assert future.result(60) == tag

    def timeout(self) -> None:
        with contextlib.suppress(PodTimeoutError):
            tag = self.tag()
            assert self.pod.nap.options(timeout=0.01)(tag, self.random.random() * 0.02) == tag

    def kill(self) -> None:
        if self.random.random() < 0.05:
            pid = self.loader.pid
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def run(self, until: float) -> None:
        things = [
            self.bytes, self.echo, self.large_echo, self.stream, self.part_of_a_stream,
            self.callback, self.iterator, self.failure, self.future, self.cancelled, self.timeout,
            self.kill,
        ]  # fmt: skip
        while time.monotonic() < until:
            thing = self.random.choice(things)
            try:
                thing()
            except PodDiedError:
                self.done["died"] += 1
            except PodCallError as exc:
                # A call in a callback died, and its error went through the pod and back.
                if exc.type_name != "pypods.errors.PodDiedError":
                    raise
            self.done[thing.__name__] += 1


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.timeout(60 + 4 * SECONDS)
@pytest.mark.parametrize("options", [{}, {"threads": 4}, {"workers": 2}], ids=str)
def test_nothing_is_lost_doubled_crossed_or_left(bare_loader: LoadPod, options: Any) -> None:
    print(f"PYPODS_TEST_CHAOS_SEED={SEED}")
    bare_loader("def f(): pass", "warm").load_pod().f.submit().result(30)
    before = descriptors()
    loader = bare_loader(SOURCE, **options)
    loader.load_pod()
    callers = [Chaos(loader, SEED + n) for n in range(THREADS)]
    errors: list[BaseException] = []
    until = time.monotonic() + SECONDS

    def run(caller: Chaos) -> None:
        try:
            caller.run(until)
        except BaseException as exc:  # Told in the main thread.
            errors.append(exc)
            raise

    threads = [threading.Thread(target=run, args=(caller,)) for caller in callers]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "excepthook", lambda _: None)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30 + 2 * SECONDS)
    assert errors == []
    assert [thread for thread in threads if thread.is_alive()] == []
    done = sum((caller.done for caller in callers), Counter())
    print(done)
    assert all(done[name] for name in ("bytes", "stream", "callback", "future", "cancelled"))
    assert loader.pod.same("after", 1) == ("after", 1)
    loader.unload_pod()
    callers.clear()
    gc.collect()
    deadline = time.monotonic() + 30
    while descriptors() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert descriptors() <= before
