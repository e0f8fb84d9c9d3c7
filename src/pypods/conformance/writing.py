"""Checks of writing: the modes, drift, bad rows, bookkeeping."""

from __future__ import annotations

from typing import Any

from pypods.conformance.check import NotCheckedError, check, demand
from pypods.conformance.reading import filled, numbered
from pypods.conformance.subject import Subject, expect_error, in_batches, rows_of, sorted_rows


def table_of(**columns: Any) -> Any:
    """Return a table."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    return pa.table(columns)


@check("writes no, one and many batches", "write")
def check_batches(subject: Subject) -> None:
    """Nothing, one row, and many batches of odd sizes all arrive."""
    table = numbered(1003)
    for name, part, rows in (("none", table.slice(0, 0), 1), ("one", table.slice(0, 1), 1),
                             ("many", table, 17)):  # fmt: skip
        stream, run = subject.scratch.new_stream(), subject.new_run()
        mode = subject.capabilities["write"][0]
        subject.prepare(stream, table.schema, mode=mode, key=(), run=run)
        written = subject.pod.write(
            subject.connection, stream, in_batches(part, rows), run=run, position=["id"]
        )
        done = subject.prepare(stream, table.schema, mode=mode, key=(), run=run)["parts"]
        demand(written["rows"] == part.num_rows, f"{name}: {written} written")
        if part.num_rows:
            demand(done["0"]["rows"] == part.num_rows, f"{name}: the checkpoint says {done}")
            demand(
                done["0"]["position"] == [part.num_rows - 1], f"{name}: the position is in {done}"
            )
        finished = subject.pod.finish(subject.connection, stream, run=run, rows=part.num_rows)
        demand(finished["rows"] == part.num_rows, f"{name}: finish said {finished}")
        if not part.num_rows and not subject.offers("schema"):
            continue  # No rows leave nothing to be read.
        demand(
            sorted_rows(subject.rows(stream)) == sorted_rows(rows_of(part)), f"{name}: other rows"
        )


@check("appends", "write:append")
def check_append(subject: Subject) -> None:
    """Rows are added to those there are."""
    stream = filled(subject, numbered(5))
    subject.fill(stream, numbered(3), mode="append")
    wanted = rows_of(numbered(5)) + rows_of(numbered(3))
    demand(sorted_rows(subject.rows(stream)) == sorted_rows(wanted), "append gives other rows")


@check("replaces", "write:replace")
def check_replace(subject: Subject) -> None:
    """Rows there were are gone, and the key stays one."""
    stream = subject.scratch.new_stream()
    subject.fill(stream, numbered(5), mode="replace", key=["id"])
    finished = subject.fill(stream, numbered(3), mode="replace", key=["id"])
    demand(finished["rows_in_target"] == 3, f"finish said {finished}")
    demand(sorted_rows(subject.rows(stream)) == sorted_rows(rows_of(numbered(3))), "other rows")
    subject.fill(stream, numbered(0), mode="replace", key=["id"])
    demand(subject.rows(stream) == [], "replaced by nothing, there are rows")


@check("upserts by key", "write:upsert")
def check_upsert(subject: Subject) -> None:
    """Known keys change, new ones come, and columns that are not written stay."""
    stream = subject.scratch.new_stream()
    old = table_of(a=[1, 1, 2], b=["x", "y", "x"], kept=["k1", "k2", "k3"], value=[10, 20, 30])
    subject.fill(stream, old, mode="upsert", key=["a", "b"])
    new = table_of(a=[1, 3], b=["y", "z"], value=[21, 40])
    subject.fill(stream, new, mode="upsert", key=["a", "b"])
    wanted = [(1, "x", "k1", 10), (1, "y", "k2", 21), (2, "x", "k3", 30), (3, "z", None, 40)]
    got = sorted_rows(subject.rows(stream))
    demand(got == sorted_rows(wanted), f"upsert gives {got}")
    subject.fill(stream, new, mode="upsert", key=["a", "b"])
    demand(sorted_rows(subject.rows(stream)) == got, "a second upsert of the same changes rows")
    with expect_error("SettingsError", doing="upsert without a key"):
        subject.fill(stream, new, mode="upsert")
    twice = table_of(a=[5, 5], b=["x", "x"], value=[1, 2])
    with expect_error("DataError", doing="a key that is there twice"):
        subject.fill(stream, twice, mode="upsert", key=["a", "b"])
    demand(sorted_rows(subject.rows(stream)) == got, "an upsert that failed changed rows")


@check("deletes by key and inserts", "write:delete_insert")
def check_delete_insert(subject: Subject) -> None:
    """All rows with a key that is written are replaced by those that are written."""
    stream = subject.scratch.new_stream()
    old = table_of(day=[1, 1, 2, 2], value=[10, 11, 20, 21])
    subject.fill(stream, old, mode="delete_insert", key=["day"])
    new = table_of(day=[2, 3, 3], value=[22, 30, 31])
    subject.fill(stream, new, mode="delete_insert", key=["day"])
    wanted = [(1, 10), (1, 11), (2, 22), (3, 30), (3, 31)]
    demand(sorted_rows(subject.rows(stream)) == sorted_rows(wanted), "delete_insert: other rows")


@check("notes runs, cursors and the last one", "write", "resume")
def check_state(subject: Subject) -> None:
    """A finished run is known, with its cursor; finishing again changes nothing."""
    stream, run = subject.scratch.new_stream(), subject.new_run()
    mode = subject.capabilities["write"][0]
    state = subject.pod.state(subject.connection, stream)
    demand(state == {"cursor": None, "run": None}, f"nothing was written, and the state is {state}")
    table = numbered(5)
    subject.prepare(stream, table.schema, mode=mode, key=(), run=run)
    subject.pod.write(subject.connection, stream, iter(table.to_batches()), run=run)
    cursor = {"updated": "2024-01-01", "n": [1, None]}
    first = subject.pod.finish(subject.connection, stream, run=run, cursor=cursor)
    again = subject.pod.finish(subject.connection, stream, run=run, cursor=cursor)
    demand(first["rows"] == again["rows"] == 5, f"finish said {first}, then {again}")
    state = subject.pod.state(subject.connection, stream)
    demand(state == {"cursor": cursor, "run": run}, f"the state is {state}")
    prepared = subject.prepare(stream, table.schema, mode=mode, key=(), run=run)
    demand(prepared["finished"] is True, "a finished run is prepared again")
    demand(len(subject.rows(stream)) == 5, "finishing twice changed rows")
    with expect_error("ConflictError", doing="writing into a finished run"):
        subject.pod.write(subject.connection, stream, iter(table.to_batches()), run=run)
    with expect_error("ConflictError", doing="abandoning a finished run"):
        subject.pod.abandon(subject.connection, stream, run=run)


@check("says before anything is written what cannot be", "write")
def check_refusals(subject: Subject) -> None:
    """A mode, a key, a schema that cannot be are refused by prepare."""
    stream = subject.scratch.new_stream()
    mode = subject.capabilities["write"][0]
    schema = numbered(0).schema
    ask = {"mode": mode, "key": (), "run": subject.new_run()}
    with expect_error("SettingsError", doing="a mode that is none"):
        subject.prepare(stream, schema, **{**ask, "mode": "overwrite"})
    with expect_error("SchemaError", doing="a key that is no column"):
        subject.prepare(stream, schema, **{**ask, "key": ["no such"]})
    with expect_error("SettingsError", doing="a drift that is none"):
        subject.prepare(stream, schema, **ask, drift="ignore")
    with expect_error("StreamNotFoundError", doing="a stream that has to be there"):
        subject.prepare(stream, schema, **ask, exists=True)
    with expect_error("ConflictError", doing="a run that is not prepared"):
        subject.pod.write(subject.connection, stream, iter([]), run="no such run")
    demand(not subject.is_there(stream), "what was refused left a table")


@check("evolves, freezes or leaves out columns", "write:append", "schema")
def check_drift(subject: Subject) -> None:
    """New columns and wider types, under each policy."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    old = table_of(id=pa.array([1], pa.int64()), n=pa.array([1], pa.int16()))
    more = table_of(
        id=pa.array([2], pa.int64()), n=pa.array([2], pa.int16()), extra=pa.array(["new"])
    )
    stream = filled(subject, old)
    with expect_error("SchemaError", doing="a new column, with drift frozen"):
        subject.fill(stream, more, mode="append", drift="freeze")
    subject.fill(stream, more, mode="append", drift="discard")
    demand(subject.schema(stream).names == ["id", "n"], "discard added a column")
    subject.fill(stream, more, mode="append", drift="evolve")
    got = sorted_rows(subject.rows(stream, columns=["id", "n", "extra"]))
    wanted = sorted_rows([(1, 1, None), (2, 2, None), (2, 2, "new")])
    demand(got == wanted, f"evolve gives {got}")
    wide = table_of(id=pa.array([3], pa.int64()), n=pa.array([2**40], pa.int64()))
    with expect_error("SchemaError", doing="a wider type, with drift frozen"):
        subject.fill(stream, wide, mode="append", drift="freeze")
    subject.fill(stream, wide, mode="append")
    got = sorted_rows(subject.rows(stream, columns=["id", "n", "extra"]))
    demand(got == sorted_rows([*wanted, (3, 2**40, None)]), f"widened, there is {got}")
    text = table_of(id=pa.array([4], pa.int64()), n=pa.array(["x"]))
    with expect_error("SchemaError", doing="text into numbers"):
        subject.fill(stream, text, mode="append")
    demand(len(subject.rows(stream)) == 4, "what was refused changed rows")


