"""Objects of pandas of every dtype, with and without shared memory, and without pandas."""

from __future__ import annotations

import contextlib
import datetime as dt
import gc
import os
import tempfile
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypods.errors import ValueTransferError
from pypods.pods.codec import HostCodec
from pypods.wire import arrays, installed, pandas_arrivals, pandas_values
from pypods.wire.arena import Arena
from pypods.wire.context import SHARED_MINIMUM_BYTES
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.pandas_stand_ins import PandasValue
from pypods.wire.rebuilding import Classes
from pypods.wire.shared import SharedMemory, references_in

SIZE = 2**25
LARGE = SHARED_MINIMUM_BYTES

PARIS = ZoneInfo("Europe/Paris")
DAYS = pd.date_range("2024-03-30", periods=4, freq="D")
HOUR = dt.timezone(dt.timedelta(hours=1))

COLUMNS: dict[str, object] = {
    "float64": [0.5, -0.0, np.nan, np.inf],
    "float32": np.array([0.5, 1, np.nan, 3], "f4"),
    "float16": np.array([0.5, 1, np.nan, 3], "f2"),
    "longdouble": np.array([0.5, 1, 2, 3], np.longdouble),
    "int8": np.array([-128, 0, 1, 127], "i1"),
    "int64": [-(2**63), 0, 1, 2**63 - 1],
    "uint64": np.array([0, 1, 2, 2**64 - 1], "u8"),
    "big-endian": np.array([1, 2, 3, 4], ">i4"),
    "complex": np.array([1j, 2, np.nan, -0.0]),
    "bool": [True, False, True, False],
    "datetime": DAYS,
    **{f"datetime {unit}": DAYS.as_unit(unit) for unit in ("s", "ms", "us", "ns")},
    "datetime far away": np.array(["0001-01-01", "9999-12-31", "NaT", "1970-01-01"], "M8[s]"),
    "datetime in a zone": DAYS.tz_localize(PARIS),
    "datetime in UTC": DAYS.tz_localize("UTC"),
    "datetime at an offset": DAYS.tz_localize(HOUR).as_unit("ns"),
    "datetime NaT in a zone": pd.DatetimeIndex(["2024-01-01", None, None, None], tz=PARIS),
    "timedelta": DAYS - DAYS[1],
    "timedelta s": np.array([1, -1, "NaT", 0], "m8[s]"),
    "categorical": pd.Categorical(["b", None, "a", "b"]),
    "categorical in order": pd.Categorical([2, 1, 2, 1], categories=[2, 9, 1], ordered=True),
    "categorical of dates": pd.Categorical(DAYS.repeat(2)[:4]),
    **{
        name: pd.array([1, None, 0, 1], dtype=name)
        for name in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
    },
    "Float32": pd.array([0.5, None, 1, 2], dtype="Float32"),
    "Float64": pd.array([0.5, None, 1, 2], dtype="Float64"),
    "boolean": pd.array([True, None, False, True], dtype="boolean"),
    "Int64 without NA": pd.array([1, 2, 3, 4], dtype="Int64"),
    **{
        f"text in {storage}, {na}": pd.array(
            ["a\0b", None, "", "größe"], dtype=pd.StringDtype(storage, na_value=na)
        )
        for storage in ("python", "pyarrow")
        for na in (pd.NA, np.nan)
    },
    "int64 of pyarrow": pd.array([1, None, -3, 4], dtype="int64[pyarrow]"),
    "double of pyarrow": pd.array([0.5, None, -3, 4], dtype="double[pyarrow]"),
    "bool of pyarrow": pd.array([True, None, False, True], dtype="bool[pyarrow]"),
    "text of pyarrow": pd.array(["a\0b", None, "", "größe"], dtype=pd.ArrowDtype(pa.string())),
    "lists of pyarrow": pd.array([[1], None, [], [2]], dtype=pd.ArrowDtype(pa.list_(pa.int8()))),
    "dates of pyarrow": pd.array(DAYS, dtype=pd.ArrowDtype(pa.timestamp("ms", "Europe/Paris"))),
    "a part of one of pyarrow": pd.array(["x", "é", "b", None, "d"], dtype="string[pyarrow]")[1:],
    "objects": np.array([1, "a", None, b"c"], object),
    "text and NaN as objects": np.array(["a", np.nan, None, "b"], object),
    "all that is missing": np.array([None, np.nan, pd.NaT, pd.NA], object),
    "missing, and more to it": np.array(
        [Decimal("NaN"), np.float64("nan"), np.datetime64("NaT"), None], object
    ),
    "Decimals": np.array([Decimal("1.10"), None, Decimal("NaN"), 1], object),
    "dates": np.array([dt.date(2024, 1, 1), None, dt.datetime(2024, 1, 1), pd.NaT], object),
    "lists of one length": pd.Series([[1, 2], [3, 4], [5, 6], [7, 8]]),
    "containers": pd.Series([[1, [2]], {"a": (1,)}, (), {1}]),
    "arrays": pd.Series([np.arange(2), np.arange(2), np.arange(3), None]),
    "scalars of pandas": np.array(
        [pd.Timestamp(1, tz=PARIS), pd.Timedelta(1), pd.Interval(0, 1), pd.Period("2024", "Y")],
        object,
    ),
    "Period": pd.period_range("2024-01", periods=4, freq="M"),
    "Period of two days": pd.PeriodIndex(["2024-01-01", None, "2024-01-05", None], freq="2D"),
    "Interval": pd.interval_range(0, 4, closed="both"),
    "Interval of dates": pd.IntervalIndex.from_breaks(
        pd.date_range("2024", periods=5, tz=PARIS), closed="neither"
    ),
    "Interval with NA": pd.arrays.IntervalArray.from_tuples([(0, 1), None, (1, 2), None]),
}
CONTAINERS = {"lists of one length", "containers", "arrays"}
NO_INDEX = {"float16", *CONTAINERS}

