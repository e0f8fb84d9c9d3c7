"""Frames that arrive where there is no pandas, taken by libraries that speak Arrow's interface."""

from __future__ import annotations

import datetime as dt
import sys

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from pypods.errors import ProtocolError
from pypods.wire import arrays, pandas_arrivals, pandas_columns, pandas_values
from pypods.wire.arrow import values as arrow_values
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.pandas_columns import arrow_of
from pypods.wire.pandas_stand_ins import PandasValue

DAYS = pd.date_range("2024-03-30", periods=4, freq="D")
HOUR = dt.timezone(-dt.timedelta(hours=1, minutes=30))
CHUNKED = pa.chunked_array([[1, None], [3], [4]])

COLUMNS: dict[str, object] = {
    **{
        code: np.array([0, 1, 2, 3], code)
        for code in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">i4", ">f8")
    },
    "NaN stays": [0.5, np.nan, -0.0, np.inf],
    "bool": [True, False, True, True],
    **{f"dates {unit}": DAYS.as_unit(unit) for unit in ("s", "ms", "us", "ns")},
    "dates and none": pd.DatetimeIndex(["2024-01-01", None, None, "2024-01-04"]),
    "in a zone": DAYS.tz_localize("Europe/Paris"),
    "in UTC": DAYS.tz_localize("UTC"),
    "at an offset": DAYS.tz_localize(HOUR),
    "durations": pd.to_timedelta([1, None, -3, 4], unit="s"),
    "Int64": pd.array([1, None, 3, 4], dtype="Int64"),
    "UInt8": pd.array([1, 2, 3, 4], dtype="UInt8"),
    "Float32": pd.array([0.5, None, 3, 4], dtype="Float32"),
    "boolean": pd.array([True, None, False, True], dtype="boolean"),
    "text": ["a", None, "", "größe"],
    "all text": pd.array(list("abcd"), dtype=pd.StringDtype("python")),
    "text as objects": np.array(["a", None, np.nan, "d\0"], object),
    "bytes as objects": np.array([b"a", None, b"", b"d\0"], object),
    "nothing": np.array([None, np.nan, None, pd.NA], object),
    "categories": pd.Categorical(["b", None, "a", "b"]),
    "categories in order": pd.Categorical([3, 1, 3, 1], categories=[3, 2, 1], ordered=True),
    "categories of dates": pd.Categorical(DAYS.repeat(2)[:4]),
    "categories of a range": pd.Categorical.from_codes([0, 1, 2, -1], pd.RangeIndex(3)),
    "of pyarrow": pd.array([1, None, 3, 4], dtype="int64[pyarrow]"),
    "text of pyarrow": pd.array(["a", None, "größe", "d"], dtype="string[pyarrow]"),
    "lists of pyarrow": pd.Series(
        pa.array([[1], None, [], [2, 3]]), dtype=pd.ArrowDtype(pa.list_(pa.int64()))
    ),
    "in parts": pd.Series(pd.arrays.ArrowExtensionArray(CHUNKED)),
}


@pytest.fixture(params=["NumPy", "nothing"])
def arrive(request, monkeypatch):
    """Return a function that lets a value arrive where there is no pandas."""

    def arrive(value):
        with monkeypatch.context() as patch:
            patch.setattr(pandas_arrivals, "find_pandas", lambda: None)
            if request.param == "nothing":
                patch.setattr(arrays, "find_numpy", lambda: None)
            return decode_document(encode_document({"v": value}))["v"]

    return arrive


@pytest.fixture(params=["pyarrow", "our own"])
def capsules(request, monkeypatch):
    """Let capsules be made as where pyarrow is loaded, or as where it is not."""
    if request.param == "our own":
        monkeypatch.setattr(arrow_values, "sys", type("Without", (), {"modules": {}}))


@pytest.mark.usefixtures("capsules")
@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_the_one_that_pyarrow_makes_of_it(arrive, name):
    frame = pd.DataFrame({"x": pd.Series(COLUMNS[name]), "y": [1, 2, 3, 4]})
    stand_in = arrive(frame)
    assert type(stand_in) is PandasValue
    table = pa.table(stand_in)
    table.validate(full=True)
    assert table.column_names == ["x", "y"]
    found, wanted = table["x"], frame["x"]
    if name.startswith(">"):
        wanted = wanted.astype(wanted.dtype.newbyteorder("="))
    # Only pyarrow takes NaN for null.
    wanted = pa.array(wanted, from_pandas=name != "NaN stays").to_pylist()
    assert repr(found.to_pylist()) == repr(wanted)
    assert table["y"].to_pylist() == [1, 2, 3, 4]


