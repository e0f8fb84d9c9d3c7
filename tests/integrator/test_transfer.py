"""Batches read ahead: in their order, bounded, with errors in their place."""

from __future__ import annotations

import threading
from time import monotonic

import pytest

from pypods.errors import PodTimeoutError
from pypods.integrator import transfer
from pypods.integrator.transfer import Counts, Part, ReadAhead, Transfer


def test_all_come_in_their_order():
    assert list(ReadAhead(iter(range(1000)))) == list(range(1000))


def test_an_error_comes_in_its_place():
    def batches():
        yield 1
        yield 2
        raise ValueError("third")

    ahead = ReadAhead(batches())
    assert (next(ahead), next(ahead)) == (1, 2)
    with pytest.raises(ValueError, match="third"):
        next(ahead)
    with pytest.raises(StopIteration):
        next(ahead)


def test_no_more_than_two_wait():
    taken = []
    stalled = threading.Event()

    def batches():
        for number in range(100):
            taken.append(number)
            if number == 2:
                stalled.set()
            yield number

    ahead = ReadAhead(batches())
    assert next(ahead) == 0
    assert stalled.wait(60)
    # One waits, one is in the reader's hand; it takes no other while nobody asks.
    assert taken == [0, 1, 2]
    ahead.close()
    assert taken == [0, 1, 2]


def test_closing_closes_what_is_read():
    closed = threading.Event()

    def batches():
        try:
            while True:
                yield 1
        finally:
            closed.set()

    ahead = ReadAhead(batches())
    assert next(ahead) == 1
    ahead.close()
    assert closed.is_set()


def test_a_reader_that_does_not_end_is_ended(monkeypatch):
    """Who closes does not wait for a batch that never comes."""
    monkeypatch.setattr(transfer, "CLOSE_SECONDS", 0.01)
    reading, ended = threading.Event(), threading.Event()

    def batches():
        reading.set()
        ended.wait(60)
        yield 1

    ahead = ReadAhead(batches())
    assert reading.wait(60)
    ahead.close(ended.set)
    assert ended.is_set()


class SilentSide:
    """A target whose workers are ended."""

    def __init__(self, timeout):
        self.timeout = timeout
        self.ended = []

    def silence(self):
        return PodTimeoutError("nothing came")

    def end_worker(self, index):
        self.ended.append(index)


@pytest.mark.parametrize(
    ("timeout", "ended"), [(100, [1]), (1000, []), (None, [])], ids=["short", "long", "none"]
)
def test_only_a_target_that_has_something_to_do_is_too_silent(timeout, ended):
    counts, target = Counts(), SilentSide(timeout)
    waiting, busy, quick = (Part(str(number), worker=number) for number in range(3))
    busy.target_busy_since = monotonic() - 500
    quick.target_busy_since = monotonic()
    counts.parts = [waiting, busy, quick]
    one = Transfer(
        None, target, None, run="r", attempt=1, collects_bad_rows=False, max_bad_rows=0,
        stop=threading.Event(), counts=counts, publish=print, snapshot_holder=None,
    )  # fmt: skip
    one.end_silent_targets()
    one.end_silent_targets()
    assert target.ended == ended
    assert [part.silence is not None for part in counts.parts] == [False, bool(ended), False]
