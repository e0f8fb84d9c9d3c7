"""What polars, duckdb and nanoarrow hand out and take in, where there is pyarrow and where not."""

from __future__ import annotations

import datetime as dt
import sys
from decimal import Decimal

import duckdb
import nanoarrow as na
import polars as pl
import pyarrow as pa
import pytest

from pypods.errors import ValueTransferError
from pypods.wire import installed
from pypods.wire.arrow import libraries
from pypods.wire.arrow.values import ArrowArrayValue, ArrowValue
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.rebuilding import Classes

FRAME = pl.DataFrame(
    {
        "int": [1, None, 3],
        "text": ["q", None, "w" * 30],
        "category": pl.Series(["a", None, "b"], dtype=pl.Categorical),
        "enum": pl.Series(["y", "x", None], dtype=pl.Enum(["x", "y", "z"])),
        "decimal": pl.Series([Decimal("1.25"), None, Decimal(-3)], dtype=pl.Decimal(20, 2)),
        "list": [[1, 2], None, []],
        "array": pl.Series([[1, 2], None, [3, 4]], dtype=pl.Array(pl.Int8, 2)),
        "struct": [{"x": 1, "y": ["a"]}, None, {"x": None, "y": None}],
        "time": [dt.datetime(2024, 2, 29, 12), None, dt.datetime(1960, 1, 1)],
        "zone": pl.Series([0, None, 1], dtype=pl.Datetime("ns", "Europe/Berlin")),
        "binary": [b"\xff", None, b"x" * 99],
        "bool": [True, None, False],
        "null": [None, None, None],
    }
)


@pytest.fixture
def without_pyarrow(monkeypatch):
    """Let our own callbacks serve what pyarrow would."""
    monkeypatch.delitem(sys.modules, "pyarrow")


def assert_same_frame(back, frame):
    assert type(back) is pl.DataFrame
    assert back.schema == frame.schema
    assert back.equals(frame)


def test_a_frame_of_polars_arrives_as_one(cross):
    for frame in (FRAME, FRAME.slice(1), FRAME.slice(1, 1), FRAME.clear(), pl.DataFrame()):
        assert_same_frame(cross(frame, "pod"), frame)
        arrived = cross(frame)
        assert_same_frame(cross(arrived, "pod"), frame)
        assert_same_frame(pl.DataFrame(arrived), frame)


def test_a_frame_of_polars_goes_through_our_own_callbacks(cross, without_pyarrow):
    assert_same_frame(cross(FRAME, "pod"), FRAME)
    assert_same_frame(pl.DataFrame(cross(FRAME)), FRAME)
    for name in FRAME.columns:
        assert cross(FRAME[name], "pod").dtype == FRAME[name].dtype


def test_a_frame_in_many_parts_is_one_of_the_same_rows(cross):
    frame = pl.concat([FRAME] * 50, rechunk=False)
    assert frame.n_chunks() == 50
    assert_same_frame(cross(frame, "pod"), frame)


def test_a_series_of_polars_keeps_its_name(cross):
    for name in FRAME.columns:
        series = FRAME[name].slice(1)
        back = cross(series, "pod")
        assert type(back) is pl.Series
        assert back.name == name
        assert back.dtype == series.dtype
        assert back.equals(series)
        column = pl.DataFrame(cross(series).as_column())
        assert column.equals(series.to_frame())


def test_a_host_with_polars_gets_frames_as_such(inline):
    class Host(Classes):
        pass

    back = decode_document(encode_document({"v": FRAME}), Host())["v"]
    assert_same_frame(back, FRAME)
    table = decode_document(encode_document({"v": FRAME.to_arrow()}), Host())["v"]
    assert type(table) is ArrowValue


@pytest.mark.parametrize("length", [1, 10])
def test_a_slice_of_long_texts_carries_little(inline, length):
    frame = pl.DataFrame({"s": ["w" * 100 + str(index) for index in range(5000)]})
    part = frame.slice(4000, length)
    assert inline(part).nbytes < 200 * length + 300
    assert_same_frame(inline(part, "pod"), part)
    table = pa.table({"s": frame["s"].to_list(), "l": [[index] * 9 for index in range(5000)]})
    assert inline(table.slice(4000, length)).nbytes < 400 * length + 500


def test_long_texts_here_and_there_stay_what_they_are(inline):
    """Views are moved where each buffer is used in part."""
    texts = pl.Series("s", [f"{index}" * (index % 40) for index in range(30_000)])
    for part in (texts.slice(29_990), texts.slice(12_345, 50), texts.gather([7, 29_999, 15_000])):
        assert inline(part, "pod").equals(part)
        assert pl.Series(inline(part)).equals(part)


