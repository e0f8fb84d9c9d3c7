"""Everything at once, at random: no reply is lost, doubled or crossed, and nothing is left.

The seed is printed; PYPODS_TEST_CHAOS_SEED repeats one, PYPODS_TEST_CHAOS_SECONDS makes it longer.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import gc
import itertools
import os
import random
import signal
import sys
import threading
import time
import traceback
import zlib
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pypods.errors import PodCallError, PodDiedError, PodError, PodTimeoutError
from pypods.wire.envelopes import call_head

LoadPod = Callable[..., Any]

SECONDS = float(os.environ.get("PYPODS_TEST_CHAOS_SECONDS", "3"))
SEED = int(os.environ.get("PYPODS_TEST_CHAOS_SEED", "0")) or random.SystemRandom().getrandbits(32)
#: Of each pod.
CALLERS = 5
#: A reply that takes longer is lost.
PATIENCE_SECONDS = 20
#: Of each of a caller's turns.
KILL_CHANCE, RESTART_CHANCE = 0.004, 0.001

#: The pods that the callers call, and pass to each other.
PODS: dict[str, dict[str, Any]] = {
    "plain": {},
    "threads": {"threads": 4},
    "workers": {"workers": 2},
    "frames": {"max_shared_bytes": 0},
    "narrow": {"threads": 2, "workers": 2, "max_shared_bytes": 2**20, "writable_arrays": True},
}

SOURCE = """
import asyncio, gc, os, time, zlib

