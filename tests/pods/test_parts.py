"""Long results, which come in parts while the pod still encodes: as if they came as a whole."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from pypods.errors import PodCallError, PodDiedError, PodTimeoutError, ValueTransferError
from pypods.pods.futures import PodFuture
from pypods.pods.parts import ResultParts
from pypods.wire.envelopes import part_frame

LoadPod = Callable[..., Any]

SOURCE = """
import datetime as dt, os, sqlite3, sys, time
from decimal import Decimal

def row(i):
    return (i, "name %d" % i, None if i % 3 else i / 2, Decimal(i), dt.date(2000, 1, 1))
def rows(count): return [row(i) for i in range(count)]
def rows_as_tuple(count): return tuple(rows(count))
def rows_as_dicts(count): return [dict(zip("abcde", row(i))) for i in range(count)]

def mixed(count):
    '''Rows that are encoded value by value.'''
    return [(i, "x") if i % 2 else ("x", i) for i in range(count)]

def with_none_that_crosses(count):
    endless = []
    endless.append(endless)
    return rows(count) + [(1, endless)]

class Thing:
    def __init__(self, number): self.number = number
def things(count): return [(Thing(i),) + (i,) * 63 for i in range(count)]
def things_and_none_that_crosses(count):
    endless = []
    endless.append(endless)
    return things(count) + [(1, endless)]

def generators(count): return [((x for x in [i]),) + (i,) * 63 for i in range(count)]

def ask(function, count): return function(rows(count))
def table(count):
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("create table t (a, b)")
    connection.executemany("insert into t values (?, ?)", ((i, str(i)) for i in range(count)))
    return connection
def failing_table(count):
    connection = table(count)
    def fail_at(a):
        if a == count - 10: raise ValueError("no such row")
        return a
    connection.create_function("fail_at", 1, fail_at)
    return connection

def same(x): return x
def pid(): return os.getpid()
def held():
    import gc
    gc.collect()
    return sum(type(each) is Thing for each in gc.get_objects())
