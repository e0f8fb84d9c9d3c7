"""Equal rows have equal sums; others have not."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from pypods.connectors.checksum import checksum_of
from pypods.connectors.types import field_from_text


def sum_of(text, values, *, given=None):
    field = field_from_text("c", text)
    batch = pa.record_batch([pa.array(values, given or field.type)], names=["c"])
    return checksum_of([batch], pa.schema([field]))


def test_order_and_batches_do_not_matter():
    schema = pa.schema([("a", pa.int64()), ("b", pa.utf8())])
    rows = [(1, "x"), (2, None), (2, None), (None, "")]
    one = pa.RecordBatch.from_pylist([dict(zip("ab", row, strict=True)) for row in rows], schema)
    other = [one.slice(2), one.slice(0, 2)]
    assert checksum_of([one], schema) == checksum_of(other, schema)
    assert checksum_of([], schema) == {"rows": 0, "sum": "0" * 16}


@pytest.mark.parametrize(
    ("text", "one", "other"),
    [
        ("int64", [1], [2]), ("utf8", [""], [None]), ("utf8", ["a", "b"], ["ab", ""]),
        ("float64", [0.1], [0.1 + 1e-17 + 1e-16]), ("bool", [True], [False]),
        ("binary", [b"\0"], [b""]), ("decimal(5,2)", [Decimal(1)], [Decimal("1.01")]),
        ("json", ['{"a": 1}'], ['{"a": 2}']), ("json", ["[1, 2]"], ["[2, 1]"]),
        ("list<int64>", [[1]], [[None]]), ("int64", [1, 1], [1]),
        ("json", ["0.1"], ["0.10000000000000001"]),
    ],
)  # fmt: skip
def test_other_rows_have_another_sum(text, one, other):
    assert sum_of(text, one) == sum_of(text, one)
    assert sum_of(text, one)["sum"] != sum_of(text, other)["sum"]


@pytest.mark.parametrize(
    ("text", "one", "other"),
    [
        ("float64", [0.0], [-0.0]), ("json", ['{"a":1,"b":1.10}'], ['{"b": 1.1, "a": 1}']),
        ("json", ["100"], ["1e2"]),
    ],
)  # fmt: skip
def test_equal_values_have_one_sum_however_they_are_written(text, one, other):
    assert sum_of(text, one) == sum_of(text, other)


def test_a_source_s_type_does_not_matter():
    assert sum_of("int64", [1, None]) == sum_of("int64", [1, None], given=pa.int8())
    assert sum_of("decimal(5,2)", [Decimal(1)]) == sum_of("decimal(5,2)", [1], given=pa.int16())
