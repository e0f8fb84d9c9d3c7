"""Documents of kind ``P`` that no honest side writes: an error, never a crash."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire import arrays, pandas_arrivals
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.pandas_stand_ins import PandasValue

INTS = np.arange(3)
DATES = np.array([1, 2, 3], "M8[ns]")
RANGE = PandasValue({"type": "RangeIndex", "start": 0, "stop": 3, "step": 1, "name": None})
NAMES = PandasValue({"type": "RangeIndex", "start": 0, "stop": 2, "step": 1, "name": None})
OBJECTS = {"type": "objects", "values": [1, 2, 3], "missing": None}
DAY = ["Day", 1, False]


def of(kind, **fields):
    return {"type": kind, **fields}


def frame(**changes):
    blocks = [[[0], INTS], [[1], INTS]]
    plain = of(
        "DataFrame", index=RANGE, columns=NAMES, blocks=blocks, attrs={}, unique_labels=False
    )
    return {**plain, **changes}


def series(**changes):
    plain = of("Series", values=INTS, index=RANGE, name=None, attrs={}, unique_labels=False)
    return {**plain, **changes}


def index(values=INTS, **changes):
    return {**of("Index", values=values, name=None, freq=None), **changes}


def multi(**changes):
    plain = of("MultiIndex", levels=[RANGE], codes=[INTS], names=[None], sortorder=None)
    return {**plain, **changes}


def test_what_the_hostile_ones_are_made_from_is_right():
    for content in (frame(), series(), index(), multi()):
        value = decode_document(encode_document({"v": PandasValue(content)}))["v"]
        assert type(value).__name__ == content["type"]
        assert len(value) == 3


#: Wrong wherever it arrives.
ALWAYS = {
    "no type": {"values": []},
    "a type that is none": of("Panel"),
    "a type that is no text": of(["DataFrame"]),
    "a field too many": frame(more=1),
    "a field too few": of("Series", values=INTS),
    "a name for another field": of("Timedelta", valu=np.timedelta64(1, "ns")),
    "blocks that are no list": frame(blocks={}),
    "blocks of one part": frame(blocks=[[[0, 1]]]),
    "a block that is no list": frame(blocks=[1, 2]),
    "a column twice": frame(blocks=[[[0], INTS], [[0], INTS]]),
    "a column too few": frame(blocks=[[[0], INTS]]),
    "a column too many": frame(blocks=[[[0], INTS], [[1], INTS], [[2], INTS]]),
    "a column far away": frame(blocks=[[[0], INTS], [[2**62], INTS]]),
    "a column before the first": frame(blocks=[[[0], INTS], [[-1], INTS]]),
    "a column that is no number": frame(blocks=[[[0], INTS], [["1"], INTS]]),
    "a column that is True": frame(blocks=[[[0], INTS], [[True], INTS]]),
    "positions that are none": frame(blocks=[[[0], INTS], [None, INTS]]),
    "no positions": frame(blocks=[[[0], INTS], [[1], INTS], [[], INTS]]),
    "rows too many": frame(blocks=[[[0], INTS], [[1], np.arange(4)]]),
    "columns and rows exchanged": frame(blocks=[[[0, 1], np.ones((3, 2))]]),
    "three dimensions": frame(blocks=[[[0, 1], np.ones((2, 3, 1))]]),
    "no dimension": frame(blocks=[[[0, 1], np.ones(())]]),
    "a list for values": frame(blocks=[[[0], [1, 2, 3]], [[1], INTS]]),
    "a frame for values": frame(blocks=[[[0], PandasValue(frame())], [[1], INTS]]),
    "an array for an index": frame(index=INTS),
    "a frame for columns": frame(columns=PandasValue(frame())),
    "attributes that are no document": frame(attrs=[]),
    "a flag that is none": frame(unique_labels=1),
    "a series of two dimensions": series(values=np.ones((3, 3))),
    "a series of another length": series(values=np.arange(4)),
    "a series of a scalar": series(values=of("NA")),
    "a series of a series": series(values=series()),
    "a series of an object": series(values=PandasValue(OBJECTS)),
    "a frame of a wrong array": frame(blocks=[[[0], of("masked", values=INTS)], [[1], INTS]]),
    "a frame of a wrong code": frame(
        blocks=[[[0], of("categorical", codes=INTS, categories=NAMES, ordered=True)], [[1], INTS]]
    ),
    "an index of an index": index(values=RANGE),
    "an index of a text": index(values="abc"),
    "a frequency that is none": index(DATES, freq=["Second"]),
    "a frequency of another class": index(DATES, freq=["__init__", 1, False]),
    "a frequency with a calendar": index(DATES, freq=["CustomBusinessDay", 1, False]),
    "a frequency that is a text": index(DATES, freq="D"),
    "a frequency too high": index(DATES, freq=["Day", 2**40, False]),
    "a frequency of a text": index(DATES, freq=["Day", "1", False]),
    "a frequency of None": index(DATES, freq=["Day", None, False]),
    "a frequency not quite normalized": index(DATES, freq=["Day", 1, 0]),
    "a week of two days": index(DATES, freq=["Week", 1, False, 1, 1]),
    "a class for a frequency's": index(DATES, freq=[["Day"], 1, False]),
    "a range of nothing": of("RangeIndex", start=0, stop=1, step=0, name=None),
    "a range too long": of("RangeIndex", start=-(2**63), stop=2**63 - 1, step=1, name=None),
    "a range beyond 64 bits": of("RangeIndex", start=0, stop=2**70, step=2**66, name=None),
    "a range of floats": of("RangeIndex", start=0.0, stop=1, step=1, name=None),
    "levels without codes": multi(codes=[]),
    "no levels": multi(levels=[], codes=[], names=[]),
    "a level that is none": multi(levels=[INTS]),
    "a code too high": multi(codes=[np.array([0, 1, 3])]),
    "a code too low": multi(codes=[np.array([0, 1, -2])]),
    "codes of floats": multi(codes=[INTS * 1.0]),
    "codes that are a list": multi(codes=[[0, 1, 2]]),
    "codes of two lengths": multi(
        levels=[RANGE, RANGE], codes=[INTS, INTS[:1]], names=[None, None]
    ),
    "names too many": multi(names=["a", "b"]),
    "an order that is a text": multi(sortorder="1"),
    "a date of days": of("Timestamp", value=np.datetime64(1, "D"), zone=b"", fold=0),
    "a date that is an int": of("Timestamp", value=1, zone=b"", fold=0),
    "a fold of 2": of("Timestamp", value=np.datetime64(1, "ns"), zone=b"", fold=2),
    "a zone that is a text": of("Timestamp", value=np.datetime64(1, "ns"), zone="UTC", fold=0),
    "a duration without unit": of("Timedelta", value=np.timedelta64(1)),
    "a period of floats": of("Period", ordinal=1.0, freq=DAY),
    "a period without end": of("Period", ordinal=1, freq=None),
    "an interval closed somewhere": of("Interval", left=0, right=1, closed="outside"),
    "objects missing that are not": of("objects", values=[1], missing=b"\0\0"),
    "objects missing in a new way": of("objects", values=[], missing=b"\5"),
    "objects that are a text": of("objects", values="abc", missing=None),
    "a text that is none": of("text", values=["a", 1], storage="python", nan=False),
    "a mask of another length": of("masked", values=INTS, mask=np.zeros(4, bool)),
    "a mask that is a list": of("masked", values=INTS, mask=[True] * 3),
    "masked objects": of("masked", values=OBJECTS, mask=None),
    "masked values of two dimensions": of("masked", values=np.ones((2, 2)), mask=None),
    "a category too high": of("categorical", codes=INTS, categories=NAMES, ordered=False),
    "a category too low": of("categorical", codes=INTS - 2, categories=RANGE, ordered=False),
    "categories that are a list": of("categorical", codes=INTS, categories=[1], ordered=False),
    "dates of ints": of("zoned", values=INTS, zone=b"zUTC"),
    "dates of months": of("zoned", values=np.array([1], "M8[M]"), zone=b"zUTC"),
    "dates of ten seconds": of("zoned", values=np.array([1], "M8[10s]"), zone=b"zUTC"),
    "periods of a list": of("periods", values=[1], freq=DAY),
    "intervals of arrays": of("intervals", left=INTS, right=INTS, closed="left"),
    "intervals of two lengths": of("intervals", left=RANGE, right=NAMES, closed="left"),
    "an array of a frame": of("array", index=PandasValue(frame())),
}
#: Wrong for pandas; a side without it hands it on.
WITH_PANDAS = {
    "an array of numbers": of("array", index=RANGE),
    "an index of bytes": index(np.array([b"a"])),
    "an index of a structure": index(np.zeros(1, "i4, i4")),
    "dates of days": series(values=np.array([1, 2, 3], "M8[D]")),
    "a name that is a list": series(name=[1]),
    "a name of an index that is a list": index(name=[]),
    "a frequency that does not fit": index(DATES, freq=DAY),
    "a frequency of numbers": index(freq=DAY),
    "a week on day 9": index(DATES, freq=["Week", 1, False, 9]),
    "a year of 40 months": index(DATES, freq=["YearEnd", 1, False, 40]),
    "the same level twice": multi(
        levels=[PandasValue(index(np.zeros(3)))], codes=[np.array([0, 1, 2])]
    ),
    "the same category twice": of(
        "categorical", codes=INTS, categories=PandasValue(index(np.zeros(3))), ordered=True
    ),
    "a date that is none": of("Timestamp", value=np.datetime64("NaT", "ns"), zone=b"", fold=0),
    "a duration for a date": of("Timestamp", value=np.timedelta64(1, "ns"), zone=b"", fold=0),
    "a zone nobody has": of("zoned", values=DATES, zone=b"zEurope/Nowhere"),
    "a zone that is a path": of("zoned", values=DATES, zone=b"z../../etc/passwd"),
    "a zone of pytz that is a path": of("zoned", values=DATES, zone=b"p/etc/passwd"),
    "a zone of pandas nobody has": of("zoned", values=DATES, zone=b"kEurope/Nowhere"),
    "a zone of pandas that is a path": of("zoned", values=DATES, zone=b"k/etc/passwd"),
    "a zone of dateutil": of("zoned", values=DATES, zone=b"kdateutil/Europe/Paris"),
    "a zone that is not ASCII": of("zoned", values=DATES, zone=b"z\xff"),
    "a zone that is a letter": of("zoned", values=DATES, zone=b"q"),
    "a zone that is no offset": of("zoned", values=DATES, zone=b"o\1"),
    "masked complex numbers": of("masked", values=INTS * 1j, mask=None),
    "masked long floats": of("masked", values=INTS.astype(np.longdouble), mask=None),
    "a mask of numbers": of("masked", values=INTS, mask=INTS),
    "text in a file": of("text", values=["a"], storage="file", nan=False),
    "periods of 32 bits": of("periods", values=INTS.astype("i4"), freq=DAY),
    "periods of half months": of("periods", values=INTS, freq=["SemiMonthEnd", 1, False, 9]),
    "intervals the wrong way": of(
        "intervals", left=RANGE, right=PandasValue(index(INTS - 1)), closed="left"
    ),
    "an interval of texts": of("Interval", left="a", right="b", closed="left"),
    "an interval of a frame": of("Interval", left=PandasValue(frame()), right=1, closed="left"),
    "a period beyond time": of("Period", ordinal=2**70, freq=DAY),
}  # fmt: skip


def decode(content):
    return decode_document(encode_document({"v": PandasValue(content)}))["v"]


@pytest.mark.parametrize("name", [*ALWAYS, *WITH_PANDAS])
def test_what_no_side_writes_is_refused(name):
    content = {**ALWAYS, **WITH_PANDAS}[name]
    with pytest.raises((ProtocolError, ValueTransferError)):
        decode(content)


@pytest.mark.parametrize("numpy", [True, False])
@pytest.mark.parametrize("name", ALWAYS)
def test_without_pandas_it_is_refused_as_well(name, numpy, monkeypatch):
    monkeypatch.setattr(pandas_arrivals, "find_pandas", lambda: None)
    if not numpy:
        monkeypatch.setattr(arrays, "find_numpy", lambda: None)
    with pytest.raises((ProtocolError, ValueTransferError)):
        decode(ALWAYS[name])


EXAMPLES = [
    pd.DataFrame({"a": [1.5, 2], "b": ["x", None], "c": pd.array([1, None], dtype="Int64")}),
    pd.Series(pd.Categorical(["a", "b"]), index=pd.date_range("2024", periods=2, freq="W")),
    pd.MultiIndex.from_product([["a", "b"], [1, 2]]),
    pd.Series(pd.period_range("2024", periods=3, freq="Q"), name=pd.Timestamp(1, tz="UTC")),
    pd.IntervalIndex.from_breaks([dt.datetime(2024, 1, 1 + day) for day in range(3)]),
]
ENCODED = [encode_document({"v": value}) for value in EXAMPLES]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(ENCODED), st.data())
def test_bytes_that_were_changed_on_the_way_do_no_harm(encoded, data):
    changed = bytearray(encoded)
    places = st.integers(20, len(encoded) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=3)):
        changed[place] = data.draw(st.integers(0, 255))
    for finder in (pandas_arrivals.find_pandas, lambda: None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pandas_arrivals, "find_pandas", finder)
            try:
                back = decode_document(bytes(changed))
            except (ProtocolError, ValueTransferError):
                continue
            assert type(back) is dict
            assert repr(back)
