"""Values as JSON to print."""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import json
import math
import pathlib
import uuid
from typing import Any

import bson
import numpy as np
import pytest

from pypods.cli.json_values import plain_value, to_json

Point = collections.namedtuple("Point", "x y")


@dataclasses.dataclass
class Order:
    number: int
    placed: dt.date


class Colour(enum.Enum):
    RED = (1, 0, 0)


class Level(enum.IntEnum):
    HIGH = 3


class Anything:
    def __repr__(self) -> str:
        return "<Anything>"


UTC = dt.UTC
IDENTIFIER = uuid.UUID("12345678-1234-5678-1234-567812345678")

TABLE: list[tuple[Any, Any]] = [
    (None, None),
    (True, True),
    (10**30, 10**30),
    (1.5, 1.5),
    (math.nan, "NaN"),
    (math.inf, "Infinity"),
    (-math.inf, "-Infinity"),
    (1 + 2j, {"real": 1.0, "imag": 2.0}),
    ("é", "é"),
    (b"\x00\xff", "AP8="),
    (bytearray(b"a"), "YQ=="),
    ([1, (2, 3)], [1, [2, 3]]),
    (Point(1, b"a"), {"x": 1, "y": "YQ=="}),
    ({3, 1, 2}, [1, 2, 3]),
    (frozenset({"b", 1}), ["b", 1]),
    ({"a": (1,)}, {"a": [1]}),
    ({1: "a", "b": 2}, [[1, "a"], ["b", 2]]),
    ({(1, 2): 3}, [[[1, 2], 3]]),
    (array.array("i", [1, 2]), [1, 2]),
    (np.array([[1, 2]]), [[1, 2]]),
    (np.float64(1.5), 1.5),
    ({}, {}),
    (dt.datetime(2024, 1, 31, 12, 30, 0, 5), "2024-01-31T12:30:00.000005"),
    (dt.datetime(2024, 1, 31, tzinfo=UTC), "2024-01-31T00:00:00+00:00"),
    (dt.date(2024, 1, 31), "2024-01-31"),
    (dt.time(12, 30), "12:30:00"),
    (dt.timedelta(days=1, milliseconds=500), 86400.5),
    (decimal.Decimal("1.10"), "1.10"),
    (decimal.Decimal("NaN"), "NaN"),
    (fractions.Fraction(1, 3), "1/3"),
    (IDENTIFIER, "12345678-1234-5678-1234-567812345678"),
    (pathlib.PurePosixPath("/a/b"), "/a/b"),
    (Order(7, dt.date(2024, 1, 31)), {"number": 7, "placed": "2024-01-31"}),
    (Colour.RED, [1, 0, 0]),
    (Level.HIGH, 3),
    (range(0, 10, 2), "range(0, 10, 2)"),
    (Ellipsis, "Ellipsis"),
    (bson.ObjectId("0123456789ab0123456789ab"), "0123456789ab0123456789ab"),
    (bson.Decimal128("1.10"), "1.10"),
    (Anything(), "<Anything>"),
    (Order, repr(Order)),
]


@pytest.mark.parametrize(("value", "plain"), TABLE, ids=[str(index) for index in range(len(TABLE))])
def test_a_value_becomes_what_json_has(value: Any, plain: Any) -> None:
    assert plain_value(value) == plain
    assert json.loads(to_json(value)) == plain


def test_text_is_readable_where_it_can_be_printed() -> None:
    assert to_json("é→") == '"é→"'
    assert to_json("é→", ascii_only=True) == '"\\u00e9\\u2192"'


def test_a_lone_surrogate_is_escaped() -> None:
    assert to_json("a\ud800") == '"a\\ud800"'


def test_lists_and_objects_are_indented_on_request() -> None:
    assert to_json({"a": [1]}, indent=2) == '{\n  "a": [\n    1\n  ]\n}'


def test_two_hundred_levels_are_printed() -> None:
    value: Any = 1
    for _ in range(200):
        value = [value]
    assert json.loads(to_json(value)) == value


def test_a_stream_is_taken_to_its_end():
    assert plain_value({"rows": iter([1, (2,)])}) == {"rows": [1, [2]]}
