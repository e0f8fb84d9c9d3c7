"""Checks of what is large."""

from __future__ import annotations

from typing import Any

from pypods.conformance.check import check, demand
from pypods.conformance.reading import filled
from pypods.conformance.subject import Subject, rows_of, sorted_rows

COLUMNS = 200
MAX_BATCH_BYTES = 20 * 2**20


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

    table = pa.table(
        {"id": list(range(80)), "text": [chr(65 + n % 26) * 500_000 for n in range(80)]}
    )
    stream = filled(subject, table)
    seen: dict[Any, str] = {}
    for batch in subject.pod.read(subject.connection, stream):
        arrived = pa.record_batch(batch)
        demand(arrived.nbytes <= MAX_BATCH_BYTES, f"a batch has {arrived.nbytes} bytes")
        seen.update(rows_of(arrived))
    demand(seen == dict(rows_of(table)), "other rows")
