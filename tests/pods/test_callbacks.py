"""Functions of the host as arguments: called by the pod, on the thread that made the call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from pypods.errors import PodCallError, PodTimeoutError, ValueTransferError

LoadPod = Callable[..., Any]

SOURCE = """
import asyncio, threading, time
_kept = []
def same(x): return x
def apply(f, *args, **kwargs): return f(*args, **kwargs)
def each(f, n): return [f(i) for i in range(n)]
def keep(f): _kept.append(f)
def last_kept(): return _kept[-1][0], _kept[-1][-1]
def call_kept(): return _kept[-1](1)
def catches(f):
    try:
        f()
    except ValueError as exc:
        return str(exc), type(exc).__mro__[1].__name__, exc.type_name
def forgives(f):
    try: f()
    except KeyError: return "forgiven"
def named(f): return f.__name__, repr(f)
def stream(f, n):
    for i in range(n): yield f(i)
def from_a_thread(f):
    result = []
    def run():
        try: result.append(f(1))
        except RuntimeError as exc: result.append(str(exc))
    thread = threading.Thread(target=run)
    thread.start(); thread.join()
    return result
async def on_the_loop(f, x):
    await asyncio.sleep(0)
    return f(x)
async def sleeps(seconds, x):
    await asyncio.sleep(seconds)
    return x
def naps(seconds): time.sleep(seconds); return seconds
def without_end(f):
    while True: f()
"""

MODES = [{}, {"threads": 3}]


@pytest.fixture(scope="module", params=MODES, ids=["one at a time", "threads=3"])
def pod(module_loader: LoadPod, request: pytest.FixtureRequest) -> Any:
    name = "callbacks" + "_".join(request.param)
    return module_loader(SOURCE, name, **request.param, measured=True).load_pod()


def test_the_pod_calls_a_function_of_the_host(pod):
    assert pod.each(lambda i: i * i, 5) == [0, 1, 4, 9, 16]
    assert pod.apply(lambda *a, **k: (a, k), 1, (2,), x={3}) == ((1, (2,)), {"x": {3}})


def test_it_runs_on_the_thread_that_made_the_call(pod):
    threads: list[int] = []
    results: list[Any] = []

    def call() -> None:
        results.append(pod.each(lambda i: threads.append(threading.get_ident()) or i, 3))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join(30)
    assert results == [[0, 1, 2]]
    assert set(threads) == {thread.ident}


def test_its_exception_travels_into_the_pod(pod):
    def fail() -> None:
        raise ValueError("from the host")

    assert pod.catches(fail) == ("from the host", "HostCallError", "ValueError")


def test_its_exception_comes_back_with_the_original_as_cause(pod):
    def fail() -> None:
        raise KeyError("mine")

    assert pod.forgives(fail) == "forgiven"
    with pytest.raises(KeyError) as caught:
        pod.apply(fail)
    assert isinstance(caught.value, PodCallError)
    assert type(caught.value.__cause__) is KeyError


def test_it_may_itself_call_the_pod(pod):
    assert pod.apply(lambda x: pod.apply(lambda y: pod.same(y) + 1, x) * 2, 20) == 42


def test_large_values_of_a_call_in_a_callback_stay_the_pods(pod):
    def call() -> None:
        pod.keep(memoryview(bytes([1]) * 100_000))

    pod.apply(call)
    for number in range(2, 12):
        pod.same(memoryview(bytes([number]) * 100_000))
    assert pod.last_kept() == (1, 1)


def test_a_result_that_cannot_cross_is_an_error_in_the_pod(pod):
    with pytest.raises(PodCallError, match="the host's answer"):
        pod.apply(lambda: object())


def test_it_is_named_in_the_pod(pod):
    def progress() -> None: ...

    name, shown = pod.named(progress)
    assert name.endswith("progress")
    assert shown == f"<function {name} of the host>"


def test_it_may_be_called_in_a_later_call(pod):
    pod.keep(lambda x: x + 41)
    assert pod.call_kept() == 42


def test_a_generator_may_call_it_as_long_as_it_runs(pod):
    assert list(pod.stream(lambda i: i + 1, 40)) == list(range(1, 41))


def test_a_class_is_no_function_and_cannot_cross(pod):
    with pytest.raises(ValueTransferError, match=r"args\[0\]: type cannot cross by value"):
        pod.same(int)


def test_async_functions_run_beside_each_other_and_may_call_it(pod):
    assert pod.on_the_loop(lambda x: x * 3, 5) == 15
    started = time.monotonic()
    results: list[Any] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(pod.sleeps(0.5, n))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == list(range(8))
    assert time.monotonic() - started < 8 * 0.5  # One after the other would take that long.


def test_an_async_function_and_a_thread_are_interrupted(pod):
    with pytest.raises(PodTimeoutError, match="interrupted"):
        pod.sleeps.options(timeout=0.2)(60, 1)
    with pytest.raises(PodTimeoutError, match="interrupted"):
        pod.naps.options(timeout=0.2)(1)
    assert pod.same("well") == "well"


def test_a_pod_that_asks_without_end_is_interrupted_in_time(pod):
    with pytest.raises(PodTimeoutError, match="interrupted"):
        pod.without_end.options(timeout=0.3)(lambda: None)
    assert pod.same("well") == "well"


def test_ctrl_c_in_a_callback_ends_the_call_and_not_the_pod(pod):
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pod.apply(interrupted)
    assert pod.same("well") == "well"


def test_after_an_async_call_everything_else_still_works(pod):
    assert pod.sleeps(0, 1) == 1
    assert pod.each(lambda i: pod.same(i), 3) == [0, 1, 2]
    assert pod.apply(lambda x: pod.apply(lambda y: y + 1, x) * 2, 20) == 42
    with pytest.raises(ZeroDivisionError):
        pod.apply(lambda: 1 / 0)


def test_a_thread_of_the_pods_own_may_call_it_where_threads_run_side_by_side(bare_loader: LoadPod):
    pod = bare_loader(SOURCE).load_pod()
    (said,) = pod.from_a_thread(lambda x: x + 1)
    assert "load the pod with threads=" in said
    side_by_side = bare_loader(SOURCE, "threaded", threads=1).load_pod()
    assert side_by_side.from_a_thread(lambda x: x + 1) == [2]


def test_threads_take_calls_side_by_side(bare_loader: LoadPod):
    pod = bare_loader(SOURCE, threads=4).load_pod()
    started = time.monotonic()
    threads = [threading.Thread(target=pod.naps, args=(0.5,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert time.monotonic() - started < 4 * 0.5  # One after the other would take that long.