@check("puts bad rows aside, with place and reason", "write:upsert", "resume")
def check_bad_rows(subject: Subject) -> None:
    """A row without its key fails the run, or goes to the dead letters; never anywhere else."""
    stream = subject.scratch.new_stream()
    ids = [None if n in (3, 40) else n for n in range(50)]
    table = table_of(id=ids, value=[n * 10 for n in range(50)])
    run = subject.new_run()
    subject.prepare(stream, table.schema, mode="upsert", key=["id"], run=run)
    with expect_error("DataError", doing="a row without its key") as caught:
        subject.pod.write(subject.connection, stream, iter(table.to_batches()), run=run)
    demand(caught.error.position == 3, f"the error is about row {caught.error.position}, not 3")
    demand(caught.error.column == "id", f"the error is about column {caught.error.column!r}")
    collect = {"bad_rows": "collect", "max_bad_rows": 1}
    with expect_error("DataError", doing="more bad rows than are allowed"):
        subject.pod.write(subject.connection, stream, iter(table.to_batches()), run=run, **collect)
    collect["max_bad_rows"] = 2
    written = subject.pod.write(
        subject.connection, stream, in_batches(table, 20), run=run, **collect
    )
    demand((written["rows"], written["bad"]) == (48, 2), f"written: {written}")
    subject.pod.finish(subject.connection, stream, run=run, rows=48)
    letters = [*stream[:-1], stream[-1] + "__bad_rows"]
    got = subject.rows(letters, columns=["run", "part", "position"])
    demand(sorted_rows(got) == [(run, "0", 3), (run, "0", 40)], f"the dead letters are {got}")
    reasons = subject.rows(letters, columns=["reason", "row_json"])
    demand(all(reason and "value" in row for reason, row in reasons), f"they say {reasons}")


