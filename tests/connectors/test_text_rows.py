"""Rows of texts as batches, each value checked."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pypods.connectors.errors import DataError
from pypods.connectors.text_rows import batches_from_texts

SCHEMA = pa.schema([("n", pa.int64()), ("raw", pa.binary()), ("b", pa.bool_())])


def batches(rows, **options):
    rows = iter(rows)

    def fetch(count):
        return [row for _, row in zip(range(count), rows, strict=False)]

    def prepare(column, field):
        return pc.equal(column, "t") if pa.types.is_boolean(field.type) else column

    return batches_from_texts(
        fetch, SCHEMA, prepare, has_bytes=lambda field: field.name == "raw", **options
    )


def test_texts_become_values_of_their_types():
    (batch,) = batches([("1", b"\xff", "t"), (None, None, None)], batch_rows=10)
    assert batch.schema == SCHEMA
    assert [tuple(row.values()) for row in batch.to_pylist()] == [
        (1, b"\xff", True), (None, None, None),
    ]  # fmt: skip


def test_a_text_that_is_no_value_is_told_with_its_row():
    found = batches([("1", b"", "f")] * 3 + [("x", b"", "f")], batch_rows=2)
    assert next(found).num_rows == 2
    with pytest.raises(DataError, match=r"row 3 \(from 0\), column 'n': 'x' is no int64"):
        next(found)
