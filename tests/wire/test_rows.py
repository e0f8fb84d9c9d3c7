"""Long lists of like things cross as columns, and come back as they were."""

from __future__ import annotations

import datetime as dt
import struct
import sys
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire import rows
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.rows import MINIMUM_ROWS, list_from_column, pack_list, rows_from_content

LONG = MINIMUM_ROWS + 4


def there_and_back(value: object) -> object:
    return decode_document(encode_document({"value": value}))["value"]


COLUMNS = [
    ("q", [-(2**63), 2**63 - 1] * LONG),
    ("d", [0.5, float("inf"), -0.0] * LONG),
    ("?", [True, False] * LONG),
    ("s", ["", "a", "ü", "\U0001f40d"] * LONG),
    ("S", ["a\0b", ""] * LONG),
    ("y", [b"", b"\0x"] * LONG),
    ("x", [Decimal("-0E+5"), Decimal("1.10")] * LONG),
    ("D", [dt.datetime.min, dt.datetime.max, dt.datetime(1969, 12, 31, 23, 59, 59, 999999)] * LONG),
    ("Z", [dt.datetime(2020, 1, 1, tzinfo=dt.UTC)] * LONG),
    ("e", [dt.date.min, dt.date.max] * LONG),
    ("t", [dt.time.min, dt.time.max] * LONG),
    ("E", [dt.timedelta(-1, 2, 3), dt.timedelta(0)] * LONG),
    ("u", [UUID(int=0), UUID(int=2**128 - 1)] * LONG),
]


@pytest.mark.parametrize(("letter", "values"), COLUMNS, ids=[letter for letter, _ in COLUMNS])
def test_a_list_of_one_type_is_one_column_of_its_layout(letter: str, values: list[object]) -> None:
    packed = pack_list(values)
    assert packed is not None
    kind, content = packed
    assert (kind, content[0], content[1]) == (b"V", letter, None)
    back = there_and_back(values)
    assert list(map(repr, back)) == list(map(repr, values))
    assert set(map(type, back)) == set(map(type, values))


@pytest.mark.parametrize(("letter", "values"), COLUMNS, ids=[letter for letter, _ in COLUMNS])
def test_none_among_the_values_keeps_its_place(letter: str, values: list[object]) -> None:
    with_none = [None, *values, None, None]
    packed = pack_list(with_none)
    assert packed is not None
    assert packed[1][0] == letter
    assert there_and_back(with_none) == with_none


@pytest.mark.parametrize(
    "values",
    [
        [None] * LONG,
        [*[None] * LONG, ""],
        [2**64] * LONG,
        [1, 2**64] * LONG,
        ["\ud800"] * LONG,
        [1, True] * LONG,
        [dt.datetime(2020, 10, 25, 2, 30, fold=1)] * LONG,
        [dt.datetime(2020, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1)))] * LONG,
        [dt.time(1, tzinfo=dt.UTC)] * LONG,
        [dt.timedelta.max] * LONG,
        [{}] * LONG,
        [()] * LONG,
        [{1: 2}] * LONG,
        [{"a": 1}, {"b": 1}] * LONG,
        [{"a": 1, "b": 2}, {"b": 2, "a": 1}] * LONG,
        [(1,), (1, 2)] * LONG,
        [{"$ref": "x"}] * LONG,
        [{"a": {1, 2}, "b": [1, "x"]}] * LONG,
        [{"flag": True}] * LONG,
        [[1]] * LONG,
    ],
    ids=lambda values: repr(values)[:40],
)
def test_whatever_fits_no_layout_comes_back_too(values: list[object]) -> None:
    back = there_and_back(values)
    assert repr(back) == repr(values)


def test_rows_keep_the_order_of_their_keys() -> None:
    rows = [{"z": n, "a": str(n), "m": None if n % 3 else 1.5} for n in range(LONG)]
    packed = pack_list(rows)
    assert packed is not None
    assert packed[0] == b"R"
    assert list(map(list, there_and_back(rows))) == [["z", "a", "m"]] * LONG