@check(
    "puts aside what the system itself refuses",
    "write:append", "resume", "execute", "query", "constraints",
)  # fmt: skip
def check_refused_rows(subject: Subject) -> None:
    """Rows that a constraint of the table refuses are found one by one."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    stream = subject.scratch.new_stream()
    quoted, number = subject.scratch.in_sql(stream), subject.scratch.whole_number
    columns = (f"{subject.scratch.in_sql([name])} {number} not null" for name in ("id", "n"))
    sql = f"create table {quoted} ({', '.join(columns)})"
    subject.pod.execute(subject.connection, sql)
    numbers = [None if n in (7, 8, 90) else n for n in range(100)]
    table = table_of(id=pa.array(range(100), pa.int64()), n=pa.array(numbers, pa.int64()))
    run = subject.new_run()
    subject.prepare(stream, table.schema, mode="append", key=(), run=run)
    with expect_error("DataError", doing="a NULL in a column that must have a value"):
        subject.pod.write(subject.connection, stream, iter(table.to_batches()), run=run)
    written = subject.pod.write(
        subject.connection, stream, iter(table.to_batches()), run=run,
        bad_rows="collect", max_bad_rows=None,
    )  # fmt: skip
    demand((written["rows"], written["bad"]) == (97, 3), f"written: {written}")
    subject.pod.finish(subject.connection, stream, run=run, rows=97)
    letters = [*stream[:-1], stream[-1] + "__bad_rows"]
    got = sorted(place for (place,) in subject.rows(letters, columns=["position"]))
    demand(got == [7, 8, 90], f"the dead letters are about the rows {got}")
    wanted = [row for row in rows_of(table) if row[1] is not None]
    demand(sorted_rows(subject.rows(stream)) == sorted_rows(wanted), "the good rows are others")


@check("writes parts of one run side by side", "write", "resume", "parallel_write")
def check_parts(subject: Subject) -> None:
    """Two parts of a run, of which one ends before the other begins, are one target."""
    table = numbered(400)
    stream, run = subject.scratch.new_stream(), subject.new_run()
    mode = subject.capabilities["write"][0]
    attempt = subject.prepare(stream, table.schema, mode=mode, key=(), run=run)["attempt"]
    pulled = iter(in_batches(table.slice(0, 200), 50))

    def first_part() -> Any:
        for batch in pulled:
            yield batch
            break
        # In the middle of one part, the whole of another one.
        subject.pod.write(
            subject.connection, stream, in_batches(table.slice(200), 100), run=run, part="b",
            attempt=attempt,
        )  # fmt: skip
        yield from pulled

    if subject.loader.state != "RUNNING":
        raise NotCheckedError("the pod does not run")
    subject.pod.write(subject.connection, stream, first_part(), run=run, part="a", attempt=attempt)
    parts = subject.prepare(stream, table.schema, mode=mode, key=(), run=run)["parts"]
    demand({part: each["rows"] for part, each in parts.items()} == {"a": 200, "b": 200}, f"{parts}")
    subject.pod.finish(subject.connection, stream, run=run, rows=400)
    demand(sorted_rows(subject.rows(stream)) == sorted_rows(rows_of(table)), "other rows")


@check("writes all in one call", "write")
def check_write_all(subject: Subject) -> None:
    """``write_all`` leaves all, or what was there."""
    stream = subject.scratch.new_stream()
    table = numbered(10)
    subject.declare(stream, table.schema)
    subject.pod.write_all(subject.connection, stream, iter(table.to_batches()))
    demand(sorted_rows(subject.rows(stream)) == sorted_rows(rows_of(table)), "other rows")

    def broken() -> Any:
        yield from table.to_batches()
        raise ValueError("the source is gone")

    try:
        subject.pod.write_all(subject.connection, stream, broken())
    except Exception as exc:  # noqa: BLE001 - whatever class it comes back as
        demand("the source is gone" in str(exc), f"the error is {exc}")
    if subject.offers("atomic"):
        demand(len(subject.rows(stream)) == 10, "write_all that failed changed rows")