FREQUENCIES = [
    *("D", "3D", "h", "2min", "s", "ms", "us", "ns", "B", "W-WED", "ME", "MS", "BME", "BMS", "QE"),
    *("QS-FEB", "BQE", "BQS", "YE-MAR", "YS", "BYE", "BYS", "SME", "SMS", "WOM-2TUE", "LWOM-FRI"),
    "-1D",
]
SCALARS = [
    pd.Timestamp("2024-01-01 00:00:00.000000001"),
    pd.Timestamp("0001-01-01"),
    *(pd.Timestamp("2024-07-01").as_unit(unit) for unit in ("s", "ms", "us", "ns")),
    pd.Timestamp("2024-01-01").replace(fold=1),
    pd.Timestamp(1_729_989_000_000_000_001, tz=PARIS),  # Half past two, for the first time …
    pd.Timestamp(1_729_992_600_000_000_001, tz=PARIS),  # … and again.
    pd.Timestamp("2024-01-01", tz="UTC"),
    pd.Timestamp("2024-01-01", tz=HOUR),
    pd.Timedelta(days=-1, nanoseconds=1),
    pd.Timedelta(5, "s").as_unit("s"),
    pd.NaT,
    pd.NA,
    pd.Period("2024-01", "M"),
    pd.Period("1600-01-01", "W-SUN"),
    pd.Interval(0, 1.5),
    pd.Interval(pd.Timestamp(0), pd.Timestamp(1), closed="both"),
    pd.Interval(pd.Timedelta(0), pd.Timedelta(1), closed="left"),
]
LEVELS = pd.MultiIndex.from_product([["b", "a"], [2, 1]], names=["x", None])
WITHOUT_CODES = LEVELS[[0, 3]]


@contextlib.contextmanager
def two_sides(*, writable=False):
    """Give the classes of a side that writes and of one that reads."""
    sides = []
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as other:
        for names in ((file, other), (other, file)):
            for each in names:
                each.truncate(SIZE)
            arenas = [Arena(os.dup(each.fileno()), SIZE) for each in names]
            side = Classes()
            side.writable = writable
            side.shared = SharedMemory(*arenas, max_frame_bytes=2**24, writable=writable)
            sides.append(side)
    yield sides
    gc.collect()
    for side in sides:
        side.shared.close()


def cross(value):
    return decode_document(encode_document({"v": value}))["v"]


