"""Every value of the table, and many more, to a pod on each Python and back."""

from __future__ import annotations

import datetime as dt
import sys
import uuid
from collections import OrderedDict, namedtuple
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath, PurePosixPath, PureWindowsPath
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypods.errors import ValueTransferError
from pypods.pods.codec import HostCodec, encode_document
from pypods.wire.documents import decode_document
from pypods.wire.documents import encode_document as encode_in_standard_library
from pypods.wire.stand_ins import EnumMember, Record

Pair = namedtuple("Pair", ["left", "right"])
Renamed = namedtuple("Renamed", ["class", "ok"], rename=True)


class Typed(NamedTuple):
    number: int
    text: str = ""


PARIS = ZoneInfo("Europe/Paris")
HOUR = dt.timedelta(hours=1)


def nest(value: object, levels: int, *wraps: object) -> object:
    for level in range(levels):
        value = wraps[level % len(wraps)](value)
    return value


VALUES: dict[str, object] = {
    "None": None,
    "True": True,
    "False": False,
    # int of any size
    "int 0": 0,
    "int -1": -1,
    "int32 max": 2**31 - 1,
    "int32 min": -(2**31),
    "above int32": 2**31,
    "below int32": -(2**31) - 1,
    "int64 max": 2**63 - 1,
    "int64 min": -(2**63),
    "above int64": 2**63,
    "below int64": -(2**63) - 1,
    "huge": 7**5000,
    "huge negative": -(7**5000),
    # float
    "float": 0.1,
    "nan": float("nan"),
    "inf": float("inf"),
    "-inf": float("-inf"),
    "-0.0": -0.0,
    "smallest float": 5e-324,
    "greatest float": sys.float_info.max,
    # complex
    "complex": 1.5 - 2j,
    "complex nan": complex(float("nan"), -0.0),
    "complex inf": complex("inf"),
    # str
    "empty str": "",
    "str": "grüße 🐍",
    "NUL": "a\0b",
    "only NUL": "\0",
    "lone surrogate": "a\ud800b",
    "lone low surrogate": "\udfff",
    "pair of surrogates": "\ud83d\ude00",
    # bytes
    "empty bytes": b"",
    "bytes": bytes(range(256)),
    "bytearray": bytearray(b"\0\xff"),
    "empty bytearray": bytearray(),
    # containers
    "list": [1, "a", None],
    "empty list": [],
    "tuple": (1, "a"),
    "empty tuple": (),
    "1-tuple": (None,),
    "set": {1, "a", None},
    "empty set": set(),
    "frozenset": frozenset({1, (2, 3)}),
    "empty frozenset": frozenset(),
    "set of frozensets": {frozenset(), frozenset({1})},
    "mixed containers": [({"a": [(1,)]},), {(1, (2,)): {3}}],
    "long list": list(range(5000)),
    "list of 1100 lists": [[i] for i in range(1100)],
    "namedtuple": Pair(1, [2]),
    "empty namedtuple": namedtuple("Nothing", [])(),
    "namedtuple of typing": Typed(1),
    "namedtuple renamed": Renamed(1, 2),
    "nested namedtuple": Pair(Pair(1, 2), ()),
    # dict
    "dict": {"b": 1, "a": 2},
    "empty dict": {},
    "int keys": {2: "b", 1: "a"},
    "None key": {None: 1},
    "tuple keys": {(1, "x"): 1},
    "keys of every type": {
        1: 0,
        "1": 1,
        None: 2,
        2.5: 3,
        b"1": 4,
        (1,): 5,
        frozenset({1}): 6,
        Decimal(7): 7,
        dt.date(2020, 1, 1): 8,
        uuid.UUID(int=9): 9,
        1 + 2j: 10,
        PurePosixPath("a"): 11,
        ...: 12,
    },
    "bool keys": {True: 1, False: 0},
    "nan key": {float("nan"): 1},
    "key with NUL": {"a\0b": 1},
    "key with a surrogate": {"\ud800": 1},
    "empty key": {"": 1},
    "$ref key": {"$ref": "c", "$id": 1},
    "$ref key deeper": [{"a": {"$ref": 1}}],
    "$ key": {"$a": {"a.b": 1}},
    "_id not first": [{"b": 1, "_id": 2}],
    "keys that are numbers as text": {"1": 1, "0": 0},
    "key of another alphabet": {"ключ": 1, "鍵": 2},
    "OrderedDict": OrderedDict([("b", 1), ("a", 2)]),
    "OrderedDict of other keys": OrderedDict([(2, 1), ((), 2)]),
    "empty OrderedDict": OrderedDict(),
    # datetime
    "datetime": dt.datetime(2024, 2, 29, 23, 59, 59, 999999),
    "datetime.min": dt.datetime.min,
    "datetime.max": dt.datetime.max,
    "datetime fold": dt.datetime(2024, 1, 1, fold=1),
    "datetime utc": dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    "datetime offset": dt.datetime(2024, 1, 1, tzinfo=dt.timezone(-5 * HOUR)),
    "datetime odd offset": dt.datetime(
        2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(seconds=-1, microseconds=1))
    ),
    "datetime greatest offset": dt.datetime(
        2024, 1, 1, tzinfo=dt.timezone(24 * HOUR - dt.timedelta(microseconds=1))
    ),
    "datetime named offset": dt.datetime(2024, 1, 1, tzinfo=dt.timezone(HOUR, "MEZ")),
    "datetime offset named as usual": dt.datetime(
        2024, 1, 1, tzinfo=dt.timezone(HOUR, "UTC+01:00")
    ),
    "datetime zero offset named": dt.datetime(
        2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(), "UTC")
    ),
    "datetime offset without name": dt.datetime(2024, 1, 1, tzinfo=dt.timezone(HOUR, "")),
    "datetime zoneinfo": dt.datetime(2024, 7, 1, tzinfo=PARIS),
    "datetime zoneinfo fold": dt.datetime(2024, 10, 27, 2, 30, tzinfo=PARIS, fold=1),
    # date, time, timedelta
    "date": dt.date(2024, 2, 29),
    "date.min": dt.date.min,
    "date.max": dt.date.max,
    "time": dt.time(23, 59, 59, 999999),
    "midnight": dt.time(),
    "time fold": dt.time(1, fold=1),
    "time utc": dt.time(1, tzinfo=dt.UTC),
    "time offset": dt.time(1, tzinfo=dt.timezone(-HOUR, "X")),
    "time zoneinfo": dt.time(1, tzinfo=PARIS),
    "timedelta": dt.timedelta(-1, 2, 3),
    "timedelta.min": dt.timedelta.min,
    "timedelta.max": dt.timedelta.max,
    "timedelta 0": dt.timedelta(),
    # Decimal
    "Decimal": Decimal("1.10"),
    "Decimal NaN": Decimal("NaN"),
    "Decimal sNaN": Decimal("sNaN123"),
    "Decimal -NaN": Decimal("-NaN5"),
    "Decimal Infinity": Decimal("Infinity"),
    "Decimal -Infinity": Decimal("-Infinity"),
    "Decimal -0": Decimal("-0.00"),
    "Decimal exponent": Decimal("1E+999999"),
    "Decimal small": Decimal("1E-999999"),
    "Decimal 0E+3": Decimal("0E+3"),
    "Decimal of 60 digits": Decimal("1" * 60),
    # the rest
    "Fraction": Fraction(-22, 7),
    "Fraction 0": Fraction(0),
    "Fraction huge": Fraction(3**200, 2**300),
    "UUID": uuid.UUID(int=2**128 - 1),
    "UUID 0": uuid.UUID(int=0),
    "PosixPath": PosixPath("/a/b"),
    "PurePosixPath": PurePosixPath("a b"),
    "PosixPath .": PosixPath(),
    "PureWindowsPath": PureWindowsPath("C:\\a"),
    "path not UTF-8": PosixPath("/a\udcff"),
    "range": range(1, 10, 3),
    "range huge": range(-(2**70), 2**70, 2**65),
    "empty range": range(0),
    "range down": range(10, 0, -1),
    "range of bool": range(True),
    "slice": slice(1, None, -1),
    "slice empty": slice(None),
    "slice of other things": slice("a", (1,), [2.5]),
    "Ellipsis": ...,
    "deep Ellipsis": [(..., {...})],
    # stand-ins
    "EnumMember": EnumMember("m", "C", "A", (1, [2])),
    "EnumMember without name": EnumMember("m", "C.D", None, 3),
    "Record": Record("m", "C", {"x": 1, "y": (2,)}),
    "Record empty": Record("m", "C", {}),
    # 200 levels
    "200 lists": nest([], 200, lambda v: [v]),
    "200 tuples": nest((), 200, lambda v: (v,)),
    "200 dicts": nest({}, 200, lambda v: {"k": v}),
    "200 dicts of int keys": nest({}, 200, lambda v: {1: v}),
    "200 frozensets": nest(frozenset(), 200, lambda v: frozenset([v])),
    "200 levels mixed": nest(
        0,
        200,
        lambda v: [v],
        lambda v: (v,),
        lambda v: {"k": v},
        lambda v: {None: v},
        lambda v: Pair(v, 1),
    ),
    "100 levels of rows": nest(0, 100, lambda v: {"k": v}, lambda v: [v, *[{"k": 1}] * 16]),
    # long lists of like things, which cross as columns
    "rows": [
        {"id": i, "name": f"n{i}", "at": dt.datetime(2024, 1, 1), "no": None} for i in range(40)
    ],
    "tuples": [(i, i / 3, b"x" * i, Decimal(i)) for i in range(40)],
    "column with None": [None if i % 3 else i for i in range(50)],
    "column of bool": [True, False] * 20,
    "texts": ["", "a", "é"] * 20,
    "texts with NUL": ["\0", "a\0b", ""] * 20,
    "texts with surrogates": ["\ud800"] * 20,
    "uuids": [uuid.UUID(int=i) for i in range(20)],
    "dates": [dt.date.min, dt.date.max] * 20,
    "times": [dt.time(1), dt.time.max] * 20,
    "times with fold": [dt.time(1, fold=1)] * 20,
    "timedeltas": [dt.timedelta(-5, 1, 1)] * 20,
    "great timedeltas": [dt.timedelta.max] * 20,
    "utc datetimes": [
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        dt.datetime.max.replace(tzinfo=dt.UTC),
    ]
    * 20,
    "zones equal to utc": [
        dt.datetime(2024, 1, 1, tzinfo=z) for z in (dt.UTC, dt.timezone(dt.timedelta(), "Z"))
    ]
    * 20,
    "Nones": [None] * 40,
    "great ints": [2**70] * 40,
    "floats": [float("nan"), -0.0] * 20,
    "decimals with sNaN": [Decimal("sNaN"), None] * 20,
    "ragged tuples": [(1,), (1, 2)] * 20,
    "dicts of two shapes": [{"a": 1}, {"b": 1}] * 20,
    "dicts of two orders": [{"a": 1, "b": 2}, {"b": 1, "a": 2}] * 20,
    "rows of rows": [{"r": [{"x": i, "y": (j,)} for j in range(20)]} for i in range(20)],
    "empty rows": [{}] * 20,
    "empty tuples": [()] * 20,
    "dicts of int keys": [{1: 2}] * 20,
}