def test_rows_of_a_value_that_cannot_cross_name_its_place() -> None:
    rows = [{"id": n, "conn": 1} for n in range(LONG)]
    rows[17]["conn"] = object()
    with pytest.raises(ValueTransferError, match=r'^value\[17\]\["conn"\]: object cannot cross'):
        encode_document({"value": rows})


CELLS = st.one_of(
    st.none(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters(codec=None), max_size=5),
    st.binary(max_size=5),
    st.booleans(),
    st.datetimes(),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.decimals(allow_nan=False),
)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=MINIMUM_ROWS, max_size=30))
def test_any_table_crosses_as_tuples_and_as_dicts(table: list[list[object]]) -> None:
    tuples = [tuple(row) for row in table]
    dicts = [dict(zip("abc", row, strict=True)) for row in table]
    assert repr(there_and_back(tuples)) == repr(tuples)
    assert repr(there_and_back(dicts)) == repr(dicts)


@pytest.mark.parametrize(
    "content",
    [
        {"keys": None, "count": -1, "columns": [["q", None, b""]]},
        {"keys": None, "count": True, "columns": [["q", None, b"\0" * 8]]},
        {"keys": ["a", "b"], "count": 1, "columns": [["q", None, b"\0" * 8]]},
        {"keys": None, "count": 1, "columns": []},
        {"keys": None, "count": 2, "columns": [["q", None, b"\0" * 8]]},
        {"keys": ["a"], "count": 10**9, "columns": [["q", b"\0" * 100, b""]]},
    ],
    ids=str,
)
def test_rows_that_do_not_fit_together_are_refused(content: dict[str, object]) -> None:
    with pytest.raises(ProtocolError):
        rows_from_content(content)


@pytest.mark.parametrize(
    "column",
    [
        ["!", None, b""],
        ["q", b"\1\0", b""],
        ["q", b"\0\0", b"\0" * 8],
        ["t", None, (86_400_000_000).to_bytes(8, "little")],
    ],
    ids=str,
)
def test_a_column_that_cannot_be_is_refused(column: list[object]) -> None:
    with pytest.raises(ProtocolError):
        list_from_column(column)


@pytest.mark.parametrize("letter", ["S", "y"])
@pytest.mark.parametrize("lengths", [[3, -3, 3], [1, 1], [4], [2**62, 2**62], [-1, 4]])
def test_lengths_that_do_not_fit_are_refused(letter: str, lengths: list[int]) -> None:
    """Overlapping pieces could ask for any memory."""
    packed = [letter, None, struct.pack(f"<{len(lengths)}q", *lengths), b"abc"]
    with pytest.raises((ProtocolError, OverflowError)):
        list_from_column(packed)


def test_datetimes_of_zones_that_are_equal_and_not_the_same_are_no_column() -> None:
    other = dt.timezone(dt.timedelta(), "Zulu")
    values = [dt.datetime(2020, 1, 1, tzinfo=zone) for zone in (dt.UTC, other)] * LONG
    assert pack_list(values) is None
    assert list(map(repr, there_and_back(values))) == list(map(repr, values))


def test_numbers_are_little_endian_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [1, 2] * LONG
    assert pack_list(values) == (b"V", ["q", None, struct.pack(f"<{2 * LONG}q", *values)])
    monkeypatch.setattr(rows, "_BIG_ENDIAN", sys.byteorder == "little")
    assert list_from_column(["q", None, struct.pack(f">{2 * LONG}q", *values)]) == values


@pytest.mark.parametrize("count", [65_535, 65_536, 65_537, 131_072, 131_073])
def test_any_number_of_numbers_is_one_column(count: int) -> None:
    packed = pack_list(list(range(count)))
    assert packed is not None
    assert packed[1][:2] == ["q", None]
    assert packed[1][2] == b"".join(struct.pack("<q", i) for i in range(count))
    assert there_and_back([float(i) for i in range(count)]) == list(range(count))
