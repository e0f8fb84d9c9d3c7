"""Checks of reading: which rows, in which order, in which parts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from pypods.conformance.check import check, demand
from pypods.conformance.subject import Subject, expect_error, rows_of, sorted_rows

ROWS = 1000


def numbered(count: int = ROWS) -> Any:
    """Return a table with a key, a column with NULLs and equal values, and texts."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    numbers = range(count)
    return pa.table(
        {
            "id": pa.array(numbers, pa.int64()),
            "grade": pa.array([None if n % 7 == 0 else n % 5 for n in numbers], pa.int32()),
            "name": pa.array(
                [None if n % 11 == 0 else f"name {n:05d}" for n in numbers], pa.utf8()
            ),
        }
    )


def filled(subject: Subject, table: Any) -> list[str]:
    """Return a new stream with that table's rows."""
    stream = subject.scratch.new_stream()
    subject.fill(stream, table, mode=subject.capabilities["write"][0])
    return stream


@check("reads columns, limits and batches as asked", "read", "write")
def check_columns(subject: Subject) -> None:
    """Columns come in the order asked for, no more rows than the limit, no larger batches."""
    table = numbered()
    stream = filled(subject, table)
    got = subject.read(stream, columns=["name", "id"])
    demand(got.schema.names == ["name", "id"], f"columns are {got.schema.names}")
    demand(
        sorted_rows(rows_of(got)) == sorted_rows(rows_of(table.select(["name", "id"]))),
        "the rows of two columns are others",
    )
    for limit in (0, 1, 10, ROWS + 1):
        demand(
            len(subject.rows(stream, limit=limit)) == min(limit, ROWS),
            f"limit {limit} was not kept",
        )
    batches = list(subject.pod.read(subject.connection, stream, batch_rows=64))
    sizes = [batch.num_rows for batch in batches]
    demand(max(sizes) <= 64 and sum(sizes) == ROWS, f"batches have {sizes} rows")
    with expect_error("SchemaError", doing="a column that is not there"):
        subject.rows(stream, columns=["no such"])


@check("keeps a row's condition", "read", "where", "write")
def check_where(subject: Subject) -> None:
    """Each operator finds the rows that Python finds."""
    stream = filled(subject, numbered())
    rows = rows_of(numbered())
    cases: list[tuple[list[Any], Any]] = [
        (["id", "=", 5], lambda row: row[0] == 5),
        (["id", "!=", 5], lambda row: row[0] != 5),
        (["id", "<", 5], lambda row: row[0] < 5),
        (["id", "<=", 5], lambda row: row[0] <= 5),
        (["id", ">", 5], lambda row: row[0] > 5),
        (["id", ">=", 5], lambda row: row[0] >= 5),
        (["id", "in", [1, 2, 5000]], lambda row: row[0] in (1, 2)),
        (["id", "in", []], lambda row: False),
        (["grade", "!=", 1], lambda row: row[1] not in (None, 1)),
        (["grade", "is null"], lambda row: row[1] is None),
        (["grade", "is not null"], lambda row: row[1] is not None),
        (["name", "=", "name 00003"], lambda row: row[2] == "name 00003"),
        (["name", ">=", "name 00900"], lambda row: (row[2] or "") >= "name 00900"),
    ]
    for condition, holds in cases:
        wanted = sorted_rows(row for row in rows if holds(row))
        got = sorted_rows(subject.rows(stream, where=[condition]))
        demand(got == wanted, f"{condition} found {len(got)} rows and has to find {len(wanted)}")
        if subject.offers("count"):
            counted = subject.pod.count(subject.connection, stream, where=[condition])
            demand(counted == len(wanted), f"{condition} counted {counted}, not {len(wanted)}")
    both = [["id", ">", 10], ["id", "<", 20], ["grade", "is not null"]]
    wanted = [row for row in rows if 10 < row[0] < 20 and row[1] is not None]
    demand(sorted_rows(subject.rows(stream, where=both)) == sorted_rows(wanted), "all have to hold")
    for bad in (["id", "like", 1], ["id", "=", None], ["id"], "id = 1"):
        with expect_error("SettingsError", doing=f"the condition {bad!r}"):
            subject.rows(stream, where=[bad])


@check("orders rows, NULLs first, and goes on after one", "read", "order", "after", "write")
def check_after(subject: Subject) -> None:
    """Pages by ``after`` give each row once and in order, also with NULLs and equal values."""
    stream = filled(subject, numbered(200))
    rows = rows_of(numbered(200))

    def order(row: tuple[Any, ...]) -> Any:
        return (row[1] is not None, row[1] or 0, row[0])

    wanted = sorted(rows, key=order)
    got = subject.rows(stream, order_by=["grade", "id"])
    demand(got == wanted, "the order is not NULLs first, then by value")
    for keys, page in ((["grade", "id"], 17), (["id"], 50), (["name", "id"], 23)):
        places = [["id", "grade", "name"].index(name) for name in keys]
        seen: list[tuple[Any, ...]] = []
        while True:
            after = [seen[-1][place] for place in places] if seen else None
            some = subject.rows(stream, order_by=keys, after=after, limit=page)
            if not some:
                break
            seen += some
            demand(len(seen) <= len(rows), f"pages by {keys} give rows twice")
        demand(sorted_rows(seen) == sorted_rows(rows), f"pages by {keys} are not all rows")
    with expect_error("SettingsError", doing="after without an order"):
        subject.rows(stream, after=[1])