def test_a_relation_of_duckdb_arrives_as_a_stream(cross):
    relation = duckdb.sql(
        "select range a, 'x' || range s, [range] l, {'k': range} d, range % 2 = 0 b,"
        " timestamptz '2024-02-29 12:00:00+00' t from range(5000)"
    )
    arrived = cross(relation)
    assert type(arrived) is ArrowValue
    assert "DuckDBPyRelation: a, s, l, d, b, t; 5000 rows" in repr(arrived)
    back = pa.table(arrived)
    back.validate(full=True)
    assert back.equals(relation.to_arrow_table())
    assert duckdb.sql("select sum(a), max(s) from arrived").fetchall() == [(12_497_500, "x999")]
    passed_on = cross(arrived, "pod")
    assert pl.DataFrame(passed_on)["a"].sum() == 12_497_500


def test_duckdb_takes_our_own_callbacks(cross, without_pyarrow):
    arrived = cross(pl.DataFrame({"a": range(10_000), "s": ["x" * 20] * 10_000}))
    assert pl.DataFrame(arrived)["a"].sum() == 49_995_000


def test_nanoarrow_hands_out_and_takes_in(cross):
    for value in (na.c_array([1, None, 3], na.int32()), na.Array([1, None, 3], na.int32())):
        arrived = cross(value)
        assert type(arrived) is ArrowArrayValue
        assert na.Array(arrived).to_pylist() == [1, None, 3]
        assert pa.array(arrived).to_pylist() == [1, None, 3]
    assert repr(na.Schema(cross(na.int32()))) == repr(na.int32())
    stream = cross(na.ArrayStream(pa.table({"a": [1, 2], "s": ["x", None]})))
    assert na.ArrayStream(stream).read_all().to_pylist() == [
        {"a": 1, "s": "x"},
        {"a": 2, "s": None},
    ]


def test_nanoarrow_takes_our_own_callbacks(cross, ours):
    table = pa.table({"a": [1, None], "l": [["x"], []]})
    array = na.Array(na.c_array_stream(ours(cross(table))).get_next())
    assert array.child(0).to_pylist() == [1, None]
    assert array.child(1).to_pylist() == [["x"], []]


# --- classes of this side -------------------------------------------------------------------------


def classes_that_find(found):
    class Named(Classes):
        arrow_libraries = ()

        def find(self, module, qualname):
            return found

    return Named()


def test_a_class_of_pyarrow_arrives_as_such_where_it_is_named():
    data = encode_document({"v": pa.table({"a": [1]})})
    assert type(decode_document(data, classes_that_find(pa.Table))["v"]) is pa.Table
    assert type(decode_document(data, classes_that_find(dict))["v"]) is ArrowValue


def test_a_library_that_is_not_there_is_asked_for_once(monkeypatch, inline):
    asked = []

    def fail(name, *rest):
        asked.append(name)
        raise OSError("a broken installation")

    monkeypatch.setattr(installed, "absent", [])
    data = pa.table({"a": [1]})
    arrived = inline(data)
    monkeypatch.delitem(sys.modules, "pyarrow")
    monkeypatch.setattr("builtins.__import__", fail)
    found = [installed.find_library("pyarrow"), installed.find_library("pyarrow")]
    monkeypatch.undo()
    assert found == [None, None]
    assert asked == ["pyarrow"]
    assert arrived.num_rows == 1


def test_what_a_library_refuses_is_an_error_that_says_so(inline):
    with pytest.raises(
        ValueTransferError, match=r"polars\S* cannot arrive here: polars .* refuses"
    ):
        libraries.made_by(pl, inline(FRAME), lambda library, value: library.no_such_name)


def test_an_error_of_the_library_that_hands_out_names_the_value(inline):
    class Broken:
        def __arrow_c_stream__(self, requested_schema=None):
            raise RuntimeError("out of order")

    with pytest.raises(ValueTransferError, match="Broken cannot cross: out of order") as caught:
        inline([Broken()])
    assert caught.value.place == "v[0]"
    failing = pa.RecordBatchReader.from_batches(
        pa.schema([("a", pa.int8())]), (1 / 0 for _ in range(1))
    )
    with pytest.raises(ValueTransferError, match=r"cannot be read: .*division by zero"):
        inline(failing)