"""
COUNT = 20_000


def row(i: int) -> tuple[Any, ...]:
    return i, f"name {i}", None if i % 3 else i / 2, Decimal(i), dt.date(2000, 1, 1)


ROWS = [row(i) for i in range(COUNT)]


@pytest.fixture(scope="module")
def pod(load: LoadPod) -> Any:
    """Return the pod that most tests share."""
    return load().load_pod()


@pytest.fixture(
    scope="module", params=[{}, {"threads": 2}, {"workers": 2}, {"max_shared_bytes": 0}]
)
def any_pod(request: pytest.FixtureRequest, load: LoadPod) -> Any:
    """Return a pod with one thread, with several, a pool, and one without shared memory."""
    return load(name="_".join(["any", *request.param]), **request.param).load_pod()


def no_parts(pod: Any) -> bool:
    """Whether nothing is left of any result, once the thread for futures has seen to it."""
    parts = pod._pypods_source.session()._parts
    deadline = time.monotonic() + 20
    while parts and time.monotonic() < deadline:
        time.sleep(0.01)
    return not parts


# --- as a whole ---------------------------------------------------------------------------------


def test_long_results_come_as_what_they_are(any_pod):
    assert any_pod.rows(COUNT) == ROWS
    assert any_pod.rows_as_tuple(COUNT) == tuple(ROWS)
    assert any_pod.rows_as_dicts(COUNT) == [dict(zip("abcde", each, strict=True)) for each in ROWS]
    mixed = any_pod.mixed(COUNT)
    assert len(mixed) == COUNT
    assert mixed[:2] == [("x", 0), (1, "x")]


def test_a_future_has_the_whole(any_pod):
    futures = [any_pod.rows.submit(COUNT) for _ in range(3)]
    other = any_pod.same.submit("x")
    assert all(future.result(60) == ROWS for future in futures)
    assert other.result(60) == "x"


def test_an_event_loop_is_given_the_whole(any_pod):
    async def call() -> list[Any]:
        return await asyncio.gather(
            any_pod.rows.aio(COUNT), any_pod.same.aio(1), any_pod.rows_as_tuple.aio(COUNT)
        )

    assert asyncio.run(call()) == [ROWS, 1, tuple(ROWS)]


def test_threads_have_each_their_own(any_pod):
    found: dict[int, Any] = {}

    def take(count: int) -> None:
        found[count] = any_pod.rows(count)

    threads = [threading.Thread(target=take, args=(COUNT - i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {COUNT - i: ROWS[: COUNT - i] for i in range(4)}


def test_a_call_within_an_answer_has_the_whole(pod):
    def look(rows: list[Any]) -> int:
        return len(rows) + len(pod.rows(COUNT))

    assert pod.ask(look, 10) == COUNT + 10
    assert no_parts(pod)


def test_references_and_generators_in_it_are_used_as_ever(pod):
    things = pod.things(1500)
    assert [things[i][0].number for i in (0, 600, 1499)] == [0, 600, 1499]
    generators = pod.generators(1500)
    assert list(generators[1400][0]) == [1400]


# --- cursors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("take", ["fetchall", "fetchmany"])
def test_many_rows_of_a_cursor_are_one_round_trip(pod, take):
    cursor = pod.table(3 * COUNT).execute("select a, b from t order by a")
    session = pod._pypods_source.session()
    before = session._next_number()
    rows = cursor.fetchall() if take == "fetchall" else cursor.fetchmany(3 * COUNT - 1)
    assert session._next_number() == before + 2
    assert rows == [(i, str(i)) for i in range(len(rows))]
    assert len(rows) == 3 * COUNT - (take == "fetchmany")
    rest = cursor.fetchall()
    assert rest == ([] if take == "fetchall" else [(3 * COUNT - 1, str(3 * COUNT - 1))])


def test_rows_that_were_read_ahead_come_first(pod):
    cursor = pod.table(COUNT).execute("select a from t order by a")
    first = [cursor.fetchone() for _ in range(20)]
    assert first + cursor.fetchall() == [(i,) for i in range(COUNT)]


def test_a_driver_that_fails_at_a_late_row_gives_none(pod):
    connection = pod.failing_table(COUNT)
    cursor = connection.execute("select fail_at(a) from t")
    with pytest.raises(PodCallError, match="user-defined function raised exception"):
        cursor.fetchall()
    assert no_parts(pod)
    assert connection.execute("select count(*) from t").fetchone() == (COUNT,)


def test_what_is_asked_meanwhile_finds_no_half_fetched_cursor(load):
    """The driver has fetched all before the first part goes out."""
    pod = load(name="meanwhile", threads=2).load_pod()
    connection = pod.table(COUNT)
    cursor = connection.execute("select a from t order by a")
    future = cursor.fetchall.submit()
    connection.execute("delete from t")
    assert future.result(60) == [(i,) for i in range(COUNT)]
    assert connection.execute("select count(*) from t").fetchone() == (0,)


# --- what does not come to its end --------------------------------------------------------------


def test_a_row_that_cannot_cross_is_named_and_no_other_comes(pod):
    with pytest.raises(ValueTransferError, match=rf"result\[{COUNT}\]\[1\]"):
        pod.with_none_that_crosses(COUNT)
    assert no_parts(pod)
    assert pod.same(1) == 1


def test_what_came_before_a_row_that_cannot_cross_is_let_go_of(pod):
    with pytest.raises(ValueTransferError):
        pod.things_and_none_that_crosses(1500)
    deadline = time.monotonic() + 20
    while pod.held() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert pod.held() == 0


def test_parts_are_together_no_longer_than_a_frame_and_the_shared_memory(load):
    pod = load(name="short", max_frame_bytes=400_000, max_shared_bytes=0).load_pod()
    with pytest.raises(ValueTransferError, match=f"{COUNT} rows, of which no more than"):
        pod.rows(COUNT)
    assert no_parts(pod)
    assert pod.rows(9_000) == ROWS[:9_000]


def test_more_than_a_frame_comes_where_there_is_shared_memory(load):
    pod = load(name="roomy", max_frame_bytes=400_000).load_pod()
    assert pod.rows(COUNT) == ROWS


@pytest.mark.parametrize("way", ["call", "submit"])
def test_a_timeout_between_two_parts_leaves_the_pod_as_it_was(pod, way):
    pid = pod.pid()
    for timeout in (0.1, 0.6):
        slow = pod.mixed.options(timeout=timeout)
        with pytest.raises(PodTimeoutError, match="the call was interrupted"):
            slow(1_000_000) if way == "call" else slow.submit(1_000_000).result(60)
    assert pod.same(3) == 3
    assert pod.pid() == pid
    assert no_parts(pod)


def test_ctrl_c_between_two_parts_leaves_the_pod_as_it_was(pod):
    pid = pod.pid()
    for seconds in (0.1, 0.6):
        timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            pod.mixed(1_000_000)
        timer.join()
    assert pod.same(3) == 3
    assert pod.pid() == pid
    assert no_parts(pod)


def test_a_cancelled_future_leaves_the_pod_as_it_was(pod):
    pid = pod.pid()
    future = pod.mixed.submit(1_000_000)
    time.sleep(0.3)
    future.cancel()
    assert future.cancelled()
    assert pod.same(3) == 3
    assert pod.pid() == pid
    assert no_parts(pod)


def test_a_part_that_waits_while_its_future_is_cancelled_is_let_go_of(pod):
    ended = pod.same.submit(1)
    ended.result(60)
    future = PodFuture(ended.calls, 2**40, None, None)
    assert future.cancel()
    ended.calls.settle(future, part_frame(future.number, [(1, 2)]), None)
    assert future.number not in pod._pypods_source.session()._parts


@pytest.mark.parametrize("way", ["call", "submit"])
def test_a_pod_that_dies_between_two_parts_has_died_in_the_call(load, way):
    pod = load(name="mortal").load_pod()
    session = pod._pypods_source.session()
    timer = threading.Timer(0.6, os.kill, (pod.pid(), signal.SIGKILL))
    timer.start()
    with pytest.raises(PodDiedError, match="killed by SIGKILL"):
        pod.mixed(2_000_000) if way == "call" else pod.mixed.submit(2_000_000).result(60)
    timer.join()
    assert not session._parts
    assert pod.same(1) == 1


# --- what has come ------------------------------------------------------------------------------


def test_parts_are_put_together_by_call():
    parts = ResultParts(100)
    assert parts.whole(1, "x") == "x"
    for number in (1, 2):
        assert parts.announce(number, 50)
        parts.add(number, [number])
    assert parts.announce(1, 50)
    parts.add(1, [10])
    assert parts.whole(1, [11]) == [1, 10, 11]
    assert parts.whole(2, ()) == (2,)
    assert not parts