def assert_same(back, value):
    assert type(back) is type(value)
    if isinstance(value, pd.DataFrame):
        assert_same(back.index, value.index)
        assert_same(back.columns, value.columns)
        for place in range(value.shape[1]):
            assert_same(back.iloc[:, place], value.iloc[:, place])
    elif isinstance(value, pd.Series):
        assert back.dtype == value.dtype
        assert repr(back.dtype) == repr(value.dtype)  # StringDtype compares but the text "string".
        pd.testing.assert_series_equal(back, value, check_exact=True, check_freq=True)
        if value.dtype == object:
            assert list(map(type, back)) == list(map(type, value))
    elif isinstance(value, pd.Index):
        pd.testing.assert_index_equal(back, value, exact=True)
        assert back.names == value.names
        assert getattr(back, "freq", None) == getattr(value, "freq", None)
    elif value is pd.NaT or value is pd.NA:
        assert back is value
    elif isinstance(value, pd.api.extensions.ExtensionArray):
        pd.testing.assert_extension_array_equal(back, value)
    else:
        assert back == value
        assert repr(back) == repr(value)
        assert getattr(back, "fold", 0) == getattr(value, "fold", 0)


# --- what crosses -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COLUMNS)
def test_a_series_of_any_dtype_comes_back(name):
    value = pd.Series(COLUMNS[name], name=("x", 1))
    assert_same(cross(value), value)
    assert_same(cross(value[:0]), value[:0])
    assert_same(cross(value[::-2]), value[::-2])


@pytest.mark.parametrize("name", COLUMNS)
def test_a_frame_with_a_column_of_any_dtype_comes_back(name):
    column = pd.Series(COLUMNS[name])
    value = pd.DataFrame({"a": column, 5: 1.5, "b": column})
    back = cross(value)
    assert_same(back, value)
    for place in range(3):  # A frame is to be written.
        back.iloc[0, place] = None if name in CONTAINERS else value.iloc[1, place]
        assert column.equals(value["a"])


@pytest.mark.parametrize("name", [name for name in COLUMNS if name not in NO_INDEX])
def test_an_index_of_any_dtype_comes_back(name):
    value = pd.Index(COLUMNS[name], name="x")
    assert_same(cross(value), value)
    frame = pd.DataFrame(np.eye(4), index=value, columns=value)
    assert_same(cross(frame), frame)


@pytest.mark.parametrize("name", [name for name in COLUMNS if name != "longdouble"])
def test_an_array_of_pandas_own_comes_back(name):
    value = pd.array(COLUMNS[name]) if isinstance(COLUMNS[name], list) else COLUMNS[name]
    value = getattr(value, "array", value)
    if isinstance(value, np.ndarray) or type(value).__name__ == "NumpyExtensionArray":
        with pytest.raises(ValueTransferError):
            cross(pd.array(np.array([None]), dtype=object))
        return
    assert_same(cross(value), value)


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_a_frequency_comes_back(freq):
    value = pd.date_range("2024-01-01", periods=9, freq=freq)
    assert_same(cross(value), value)


@pytest.mark.parametrize("value", SCALARS, ids=repr)
def test_a_scalar_comes_back(value):
    assert_same(cross(value), value)
    assert_same(cross([value])[0], value)


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame(),
        pd.DataFrame(index=DAYS),
        pd.DataFrame(index=pd.RangeIndex(5)),
        pd.DataFrame({"a": [1.0], "b": ["x"]})[:0],
        pd.DataFrame(columns=["a", "b"]),
        pd.DataFrame([[1, 2.0, "x", None]], columns=["a", "a", "b", "b"]),
        pd.DataFrame(np.arange(16.0).reshape(4, 4), index=LEVELS, columns=LEVELS.rename([0, "q"])),
        pd.DataFrame({("a", 1): [1], ("a", 2): ["x"]}),
        pd.DataFrame({"a": [1, 2, 3]}, index=pd.RangeIndex(10, 4, -2, name="r")),
        pd.DataFrame(np.arange(12).reshape(3, 4)).T,
        pd.DataFrame(np.arange(12).reshape(3, 4)).iloc[::2, ::-1],
        pd.DataFrame(np.arange(12).reshape(3, 4)).rename_axis(index="rows", columns="columns"),
        pd.RangeIndex(2**62),
        LEVELS,
        WITHOUT_CODES,
        LEVELS.sortlevel()[0],
        pd.MultiIndex.from_arrays([[1, None], DAYS[:2]]),
        pd.timedelta_range(0, periods=3, freq="h"),
        pd.date_range("2024-03-29", periods=5, freq="D", tz=PARIS),
        pd.Series(dtype=object),
        pd.Series([1], name=DAYS[0]),
    ],
    ids=lambda value: repr(value)[:60].replace("\n", " "),
)
def test_what_has_its_own_shape_comes_back(value):
    assert_same(cross(value), value)


