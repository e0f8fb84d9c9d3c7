"""Checks of what is large."""

from __future__ import annotations

from typing import Any

from pypods.conformance.check import check, demand
from pypods.conformance.reading import filled
from pypods.conformance.subject import Subject, rows_of, sorted_rows

COLUMNS = 200
MAX_BATCH_BYTES = 20 * 2**20
#: Rows of that many characters, in as many columns as those need.
LARGE_ROWS, ROW_CHARACTERS = 80, 500_000


@check("carries a table of 200 columns", "write", "read")
def check_wide(subject: Subject) -> None:
    """Wide tables arrive, their columns in order."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    table = pa.table({f"c{n}": [n * 1000 + row for row in range(50)] for n in range(COLUMNS)})
    got = subject.read(filled(subject, table))
    demand(got.schema.names == table.schema.names, "the columns are in another order")
    demand(sorted_rows(rows_of(got)) == sorted_rows(rows_of(table)), "other rows")


@check("keeps batches to some 16 MiB", "write", "read")
def check_large_rows(subject: Subject) -> None:
    """Rows of half a megabyte come in batches that are not too large."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    longest = min(ROW_CHARACTERS, subject.capabilities.get("longest_text") or ROW_CHARACTERS)
    texts = {
        f"text{start}": [
            chr(65 + n % 26) * min(longest, ROW_CHARACTERS - start) for n in range(LARGE_ROWS)
        ]
        for start in range(0, ROW_CHARACTERS, longest)
    }
    table = pa.table({"id": list(range(LARGE_ROWS)), **texts})
    stream = filled(subject, table)
    seen: list[tuple[Any, ...]] = []
    for batch in subject.pod.read(subject.connection, stream):
        arrived = pa.record_batch(batch)
        demand(arrived.nbytes <= MAX_BATCH_BYTES, f"a batch has {arrived.nbytes} bytes")
        seen += rows_of(arrived)
    demand(sorted(seen) == rows_of(table), "other rows")
