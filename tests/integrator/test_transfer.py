"""Batches read ahead: in their order, bounded, with errors in their place."""

from __future__ import annotations

import threading

import pytest

from pypods.integrator.transfer import ReadAhead


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
