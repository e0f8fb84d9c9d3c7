"""How much an item of a stream weighs, by what it says of itself."""

from __future__ import annotations

from array import array

import pyarrow as pa
import pytest

from pypods.wire.weights import weight_of


class Sized:
    nbytes = 7


class Frame:
    def estimated_size(self):
        return 11


class Usage:
    def sum(self):
        return 13.0


class Table:
    def memory_usage(self):
        return Usage()


class Column:
    def memory_usage(self):
        return 17


class Raising:
    @property
    def nbytes(self):
        raise RuntimeError("do not ask")


class Strange:
    nbytes = "many"


@pytest.mark.parametrize(
    ("item", "weight"),
    [
        (5, 0),
        (None, 0),
        (["x" * 100], 0),
        ("abc", 3),
        (b"abcd", 4),
        (bytearray(5), 5),
        (memoryview(b"abc"), 3),
        (pa.array([1, 2], pa.int64()), 16),
        (array("b", [1]), 0),
        (object(), 0),
        (Sized(), 7),
        (Frame(), 11),
        (Table(), 13),
        (Column(), 17),
        (Raising(), 0),
        (Strange(), 0),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_item_weighs_what_it_says(item, weight):
    assert weight_of(item) == weight
