"""Rows that are chosen here as a database would choose them, and conditions that cannot be."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from float_order import FLOATS, as_key

from pypods.connectors.errors import DataError, SchemaError, SettingsError
from pypods.connectors.row_filter import RowFilter

BATCH = pa.record_batch(
    {
        "n": pa.array([1, 2, 3, None]),
        "x": pa.array([1.0, float("nan"), None, 2.5]),
        "s": pa.array(["a", None, "b", "c"]),
        "d": pa.array([dt.date(2026, 1, day) for day in (1, 2, 3, 4)]),
        "l": pa.array([[1], [2], [3], []]),
    }
)


def rows(**options):
    """Return the places of the rows that are chosen."""
    marked = BATCH.append_column("at", pa.array(range(4)))
    return RowFilter(marked.schema, "t", **options).apply(marked).column("at").to_pylist()


@pytest.mark.parametrize(
    ("where", "places"),
    [
        ([], [0, 1, 2, 3]),
        ([["n", "=", 2]], [1]),
        ([["n", "!=", 2]], [0, 2]),
        ([["n", ">=", 2], ["n", "<", 3]], [1]),
        ([["n", "is null"]], [3]),
        ([["n", "is not null", None]], [0, 1, 2]),
        ([["s", "in", ["a", "c"]]], [0, 3]),
        ([["s", "in", []]], []),
        ([["d", ">", "2026-01-02"]], [2, 3]),
        ([["d", "<=", dt.date(2026, 1, 2)]], [0, 1]),
        ([["n", "=", "2"]], [1]),
        ([["x", ">", 2]], [1, 3]),
        ([["x", "<=", float("nan")]], [0, 1, 3]),
    ],
)
def test_all_conditions_hold(where, places):
    assert rows(where=where) == places


@pytest.mark.parametrize(
    ("after", "places"),
    [([2], [2]), ([None], [0, 1, 2]), ([3], [])],
)
def test_after_is_strictly_after_and_null_is_first(after, places):
    assert rows(order_by=["n"], after=after) == places


def test_after_compares_the_second_column_where_the_first_is_the_same():
    assert rows(order_by=["n", "s"], after=[1, "a"]) == [1, 2]
    assert rows(order_by=["n", "s"], after=[1, "A"]) == [0, 1, 2]


def test_it_names_the_columns_that_it_needs():
    chosen = RowFilter(BATCH.schema, "t", where=[["s", "=", "a"]], order_by=["n"])
    assert chosen.columns == {"s", "n"}
    assert chosen.needed(["d"]) == ["n", "s", "d"]
    assert chosen.needed([]) == ["n", "s"]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"where": ["n = 1"]}, SettingsError, r"a condition is \[column, operator, value\]"),
        ({"where": [["n"]]}, SettingsError, "a condition is"),
        ({"where": [["n", "like", "1"]]}, SettingsError, "'like' is no operator; there are"),
        ({"where": [["n", "in", "12"]]}, SettingsError, "'in' takes a list without None"),
        ({"where": [["n", "in", [1, None]]]}, SettingsError, "'in' takes a list without None"),
        ({"where": [["n", "=", None]]}, SettingsError, "nothing is = None; use 'is null'"),
        ({"where": [["l", "=", [1]]]}, SettingsError, "column 'l' is list.*, which has no order"),
        ({"where": [["n", "=", "two"]]}, DataError, "'two' is no value of column 'n'.* int64"),
        ({"where": [["s", "=", 1]]}, DataError, "1 is no value of column 's', which is string"),
        ({"where": [["m", "=", 1]]}, SchemaError, "'m'"),
        ({"order_by": ["n"], "after": [1, 2]}, SettingsError, "after has 2 values and order_by 1"),
        ({"after": [1]}, SettingsError, "after has 1 values and order_by 0"),
    ],
)
def test_conditions_that_cannot_be_are_refused(options, error, says):
    with pytest.raises(error, match=says):
        RowFilter(BATCH.schema, "t", **options)


@pytest.mark.parametrize("value", FLOATS, ids=repr)
def test_after_is_strictly_after_also_with_null_and_nan(value):
    batch = pa.record_batch([pa.array(FLOATS, pa.float64())], names=["f"])
    chosen = RowFilter(batch.schema, "t", order_by=["f"], after=[value])
    got = chosen.apply(batch).column(0).to_pylist()
    assert list(map(repr, got)) == [repr(e) for e in FLOATS if as_key(e) > as_key(value)]


@pytest.mark.parametrize("operator", ["=", "!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize("value", FLOATS[1:], ids=repr)
def test_conditions_on_floats(operator, value):
    import operator as op

    functions = {"=": op.eq, "!=": op.ne, "<": op.lt, "<=": op.le, ">": op.gt, ">=": op.ge}
    batch = pa.record_batch([pa.array(FLOATS, pa.float64())], names=["f"])
    got = RowFilter(batch.schema, "t", where=[["f", operator, value]]).apply(batch)
    wanted = [e for e in FLOATS[1:] if functions[operator](as_key(e), as_key(value))]
    assert list(map(repr, got.column(0).to_pylist())) == list(map(repr, wanted))
