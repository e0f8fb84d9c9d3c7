"""Columns of pandas that pyarrow keeps: by way of Arrow, with pyarrow where they arrive or not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire import pandas_arrivals, pandas_arrow, pandas_values
from pypods.wire.arrow.items import items_of
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.pandas_stand_ins import PandasValue

COUNT = pandas_values.MINIMUM_ARROW_TEXTS
TEXTS = [None if row % 5 == 0 else f"größe {row}" * (row % 3) for row in range(COUNT)]


def cross(value):
    return decode_document(encode_document({"v": value}))["v"]


@pytest.fixture
def without_pyarrow(monkeypatch):
    """Let nothing find pyarrow where a value arrives."""
    monkeypatch.setattr(pandas_arrow, "find_library", lambda name: None)


def text_series(na=np.nan, storage="pyarrow"):
    return pd.Series(pd.array(TEXTS, dtype=pd.StringDtype(storage, na_value=na)), name="t")


@pytest.mark.parametrize("na", [pd.NA, np.nan], ids=str)
@pytest.mark.parametrize("storage", ["pyarrow", "python"])
def test_many_texts_come_back_with_their_dtype(na, storage):
    series = text_series(na, storage)
    back = cross(series)
    assert back.dtype == series.dtype
    pd.testing.assert_series_equal(back, series)
    pd.testing.assert_series_equal(cross(series[7:-9]), series[7:-9])
    index = pd.Index(series.fillna("x"))
    pd.testing.assert_index_equal(cross(index), index)


def test_texts_of_pyarrow_are_not_copied_where_they_arrive():
    frame = encode_document({"v": text_series()})
    back = decode_document(frame)["v"]
    (chunk,) = back.array.__arrow_array__().chunks
    again = decode_document(encode_document({"v": back}))["v"]
    assert again.equals(back)
    # Our own memory, not pyarrow's, which its pool would count.
    before = pa.total_allocated_bytes()
    kept = decode_document(frame)["v"]
    assert pa.total_allocated_bytes() == before
    assert kept.tolist()[1] == back.tolist()[1] == chunk[1].as_py()


def test_a_series_of_texts_can_be_written_where_it_arrives():
    back = cross(text_series())
    back.iloc[0] = "new"
    assert back.tolist()[:2] == ["new", TEXTS[1]]


@pytest.mark.usefixtures("without_pyarrow")
@pytest.mark.parametrize("na", [pd.NA, np.nan], ids=str)
def test_texts_arrive_without_pyarrow(na):
    back = cross(text_series(na))
    assert back.equals(text_series(na))
    assert [None if pd.isna(text) else text for text in back] == TEXTS


def test_many_texts_arrive_where_no_dtype_is_for_them(monkeypatch):
    monkeypatch.setattr(pandas_arrivals, "_text_dtype", lambda *_: None)
    back = cross(text_series())
    assert back.dtype == object
    assert back.tolist()[:2] == pytest.approx([np.nan, TEXTS[1]], nan_ok=True)


@pytest.mark.usefixtures("without_pyarrow")
def test_without_pyarrow_its_texts_are_texts_and_the_rest_is_refused_by_name():
    texts = pd.Series(["a", None], dtype=pd.ArrowDtype(pa.string()))
    back = cross(texts)
    assert isinstance(back.dtype, pd.StringDtype)
    assert back.tolist() == ["a", pd.NA]
    frame = pd.DataFrame({"good": texts, "bad": pd.array([1], dtype="int64[pyarrow]").take([0, 0])})
    with pytest.raises(ValueTransferError, match="no pyarrow to keep them in") as caught:
        cross(frame)
    assert caught.value.place == '["bad"]'


def test_a_pandas_without_such_dtypes_has_the_texts(monkeypatch):
    monkeypatch.delattr(pd.arrays, "ArrowExtensionArray")
    texts = pd.Series(["a", None], dtype=pd.ArrowDtype(pa.string()))
    frame = encode_document({"v": texts})
    assert isinstance(decode_document(frame)["v"].dtype, pd.StringDtype)


def test_an_old_pyarrow_sends_texts_one_by_one_and_refuses_the_rest(monkeypatch):
    monkeypatch.setattr(pandas_values, "column_of", lambda _: None)
    assert cross(text_series()).equals(text_series())
    with pytest.raises(ValueTransferError, match="pyarrow 16"):
        cross(pd.DataFrame({"a": pd.array([1], dtype="int64[pyarrow]")}))


def test_a_column_without_the_interface_is_told_apart():
    class Array:
        def __arrow_array__(self):
            return object()

    assert pandas_arrow.column_of(Array()) is None


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["a", None, "a text of more than twelve", "größe"], pa.string_view()),
        pa.array(["x", "a", None, "größe"]).slice(1),
        pa.array(["x", "a", None, "b"], pa.large_string()).slice(2),
        pa.array([1, None, 3], pa.uint16()).slice(1),
        pa.array([True, None, False] * 5).slice(3),
        pa.array([0.5, None]),
        pa.array([], pa.string()),
        pa.array([], pa.int8()),
    ],
)
def test_the_items_of_simple_arrays_are_read_without_a_library(array):
    assert items_of(cross(pa.chunked_array([array, array]))) == array.to_pylist() * 2


def test_the_items_of_a_dictionary_are_not_read_here():
    with pytest.raises(TypeError, match="dictionary"):
        items_of(cross(pa.array(["a"]).dictionary_encode()))


def test_a_stand_in_has_items_of_any_type_with_pyarrow_and_of_simple_ones_without(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(pandas_arrivals, "find_pandas", lambda: None)
        stand_in = cross(pd.Series([[1], None], dtype=pd.ArrowDtype(pa.list_(pa.int8()))))
        numbers = cross(pd.Series([1, None], dtype="int8[pyarrow]"))
    assert stand_in.tolist() == [[1], None]
    monkeypatch.setattr(pandas_arrow, "find_library", lambda name: None)
    assert numbers.tolist() == [1, None]
    with pytest.raises(TypeError, match="without pyarrow there are no plain values"):
        stand_in.tolist()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"type": "arrow", "values": [1]}, "no Arrow data"),
        ({"type": "arrow", "values": pa.schema([])}, "no Arrow data"),
        ({"type": "text", "values": b"", "storage": "pyarrow", "nan": True}, "no Arrow data"),
        ({"type": "text", "values": pa.array([1]), "storage": "pyarrow", "nan": True}, "no texts"),
        (
            {"type": "text", "values": pa.array([b"a"]), "storage": "pyarrow", "nan": True},
            "no texts",
        ),
    ],
)
@pytest.mark.parametrize("has_pandas", [True, False])
def test_a_column_that_is_none_is_refused(monkeypatch, content, reason, has_pandas):
    if not has_pandas:
        monkeypatch.setattr(pandas_arrivals, "find_pandas", lambda: None)
    series = {
        "type": "Series",
        "values": content,
        "index": pd.RangeIndex(1),
        "name": None,
        "attrs": {},
        "unique_labels": False,
    }
    with pytest.raises(ProtocolError, match=reason):
        cross(PandasValue(series))