calls = os.open(os.environ["PYPODS_TEST_CALLS_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def begun(tag): os.write(calls, tag.encode() + b"\\n")

def check(tag, data):
    begun(tag)
    return tag, zlib.crc32(data)
def same(tag, value):
    begun(tag)
    return tag, value
def rows(tag, n, size):
    '''Wide ones: a thousand are enough for a result in parts.'''
    return [(tag, i, bytes(0 if i % 1000 else size), *[None] * 61) for i in range(n)]
async def same_async(tag, value):
    await asyncio.sleep(0.001)
    return tag, value
def nap(tag, seconds):
    begun(tag)
    time.sleep(seconds)
    return tag
def nap_and_make(tag, seconds, size):
    try: time.sleep(seconds)
    except KeyboardInterrupt: pass
    return tag, bytearray(size)
def nap_and_stream(tag, seconds):
    time.sleep(seconds)
    return count(tag, 1000)
def count(tag, n):
    for i in range(n): yield tag, i
def blocks(tag, n, size):
    for i in range(n): yield tag, bytearray([i % 256]) * size
async def count_async(tag, n):
    for i in range(n):
        if i % 10 == 0: await asyncio.sleep(0)
        yield tag, i
def callback(tag, f, n): return tag, [f(i) for i in range(n)]
def total(tag, numbers): return tag, sum(n if type(n) is int else n[1] for n in numbers)
def checks(tag, blocks): return tag, [zlib.crc32(each) for each in blocks]
def fail(tag):
    begun(tag)
    raise ValueError(tag)
def double(n): return n, 2 * n

def books():
    from pypods.wire.shared import SharedMemory
    from pypods.worker.streams import Streams
    gc.collect()
    found = gc.get_objects()
    memories = [each for each in found if type(each) is SharedMemory]
    return {
        "bytes lent by the pod": sum(each.writer.used_bytes for each in memories),
        "streams": sum(len(each._generators) for each in found if type(each) is Streams),
    }
"""


class Chaos:
    """One random caller: each thing it does checks that the answer is its own."""

    def __init__(self, loader: Any, others: list[Any], seed: int) -> None:
        self.loader = loader
        self.others = others
        self.pod = loader.pod
        self.random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.number = itertools.count()
        self.seed = seed
        #: Arrays that are kept for a while, with their checksums: nothing may write over them.
        self.kept: deque[tuple[Any, int]] = deque()

    def tag(self) -> str:
        return f"{self.seed}:{next(self.number)}"

    def data(self) -> bytes:
        sizes = [0, 10, 5_000, 65_535, 65_536, 70_000, 300_000]
        return self.random.randbytes(self.random.choice(sizes))

    # Values ------------------------------------------------------------------------------------

    def bytes(self) -> None:
        tag, data = self.tag(), self.data()
        make = self.random.choice([bytes, bytearray, memoryview])
        assert self.pod.check(tag, make(data)) == (tag, zlib.crc32(data))

    def echo(self) -> None:
        tag = self.tag()
        value = [(n, str(n), None if n % 3 else n / 2) for n in range(self.random.randrange(200))]
        assert self.pod.same(tag, value) == (tag, value)

    def large_echo(self) -> None:
        tag, data = self.tag(), bytearray(self.data())
        value = {"a": data, "b": [bytes(data), array.array("B", data)]}
        assert self.pod.same(tag, value) == (tag, value)

    def arrays(self) -> None:
        tag, order = self.tag(), self.random.choice("CF")
        shape = (self.random.choice([0, 3, 100, 200]), self.random.randrange(1, 100))
        value = np.asarray(np.random.default_rng(next(self.number)).random(shape), order=order)
        got_tag, back = self.pod.same(tag, value)
        assert got_tag == tag
        assert np.array_equal(back, value)
        if back.size:
            assert back.flags.f_contiguous is value.flags.f_contiguous
        self.kept.append((back, zlib.crc32(back.tobytes())))
        if len(self.kept) > self.random.randrange(6):
            back, crc = self.kept.popleft()
            assert zlib.crc32(back.tobytes()) == crc

    def rows(self) -> None:
        """A long list comes in parts; some are cancelled, or take too long, in between."""
        tag, count, size = self.tag(), self.random.choice([9, 1100, 2500]), len(self.data())
        how = self.random.randrange(5)
        if how == 0:
            function = self.pod.rows.options(timeout=self.random.random() * 0.05)
            with contextlib.suppress(PodTimeoutError):
                assert function(tag, count, size) == rows(tag, count, size)
        elif how == 1:
            assert self.pod.rows(tag, count, size) == rows(tag, count, size)
        else:
            future = self.pod.rows.submit(tag, count, size)
            if how == 2:
                time.sleep(self.random.random() * 0.05)
                future.cancel()
            with contextlib.suppress(*([CancelledError] if how == 2 else [])):
                assert future.result(PATIENCE_SECONDS) == rows(tag, count, size)

    # Streams and callbacks ---------------------------------------------------------------------

    def stream(self) -> None:
        tag, size = self.tag(), self.random.randrange(500)
        function = self.random.choice([self.pod.count, self.pod.count_async])
        assert list(function(tag, size)) == [(tag, n) for n in range(size)]

    def stream_of_blocks(self) -> None:
        tag, count, size = self.tag(), self.random.randrange(20), self.random.choice([9, 99_000])
        for n, (got_tag, block) in enumerate(self.pod.blocks(tag, count, size)):
            assert got_tag == tag
            assert block == bytearray([n % 256]) * size

    def part_of_a_stream(self) -> None:
        tag, size = self.tag(), self.random.randrange(1, 100)
        stream = self.random.choice([self.pod.count, self.pod.count_async])(tag, 10**9)
        assert list(itertools.islice(stream, size)) == [(tag, n) for n in range(size)]
        if self.random.random() < 0.5:
            stream.close()

    def callback(self) -> None:
        tag, size = self.tag(), self.random.randrange(5)
        asked = []

        def function(n: int) -> int:
            asked.append(n)
            inner = self.tag()
            if n == 2:
                assert self.pod.same(inner, n) == (inner, n)
            if n == 3:
                assert self.pod.same_async(inner, n) == (inner, n)
            return n * n

        assert self.pod.callback(tag, function, size) == (tag, [n * n for n in range(size)])
        assert asked == list(range(size))

    def iterator(self) -> None:
        tag, size = self.tag(), self.random.randrange(300)
        assert self.pod.total(tag, iter(range(size))) == (tag, sum(range(size)))

    def iterator_of_blocks(self) -> None:
        tag, blocks = self.tag(), [self.data() for _ in range(self.random.randrange(6))]
        assert self.pod.checks(tag, iter(blocks)) == (tag, [zlib.crc32(each) for each in blocks])

    def stream_to_another_pod(self) -> None:
        tag, size = self.tag(), self.random.randrange(200)
        # Only ever to a later one: two pods that take turns would wait for each other.
        later = self.others[self.others.index(self.loader) + 1 :]
        other = self.random.choice(later).pod if later else None
        if other is not None:
            assert other.total(tag, self.pod.count(tag, size)) == (tag, sum(range(size)))

    # Futures and asyncio -----------------------------------------------------------------------

    def future(self) -> None:
        tags = [self.tag() for _ in range(self.random.randrange(1, 8))]
        data = self.data()
        futures = [self.pod.same.submit(tag, data) for tag in tags]
        results = [future.result(PATIENCE_SECONDS) for future in futures]
        assert results == [(tag, data) for tag in tags]

    def map(self) -> None:
        size, ordered = self.random.randrange(300), self.random.random() < 0.5
        chunksize = self.random.choice([1, 7, 1000])
        results = self.pod.double.map(range(size), chunksize=chunksize, ordered=ordered)
        found = list(results) if ordered else sorted(results)
        assert found == [(n, 2 * n) for n in range(size)]

    def part_of_a_map(self) -> None:
        results = self.pod.double.map(itertools.count(), chunksize=self.random.choice([1, 5]))
        size = self.random.randrange(20)
        assert list(itertools.islice(results, size)) == [(n, 2 * n) for n in range(size)]
        results.close()

    def cancelled(self) -> None:
        tag, what = self.tag(), self.random.randrange(4)
        seconds = self.random.random() * 0.03
        future = [
            lambda: self.pod.nap.submit(tag, seconds),
            lambda: self.pod.nap_and_make.submit(tag, seconds, 100_000),
            lambda: self.pod.nap_and_stream.submit(tag, seconds),
            lambda: self.pod.callback.submit(tag, lambda n: self.pod.double(n), 5),
        ][what]()
        if self.random.random() < 0.7:
            time.sleep(self.random.random() * 0.03)
        future.cancel()
        with contextlib.suppress(CancelledError):
            result = future.result(PATIENCE_SECONDS)
            expected: Any = [
                tag,
                (tag, bytearray(100_000)),
                [(tag, n) for n in range(1000)],
                (tag, [(n, 2 * n) for n in range(5)]),
            ][what]
            assert (list(result) if what == 2 else result) == expected

    def timeout(self) -> None:
        tag, seconds = self.tag(), self.random.random() * 0.02
        with contextlib.suppress(PodTimeoutError):
            if self.random.random() < 0.5:
                assert self.pod.nap.options(timeout=0.01)(tag, seconds) == tag
            else:
                got = self.pod.nap_and_make.options(timeout=0.01)(tag, seconds, 100_000)
                assert got == (tag, bytearray(100_000))

    def asyncio(self) -> None:
        async def one(wait: float) -> None:
            tag, data = self.tag(), self.data()
            function = self.random.choice([self.pod.same, self.pod.same_async])
            call = asyncio.ensure_future(function.aio(tag, data))
            if wait:
                await asyncio.sleep(wait)
                call.cancel()
            with contextlib.suppress(*([asyncio.CancelledError] if wait else [])):
                assert await call == (tag, data)

        async def stream() -> None:
            tag = self.tag()
            assert [item async for item in await self.pod.count_async.aio(tag, 50)] == [
                (tag, n) for n in range(50)
            ]

        async def several() -> list[Any]:
            waits = [self.random.choice([0, 0, 0.001, 0.01]) for _ in range(5)]
            return await asyncio.wait_for(
                asyncio.gather(*map(one, waits), stream(), return_exceptions=True),
                PATIENCE_SECONDS,
            )

        for result in asyncio.run(several()):
            if result is not None:
                raise result

    # Errors, death and restart -----------------------------------------------------------------

    def failure(self) -> None:
        tag = self.tag()
        with pytest.raises(ValueError, match=tag):
            self.pod.fail(tag)

    def kill(self) -> None:
        for pid in self.loader.pids:
            if self.random.random() < 0.5:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def restart(self) -> None:
        self.loader.unload_pod()
        self.loader.load_pod()

    def things(self) -> list[Callable[[], None]]:
        return [
            self.bytes, self.echo, self.large_echo, self.arrays, self.rows, self.stream,
            self.stream_of_blocks, self.part_of_a_stream, self.callback, self.iterator,
            self.iterator_of_blocks, self.stream_to_another_pod, self.future, self.map,
            self.part_of_a_map, self.cancelled, self.timeout, self.asyncio, self.failure,
        ]  # fmt: skip

    def run(self, until: float) -> None:
        things = self.things()
        while time.monotonic() < until:
            chance = self.random.random()
            thing = self.random.choice(things)
            if chance < KILL_CHANCE:
                thing = self.kill
            elif chance < KILL_CHANCE + RESTART_CHANCE:
                thing = self.restart
            try:
                thing()
            except PodError as exc:
                if not is_of_a_death(exc):
                    raise
                self.done["died"] += 1
            self.done[thing.__name__] += 1


def rows(tag: str, count: int, size: int) -> list[tuple[Any, ...]]:
    return [(tag, i, bytes(0 if i % 1000 else size), *[None] * 61) for i in range(count)]


def is_of_a_death(exc: PodError) -> bool:
    """Whether an error says that a pod was killed or unloaded, the caller's or another's."""
    if isinstance(exc, PodDiedError) or "is not loaded" in str(exc):
        return True
    # A call in a callback died, and its error went through the pod and back.
    came_back = isinstance(exc, PodCallError) and exc.type_name.startswith("pypods.errors.")
    return came_back and "the next call starts it anew" in str(exc)


def open_descriptors() -> list[str]:
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(f"{each.name} {each.readlink()}")
    return found


def shared_mappings() -> list[str]:
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if "pypods" in line]


def kept_after(loader: Any) -> dict[str, int]:
    """Return what workers, and the host's side of them, still keep of what is over."""
    found: Counter[str] = Counter()
    gc.collect()
    for index in range(len(loader._sessions)):
        session = loader.session_at(index)
        for _ in range(3):  # What is given back is said with the next request, and its reply.
            books = session.call(call_head("books"), (), {})
        connection, shared = session._connection, session.shared
        found.update(books)
        found["waiters"] += len(connection._waiters)
        found["abandoned"] += len(connection._abandoned)
        found["exports"] += len(session._handles._exports)
        found["functions"] += len(session._handles.functions)
        found["raised"] += len(session._handles.raised)
        found["results in parts"] += len(session._parts)
        if shared is not None:
            found["bytes lent to the pod"] += shared.writer.used_bytes
            found["bytes held of the pod"] += shared.reader.held_bytes
    return {what: number for what, number in found.items() if number}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.timeout(180 + 4 * SECONDS)
def test_nothing_is_lost_doubled_crossed_or_left(
    bare_loader: LoadPod, outer_python: Path, tmp_path: Path
) -> None:
    print(f"PYPODS_TEST_CHAOS_SEED={SEED}")
    calls_file, temporary = tmp_path / "calls", tmp_path / "temporary"
    temporary.mkdir()
    bare_loader("def f(): pass", "warm").load_pod().f.submit().result(30)
    gc.collect()
    before, threads_before = open_descriptors(), threading.active_count()
    others = shared_mappings()  # Of pods that other modules' tests share.
    loaders = [
        bare_loader(
            SOURCE,
            name,
            python=outer_python,
            environment_variables={
                "PYPODS_TEST_CALLS_FILE": str(calls_file),
                "TMPDIR": str(temporary),
            },
            **options,
        )
        for name, options in PODS.items()
    ]
    for loader in loaders:
        loader.load_pod()
    seeds = itertools.count(SEED)
    callers = [Chaos(each, loaders, next(seeds)) for each in loaders for _ in range(CALLERS)]
    errors: list[str] = []
    until = time.monotonic() + SECONDS

    def run(caller: Chaos) -> None:
        try:
            caller.run(until)
        except BaseException:  # Told in the main thread.
            errors.append(f"{caller.loader.pod_name}: {traceback.format_exc()}")

    threads = [threading.Thread(target=run, args=(caller,), daemon=True) for caller in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()) + 2 * PATIENCE_SECONDS)
    print("\n\n".join(errors))
    assert errors == []
    frames = sys._current_frames()
    stuck = [frames[each.ident] for each in threads if each.is_alive() and each.ident in frames]
    assert ["".join(traceback.format_stack(frame)) for frame in stuck] == []
    # They keep what the pods' own threads had in their hands, which end meanwhile.
    del frames, stuck
    done = sum((caller.done for caller in callers), Counter())
    print(outer_python.name, sorted(done.items()))
    assert all(done[thing.__name__] for thing in callers[0].things())

    tags = calls_file.read_text().splitlines()
    assert [tag for tag, times in Counter(tags).items() if times > 1] == []  # Made twice.
    for caller in callers:
        assert all(zlib.crc32(back.tobytes()) == crc for back, crc in caller.kept)
    callers.clear()
    del caller
    for loader in loaders:
        wait_for(lambda loader=loader: kept_after(loader), {})
        assert loader.pod.same("after", 1) == ("after", 1)
        loader.unload_pod()

    def left() -> tuple[Any, ...]:
        gc.collect()
        descriptors = open_descriptors()
        return (
            descriptors if len(descriptors) > len(before) else [],
            [line for line in shared_mappings() if line not in others],
            max(0, threading.active_count() - threads_before),
        )

    wait_for(left, ([], [], 0))
    assert list(temporary.iterdir()) == []
    assert list(Path("/dev/shm").glob("*pypods*")) == []


def wait_for(look: Callable[[], Any], expected: Any) -> None:
    """Look until it is as expected, or for 30 s."""
    deadline = time.monotonic() + 30
    while (found := look()) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found == expected
