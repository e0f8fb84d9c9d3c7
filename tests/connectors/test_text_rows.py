"""Rows of texts as batches, each value checked."""

from __future__ import annotations

from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pypods.connectors.errors import DataError
from pypods.connectors.text_rows import batches_from_texts, typed

SCHEMA = pa.schema([("n", pa.int64()), ("raw", pa.binary()), ("b", pa.bool_())])
TEXTS = pa.schema([("n", pa.utf8()), ("raw", pa.binary()), ("b", pa.utf8())])


def prepare(column, field):
    return pc.equal(column, "t") if pa.types.is_boolean(field.type) else column


def batches(rows, count):
    parts = (rows[at : at + count] for at in range(0, len(rows), count))
    raw = [pa.RecordBatch.from_pylist([dict(zip(TEXTS.names, row, strict=True)) for row in part],
                                      TEXTS) for part in parts]  # fmt: skip
    return typed(raw, SCHEMA, prepare)


def test_texts_become_values_of_their_types():
    (batch,) = batches([("1", b"\xff", "t"), (None, None, None)], 10)
    assert batch.schema == SCHEMA
    assert [tuple(row.values()) for row in batch.to_pylist()] == [
        (1, b"\xff", True), (None, None, None),
    ]  # fmt: skip


def test_a_text_that_is_no_value_is_told_with_its_row():
    found = batches([("1", b"", "f")] * 3 + [("x", b"", "f")], 2)
    assert next(found).num_rows == 2
    with pytest.raises(DataError, match=r"row 3 \(from 0\), column 'n': 'x' is no int64"):
        next(found)


def test_texts_come_from_a_cursor_in_batches_that_grow():
    rows = iter([(str(at), None) for at in range(5000)])
    schema = pa.schema([("n", pa.int64()), ("b", pa.bool_())])
    found = list(
        batches_from_texts(
            lambda count: list(islice(rows, count)), schema, prepare, batch_rows=9999
        )
    )
    assert [batch.num_rows for batch in found] == [256, 4096, 648]
    table = pa.Table.from_batches(found)
    assert table.column("n").to_pylist() == list(range(5000))
    assert table.column("b").null_count == 5000