def test_the_levels_that_are_not_used_stay():
    assert list(cross(WITHOUT_CODES).levels[0]) == list(WITHOUT_CODES.levels[0])
    assert cross(LEVELS.sortlevel()[0]).sortorder == LEVELS.sortlevel()[0].sortorder


def test_attributes_and_flags_come_back():
    value = pd.DataFrame({"a": [1]})
    value.attrs = {"unit": "m", "more": (1, {2})}
    back = cross(value.set_flags(allows_duplicate_labels=False))
    assert back.attrs == value.attrs
    assert not back.flags.allows_duplicate_labels
    assert cross(value["a"]).attrs == value.attrs
    assert cross(value).flags.allows_duplicate_labels


def test_every_column_at_once_comes_back_through_either_codec():
    value = pd.DataFrame({name: pd.Series(column) for name, column in COLUMNS.items()})
    assert_same(cross(value), value)
    assert_same(HostCodec().decode(encode_document({"v": value}))["v"], value)


CELLS = {
    "f8": st.floats(),
    "i4": st.integers(-(2**31), 2**31 - 1),
    "u1": st.integers(0, 255),
    "bool": st.booleans(),
    "M8[ns]": st.integers(-(2**63), 2**63 - 1).map(lambda number: np.datetime64(number, "ns")),
    "M8[s]": st.integers(-(2**40), 2**40).map(lambda number: np.datetime64(number, "s")),
    "m8[us]": st.integers(-(2**63), 2**63 - 1).map(lambda number: np.timedelta64(number, "us")),
    "Int64": st.none() | st.integers(-(2**63), 2**63 - 1),
    "boolean": st.none() | st.booleans(),
    "string": st.none() | st.text(max_size=5),
    "str": st.none() | st.text(max_size=5),
    "category": st.none() | st.sampled_from(["a", "b", "c"]),
    "object": st.one_of(
        st.none(),
        st.just(np.nan),
        st.just(pd.NA),
        st.integers(),
        st.text(st.characters(exclude_categories=()), max_size=5),
        st.lists(st.integers(), max_size=3),
        st.decimals(allow_nan=False),
        st.dates(),
    ),
}


@st.composite
def frames(draw):
    height = draw(st.sampled_from([0, 1, 3, 20]))
    columns = []
    for dtype in draw(st.lists(st.sampled_from(sorted(CELLS)), max_size=5)):
        cells = draw(st.lists(CELLS[dtype], min_size=height, max_size=height))
        values = np.empty(height, object)
        for row, cell in enumerate(cells):
            values[row] = cell
        columns.append(pd.Series(values, dtype=object).astype(dtype))
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(height))
    names = draw(
        st.lists(
            st.text(max_size=3) | st.integers(0, 3), min_size=len(columns), max_size=len(columns)
        )
    )
    frame.columns = pd.Index(names, dtype=object)
    return frame


@settings(deadline=None, max_examples=100, derandomize=True)
@given(frames())
def test_whatever_frame_there_is_comes_back(value):
    encoded = encode_document({"v": value})
    back = decode_document(encoded)["v"]
    assert_same(back, value)
    # And as it was where nobody knows pandas, or NumPy.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pandas_arrivals, "find_pandas", lambda: None)
        assert encode_document(decode_document(encoded)) == encoded
        patch.setattr(arrays, "find_numpy", lambda: None)
        stand_in = decode_document(encoded)["v"]
        assert encode_document({"v": stand_in}) == encoded
        assert stand_in.shape == value.shape
        assert stand_in.columns == list(value.columns)


