"""Cursors of a driver in a pod: fast, and to the program what they are in their own interpreter."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.pods import cursor_programs
from tests.pods.conftest import LoadPod

from pypods.errors import PodDiedError, PodTimeoutError, ValueTransferError

SOURCE = (
    Path(cursor_programs.__file__).read_text()
    + '''
import gc, os, sqlite3, sys, time

def connect(): return sqlite3.connect(":memory:")
class Row:
    def __init__(self, a): self.a = a
def make_dicts(connection):
    connection.row_factory = lambda cursor, row: dict(zip([c[0] for c in cursor.description], row))
def make_objects(connection):
    connection.row_factory = lambda cursor, row: Row(row[0])

def run_here(index):
    noted = []
    PROGRAMS[index](sys.modules[__name__], noted.append)
    return noted

class Overriding(sqlite3.Cursor):
    def fetchone(self):
        row = super().fetchone()
        return row and ("one", *row)
class Adding(sqlite3.Cursor):
    def skip(self):
        return super().fetchone()
    def close(self):
        self.left = len(self.fetchall())
        super().close()
class Bare(sqlite3.Cursor):
    pass
class Instances(sqlite3.Cursor):
    def __init__(self, *args):
        super().__init__(*args)
        self.fetchone = lambda: ("mine",)

class FakeError(Exception): pass
class InterfaceError(FakeError): pass

class Fake:
    """A cursor of a driver that tells what is asked of it."""
    description = rowcount = lastrowid = None
    arraysize = 1
    def __init__(self, rows=None, seconds=0.0, slow_from=10**9, moves=False):
        self.rows, self.seconds, self.slow_from = rows, seconds, slow_from
        self.moves = moves
        self.position = self.reads = 0
        self.fails_at, self.value = None, None
    def execute(self, sql="", args=()):
        if sql == "sleep": time.sleep(60)
        self.position, self.description, self.rowcount = 0, (("n",) + (None,) * 6,), -1
        return self
    executemany = execute
    def fetchone(self):
        self.reads += 1
        if self.position == self.fails_at: raise FakeError("no row %d" % self.position)
        if self.position == self.rows: return None
        if self.position >= self.slow_from: time.sleep(self.seconds)
        self.position += 1
        if self.moves: self.rowcount = self.position // self.moves
        return (self.position, self.value)
    def fetchmany(self, size=None):
        found = []
        for _ in range(size or self.arraysize):
            row = self.fetchone()
            if row is None: break
            found.append(row)
        return found
    def fetchall(self):
        return self.fetchmany(10**9)
    def __iter__(self): return iter(self.fetchone, None)
    def close(self): self.description = None
    def nextset(self):
        self.position += 1000
        return True
    def mogrify(self, text): return text
    def count_reads(self): return self.reads
counted = []
class Counted(Fake):
    def fetchone(self):
        row = super().fetchone()
        counted.append(row)
        return row
    def fetchmany(self, size=None): return super().fetchmany(size)
    def fetchall(self): return super().fetchall()
    def __iter__(self): return super().__iter__()
def how_many(): return len(counted)

class Moving(Fake):
    """Has all its rows, and moves among them."""
    rownumber = 0
    def execute(self, sql="", args=()):
        super().execute()
        self.rowcount = self.rows
        return None
    executemany = execute
    def fetchone(self): return super().fetchone()
    def fetchmany(self, size=None): return tuple(super().fetchmany(size))
    def fetchall(self): return tuple(super().fetchall())
    def __iter__(self): return super().__iter__()
    def scroll(self, value, mode="relative"):
        self.position = value if mode == "absolute" else self.position + value
    @property
    def rownumber(self): return self.position

shared = None
def share(cursor):
    global shared
    shared = cursor
def take_shared(): return shared.fetchone()
def take(cursor): return cursor.fetchone()
def take_inside(holder): return holder["cursor"].fetchone()
def die(): os._exit(3)
def same(x): return x
def call_twenty(function): return [function(i) for i in range(20)]
def held():
    gc.collect()
    return [len(each) for each in gc.get_objects() if type(each).__name__ == "References"][0]
def readings():
    gc.collect()
    return sum(type(each).__name__ == "Reading" for each in gc.get_objects())
'''
)


@pytest.fixture(scope="module")
def pod(load: LoadPod) -> Any:
    """Return the pod that the tests of this module share."""
    return load().load_pod()


@pytest.fixture(scope="module")
def plain_pod(load: LoadPod) -> Any:
    """Return a pod of whose cursors nothing is read ahead."""
    return load(name="plain", prefetch_rows=0).load_pod()


def requests(pod: Any) -> int:
    """Return how many requests were made of the pod, this one included."""
    number = pod._pypods_source.session()._next_number()
    assert isinstance(number, int)
    return number


# --- as in its own interpreter ------------------------------------------------------------------


@pytest.fixture(scope="module")
def threaded_pod(load: LoadPod) -> Any:
    """Return a pod that takes its calls on a thread."""
    return load(name="threaded", threads=1).load_pod()


@pytest.fixture(params=["ahead", "plain", "threaded"])
def either(request: pytest.FixtureRequest, pod: Any, plain_pod: Any, threaded_pod: Any) -> Any:
    """Return a pod of whose cursors rows are read ahead, one where not, and one with threads."""
    return {"ahead": pod, "plain": plain_pod, "threaded": threaded_pod}[request.param]


@pytest.mark.parametrize(
    "index",
    range(len(cursor_programs.PROGRAMS)),
    ids=lambda i: cursor_programs.PROGRAMS[i].__name__,
)
def test_a_program_sees_what_it_sees_in_the_pod(either, index):
    noted: list[Any] = []
    cursor_programs.PROGRAMS[index](either, noted.append)
    there = either.run_here(index)
    assert noted == there
    assert noted


# --- round trips --------------------------------------------------------------------------------


def count_requests(pod: Any, use: Any) -> int:
    before = requests(pod)
    use()
    return requests(pod) - before - 1


@pytest.fixture
def filled(pod: Any) -> Any:
    """Return a connection with a table of 3,000 rows."""
    return cursor_programs.fill(pod, 3000)


def test_all_rows_are_one_round_trip_and_come_by_value(pod, filled):
    cursor = filled.execute("select a, b from t order by a")
    rows: list[Any] = []
    assert count_requests(pod, lambda: rows.extend(cursor.fetchall())) == 1
    assert rows == [(i, f"b{i}") for i in range(3000)]


@pytest.mark.parametrize("take", [lambda c: list(c), lambda c: list(iter(c.fetchone, None))])
def test_an_iteration_takes_batches_that_grow(pod, filled, take):
    cursor = filled.execute("select a from t order by a")
    rows: list[Any] = []
    # A batch ends when it has taken long, so how many there are is not certain on a busy machine.
    assert count_requests(pod, lambda: rows.extend(take(cursor))) < 300
    assert rows == [(i,) for i in range(3000)]


def test_execute_brings_along_the_row_that_is_always_fetched(pod, filled):
    cursor = filled.cursor()

    def look_up(i: int) -> None:
        cursor.execute("select b from t where a = ?", (i,))
        assert cursor.fetchone() == (f"b{i}",)

    look_up(0)
    assert count_requests(pod, lambda: [look_up(i) for i in range(1, 101)]) <= 110


def test_attributes_that_are_asked_for_come_along(pod, filled):
    cursor = filled.cursor()

    def update(i: int) -> None:
        cursor.execute("update t set b = 'c' where a < ?", (i,))
        assert (cursor.rowcount, cursor.description) == (i, None)
        assert cursor.rowcount == i

    update(1)
    assert count_requests(pod, lambda: [update(i) for i in range(2, 52)]) == 50


def test_a_cached_attribute_is_forgotten_when_anything_else_is_asked(pod):
    cursor = pod.Fake(10)
    cursor.execute()
    assert (cursor.rowcount, cursor.rowcount) == (-1, -1)
    cursor.execute()
    assert count_requests(pod, lambda: cursor.rowcount) == 0
    pod.same(1)
    assert count_requests(pod, lambda: cursor.rowcount) == 1
    cursor.rowcount = 5
    assert cursor.rowcount == 5


def test_nothing_is_read_ahead_where_that_is_turned_off(plain_pod):
    cursor = plain_pod.Fake(100)
    cursor.execute()
    for i in range(20):
        assert cursor.fetchone()[0] == i + 1
        assert cursor.reads == i + 1
    for i, row in enumerate(cursor):
        assert row[0] == i + 21
        assert cursor.reads == i + 21


def test_prefetch_may_be_turned_off_for_one_cursor(pod):
    from pypods.pods import limit_prefetch

    cursor, other = pod.Fake(100), pod.Fake(100)
    limit_prefetch(cursor, 0)
    for each in (cursor, other):
        each.execute()
        assert [each.fetchone()[0] for _ in range(20)] == list(range(1, 21))
    assert cursor.count_reads() == 20
    assert other.reads > 20
    with pytest.raises(TypeError, match="no cursor"):
        limit_prefetch(pod.Row(1), 0)
    with pytest.raises(ValueError, match="between"):
        limit_prefetch(cursor, -1)


def test_a_strange_limit_is_refused(load):
    with pytest.raises(ValueError, match="prefetch_rows"):
        load(name="strange", prefetch_rows=-1)


def test_no_more_than_the_limit_is_read_ahead(load):
    pod = load(name="narrow", prefetch_rows=5).load_pod()
    cursor = pod.Fake(1000)
    cursor.execute()
    for taken in range(1, 200):
        assert next(iter(cursor))[0] == taken
        assert cursor.reads <= taken + 5


# --- backpressure -------------------------------------------------------------------------------


def test_what_is_read_ahead_of_an_endless_query_is_bounded(pod):
    cursor = pod.Fake()
    cursor.execute()
    for taken, row in enumerate(cursor, 1):
        assert row == (taken, None)
        assert cursor.reads <= 2 * taken
        if taken == 3:
            break
    assert cursor.reads <= 6


def test_rows_that_take_long_are_not_read_before_they_are_asked_for(pod):
    cursor = pod.Fake(seconds=0.05, slow_from=0)
    cursor.execute()
    for taken in range(1, 8):
        assert cursor.fetchone() == (taken, None)
        assert cursor.reads == taken


def test_a_batch_ends_soon_after_rows_begin_to_take_long(pod):
    cursor = pod.Fake(seconds=0.05, slow_from=63)
    cursor.execute()
    for _ in range(63):
        cursor.fetchone()
    # The first slow one may have been begun, as one more row of a batch.
    assert cursor.reads <= 64


def test_batches_are_bounded_in_bytes(load):
    pod = load(name="short", max_frame_bytes=200_000).load_pod()
    cursor = pod.Fake(300)
    cursor.value = "x" * 20_000
    cursor.execute()
    assert [row[0] for row in cursor] == list(range(1, 301))


def test_a_row_that_cannot_cross_is_an_error_at_its_place(load):
    pod = load(name="too_long", max_frame_bytes=100_000, max_shared_bytes=0).load_pod()
    connection = cursor_programs.fill(pod, 60)
    connection.execute("update t set b = ? where a = 40", ("x" * 60_000,))
    connection.execute("update t set b = b || b where a = 40")
    cursor = connection.execute("select a, b from t order by a")
    rows = [next(cursor)[0] for _ in range(40)]
    assert rows == list(range(40))
    with pytest.raises(ValueTransferError, match="max_frame_bytes"):
        next(cursor)
    assert [row[0] for row in cursor] == list(range(41, 60))


def test_rows_are_proxies_where_they_cannot_be_copied(pod, filled):
    pod.make_objects(filled)
    cursor = filled.execute("select a from t order by a")
    rows = list(cursor)
    assert isinstance(rows[7], pod.Row)
    assert [row.a for row in rows[::500]] == list(range(0, 3000, 500))


# --- where the rest of the pod could tell -------------------------------------------------------


def take_some(cursor: Any) -> list[int]:
    """Take rows until some must have been read ahead; return their numbers."""
    cursor.execute()
    return [cursor.fetchone()[0] for _ in range(20)]


def test_a_cursor_with_rows_ahead_is_not_passed_to_its_pod(pod):
    cursor = pod.Fake(100)
    assert take_some(cursor) == list(range(1, 21))
    for use in (
        lambda: pod.take(cursor),
        lambda: pod.take_inside({"cursor": cursor}),
        lambda: pod.take.submit(cursor),
        cursor.count_reads,
        lambda: cursor.fetchone.submit(),
        lambda: setattr(cursor, "value", 5),
    ):
        with pytest.raises(ValueTransferError, match=r"rows were read ahead .* prefetch_rows=0"):
            use()
    assert cursor.fetchone()[0] == 21
    assert cursor.mogrify("x") == "x"
    assert [row[0] for row in cursor.fetchmany(10)] == list(range(22, 32))
    assert len(cursor.fetchall()) == 69
    assert pod.take(cursor) is None


@pytest.mark.parametrize(
    "use",
    [
        lambda pod, cursor: pod.take(cursor),
        lambda pod, cursor: pod.take.submit(cursor).result(),
        lambda pod, cursor: pod.take_inside({"cursor": cursor}),
        lambda pod, cursor: cursor.fetchone.submit().result(),
        lambda pod, cursor: cursor.fetchone.options(timeout=20)(),
        lambda pod, cursor: pod.same(1) and cursor.fetchone(),
        lambda pod, cursor: cursor.fetchmany(1)[0],
    ],
)
def test_a_driver_that_has_all_its_rows_is_told_to_go_back(pod, use):
    cursor = pod.Moving(100)
    assert take_some(cursor) == list(range(1, 21))
    assert cursor.rownumber == 20
    assert cursor.position == 20
    assert [cursor.fetchone()[0] for _ in range(10)] == list(range(21, 31))
    assert use(pod, cursor)[0] == 31
    assert cursor.rownumber == 31
    assert [row[0] for row in cursor] == list(range(32, 101))


def test_rows_are_of_the_driver_s_container(pod):
    cursor = pod.Moving(100)
    take_some(cursor)
    assert cursor.fetchmany(2) == ((21, None), (22, None))
    take_some(cursor)
    assert type(cursor.fetchall()) is tuple


def test_a_driver_is_moved_from_where_the_program_is(pod):
    cursor = pod.Moving(100)
    take_some(cursor)
    cursor.scroll(5)
    assert cursor.fetchone()[0] == 26
    cursor.scroll(-2)
    assert cursor.fetchone()[0] == 25
    cursor.scroll(50, mode="absolute")
    assert cursor.fetchone()[0] == 51


def test_nothing_is_read_ahead_of_what_the_pod_holds_too(pod):
    cursor = pod.Fake(100)
    pod.share(cursor)
    assert take_some(cursor) == list(range(1, 21))
    assert cursor.reads == 20
    assert pod.take_shared() == (21, None)
    assert cursor.fetchone() == (22, None)
    pod.share(None)
    for _ in range(20):
        cursor.fetchone()
    assert cursor.reads > 42


@pytest.mark.parametrize("name", ["Overriding", "Adding", "Instances"])
def test_a_subclass_with_methods_of_its_own_does_as_it_says(pod, filled, name):
    cursor = filled.cursor(getattr(pod, name))
    cursor.execute("select a from t order by a")
    rows = [cursor.fetchone() for _ in range(20)]
    if name == "Overriding":
        assert rows == [("one", i) for i in range(20)]
        assert [next(cursor) for _ in range(10)] == [(i,) for i in range(20, 30)]
        assert cursor.fetchmany(2) == [(30,), (31,)]
        assert cursor.fetchone() == ("one", 32)
    elif name == "Adding":
        assert rows == [(i,) for i in range(20)]
        assert cursor.skip() == (20,)
        assert next(cursor) == (21,)
        cursor.close()
        assert cursor.left == 3000 - 22
    else:
        assert rows == [("mine",)] * 20
        assert next(cursor) == (0,)


def test_a_subclass_that_changes_nothing_is_read_ahead(pod, filled):
    cursor = filled.cursor(pod.Bare)
    cursor.execute("select a from t order by a")
    rows: list[Any] = []
    assert count_requests(pod, lambda: rows.extend(cursor)) < 300
    assert rows == [(i,) for i in range(3000)]


def test_a_subclass_in_the_pod_s_own_file_is_not_taken_for_the_driver_s(pod):
    before = pod.how_many()
    cursor = pod.Counted(100)
    assert take_some(cursor) == list(range(1, 21))
    assert pod.how_many() > before


def test_a_row_count_that_moves_is_seen_as_it_moves(either):
    cursor = either.Fake(200, moves=7)
    cursor.execute()
    for taken in range(1, 120):
        assert cursor.fetchone() == (taken, None)
        if taken > 50:
            assert cursor.rowcount == taken // 7


def test_an_error_at_a_row_comes_after_the_rows_before(either):
    cursor = either.Fake(100)
    cursor.fails_at = 49
    cursor.execute()
    rows = []
    with pytest.raises(either.FakeError, match="no row 49"):
        rows.extend(iter(cursor.fetchone, None))
    assert rows == [(i, None) for i in range(1, 50)]
    with pytest.raises(either.FakeError, match="no row 49"):  # It has not moved.
        cursor.fetchone()


def test_nextset_and_execute_let_go_of_rows(pod):
    cursor = pod.Fake(10_000)
    take_some(cursor)
    position = cursor.position
    assert cursor.nextset() is True
    assert cursor.fetchone()[0] == position + 1001
    assert take_some(cursor)[-1] == 20


# --- threads, ends and interrupts ---------------------------------------------------------------


def test_threads_share_a_cursor_and_lose_no_row(pod, filled):
    cursor = filled.execute("select a from t")
    found: list[int] = []

    def take() -> None:
        for (a,) in iter(cursor.fetchone, None):
            found.append(a)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(3000))


def test_a_fetch_that_took_too_long_loses_no_row(pod):
    cursor = pod.Fake(60, seconds=0.1, slow_from=40)
    cursor.execute()
    # The first slow one may have been read ahead, and ends what is.
    rows = [cursor.fetchone()[0] for _ in range(41)]
    with pytest.raises(PodTimeoutError):
        cursor.fetchone.options(timeout=0.02)()
    with pytest.raises(ValueTransferError, match="read ahead"):
        pod.take(cursor)
    rest = [row[0] for row in cursor]
    assert rows + rest == list(range(1, 61))


def test_an_execute_that_took_too_long_leaves_nothing_behind(pod):
    cursor = pod.Fake(100)
    take_some(cursor)
    with pytest.raises(PodTimeoutError):
        cursor.execute.options(timeout=0.05)("sleep")
    cursor.execute()
    assert cursor.fetchone()[0] == 1


def test_a_cursor_of_a_pod_that_died_gives_no_rows(load):
    pod = load(name="dying").load_pod()
    cursor = pod.Fake(100)
    take_some(cursor)
    with pytest.raises(PodDiedError):
        pod.die()
    for use in (cursor.fetchone, cursor.fetchall, lambda: next(iter(cursor)), cursor.execute):
        with pytest.raises(PodDiedError):
            use()


def test_nothing_is_left_of_cursors_that_are_dropped(pod):
    def settled() -> tuple[int, int]:
        gc.collect()
        pod.same(None)
        return pod.held(), pod.readings()

    before = settled()
    for _ in range(20):
        cursor = pod.Moving(50)
        take_some(cursor)
        for _row in cursor:
            break
    del cursor, _row
    assert settled() == before


def test_a_callback_may_use_the_cursor_that_is_being_used(pod):
    connection = cursor_programs.fill(pod)
    other = connection.cursor()
    other.execute("select a from t order by a")
    seen = []

    def look(x: int) -> int:
        seen.append(other.fetchone())
        return x

    assert pod.call_twenty(look) == list(range(20))
    assert seen == [(i,) for i in range(20)]
