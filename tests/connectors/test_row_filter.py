"""Rows of batches chosen by conditions, and by the row to go on after."""

from __future__ import annotations

import pyarrow as pa
import pytest
from float_order import FLOATS, as_key

from pypods.connectors.row_filter import RowFilter


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