@pytest.mark.usefixtures("capsules")
@pytest.mark.parametrize(
    ("name", "arrow_type"),
    [
        ("i1", pa.int8()),
        (">f8", pa.float64()),
        ("f2", pa.float16()),
        ("bool", pa.bool_()),
        ("dates ms", pa.timestamp("ms")),
        ("in a zone", pa.timestamp("us", "Europe/Paris")),
        ("in UTC", pa.timestamp("us", "UTC")),
        ("at an offset", pa.timestamp("us", "-01:30")),
        ("durations", pa.duration("us")),
        ("UInt8", pa.uint8()),
        ("text", pa.large_string()),
        ("bytes as objects", pa.large_binary()),
        ("nothing", pa.null()),
        ("categories", pa.dictionary(pa.int64(), pa.large_string())),
        ("categories in order", pa.dictionary(pa.int64(), pa.int64(), ordered=True)),
        ("of pyarrow", pa.int64()),
        ("lists of pyarrow", pa.list_(pa.int64())),
    ],
)
def test_a_column_has_arrows_type(arrive, name, arrow_type):
    column = pa.table(arrive(pd.DataFrame({"x": COLUMNS[name]})))["x"]
    assert column.type == arrow_type


@pytest.mark.usefixtures("capsules")
def test_polars_and_duckdb_take_a_frame(arrive):
    simple = {name: COLUMNS[name] for name in COLUMNS if name not in ("f2", "at an offset")}
    stand_in = arrive(pd.DataFrame(simple))
    frame = pl.DataFrame(stand_in)
    assert frame.columns == list(simple)
    assert frame["Int64"].to_list() == [1, None, 3, 4]
    assert frame["categories"].to_list() == ["b", None, "a", "b"]
    assert frame["in parts"].to_list() == [1, None, 3, 4]
    source = arrive(pd.DataFrame({"n": [1, 2, 3], "t": ["a", None, "c"]}))
    found = duckdb.sql("select sum(n), max(t) from source").fetchall()
    assert found == [(6, "c")]
    assert source["n"] == [1, 2, 3]


def test_numbers_are_not_copied(arrive):
    numbers = np.arange(100_000.0)
    stand_in = arrive(pd.DataFrame({"a": numbers, "b": numbers + 1, "c": numbers.astype("i4")}))
    columns = dict(zip(stand_in.columns, stand_in.columns_in_order(), strict=True))
    table = pa.table(stand_in)
    for name, width in (("a", 8), ("b", 8), ("c", 4)):
        values, row = columns[name]
        data = values.data if type(values) is arrays.ArrayValue else values
        start = np.frombuffer(data, "u1").ctypes.data + (row or 0) * 100_000 * width
        assert table[name].chunk(0).buffers()[1].address == start
    del stand_in, columns, values, data
    assert table["b"][99_999].as_py() == 100_000.0


@pytest.mark.usefixtures("capsules")
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_columns_of_a_block_are_told_apart(arrive, order):
    for code in ("i1", "i2", "i4", "f8"):
        values = np.arange(12).reshape(4, 3).astype(code).copy(order)
        table = pa.table(arrive(pd.DataFrame(values, columns=list("abc"))))
        assert [table[name].to_pylist() for name in "abc"] == values.T.tolist()


INDEXES = {
    "a range": pd.RangeIndex(2, 8, 2, name="r"),
    "numbers": pd.Index([5, 6, 7], name="n"),
    "texts without a name": pd.Index(["a", "b", "c"]),
    "dates": DAYS[:3].rename("day"),
    "the name of a column": pd.Index([1, 2, 3], name="x"),
    "a level of text": pd.MultiIndex.from_arrays([["a", "b", "a"], [2, 1, 2]], names=["k", None]),
    "a level of dates": pd.MultiIndex.from_arrays([DAYS[:3], [0.5, 1, 2]], names=["d", "f"]),
    "a level of pyarrow": pd.MultiIndex.from_arrays(
        [pd.array(["a", "bc", "a"], dtype=pd.ArrowDtype(pa.string())), [1, 2, 3]], names=["p", "q"]
    ),
    "a level of a range": pd.MultiIndex.from_product([["a", None], pd.RangeIndex(3)])[1:4],
}


@pytest.mark.usefixtures("capsules")
@pytest.mark.parametrize("name", INDEXES)
def test_the_index_is_there_as_pyarrow_has_it(arrive, name):
    frame = pd.DataFrame({"x": [1, 2, 3]}, index=INDEXES[name])
    table = pa.table(arrive(frame))
    if name != "the name of a column":
        assert table.column_names == pa.Table.from_pandas(frame).column_names
    else:
        assert table.column_names == ["x", "__index_level_0__"]
    back = table.to_pandas()
    assert repr(back.index.tolist()) == repr(frame.index.tolist())
    assert (type(back.index) is pd.RangeIndex) == (name == "a range")
    assert back["x"].tolist() == [1, 2, 3]
    assert list(back.index.names) == list(frame.index.names)