# --- shared memory ------------------------------------------------------------------------------


def test_large_columns_of_any_dtype_come_back_through_shared_memory():
    rows = np.tile(np.arange(4), LARGE // 32)
    names = [
        name for name in COLUMNS if name not in {*CONTAINERS, "big-endian", "scalars of pandas"}
    ]
    value = pd.DataFrame({name: pd.Series(COLUMNS[name]).take(rows).array for name in names})
    with two_sides() as (here, there):
        data = here.shared.pack(encode_document, {"v": value})
        back = decode_document(data, there)["v"]
        assert len(references_in(data)) > 20
        assert_same(back, value)
        del back


def large_frame():
    rows = LARGE // 4
    return pd.DataFrame(
        {
            "a": np.arange(rows) / 3,
            "b": np.arange(rows, dtype="f8"),
            "whole": np.arange(rows),
            "masked": pd.array(np.arange(rows), dtype="Int64"),
            "zoned": pd.date_range("2024", periods=rows, freq="s", tz=PARIS),
            "codes": pd.Categorical.from_codes(np.arange(rows) % 300, range(300)),
            "period": pd.period_range("1900", periods=rows, freq="D"),
            "interval": pd.interval_range(0, rows),
            "text": [f"text {row}" for row in range(rows)],
        }
    )


def test_columns_of_one_dtype_are_one_block_and_no_copy():
    value = pd.DataFrame(np.ones((LARGE, 9)), columns=list("abcdefghi"))
    with two_sides() as (here, there):
        data = here.shared.pack(encode_document, {"v": value})
        assert len(references_in(data)) == 1
        back = decode_document(data, there)["v"]
        assert not back["a"].to_numpy().flags.owndata
        assert len(there.shared.reader.loans) == 1
        del back
        gc.collect()
        assert not there.shared.reader.loans


@pytest.mark.parametrize("writable", [False, True])
def test_a_large_frame_can_be_written_and_the_memory_stays_as_it_was(writable):
    value = large_frame()
    with two_sides(writable=writable) as (here, there):
        data = here.shared.pack(encode_document, {"v": value})
        back = decode_document(data, there)["v"]
        assert_same(back, value)
        other = back[:]
        column = back["a"]
        for place in range(value.shape[1]):
            back.iloc[0, place] = value.iloc[1, place]
            assert back.iloc[0, place] == value.iloc[1, place]
        assert_same(other, value)
        assert_same(column, value["a"])
        del back
        other.loc[3:5, "a"] = 7
        assert list(other["a"][2:7]) == [value["a"][2], 7, 7, 7, value["a"][6]]
        column.fillna(0, inplace=True)
        series = decode_document(here.shared.pack(encode_document, {"v": value["whole"]}), there)
        series["v"][0] = 9
        assert series["v"][0] == 9
        del other, column, series


def test_a_frame_stays_when_its_memory_is_used_again():
    with two_sides() as (here, there):
        for number in range(3):
            value = pd.DataFrame(np.full((LARGE, 4), float(number)))
            data = here.shared.with_releases(b"")
            back = decode_document(here.shared.pack(encode_document, {"v": value}), there)["v"]
            view = back[3]
            del back
            gc.collect()
            assert (view == number).all()
            assert data == b""
            del view


# --- what does not cross ------------------------------------------------------------------------


class Subclass(pd.DataFrame):
    pass


@pytest.mark.parametrize(
    ("value", "place", "reason"),
    [
        (Subclass({"a": [1]}), "v", "Subclass cannot cross by value: it is more than a DataFrame"),
        (pd.DataFrame({"a": [1], "b": pd.arrays.SparseArray([0])}), 'v["b"]', "sparse.to_dense"),
        (pd.DataFrame({"a": [1], 3: [{"x": [object()]}]}), 'v[3][0]["x"][0]', "object"),
        (pd.DataFrame({"a": [None, np.nan, 1, object()]}), 'v["a"][3]', "object"),
        (pd.DataFrame({"a": [1]}, index=[object()]), "v.index[0]", "object"),
        (pd.DataFrame([[1]], columns=[object()]), "v.columns[0]", "object"),
        (pd.Series([1, object()]), "v[1]", "object"),
        (pd.Series([1], name=(1, slice)), "v.name[1]", "type"),
        (pd.DataFrame({"a": pd.Categorical([slice])}), 'v["a"].categories[0]', "type"),
        (pd.date_range("2024", periods=2, freq=pd.offsets.BusinessHour()), "v", "set the freq"),
        (pd.date_range("2024", periods=2, freq=pd.offsets.CustomBusinessDay()), "v", "freq"),
        (pd.Period("2024", freq="Y").freq, "v", "cannot cross"),
        (pd.DataFrame({"a": [1]}).groupby("a"), "v", "cannot cross"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_cannot_cross_is_named(value, place, reason):
    with pytest.raises(ValueTransferError) as caught:
        encode_document({"v": value})
    assert caught.value.place == place
    assert reason in caught.value.reason


def test_an_attribute_that_cannot_cross_is_named():
    value = pd.DataFrame({"a": [1]})
    value.attrs["k"] = [object()]
    with pytest.raises(ValueTransferError) as caught:
        encode_document({"v": value})
    assert caught.value.place == 'v.attrs["k"][0]'


def test_a_column_that_cannot_arrive_is_named():
    value = pd.DataFrame({"a": [1], "b": pd.Series(["x"], dtype="string"), 3: DAYS[:1]})
    value["zone"] = pd.DatetimeIndex(["2024-01-01"], tz=PARIS)
    encoded = encode_document({"v": value}).replace(b"kEurope/Paris", b"kEurope/Saris")
    with pytest.raises(
        ValueTransferError, match=r"pandas 3\S+ refuses it .*Europe/Saris"
    ) as caught:
        decode_document(encoded)
    assert caught.value.place == '["zone"]'
    encoded = encode_document({"v": value["zone"]}).replace(b"kEurope/Paris", b"zEurope/Saris")
    with pytest.raises(ValueTransferError, match="no such zone"):
        decode_document(encoded)


def test_text_arrives_as_the_text_that_this_pandas_has(monkeypatch):
    text = pd.Series(["a", None], dtype=pd.StringDtype("pyarrow", na_value=np.nan))
    encoded = encode_document({"v": text})
    dtype = pd.StringDtype

    def without_pyarrow(storage="python", **options):
        if storage == "pyarrow":
            raise ImportError("no pyarrow")
        return dtype(storage, **options)

    def without_nan():
        return dtype("python")

    monkeypatch.setattr(pd, "StringDtype", without_pyarrow)
    assert decode_document(encoded)["v"].dtype == dtype("python", na_value=np.nan)
    monkeypatch.setattr(pd, "StringDtype", without_nan)
    back = decode_document(encoded)["v"]
    assert back.dtype == object
    assert back.tolist() == ["a", np.nan]


def test_pandas_1_has_nanoseconds_alone():
    class Pandas:
        __version__ = "1.5.3"

    for kind in ("M8", "m8"):
        values = np.array([-1, 0, 1, "NaT"], f"{kind}[s]")
        converted = pandas_arrivals._in_unit(Pandas, values)
        assert converted.dtype == f"{kind}[ns]"
        assert (converted.astype(values.dtype).view("i8") == values.view("i8")).all()
        for number in (2**40, -(2**40), 2**62, -(2**63) + 1):
            with pytest.raises(ValueTransferError, match=r"pandas 1\.5\.3 has nanoseconds alone"):
                pandas_arrivals._in_unit(Pandas, np.array([0, number], f"{kind}[s]"))
    assert pandas_arrivals._holds(Pandas, np.dtype("i8"), np.dtype("i1"))
    assert not pandas_arrivals._holds(Pandas, np.dtype("f8"), np.dtype(np.longdouble))


def test_a_frame_kept_otherwise_crosses_column_by_column(monkeypatch):
    value = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", None], "c": [3.0, 4.0], "d": DAYS[:2]})

    class Frame:
        index, columns, attrs, flags = value.index, value.columns, {}, value.flags
        iloc, shape = value.iloc, value.shape

    content = pandas_values._reduce_frame(Frame())[1]
    assert [positions for positions, _ in content["blocks"]] == [[0], [1], [2], [3]]
    assert_same(cross(PandasValue(content)), value)


# --- without pandas -----------------------------------------------------------------------------


@pytest.fixture(params=["NumPy", "nothing"])
def without_pandas(request, monkeypatch):
    """Return a function that lets a value arrive where there is no pandas."""

    def arrive(value):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pandas_arrivals, "find_pandas", lambda: None)
            if request.param == "nothing":
                patch.setattr(arrays, "find_numpy", lambda: None)
            return cross(value)

    return arrive


@pytest.mark.parametrize("name", [name for name in COLUMNS if name != "longdouble"])
def test_without_pandas_a_frame_is_passed_on_and_shows_its_columns(without_pandas, name):
    value = pd.DataFrame({"a": pd.Series(COLUMNS[name]), "b": 1.5, "c": pd.Series(COLUMNS[name])})
    stand_in = without_pandas(value)
    assert type(stand_in) is PandasValue
    assert_same(cross(stand_in), value)
    assert stand_in == without_pandas(value)
    assert stand_in != without_pandas(value[:1])
    assert stand_in.columns == ["a", "b", "c"]
    assert stand_in.index == [0, 1, 2, 3]
    assert (len(stand_in), stand_in.shape, len(stand_in.dtypes)) == (4, (4, 3), 3)
    assert stand_in["b"] == [1.5] * 4
    assert repr(stand_in["a"]) == repr(stand_in["c"])
    assert len(stand_in["a"]) == 4
    assert len(stand_in.tolist()) == 4
    assert repr(stand_in).startswith("<DataFrame of 4 rows: 'a' ")
    with pytest.raises(KeyError):
        stand_in["d"]
    with pytest.raises(TypeError):
        hash(stand_in)


PLAIN = {
    "int8": [-128, 0, 1, 127],
    "big-endian": [1, 2, 3, 4],
    "bool": [True, False, True, False],
    "datetime s": [dt.datetime(2024, 3, 30) + dt.timedelta(days) for days in range(4)],
    "datetime ns": [dt.datetime(2024, 3, 30) + dt.timedelta(days) for days in range(4)],
    "datetime in UTC": [
        dt.datetime(2024, 3, 30, tzinfo=dt.UTC) + dt.timedelta(days) for days in range(4)
    ],
    "datetime in a zone": [dt.datetime(2024, 3, 30 + d, tzinfo=PARIS) for d in range(2)]
    + [dt.datetime(2024, 4, 1 + d, tzinfo=PARIS) for d in range(2)],
    "timedelta s": [dt.timedelta(seconds=1), dt.timedelta(seconds=-1), None, dt.timedelta(0)],
    "categorical": ["b", None, "a", "b"],
    "Int8": [1, None, 0, 1],
    "Int64 without NA": [1, 2, 3, 4],
    "boolean": [True, None, False, True],
    "text in python, <NA>": ["a\0b", None, "", "größe"],
    "text in pyarrow, nan": ["a\0b", None, "", "größe"],
    "int64 of pyarrow": [1, None, -3, 4],
    "double of pyarrow": [0.5, None, -3.0, 4.0],
    "bool of pyarrow": [True, None, False, True],
    "text of pyarrow": ["a\0b", None, "", "größe"],
    "lists of pyarrow": [[1], None, [], [2]],
    "objects": [1, "a", None, b"c"],
    "dates": [dt.date(2024, 1, 1), None, dt.datetime(2024, 1, 1), None],
    "lists of one length": [[1, 2], [3, 4], [5, 6], [7, 8]],
}


@pytest.mark.parametrize("name", PLAIN)
def test_without_pandas_columns_are_plain_values(without_pandas, name):
    series = pd.Series(COLUMNS[name])
    for stand_in in (without_pandas(series), without_pandas(pd.DataFrame({"x": series}))["x"]):
        items = stand_in if type(stand_in) is list else stand_in.tolist()
        assert items == PLAIN[name]
        assert list(map(type, items)) == list(map(type, PLAIN[name]))


def test_without_pandas_rows_of_either_order_are_right(without_pandas):
    for values in (np.arange(12).reshape(3, 4), np.arange(12).reshape(4, 3).T):
        stand_in = without_pandas(pd.DataFrame(values, columns=list("abcd")))
        assert stand_in["c"] == list(values[:, 2])
        assert stand_in.tolist() == [tuple(row) for row in values.tolist()]


def test_without_pandas_indexes_are_lists(without_pandas):
    assert without_pandas(LEVELS).tolist() == list(LEVELS)
    assert without_pandas(LEVELS)[1] == ("b", 1)
    assert without_pandas(pd.RangeIndex(3, 9, 2)).tolist() == [3, 5, 7]
    days = without_pandas(DAYS.array).tolist()
    assert days == without_pandas(DAYS).tolist() == PLAIN["datetime s"]
    assert repr(without_pandas(pd.array(["a"]))) == "<text of 1 items, without pandas>"
    text = repr(without_pandas(pd.Series([1], index=["x"], dtype="i2")))
    assert text == ("<Series of 1 <i2 items, without pandas>" if "<i2" in text else
                    "<Series of 1 int16 items, without pandas>")  # fmt: skip


@pytest.mark.parametrize("value", SCALARS, ids=repr)
def test_without_pandas_a_scalar_stands_in_and_is_passed_on(without_pandas, value):
    stand_in = without_pandas(value)
    assert type(stand_in) is PandasValue
    assert_same(cross(stand_in), value)
    assert stand_in == without_pandas(value)
    assert hash(stand_in) == hash(without_pandas(value))
    assert stand_in
    assert "without pandas" in repr(stand_in)
    with pytest.raises(TypeError):
        len(stand_in)
    with pytest.raises(TypeError):
        stand_in.tolist()
    if value is pd.NA or value is pd.NaT:
        assert stand_in.item() is None
    elif getattr(value, "nanosecond", 0) or getattr(value, "nanoseconds", 0):
        assert cross(stand_in.item()) == value
    elif isinstance(value, pd.Timestamp):
        assert stand_in.item() == value.to_pydatetime()
        assert stand_in.item().fold == value.fold
    elif isinstance(value, pd.Timedelta):
        assert stand_in.item() == value.to_pytimedelta()
    else:
        assert stand_in.item() is stand_in


def test_without_pandas_a_date_python_has_not_is_a_stand_in(without_pandas):
    items = without_pandas(pd.Series([pd.Timestamp(1), pd.Timestamp(1000)])).tolist()
    assert type(items[0]) is PandasValue
    assert cross(items[0]) == pd.Timestamp(1)
    assert items[1] == dt.datetime(1970, 1, 1, 0, 0, 0, 1)
    (item,) = without_pandas(pd.Series([pd.Timestamp(1, tz=PARIS)])).tolist()
    assert cross(item) == pd.Timestamp(1, tz=PARIS)
    far = without_pandas(pd.Series(np.array([2**60], "M8[s]"))).tolist()
    assert type(far[0]) is PandasValue
    (period,) = without_pandas(pd.Series([pd.Period("2024", "Y")])).tolist()
    assert cross(period) == pd.Period("2024", "Y")
    (interval,) = without_pandas(pd.Series([pd.Interval(0, 1)])).tolist()
    assert cross(interval) == pd.Interval(0, 1)


def test_a_stand_in_can_be_a_key(without_pandas):
    back = without_pandas({pd.Timestamp(1): 1, pd.NA: 2})
    assert cross(back) == {pd.Timestamp(1): 1, pd.NA: 2}


def test_pandas_that_cannot_be_imported_is_looked_for_once(monkeypatch):
    import sys

    looked: list[str] = []

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "pandas":
                looked.append(name)
                raise ImportError("broken")

    encoded = encode_document({"v": pd.Series([1])})
    monkeypatch.setattr(installed, "absent", [])
    monkeypatch.delitem(sys.modules, "pandas")
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    for _ in range(2):
        assert type(decode_document(encoded)["v"]) is PandasValue
    assert looked == ["pandas"]
