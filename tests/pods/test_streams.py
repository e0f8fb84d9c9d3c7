"""Generators in a pod are iterators here, and iterators passed to a pod are pulled by it."""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pypods.errors import PodCallError, PodDiedError, PodTimeoutError, ValueTransferError
from pypods.pods.stream import MAX_BATCH_ITEMS, Stream

LoadPod = Callable[..., Any]

SOURCE = """
import asyncio, os, threading, time
from pathlib import Path

def same(x): return x
def count(n, path=None):
    try:
        for i in range(n): yield i
    finally:
        if path: Path(path).write_text("closed")
def count_then_fail(n):
    yield from range(n)
    raise ValueError("at the end")
async def wait(): pass
def count_then_unsendable(n):
    yield from range(n)
    yield wait()
    yield "never"
def slowly(n):
    for i in range(n):
        time.sleep(0.03)
        yield i
def large(n):
    for i in range(n): yield bytes([i]) * 300_000
def in_a_dict(): return {"name": "x", "rows": (i for i in range(3)), "more": [i for i in range(2)]}
def wrong_beside(path): return [count(3, path), wait()]
def late(path):
    try: time.sleep(60)
    except KeyboardInterrupt: pass
    stream = count(3, path)
    next(stream)
    return {"stream": stream, "large": b"x" * 100_000}
def ends_badly():
    try: yield 1; yield 2
    finally: raise ValueError("in the finally")
def stops(n, path):
    yield from count(n, path)
    yield time.sleep(60)
def pauses(n, path):
    try:
        for i in range(n): yield i
        time.sleep(0.5)
        yield n
    finally: Path(path).write_text("closed")
def threads(): return sorted(each.name for each in threading.enumerate())
def die_at(n):
    yield from range(n)
    os._exit(7)
def produced(): return _produced[0]
_produced = [0]
def endless():
    while True:
        _produced[0] += 1
        yield _produced[0]
async def agen(n, path=None):
    try:
        for i in range(n):
            await asyncio.sleep(0)
            yield i
    finally:
        if path: Path(path).write_text("closed")
async def agen_fails():
    yield 1
    raise KeyError("gone")
def total(numbers): return sum(numbers)
def first(numbers, n): return [x for x, _ in zip(numbers, range(n))]
def catches(numbers):
    taken = []
    try:
        for x in numbers: taken.append(x)
    except ValueError as exc:
        return taken, str(exc), type(exc).__mro__[1].__name__
def echo_stream(numbers):
    for x in numbers: yield x * 2
"""


@pytest.fixture(scope="module")
def pod(module_loader: LoadPod) -> Any:
    return module_loader(SOURCE, "streams", measured=True).load_pod()


def test_items_arrive_in_order_and_the_stream_ends(pod):
    stream = pod.count(5000)
    assert isinstance(stream, Stream)
    assert list(stream) == list(range(5000))
    assert list(stream) == []
    assert repr(stream) == "<Stream count ENDED>"


def test_an_endless_generator_runs_no_further_than_a_few_batches_ahead(pod):
    stream = pod.endless()
    taken = list(itertools.islice(stream, 3000))
    assert taken == list(range(1, 3001))
    assert pod.produced() <= 3000 + 3 * MAX_BATCH_ITEMS
    stream.close()
    assert list(stream) == []


def test_a_slow_generator_gives_each_item_when_it_is_there_and_no_further(pod):
    stream = pod.slowly(3)
    assert next(stream) == 0
    assert list(stream) == [1, 2]


def test_closing_early_runs_the_generators_finally_in_the_pod(pod, tmp_path):
    with pod.count(10**9, str(tmp_path / "mark")) as stream:
        assert next(stream) == 0
        assert not (tmp_path / "mark").exists()
    assert (tmp_path / "mark").read_text() == "closed"
    stream.close()