IN_A_ZONE = {"datetime zoneinfo", "datetime zoneinfo fold", "time zoneinfo"}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_crosses_to_each_python_and_back(echo, echo_pod, name):
    value = VALUES[name]
    if name in IN_A_ZONE and not echo.has_zoneinfo:
        with pytest.raises(ValueTransferError, match=r"backports\.zoneinfo"):
            echo.call("echo", [value])
        return
    seen, (back,) = echo.call("echo", [value])
    assert seen == [echo_pod.canonical(value)]
    assert type(back).__name__ == type(value).__name__
    assert echo_pod.canonical(back) == echo_pod.canonical(value)


@pytest.mark.parametrize("name", VALUES)
def test_both_codecs_of_the_host_bring_a_value_back(echo_pod, name):
    document = {"value": VALUES[name]}
    encoded = encode_document(document)
    assert encoded == encode_in_standard_library(document)
    for decode in (decode_document, HostCodec().decode):
        assert echo_pod.canonical(decode(encoded)["value"]) == echo_pod.canonical(VALUES[name])


# --- Hypothesis ---------------------------------------------------------------------------------

ANY_CHARACTER = st.characters(exclude_categories=())
TEXTS = st.text(ANY_CHARACTER, max_size=12)
NAMES = st.sampled_from(["a", "b", "longer_name", "größe", "x1"])
FIXED_ZONES = st.builds(
    dt.timezone,
    st.timedeltas(dt.timedelta(hours=-23, minutes=-59), dt.timedelta(hours=23, minutes=59)),
) | st.builds(dt.timezone, st.just(HOUR), st.text(max_size=5))
WITHIN = (dt.datetime(2, 1, 1), dt.datetime(9998, 12, 31))
INTS = st.integers() | st.integers(-(2**70), 2**70) | st.sampled_from([2**31, -(2**31), 2**63])

