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
def goes_on(f, x):
    result = f()
    _kept.append(x)
    return result
def naps_on(seconds, x): time.sleep(seconds); _kept.append(x)
def kept(): return list(_kept)
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
        pod.naps.options(timeout=0.2)(1.5)
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


@pytest.mark.parametrize("depth", [1, 3])
def test_the_first_async_call_may_be_made_in_a_callback(bare_loader: LoadPod, outer_python, depth):
    pod = bare_loader(SOURCE, python=outer_python).load_pod()

    def nested(n: int, x: int) -> int:
        return pod.sleeps(0.001, x) if n == 0 else pod.apply(lambda: nested(n - 1, x) + 1)

    def call(x: int) -> int:
        return nested(depth - 1, x)

    # A thread of the pod begins to read while its main thread waits for an answer.
    assert pod.each(call, 3) == [n + depth - 1 for n in range(3)]
    assert pod.each(lambda i: pod.same(i), 3) == [0, 1, 2]
    with pytest.raises(PodTimeoutError, match="interrupted"):
        pod.naps.options(timeout=0.2)(1)
    assert pod.same("well") == "well"


def test_a_call_in_which_the_first_async_one_was_made_can_be_cancelled(
    bare_loader: LoadPod, outer_python
):
    loader = bare_loader(SOURCE, python=outer_python)
    pod = loader.load_pod()
    pids, goes_on, may_go_on = loader.pids, threading.Event(), threading.Event()

    def call() -> int:
        assert pod.sleeps(0.001, 1) == 1
        goes_on.set()
        assert may_go_on.wait(30)
        return pod.same(2)

    future = pod.apply.submit(call)
    assert goes_on.wait(30)
    assert future.cancel()
    may_go_on.set()
    assert pod.same("well") == "well"
    assert loader.pids == pids


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_calls_that_wait_behind_one_that_asks_can_be_cancelled(
    bare_loader: LoadPod, outer_python, kind
):
    pod = bare_loader(SOURCE, python=outer_python).load_pod()
    inside, may_go_on = threading.Event(), threading.Event()
    timed_out: list[PodTimeoutError] = []

    def wait() -> None:
        inside.set()
        assert may_go_on.wait(30)
        if kind == "async":
            assert pod.sleeps(0.001, 1) == 1

    def call_for_a_moment() -> None:
        with pytest.raises(PodTimeoutError) as caught:
            pod.goes_on.options(timeout=0.1)(lambda: 0, "timed out")
        timed_out.append(caught.value)

    first = pod.goes_on.submit(wait, "the first")
    assert inside.wait(30)
    second, third = (pod.goes_on.submit(lambda: 0, each) for each in ("cancelled", "the last"))
    assert second.cancel()
    call_for_a_moment()
    assert len(timed_out) == 1
    may_go_on.set()
    assert first.result(30) is None
    assert third.result(30) == 0
    assert pod.kept() == ["the first", "the last"]


@pytest.mark.parametrize("when", ["it waits", "the inner one waits", "the inner one runs"])
def test_a_call_that_asks_is_cancelled_but_no_call_inside_it(
    bare_loader: LoadPod, outer_python, when
):
    loader = bare_loader(SOURCE, python=outer_python)
    pod = loader.load_pod()
    pids, inside, may_go_on = loader.pids, threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        assert may_go_on.wait(30)

    def inner() -> None:
        if when == "it waits":
            wait()
        elif when == "the inner one waits":
            pod.goes_on(wait, "the inner one")
        else:
            inside.set()
            pod.naps_on(0.5, "the inner one")

    outer = pod.goes_on.submit(inner, "the outer one")
    assert inside.wait(30)
    assert outer.cancel()
    may_go_on.set()
    assert pod.same("well") == "well"
    assert pod.kept() == ([] if when == "it waits" else ["the inner one"])
    assert loader.pids == pids


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_call_made_in_answering_a_cancelled_one_holds_nobody_up(
    bare_loader: LoadPod, outer_python, kind
):
    pod = bare_loader(SOURCE, python=outer_python).load_pod()
    if kind == "async":
        assert pod.sleeps(0.001, 1) == 1  # From then on a thread of the pod reads.
    inside, may_go_on = threading.Event(), threading.Event()

    def ask_too_late() -> None:
        inside.set()
        assert may_go_on.wait(30)
        pod.goes_on(lambda: None, "too late")

    cancelled = pod.goes_on.submit(ask_too_late, "cancelled")
    assert inside.wait(30)
    # It asks the thread that answers the first one, which waits for a call of its own by then.
    second = pod.goes_on.submit(lambda: "asked", "the second")
    assert cancelled.cancel()
    time.sleep(0.2)
    may_go_on.set()
    assert second.result(30) == "asked"
    assert pod.kept() == ["the second"]


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_call_in_an_answer_can_be_made_while_another_one_asks(
    bare_loader: LoadPod, outer_python, kind
):
    pod = bare_loader(SOURCE, python=outer_python).load_pod()
    if kind == "async":
        assert pod.sleeps(0.001, 1) == 1
    later: list[Any] = []

    def inner() -> str:
        later.append(pod.same.submit("inner"))
        return "asked"

    def outer() -> tuple[Any, ...]:
        first = pod.apply.submit(inner)
        second = pod.apply.submit(lambda: "asked too")
        return first.result(30), second.result(30), pod.same("outer")

    assert pod.apply(outer) == ("asked", "asked too", "outer")
    assert later[0].result(30) == "inner"


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
