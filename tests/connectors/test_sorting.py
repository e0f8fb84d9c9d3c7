"""Batches sorted in little memory, through files."""

from __future__ import annotations

import random

import pyarrow as pa
from float_order import as_key
from hypothesis import given
from hypothesis import strategies as st

from pypods.connectors.sorting import sorted_batches


@given(
    rows=st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(allow_nan=True)),
            st.one_of(st.none(), st.text(max_size=3)),
        ),
        max_size=60,
    ),
    cuts=st.integers(1, 7),
    memory=st.sampled_from([1, 200, 10**6]),
)
def test_rows_are_sorted_with_little_memory_as_with_much(rows, cuts, memory):
    schema = pa.schema([("f", pa.float64()), ("t", pa.utf8()), ("n", pa.int64())])
    numbered = [(*row, at) for at, row in enumerate(rows)]
    batches = [
        pa.record_batch([list(column) for column in zip(*numbered[at : at + cuts], strict=True)],
                        schema=schema)
        for at in range(0, len(numbered), cuts)
    ]  # fmt: skip
    got = [
        tuple(row.values())
        for batch in sorted_batches(batches, schema, ["f", "t"], sort_bytes=memory)
        for row in batch.to_pylist()
    ]

    def key(row):
        return (as_key(row[0]), (row[1] is not None, (row[1] or "").encode()))

    assert [key(row) for row in got] == sorted(key(row) for row in numbered)
    assert sorted(row[2] for row in got) == list(range(len(rows)))


def test_many_batches_are_sorted_through_files():
    seeded = random.Random(7)
    numbers = [seeded.randrange(10**6) for _ in range(200_000)]
    batches = pa.table({"n": numbers}).to_batches(max_chunksize=5000)
    got = [
        n
        for batch in sorted_batches(batches, batches[0].schema, ["n"], sort_bytes=100_000)
        for n in batch.column(0).to_pylist()
    ]
    assert got == sorted(numbers)