HASHABLE_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    INTS,
    st.floats(),
    st.complex_numbers(),
    TEXTS,
    st.binary(max_size=12),
    st.datetimes(*WITHIN, timezones=st.none() | FIXED_ZONES),
    st.dates(),
    st.times(timezones=st.none() | FIXED_ZONES),
    st.timedeltas(),
    st.decimals().filter(lambda value: not value.is_snan()),
    st.fractions(),
    st.uuids(),
    st.builds(PurePosixPath, st.text(ANY_CHARACTER.filter(lambda c: c != "\0"), max_size=8)),
    st.builds(range, INTS, INTS, INTS.filter(bool)),
    st.just(...),
)
SCALARS = st.one_of(
    HASHABLE_SCALARS,
    st.binary(max_size=12).map(bytearray),
    st.builds(Decimal, st.sampled_from(["sNaN", "-sNaN12", "-0E-7"])),
    st.builds(slice, INTS, st.none() | TEXTS, st.none()),
    st.builds(EnumMember, NAMES, NAMES, NAMES, INTS),
)
KEYS = st.recursive(
    HASHABLE_SCALARS,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(TEXTS, inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=3).map(OrderedDict),
        st.sets(KEYS, max_size=4),
        st.builds(Pair, inner, inner),
        st.builds(Record, NAMES, NAMES, st.dictionaries(NAMES, inner, max_size=3)),
        st.lists(SCALARS, min_size=16, max_size=18),
    ),
    max_leaves=5,
)


