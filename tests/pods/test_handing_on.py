"""Large values from pod to pod, and streams of them: what the host holds meanwhile."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from pypods.errors import PodDiedError

LoadPod = Callable[..., Any]
MEBI = 2**20

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here")

SOURCE = """
import os
import numpy as np

kept = []

def make(count, start=0.0): return np.arange(start, start + count)
def echo(x): return x
def total(x): return float(np.asarray(x).sum())
def keep(x): kept.append(x)
def kept_total(): return float(sum(x.sum() for x in kept))
def drop(): kept.clear()
def pid(): return os.getpid()
def books():
    import gc
    from pypods.wire.shared import SharedMemory
    (memory,) = [each for each in gc.get_objects() if type(each) is SharedMemory]
    return memory.writer.used_bytes, memory.writer.handed_bytes, memory.writer.arena.is_mapped

def produce(count, items):
    for number in range(count):
        yield np.full(items, float(number))

async def produce_async(count, items):
    for number in range(count):
        yield np.full(items, float(number))

def check(stream):
    seen = 0
    for number, each in enumerate(stream):
        assert (each == number).all(), number
        seen += each.nbytes
    return seen

def pull_and_give(stream, give):
    for each in stream:
        give(each)

def batches(count, rows):
    import pyarrow as pa
    for number in range(count):
        yield pa.record_batch({"n": np.full(rows, number), "t": ["x" * 10] * rows})

def failing_batches(count, rows):
    yield from batches(count, rows)
    raise ValueError("no more of them")

def check_batches(stream):
    seen = 0
    for number, each in enumerate(stream):
        assert each.column("n")[-1].as_py() == number
        each.validate(full=True)
        seen += each.num_rows
    return seen
"""


@pytest.fixture
def load(bare_loader: LoadPod) -> Iterator[LoadPod]:
    """Return a function that loads the pod: its loader and the pod."""

    def load_it(**options: Any) -> tuple[Any, Any]:
        loader = bare_loader(SOURCE, **options)
        return loader, loader.load_pod()

    yield load_it
    gc.collect()


def books_of(loader: Any) -> tuple[int, int, int, int]:
    memory = loader.session().shared
    return (
        memory.writer.used_bytes,
        memory.writer.handed_bytes,
        memory.reader.held_bytes,
        memory.reader.handed_bytes,
    )


def assert_nothing_lent(*pods: tuple[Any, Any]) -> None:
    """Fail if memory is out, once all sides have said what they returned."""
    for _ in range(3):
        gc.collect()
        for _, pod in pods:
            pod.pid()
    for loader, pod in pods:
        assert books_of(loader) == (0, 0, 0, 0)
        assert pod.books()[:2] == [0, 0] or pod.books()[:2] == (0, 0)


def shared_pages() -> int:
    """Return the kilobytes of shared memory that this process has touched."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition("RssShmem:")[2].split()[0])


def private_pages() -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.partition("RssAnon:")[2].split()[0])


def test_an_array_goes_from_pod_to_pod_without_a_copy(load):
    first, second = load(), load()
    before = shared_pages()
    value = first[1].make(4 * MEBI)
    assert second[1].total(value) == sum(range(4 * MEBI))
    assert shared_pages() - before < 1024  # The host has not so much as looked at it.
    assert not second[0].session().shared.writer.arena.is_mapped
    del value
    assert_nothing_lent(first, second)


def test_an_array_that_comes_back_is_the_memory_that_the_host_wrote(load):
    one = load()
    value = np.arange(100_000.0)
    back = one[1].echo(value)
    assert np.array_equal(back, value)
    assert not np.shares_memory(back, value)
    assert one[1].books()[2] is False  # The pod has written nothing.
    value[0] = 5
    assert back[0] == 0
    del back
    assert_nothing_lent(one)


def test_what_a_pod_keeps_of_another_outlives_it(load):
    first, second = load(), load()
    second[1].keep(first[1].make(MEBI))
    first[0].unload_pod()
    gc.collect()
    assert second[1].kept_total() == sum(range(MEBI))
    second[1].drop()
    assert_nothing_lent(second)


@pytest.mark.parametrize("victim", ["first", "second"])
def test_a_pod_that_is_killed_takes_nothing_with_it(load, victim):
    first, second = load(), load()
    value = first[1].make(MEBI)
    second[1].keep(value)
    loader, pod = first if victim == "first" else second
    killed = loader.pid
    os.kill(killed, signal.SIGKILL)
    for _ in range(3):  # The next call starts it anew, unless it is the one that finds it dead.
        with contextlib.suppress(PodDiedError):
            assert pod.pid() != killed
    assert value[-1] == MEBI - 1
    if victim == "first":
        assert second[1].kept_total() == sum(range(MEBI))
        second[1].drop()
    del value
    assert_nothing_lent(first, second)