@check("covers each row once in partitions", "read", "partition", "write")
def check_partitions(subject: Subject) -> None:
    """The partitions of a stream have each row once, whatever its key, and with conditions."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    sparse = pa.table(
        {
            "key": pa.array([None if n % 3 == 0 else n * n * 7919 - 10**6 for n in range(3000)]),
            "text": pa.array([f"{n} " * 20 for n in range(3000)]),
        }
    )
    for name, table in {"numbers": numbered(), "NULLs": sparse, "one row": numbered(1)}.items():
        stream = filled(subject, table)
        wanted = sorted_rows(rows_of(table))
        for count in (1, 2, 3, 7):
            parts = subject.pod.partitions(subject.connection, stream, count)
            try:
                demand(1 <= len(parts) <= count, f"{len(parts)} partitions, and {count} were asked")
                got = [row for part in parts for row in subject.rows(stream, partition=part)]
            finally:
                subject.pod.release_partitions(subject.connection, parts)
            demand(
                sorted_rows(got) == wanted,
                f"{name}: {count} partitions have {len(got)} rows, and there are {len(wanted)}",
            )
    subject.notes.append(f"{len(parts)} of 7 partitions of the last stream")


@check("shows one state in all partitions", "partition", "snapshot", "write:append")
def check_snapshot(subject: Subject) -> None:
    """Rows that come while partitions are read are in none of them."""
    table = numbered(20_000)
    stream = filled(subject, table)
    parts = subject.pod.partitions(subject.connection, stream, 4)
    demand(len(parts) > 1, "there is but one partition, which shows nothing")
    got = []
    try:
        for part in parts:
            subject.fill(stream, numbered(1000), mode="append")
            got += subject.rows(stream, partition=part)
    finally:
        subject.pod.release_partitions(subject.connection, parts)
    demand(
        sorted_rows(got) == sorted_rows(rows_of(table)),
        f"{len(got)} rows in the partitions, and there were {table.num_rows}",
    )


@check("reads a query as it reads a table", "query", "write")
def check_query(subject: Subject) -> None:
    """A query's rows have a schema, conditions, an order, and a count."""
    stream = filled(subject, numbered(50))
    number, name = (subject.scratch.in_sql([each]) for each in ("id", "name"))
    quoted = subject.scratch.in_sql(stream)
    query = f"select {number}, {name} from {quoted} where {number} < 20 -- the end"
    wanted = [(row[0], row[2]) for row in rows_of(numbered(20))]
    got = subject.rows(stream, query=query, order_by=["id"])
    demand(got == wanted, "a query's rows are others")
    some = subject.rows(stream, query=query, where=[["id", ">=", 15]])
    demand(len(some) == 5, f"a condition on a query found {len(some)} rows")
    if subject.offers("count"):
        demand(subject.pod.count(subject.connection, stream, query=query) == 20, "a wrong count")


@check("sums rows alike, in whatever order", "read", "write")
def check_checksum(subject: Subject) -> None:
    """Equal rows have equal sums, and a changed one another."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    table = numbered(500)
    names = table["name"].to_pylist()
    names[250] = "another"
    changed = table.set_column(2, "name", pa.array(names, pa.utf8()))
    stream = filled(subject, table)
    reversed_ = filled(subject, table.take(pa.array(range(499, -1, -1))))
    other = filled(subject, changed)
    sums = [
        subject.pod.checksum(subject.connection, each, schema=table.schema)
        for each in (stream, reversed_, other)
    ]
    demand(sums[0] == sums[1], f"the same rows have the sums {sums[0]} and {sums[1]}")
    demand(sums[0]["rows"] == 500 and len(sums[0]["sum"]) == 16, f"a sum is {sums[0]}")
    demand(sums[0]["sum"] != sums[2]["sum"], "other rows have the same sum")


@check("stops when nobody reads on", "read", "write")
def check_closed_early(subject: Subject) -> None:
    """A reader that is closed after the first batch leaves nothing that blocks the next step."""
    stream = filled(subject, numbered())
    for _ in range(3):
        batches: Iterator[Any] = subject.pod.read(subject.connection, stream, batch_rows=10)
        some = list(itertools.islice(batches, 1))
        demand(len(some) == 1, "there was no first batch")
        batches.close()  # type: ignore[attr-defined]
    if subject.offers("truncate"):
        subject.pod.truncate(subject.connection, stream)
        demand(subject.rows(stream) == [], "there are rows after truncate")