@pytest.mark.usefixtures("capsules")
def test_what_has_no_rows_or_no_columns_has_its_types(arrive):
    empty = pa.table(
        arrive(pd.DataFrame({"a": np.zeros(0), "b": pd.array([], dtype="string[pyarrow]")}))
    )
    assert empty.num_rows == 0
    assert empty.schema.types == [pa.float64(), pa.large_string()]
    assert pa.table(arrive(pd.DataFrame())).num_columns == 0


@pytest.mark.usefixtures("capsules")
def test_a_series_and_an_index_are_arrays(arrive):
    assert pa.chunked_array(arrive(pd.Series([1, 2]))).to_pylist() == [1, 2]
    assert pa.chunked_array(arrive(pd.Index(["a", "b"]))).to_pylist() == ["a", "b"]
    with pytest.raises(TypeError, match="a RangeIndex is no column"):
        pa.chunked_array(arrive(pd.RangeIndex(3)))
    with pytest.raises(TypeError, match="a Timestamp is no column"):
        arrow_of(arrive(pd.Timestamp(0)))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.array([1j]), "dtype <c16"),
        ([{"a": 1}], "objects of type dict"),
        (np.array([1, "a"], object), "objects of type int and str"),
        (pd.period_range("2024", periods=2, freq="M"), "periods"),
        (pd.interval_range(0, 2), "intervals"),
        (np.array(["\ud800"], object), "surrogates"),
        (pd.Timestamp(0, tz=dt.timezone(dt.timedelta(seconds=1))), "whole minutes"),
    ],
)
def test_what_arrow_has_no_type_for_is_named(arrive, values, reason):
    stand_in = arrive(
        pd.DataFrame({"good": 1, "bad": pd.Series(values, dtype=getattr(values, "dtype", None))})
    )
    with pytest.raises(TypeError, match=f"column 'bad': .*{reason}"):
        stand_in.__arrow_c_stream__()


def test_a_level_that_cannot_be_picked_from_is_named(arrive):
    flags = pd.MultiIndex.from_arrays([[True, False]], names=["flag"])
    with pytest.raises(TypeError, match="column 'flag': a level"):
        pa.table(arrive(pd.DataFrame({"a": [1, 2]}, index=flags)))


def test_codes_that_another_process_changed_are_refused(arrive):
    stand_in = arrive(pd.DataFrame({"a": pd.Categorical(["x", "y"])}))
    content = stand_in.columns_in_order()[0][0].content
    good = content["codes"]
    content["codes"] = arrays.ArrayValue("|i1", (2,), "C", memoryview(b"\x01\x02"))
    with pytest.raises(ProtocolError, match="a code is out of range"):
        arrow_of(stand_in)
    content["codes"] = arrays.ArrayValue("|u1", (2,), "C", memoryview(b"\x01\x00"))
    with pytest.raises(TypeError, match="codes of dtype"):
        arrow_of(stand_in)
    content["codes"] = good
    assert pa.table(stand_in)["a"].to_pylist() == ["x", "y"]


def test_columns_in_parts_are_batches_at_their_ends(arrive):
    other = pa.chunked_array([["a"], ["b", None, "d"]])
    frame = pd.DataFrame(
        {
            "n": pd.Series(pd.arrays.ArrowExtensionArray(CHUNKED)),
            "t": pd.Series(pd.arrays.ArrowExtensionArray(other)),
            "none": np.array([None] * 4, object),
            "m": pd.array([1, 2, None, 4], dtype="Int64"),
        }
    )
    table = pa.table(arrive(frame))
    assert [batch.num_rows for batch in table.to_batches()] == [1, 1, 1, 1]
    assert table.to_pydict() == {
        "n": [1, None, 3, 4],
        "t": ["a", "b", None, "d"],
        "none": [None] * 4,
        "m": [1, 2, None, 4],
    }


def test_large_texts_cross_as_arrow_and_are_taken_as_they_lie(arrive):
    texts = [
        None if row % 7 == 0 else f"text {row}" for row in range(pandas_values.MINIMUM_ARROW_TEXTS)
    ]
    stand_in = arrive(pd.DataFrame({"t": texts}))
    assert pa.table(stand_in)["t"].to_pylist() == texts
    assert stand_in["t"] == texts


def test_dates_without_numpy_are_looked_through_one_by_one(arrive, monkeypatch):
    stand_in = arrive(pd.DataFrame({"some": COLUMNS["dates and none"], "all": DAYS}))
    values = [array for array, _ in stand_in.columns_in_order()]
    if type(values[0]) is arrays.ArrayValue:
        without = type("Without", (), {"modules": {}, "byteorder": sys.byteorder})
        monkeypatch.setattr(pandas_columns, "sys", without)
    table = pa.table(stand_in)
    assert table["some"].null_count == 2
    assert table["all"].null_count == 0