# Long enough to cross as columns.
TABLES = st.one_of(
    st.lists(st.tuples(SCALARS, SCALARS), min_size=1, max_size=2).map(lambda rows: rows * 10),
    st.lists(st.none() | SCALARS, min_size=2, max_size=3).map(lambda column: column * 8),
    ANYTHING.map(lambda each: [{"a": each, "b": i} for i in range(17)]),
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(batch=st.lists(ANYTHING | TABLES, min_size=8, max_size=15))
def test_whatever_can_cross_comes_back_from_every_python(echoes, echo_pod, batch):
    """All Pythons at once: finding examples takes longer than sending them."""
    expected = [echo_pod.canonical(value) for value in batch]
    for echo in echoes:
        seen, back = echo.call("echo", batch)
        assert seen == expected, echo.version
        assert [echo_pod.canonical(value) for value in back] == expected, echo.version


@settings(max_examples=40, deadline=None, derandomize=True)
@given(batch=st.lists(ANYTHING | TABLES, min_size=1, max_size=10))
def test_what_one_side_writes_is_what_the_other_would(echo_pod, batch):
    """A value that has crossed is written in the same bytes again."""
    encoded = encode_in_standard_library({"value": batch})
    back = decode_document(encoded)["value"]
    assert echo_pod.canonical(back) == echo_pod.canonical(batch)
    if "set [" not in echo_pod.canonical(batch):  # Whose order may change.
        assert encode_in_standard_library({"value": back}) == encoded