@pytest.mark.parametrize("name", ["produce", "produce_async"])
def test_a_stream_of_large_values_passes_through_the_host_untouched(load, name):
    first, second = load(), load()
    before, private = shared_pages(), private_pages()
    source = getattr(first[1], name)
    assert second[1].check(source(64, MEBI // 2)) == 64 * 4 * MEBI
    assert shared_pages() - before < 1024
    assert private_pages() - private < 4096  # Less than one of its values.
    assert_nothing_lent(first, second)


@pytest.mark.parametrize("options", [{"max_shared_bytes": 0}, {"max_shared_bytes": 12 * MEBI}])
def test_where_there_is_little_room_a_stream_waits_or_goes_in_frames(load, options):
    first, second = load(**options), load(**options)
    assert second[1].check(first[1].produce(16, MEBI // 2)) == 16 * 4 * MEBI


def test_a_reader_that_keeps_everything_gets_everything(load):
    one = load(max_shared_bytes=8 * MEBI)
    kept = list(one[1].produce(32, MEBI // 4))  # Eight times what is shared.
    assert [each[0] for each in kept] == list(range(32))
    assert all((each == number).all() for number, each in enumerate(kept))
    del kept
    assert_nothing_lent(one)


def test_a_stream_without_end_takes_no_more_than_a_few_of_its_values(load):
    one = load()
    stream = one[1].produce(10_000, MEBI // 4)
    most = 0
    for _ in range(100):
        assert len(next(stream)) == MEBI // 4
        most = max(most, one[0].session().shared.reader.held_bytes)
    stream.close()
    assert most <= 5 * 2 * MEBI
    assert_nothing_lent(one)


def test_large_values_of_callbacks_and_iterators_leave_the_frame(load):
    one = load()
    value = np.arange(100_000.0)
    seen: list[Any] = []
    frames_before = one[0].session().shared.writer._next_serial
    one[1].pull_and_give(iter([value, value + 1]), seen.append)
    assert np.array_equal(seen[0], value)
    assert np.array_equal(seen[1], value + 1)
    assert one[0].session().shared.writer._next_serial == frames_before + 2
    assert one[1].books()[1] == 2 * value.nbytes  # Handed back, for the pod has changed nothing.
    seen.clear()
    assert_nothing_lent(one)


def test_an_answer_that_is_too_long_is_an_error_in_the_pod_and_not_its_end(load):
    one = load(max_shared_bytes=0, max_frame_bytes=2 * MEBI)
    with pytest.raises(Exception, match="more than max_frame_bytes"):
        one[1].pull_and_give(iter([b"x" * 3 * MEBI]), len)
    with pytest.raises(Exception, match="more than max_frame_bytes"):
        one[1].check(iter([np.zeros(MEBI)]))
    assert one[1].pid() == one[0].pid


def test_record_batches_go_from_pod_to_pod_as_they_are(load):
    first, second = load(), load()
    before = shared_pages()
    assert second[1].check_batches(first[1].batches(8, 100_000)) == 800_000
    assert shared_pages() - before < 1024
    assert_nothing_lent(first, second)


def test_an_item_beyond_half_of_what_is_shared_waits_for_room(load):
    """Neither two of them have room, nor has a frame for one."""
    one = load(max_shared_bytes=8 * MEBI, max_frame_bytes=MEBI)
    for megabytes in (3, 5, 7):
        items = megabytes * MEBI // 8
        kept = list(one[1].produce(6, items))
        assert [each[-1] for each in kept] == list(range(6))
        assert one[1].check(iter(np.full(items, float(number)) for number in range(6)))
        del kept
        assert_nothing_lent(one)


# --- a stream of Arrow data as one ------------------------------------------------------------


@pytest.fixture(params=["through pyarrow", "through capsules of our own"])
def either_way(request, monkeypatch):
    if request.param != "through pyarrow":
        monkeypatch.delitem(sys.modules, "pyarrow")


def test_a_stream_of_batches_is_taken_batch_by_batch(load, either_way):
    one = load()
    stream = one[1].batches(10_000, 50_000)
    reader = pa.RecordBatchReader.from_stream(stream)
    assert reader.schema.names == ["n", "t"]
    for number in range(20):
        batch = reader.read_next_batch()
        batch.validate(full=True)
        assert batch.column("n")[0].as_py() == number
    stream.close()
    del batch, reader
    assert_nothing_lent(one)


def test_a_stream_of_batches_is_taken_to_its_end(load, either_way):
    one = load()
    table = pa.table(one[1].batches(5, 1000))
    assert table.num_rows == 5000
    assert pl.DataFrame(one[1].batches(5, 1000)).height == 5000
    reader = pa.RecordBatchReader.from_stream(one[1].failing_batches(5, 1000))
    for _ in range(5):
        reader.read_next_batch()
    with pytest.raises(Exception, match="no more of them"):
        reader.read_next_batch()
    with pytest.raises(ValueError, match="has no schema"):
        pa.table(one[1].batches(0, 1))
    with pytest.raises(TypeError, match="a stream of Arrow data has a ndarray in it"):
        pa.table(one[1].produce(1, 1))
