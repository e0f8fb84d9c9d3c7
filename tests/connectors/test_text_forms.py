"""Values as texts, and texts as values, of each type."""

from __future__ import annotations

from decimal import Decimal

import file_connectors as files
import pyarrow as pa
import pytest

from pypods.connectors.errors import DataError
from pypods.connectors.text_forms import array_from_text, text_from_array, texts_of_bytes
from pypods.connectors.types import field_from_text


@pytest.mark.parametrize("binary", ["base64", "hex"])
@pytest.mark.parametrize("name", files.extremes().schema.names)
def test_each_type_has_a_text_that_is_read_as_it_was(name, binary):
    table = files.extremes()
    field = table.schema.field(name)
    array = table.column(name).combine_chunks()
    texts = text_from_array(array, field, binary=binary)
    assert texts.type == pa.utf8()
    back = array_from_text(texts, field, binary=binary)
    assert back.type == field.type
    assert list(map(repr, back.to_pylist())) == list(map(repr, array.to_pylist()))


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("int64", "0x10"), ("int64", " 1"), ("int64", "1.0"), ("int64", ""), ("int8", "128"),
        ("int64", "1_0"), ("uint8", "-1"), ("float64", "1,5"), ("float64", " 1"), ("bool", "yes"),
        ("decimal(5,2)", "1.555"), ("decimal(5,2)", "1000"), ("decimal(5,2)", "1.5x"),
        ("date", "2026-02-30"), ("date", "21.11.2026"), ("time(us)", "25:00:00"),
        ("timestamp(us)", "2026-11-21 14:05:00.1234567"), ("timestamp(us)", "2026-11-21 14:05:00Z"),
        ("timestamp(us, UTC)", "2026-11-21 14:05:00"), ("binary", "not base64!"), ("uuid", "1234"),
        ("json", "{"), ("list<int64>", "[1.5]"), ("list<int64>", '["x"]'), ("list<int64>", "1"),
        ("list<bool>", "[1]"), ("list<utf8>", "[1]"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_value_is_named(type_, text):
    good = {"json": "1", "uuid": "0" * 32, "binary": "AA==", "date": "2026-11-21"}.get(type_)
    texts = pa.array([good] * 300 + [text] + [good] * 5, pa.utf8())
    with pytest.raises(DataError) as caught:
        array_from_text(texts, field_from_text("c", type_), first_row=1000)
    assert (caught.value.position, caught.value.column) == (1300, "c")


def test_other_forms_that_mean_the_same_are_read():
    cases = {
        "timestamp(us, UTC)": (["2026-11-21T14:05:00+02:00", "2026-11-21 12:05:00Z"], None),
        "bool": (["1", "TRUE"], True),
        "int64": (["+7", "007"], 7),
        "decimal(9,2)": (["1e2", "100.0"], Decimal("100.00")),
    }
    for type_, (texts, value) in cases.items():
        got = array_from_text(pa.array(texts), field_from_text("c", type_)).to_pylist()
        assert got[0] == got[1] == (value if value is not None else got[0])


def test_bytes_in_utf_8_are_texts():
    texts = texts_of_bytes(
        pa.array([b"", "ü😀".encode(), None], pa.binary()), pa.field("c", "utf8")
    )
    assert texts.equals(pa.array(["", "ü😀", None], pa.utf8()))


@pytest.mark.parametrize("wrong", [b"\xff", b"cut \xc3", b"\xed\xa0\x80"])
@pytest.mark.parametrize(
    ("advice", "end"), [("", "no UTF-8 text$"), ("read its hex", "no UTF-8 text; read its hex$")]
)
def test_bytes_that_are_no_text_are_named(wrong, advice, end):
    raw = pa.array([None, b"good", wrong, wrong], pa.binary())
    with pytest.raises(DataError, match=rf"^row 1002 \(from 0\), column 'c': .*{end}") as caught:
        texts_of_bytes(raw, pa.field("c", "utf8"), first_row=1000, advice=advice)
    assert (caught.value.position, caught.value.column) == (1002, "c")
