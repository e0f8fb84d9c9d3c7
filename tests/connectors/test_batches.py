"""Batches keep to a size and a schema, and rows become batches, without any loss."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from pypods.connectors.batches import as_batches, conform, last_values, limited, refuse_finer
from pypods.connectors.errors import DataError, SchemaError
from pypods.connectors.rows import batch_from_rows, batches_from_rows

D = Decimal


def batch_of(values, type_):
    return pa.record_batch([pa.array(values, type_)], names=["c"])


def test_batches_are_cut_by_rows_and_by_bytes():
    numbers = batch_of(range(100), pa.int64())
    assert [each.num_rows for each in limited([numbers, numbers.slice(0, 0)], 40)] == [40, 40, 20]
    large = batch_of(["x" * 2**20] * 40, pa.utf8())
    sizes = [each.nbytes for each in limited([large], 1000)]
    assert len(sizes) > 1
    assert max(sizes) <= 17 * 2**20


def test_what_is_given_as_batches_becomes_batches():
    schema = [("c", "int64", True)]
    table = pa.table({"c": [1, 2]})
    items = [table, table.to_batches()[0], [(1,), (2,)], table.to_reader()]
    got = [each.column(0).to_pylist() for each in as_batches(items, schema)]
    assert got == [[1, 2]] * 4


def test_the_last_row_has_a_position():
    assert last_values(batch_of([1, None], pa.int64()), ["c"]) == [None]


@pytest.mark.parametrize(
    ("values", "given", "wanted"),
    [
        ([1, None], pa.int8(), pa.int64()),
        ([1, None], pa.int64(), pa.decimal128(20, 0)),
        ([D("1.50"), None], pa.decimal128(5, 2), pa.decimal128(5, 1)),
        (["1.5", None], pa.utf8(), pa.decimal128(5, 1)),
        ([1.5, None, float("nan")], pa.float64(), pa.float32()),
        (["a", "b", "a"], pa.dictionary(pa.int8(), pa.utf8()), pa.utf8()),
        ([dt.date(2024, 2, 29)], pa.date32(), pa.timestamp("us")),
    ],
)
def test_a_column_becomes_another_type_that_holds_its_values(values, given, wanted):
    made = conform(batch_of(values, given), pa.schema([("c", wanted)]))
    assert made.column(0).type == wanted
    assert made.column(0).null_count == values.count(None)


@pytest.mark.parametrize(
    ("values", "given", "wanted", "row"),
    [
        ([1, 2, 300], pa.int64(), pa.int8(), 2),
        ([D("1.50"), D("1.55")], pa.decimal128(5, 2), pa.decimal128(5, 1), 1),
        (["1", "x", "y"], pa.utf8(), pa.int64(), 1),
        (["NaN"], pa.utf8(), pa.decimal128(5, 1), 0),
        ([0.5, 0.1], pa.float64(), pa.float32(), 1),
        ([D("0.1")], pa.decimal128(5, 1), pa.float64(), None),
        ([2**53, 2**53 + 1], pa.int64(), pa.float64(), 1),
        ([dt.datetime(2024, 1, 1, 1)], pa.timestamp("us"), pa.date32(), 0),
    ],
)
def test_a_value_that_does_not_fit_is_named(values, given, wanted, row):
    if row is None:  # It comes back as it was, so nothing is lost.
        conform(batch_of(values, given), pa.schema([("c", wanted)]))
        return
    with pytest.raises(DataError) as caught:
        conform(batch_of(values, given), pa.schema([("c", wanted)]), first_row=100)
    assert caught.value.position == 100 + row
    assert caught.value.column == "c"
    assert f"row {100 + row}" in str(caught.value)


def test_a_column_that_is_missing_is_named():
    with pytest.raises(SchemaError, match="0 columns 'd'"):
        conform(batch_of([1], pa.int64()), pa.schema([("d", pa.int64())]))


def test_times_that_would_be_rounded_are_refused():
    times = pa.array([dt.datetime(2024, 1, 1, 0, 0, 0, 5000), None], pa.timestamp("us"))
    refuse_finer(times, pa.field("c", times.type), 1000)
    with pytest.raises(DataError, match="multiples of 1000000"):
        refuse_finer(times, pa.field("c", times.type), 1_000_000)


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ("int64", 5, True), ("int8", -128, 128), ("int64", 1, 1.5), ("bool", True, 1),
        ("utf8", "x", 5), ("binary", b"x", 5), ("float64", 1.5, 2**53 + 1), ("float32", 0.5, 0.1),
        ("date", dt.date(2024, 1, 1), dt.datetime(2024, 1, 1, 5)),
        ("timestamp(us)", dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
        ("timestamp(us, UTC)", dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2024, 1, 1)),
        ("decimal(5,2)", D("999.99"), D("0.001")), ("decimal(5,2)", D("1"), D("1000")),
        ("time(us)", dt.time(1), "01:00"), ("time(us)", dt.time(1), 5.5),
        ("date", dt.date(2024, 1, 1), 2460000.5), ("timestamp(us)", dt.datetime(2024, 1, 1), 5),
        ("time(us)", dt.time(1), dt.time(1, tzinfo=dt.UTC)),
        ("utf8", "x", b"x"), ("binary", b"x", "x"),
    ],
)  # fmt: skip
def test_rows_become_a_batch_or_the_value_is_named(text, good, bad):
    schema = [("id", "int64", False), ("c", text, True)]
    made = batch_from_rows([(1, good), (2, None)], schema)
    assert made.column(1).to_pylist() == [good, None]
    with pytest.raises(DataError) as caught:
        batch_from_rows([(1, good), (2, bad), (3, bad)], schema, first_row=10)
    assert (caught.value.position, caught.value.column) == (11, "c")


def test_a_row_of_another_width_is_named():
    with pytest.raises(DataError, match="row 1 "):
        batch_from_rows([(1,), (1, 2)], [("a", "int64", True)])


def test_rows_are_fetched_in_growing_batches():
    rows = [(number,) for number in range(10_000)]
    asked = []

    def fetch(count):
        asked.append(count)
        some, rows[:count] = rows[:count], []
        return some

    batches = list(batches_from_rows(fetch, [("a", "int64", True)], batch_rows=5000))
    assert [value for each in batches for value in each.column(0).to_pylist()] == list(
        range(10_000)
    )
    assert asked[0] < asked[1] <= 5000
