"""submit, aio and map: calls that go on while the host does something else."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, as_completed
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from pypods.errors import PodCallError, PodDiedError, PodTimeoutError, ValueTransferError
from pypods.pods.futures import FutureCalls, inbox_of
from pypods.pods.mapping import MAX_CALLS_AHEAD

LoadPod = Callable[..., Any]

SOURCE = """
import asyncio, os, time
from pathlib import Path
def same(x): return x
def add(x, y=1): return x + y
def slow(seconds, x=None): time.sleep(seconds); return x
def mark(path): Path(path).write_text("ran")
def fail(x): raise ValueError(x)
def stubborn():
    while True:
        try: time.sleep(60)
        except KeyboardInterrupt: pass
def die(): os._exit(3)
def even(x):
    if x == 7: raise ValueError("seven")
    return x * 2
async def wait(): pass
def unsendable(x): return [wait()] if x == 3 else x
def apply(f, x): return f(x)
def gen(n): yield from range(n)
async def sleeps(seconds, x=None):
    await asyncio.sleep(seconds)
    return x
"""


@pytest.fixture(scope="module")
def pod(module_loader: LoadPod) -> Any:
    return module_loader(SOURCE, "futures", measured=True).load_pod()


def test_a_blocking_call_starts_no_thread(bare_loader: LoadPod):
    pod = bare_loader(SOURCE).load_pod()
    before = threading.active_count()
    assert pod.same(1) == 1
    assert list(pod.gen(500)) == list(range(500))
    assert pod.apply(lambda x: x + 1, 1) == 2
    assert threading.active_count() == before


def test_submit_returns_a_future(pod):
    future = pod.add.submit(1, y=2)
    assert isinstance(future, Future)
    assert future.result(30) == 3
    assert pod.same(4) == 4


def test_many_futures_and_blocking_calls_at_once(pod):
    futures = {pod.same.submit(n): n for n in range(300)}
    assert [pod.same(n) for n in range(50)] == list(range(50))
    assert all(futures[future] == future.result() for future in as_completed(futures, 30))


def test_a_failure_is_the_futures(pod):
    error = pod.fail.submit("x").exception(30)
    assert isinstance(error, ValueError)
    assert isinstance(error, PodCallError)
    with pytest.raises(ValueTransferError):
        pod.same.submit(object())


def test_the_death_of_the_pod_ends_every_future(bare_loader: LoadPod):
    pod = bare_loader(SOURCE).load_pod()
    futures = [pod.slow.submit(0.2), pod.die.submit(), pod.same.submit(1)]
    assert futures[0].result(30) is None
    assert isinstance(futures[1].exception(30), PodDiedError)
    assert isinstance(futures[2].exception(30), PodDiedError)
    assert pod.same.submit(2).result(30) == 2


def test_a_cancelled_call_that_waits_never_starts(pod, tmp_path: Path):
    running = pod.slow.submit(0.4, "ran")
    waiting = pod.mark.submit(str(tmp_path / "mark"))
    assert waiting.cancel()
    assert waiting.cancelled()
    assert running.result(30) == "ran"
    assert pod.same(1) == 1
    assert not (tmp_path / "mark").exists()
    with pytest.raises(CancelledError):
        waiting.result(0)


def test_a_cancelled_call_that_runs_is_interrupted(pod):
    started = time.monotonic()
    running = pod.slow.submit(60)
    time.sleep(0.1)
    assert running.cancel()
    assert pod.same(1) == 1
    assert time.monotonic() - started < 60
    assert not pod.same.submit(2).cancelled()


def test_a_future_that_is_done_cannot_be_cancelled(pod):
    future = pod.same.submit(1)
    assert future.result(30) == 1
    assert future.cancel() is False


def test_a_future_times_out_by_its_option(pod):
    future = pod.slow.options(timeout=0.2).submit(60)
    assert isinstance(future.exception(30), PodTimeoutError)
    assert pod.same(3) == 3


def test_a_future_whose_pod_does_not_yield_ends_the_others_with_it(bare_loader: LoadPod):
    pod = bare_loader(SOURCE).load_pod()
    stubborn = pod.stubborn.options(timeout=0.2).submit()
    others = [pod.same.submit(n) for n in range(3)]
    assert isinstance(stubborn.exception(30), PodTimeoutError)
    assert [type(other.exception(30)) for other in others] == [PodDiedError] * 3
    assert pod.same.submit(4).result(30) == 4


def test_a_future_may_pass_functions_and_give_streams(pod):
    assert pod.apply.submit(lambda x: pod.same(x) + 1, 2).result(30) == 3
    assert list(pod.gen.submit(100).result(30)) == list(range(100))


def test_a_futures_time_is_up_also_while_others_replies_keep_coming():
    stop = threading.Event()

    class Busy(FutureCalls):
        """Whenever something has been seen to, the next is there already."""

        def settle(self, future: Any, frame: Any, error: Any) -> None:
            if not stop.is_set():
                self.note((future, frame, error))

    session: Any = SimpleNamespace(is_alive=True, timed_out=lambda *_: PodTimeoutError("late"))
    calls = Busy(session)
    other, late = calls.open(1, None, None), calls.open(2, 0.05, None)
    calls.note((other, b"", None))
    try:
        with pytest.raises(PodTimeoutError, match="late"):
            late.result(20)
    finally:
        stop.set()
        session.is_alive = False
        calls.end()


def test_under_asyncio_many_calls_are_in_flight(pod):
    async def run() -> list[Any]:
        one_by_one = [await pod.add.aio(n) for n in range(5)]
        at_once = await asyncio.gather(*(pod.sleeps.aio(0.05, n) for n in range(100)))
        return [one_by_one, at_once]

    assert asyncio.run(run()) == [[1, 2, 3, 4, 5], list(range(100))]


def test_cancelling_the_task_cancels_the_call(pod):
    async def run() -> None:
        task = asyncio.create_task(pod.slow.aio(60))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    started = time.monotonic()
    asyncio.run(run())
    assert pod.same("free") == "free"
    assert time.monotonic() - started < 60


def test_under_anyio_too_calls_are_in_flight_and_cancelled(pod):
    results: list[int] = []

    async def add(number: int) -> None:
        results.append(await pod.add.aio(number))

    async def run() -> list[int]:
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(add, number)
        with anyio.move_on_after(0.2) as scope:
            await pod.slow.aio(60)
        assert scope.cancelled_caught
        with pytest.raises(TimeoutError), anyio.fail_after(0.2):
            await pod.slow.aio(60)
        return [item async for item in await pod.gen.aio(5)]

    started = time.monotonic()
    assert anyio.run(run) == list(range(5))
    assert sorted(results) == list(range(1, 21))
    assert pod.same("free") == "free"
    assert time.monotonic() - started < 60


def test_replies_of_a_loop_that_has_ended_are_let_go_of(bare_loader: LoadPod):
    """Their blocks go back, whether the loop was closed before they came or with them waiting."""
    loader = bare_loader(SOURCE)
    pod = loader.load_pod()
    large = bytes(200_000)

    async def give_up(seconds: float) -> None:
        call = asyncio.ensure_future(pod.slow.aio(0.02, large))
        await asyncio.sleep(seconds)
        call.cancel()

    for number in range(20):
        asyncio.run(give_up(0.002 * number))
    loops = [asyncio.new_event_loop() for _ in range(2)]
    for loop in loops:
        waiting = pod.same.submit(large)
        waiting.inbox = inbox_of(loop)
        while not waiting.inbox._events:
            time.sleep(0.001)
        loop.close()
    del loop, loops
    gc.collect()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not waiting.done():
        time.sleep(0.01)
    assert waiting.result() == large
    memory = loader.session().shared
    while time.monotonic() < deadline and memory.reader.held_bytes + memory.writer.used_bytes:
        pod.same(1)
    assert memory.reader.held_bytes == memory.writer.used_bytes == 0


def test_a_loop_that_is_closed_leaves_its_replies_to_the_thread(pod):
    async def start() -> Any:
        return inbox_of(asyncio.get_running_loop())

    loop = asyncio.new_event_loop()
    inbox = loop.run_until_complete(start())
    loop.close()
    future = pod.slow.submit(0.05, 5)
    future.inbox = inbox
    assert future.result(timeout=30) == 5


def test_awaiting_many_calls_wakes_the_loop_up_for_many_at_once(pod, monkeypatch):
    calls = []
    really_wake = asyncio.BaseEventLoop.call_soon_threadsafe

    def count(self: Any, *arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        return really_wake(self, *arguments, **options)

    monkeypatch.setattr(asyncio.BaseEventLoop, "call_soon_threadsafe", count)

    async def main() -> list[Any]:
        waiting = [asyncio.ensure_future(pod.add.aio(number)) for number in range(300)]
        await asyncio.sleep(0)  # All are sent.
        deadline = time.monotonic() + 10
        while len(inbox_of(asyncio.get_running_loop())._events) < 300:
            assert time.monotonic() < deadline
            time.sleep(0.001)  # The loop has no chance to look.
        return await asyncio.gather(*waiting)

    assert asyncio.run(main()) == [number + 1 for number in range(300)]
    assert len(calls) < 20


def test_aio_raises_what_a_call_raises(pod, bare_loader: LoadPod):
    with pytest.raises(ValueError, match="x"):
        asyncio.run(pod.fail.aio("x"))
    died = bare_loader(SOURCE).load_pod()
    with pytest.raises(PodDiedError):
        asyncio.run(died.die.aio())
    assert asyncio.run(died.same.aio(1)) == 1


@pytest.mark.parametrize("chunksize", [1, 2, 7, 1000])
@pytest.mark.parametrize("ordered", [True, False])
def test_map_gives_every_result(pod, chunksize, ordered):
    results = list(pod.add.map(range(200), range(200), chunksize=chunksize, ordered=ordered))
    assert (results if ordered else sorted(results)) == [2 * n for n in range(200)]


@pytest.mark.parametrize("chunksize", [1, 4, 100])
def test_map_raises_after_the_results_before_it(pod, chunksize):
    taken = []
    with pytest.raises(ValueError, match="seven"):
        taken.extend(pod.even.map(range(20), chunksize=chunksize))
    assert taken == [0, 2, 4, 6, 8, 10, 12]


def test_map_loses_no_result_before_one_that_cannot_cross(pod):
    taken = []
    with pytest.raises((PodCallError, ValueTransferError), match="coroutine cannot cross"):
        taken.extend(pod.unsendable.map(range(9), chunksize=9))
    assert taken == [0, 1, 2]


def test_map_takes_items_no_further_ahead_than_it_says(pod):
    taken = []

    def items() -> Any:
        for n in range(10_000):
            taken.append(n)
            yield n

    results = pod.same.map(items())
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert len(taken) <= MAX_CALLS_AHEAD + 3
    results.close()
    assert pod.same("after") == "after"


def test_map_refuses_an_empty_chunk(pod):
    with pytest.raises(ValueError, match="chunksize is 1 or more"):
        pod.same.map([1], chunksize=0)
