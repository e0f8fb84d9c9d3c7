"""The DuckDB connector passes the suite, and what is DuckDB's own."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
from conformance_results import keep_outcome
from pod_rows import rows_of as read

from pypods import PodCallError
from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject

UNCLAIMED = {
    "snapshot": "not offered", "parts": "not offered", "wrong_password": "not checked",
}  # fmt: skip


@pytest.fixture(scope="module")
def pod(load_connector):
    return load_connector("duckdb").load_pod()


@pytest.fixture
def place(tmp_path):
    return {"database": str(tmp_path / "t.duckdb")}


@pytest.mark.parametrize("name", list_checks())
def test_it_passes(load_connector, tmp_path, name):
    scratch = Scratch(
        connection={"database": str(tmp_path / "scratch.duckdb")},
        unreachable={"database": str(tmp_path / "none" / "x.duckdb")},
    )
    outcome = run_check(Subject(load_connector("duckdb"), scratch), name)
    assert outcome.status == UNCLAIMED.get(name, "passed"), outcome.detail
    keep_outcome(outcome)


@pytest.mark.parametrize(
    ("sql", "type_", "value"),
    [
        ("170141183460469231731687303715884105727::hugeint", "decimal256(39, 0)", None),
        ("interval '1 month 2 days 03:04:05'", "string", "1 month 2 days 03:04:05"),
        ("'12:00:00+01'::timetz", "string", "12:00:00+01"),
        ("'0101'::bit", "string", "0101"),
        ("'a'::enum('a', 'b')", "string", "a"),
        ("map {1: 2}", "list<item: struct<key: int32, value: int32>>", [{"key": 1, "value": 2}]),
        ("[1, 2]::int[2]", "list<item: int32>", [1, 2]),
        ("{'a': 1, 'b': 'x'}", "struct<a: int32, b: string>", {"a": 1, "b": "x"}),
        ("'2024-01-01 00:00:00.123456789'::timestamp_ns", "string",
         "2024-01-01 00:00:00.123456789"),
    ],
)  # fmt: skip
def test_types_of_its_own_are_read(pod, place, sql, type_, value):
    pod.execute(place, f"create table t as select {sql} as c")
    assert str(pa.schema(pod.schema(place, "t")["schema"]).field("c").type) == type_
    (row,) = read(pod, place)
    assert row["c"] == (2**127 - 1 if value is None else value)


@pytest.mark.parametrize("sql", ["'infinity'::timestamp", "'-infinity'::date"])
def test_infinity_is_refused_with_its_place(pod, place, sql):
    pod.execute(place, f"create table t as select {sql} as c")
    with pytest.raises(PodCallError, match=r"row 0 \(from 0\), column 'c': infinity"):
        read(pod, place)


def test_a_time_that_a_column_would_round_is_refused(pod, place):
    pod.execute(place, "create table t (c timestamp_s)")
    table = pa.table({"c": pa.array([1_500_000], pa.timestamp("us"))})
    with pytest.raises(PodCallError, match="multiples of 1000000"):
        pod.write_all(place, "t", iter(table.to_batches()))
    assert read(pod, place) == []


def test_a_file_that_another_process_has_open_is_worth_another_try(pod, place):
    connection = duckdb.connect(place["database"])
    try:
        with pytest.raises(PodCallError) as caught:
            pod.check(place)
    finally:
        connection.close()
    assert caught.value.type_name.endswith(".UnreachableError")
    assert caught.value.retry is True


def test_a_table_with_a_key_is_not_widened(pod, place):
    pod.execute(place, "create table t (a smallint primary key)")
    table = pa.table({"a": [2**40]})
    with pytest.raises(PodCallError, match="drop that first"):
        pod.write_all(place, "t", iter(table.to_batches()))


def test_a_decimal_of_more_than_38_digits_is_refused_before_anything_is_written(pod, place):
    schema = pa.schema([("c", pa.decimal256(50, 5))])
    with pytest.raises(PodCallError, match="cast it first"):
        pod.prepare(place, "t", schema, mode="append", run="r")