def test_a_stream_that_is_asked_ahead_may_end_at_any_item(pod):
    for length in (0, 1, 2, 31, 32, 33, 63, 64, 65, 127, 500, 3000):
        assert list(pod.count(length)) == list(range(length))
        with pytest.raises(ValueError, match="at the end"):
            list(pod.count_then_fail(length))
    for taken in (1, 40, 100, 1500):
        with pod.count(10**9) as stream:
            assert list(itertools.islice(stream, taken)) == list(range(taken))
        assert pod.same(taken) == taken


def test_a_timeout_of_a_stream_that_is_asked_ahead_is_its_end(pod, tmp_path):
    stream = pod.stops.options(timeout=0.5)(3000, str(tmp_path / "mark"))
    assert [next(stream) for _ in range(2000)] == list(range(2000))
    with pytest.raises(PodTimeoutError):
        list(stream)
    assert list(stream) == []
    assert pod.same(1) == 1
    assert (tmp_path / "mark").read_text() == "closed"


@pytest.mark.parametrize("threads", [1, 3])
def test_streams_keep_their_order_where_calls_run_side_by_side(bare_loader: LoadPod, threads):
    with bare_loader(SOURCE, f"side_{threads}", threads=threads) as pod:
        one, other = pod.count(20_000), pod.agen(5000)
        assert list(one) == list(range(20_000))
        assert list(other) == list(range(5000))


def test_a_stream_that_nobody_holds_is_closed_with_the_next_call(pod, tmp_path):
    stream = pod.count(10**9, str(tmp_path / "mark"))
    assert list(itertools.islice(stream, 100)) == list(range(100))
    del stream
    gc.collect()
    assert pod.same(1) == 1
    assert (tmp_path / "mark").read_text() == "closed"


def test_an_exception_arrives_at_its_place(pod):
    taken = []
    with pytest.raises(ValueError, match="at the end") as caught:
        taken.extend(pod.count_then_fail(3))
    assert isinstance(caught.value, PodCallError)
    assert taken == [0, 1, 2]
    stream = pod.count_then_fail(3)
    assert [next(stream) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="at the end"):
        next(stream)
    assert list(stream) == []


def test_an_item_that_cannot_cross_loses_none_before_it(pod):
    stream = pod.count_then_unsendable(20)
    assert [next(stream) for _ in range(20)] == list(range(20))
    with pytest.raises(PodCallError, match="coroutine cannot cross by value"):
        next(stream)


def test_large_items_come_in_small_batches(pod):
    assert [item[:1] for item in pod.large(20)] == [bytes([n]) for n in range(20)]


def test_streams_inside_a_result_stay_streams(pod):
    result = pod.in_a_dict()
    assert result["name"] == "x"
    assert list(result["rows"]) == [0, 1, 2]
    assert result["more"] == [0, 1]


def test_a_generator_beside_what_cannot_cross_is_closed(pod, tmp_path):
    with pytest.raises(ValueTransferError, match=r"result\[1\]: coroutine cannot cross"):
        pod.wrong_beside(str(tmp_path / "mark"))
    assert pod.same(2) == 2


def test_the_death_of_the_pod_ends_the_stream_with_its_error(bare_loader: LoadPod):
    pod = bare_loader(SOURCE).load_pod()
    stream = pod.die_at(0)
    with pytest.raises(PodDiedError):
        next(stream)
    assert list(stream) == []
    stream.close()
    assert pod.same(3) == 3


def test_a_stream_survives_other_calls_between_its_items(pod):
    streams = [pod.count(300) for _ in range(3)]
    for wanted, items in enumerate(zip(*streams, strict=True)):
        assert items == (wanted,) * 3
        assert pod.same(wanted) == wanted


def test_async_generators_are_streams_too(pod, tmp_path):
    assert list(pod.agen(50)) == list(range(50))
    with pod.agen(10**9, str(tmp_path / "mark")) as stream:
        assert next(stream) == 0
    assert (tmp_path / "mark").read_text() == "closed"
    stream = pod.agen_fails()
    assert next(stream) == 1
    with pytest.raises(KeyError):
        next(stream)


def test_async_for_takes_from_any_stream(pod):
    async def take() -> list[Any]:
        async with pod.count(10**9) as endless:
            first = [await anext(endless) for _ in range(3)]
        return [first, [x async for x in pod.agen(5)], [x async for x in pod.count(2000)]]

    assert asyncio.run(take()) == [[0, 1, 2], [0, 1, 2, 3, 4], list(range(2000))]


# Iterators as arguments ------------------------------------------------------------------------


def test_an_iterator_is_pulled_by_the_pod(pod):
    assert pod.total(iter(range(1000))) == sum(range(1000))
    assert pod.total(n / 2 for n in range(7)) == 10.5


def test_an_iterator_is_pulled_only_as_far_as_the_pod_goes(pod):
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in itertools.count():
            taken.append(number)
            yield number

    assert pod.first(numbers(), 3) == [0, 1, 2]
    assert len(taken) <= 8


def test_what_an_iterator_raises_arrives_in_the_pod_at_its_place(pod):
    def numbers() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("no more")

    assert pod.catches(numbers()) == ([1, 2], "no more", "HostCallError")


def test_a_stream_of_the_pod_can_be_passed_back_and_to_another(pod, bare_loader: LoadPod):
    other = bare_loader(SOURCE).load_pod()
    assert pod.total(pod.count(3000)) == sum(range(3000))
    assert other.total(pod.count(3000)) == sum(range(3000))


def test_a_generator_keeps_the_iterator_that_it_was_passed(pod):
    assert list(pod.echo_stream(iter(range(500)))) == [2 * n for n in range(500)]


def test_a_file_is_pulled_line_by_line(pod, tmp_path: Path):
    (tmp_path / "lines").write_text("a\nb\n")
    with (tmp_path / "lines").open() as lines:
        assert pod.first(lines, 9) == ["a\n", "b\n"]


# What nobody holds any more ---------------------------------------------------------------------


def wait_until_closed(pod: Any, path: Path) -> None:
    """Let calls, which carry what there is to tell, go on until the generator is closed."""
    deadline = time.monotonic() + 20
    while not path.exists() and time.monotonic() < deadline:
        pod.same(1)
        time.sleep(0.01)
    assert path.read_text() == "closed"


@pytest.mark.parametrize("how", ["timeout", "cancel"])
def test_a_stream_in_an_answer_that_comes_too_late_is_closed(bare_pod, tmp_path, how):
    pod = bare_pod(SOURCE)
    if how == "timeout":
        with pytest.raises(PodTimeoutError):
            pod.late.options(timeout=0.2)(str(tmp_path / "path"))
    else:
        future = pod.late.submit(str(tmp_path / "path"))
        time.sleep(0.2)
        assert future.cancel()
    wait_until_closed(pod, tmp_path / "path")


def test_what_a_finally_raises_when_nobody_holds_the_stream_is_printed(bare_loader, caplog):
    caplog.set_level(0)
    loader = bare_loader(SOURCE)
    pod = loader.load_pod()
    pid = loader.pid
    stream = pod.ends_badly()
    assert next(stream) == 1
    del stream
    gc.collect()
    assert [pod.same(n) for n in range(3)] == [0, 1, 2]
    assert loader.pid == pid
    loader.unload_pod()
    assert "in the finally" in caplog.text


def test_a_stream_dropped_while_it_runs_stops_no_thread_of_the_pod(bare_pod, tmp_path):
    pod = bare_pod(SOURCE, threads=2)
    stream = pod.pauses(1000, str(tmp_path / "path"))
    while stream._count < 512:  # Then a batch is under way that it pauses in.
        next(stream)
    del stream
    gc.collect()
    wait_until_closed(pod, tmp_path / "path")
    assert pod.threads() == ["MainThread", "pypods-call-0", "pypods-call-1", "pypods-reader"]
