"""The ClickHouse connector passes the suite, and what is ClickHouse's own."""

from __future__ import annotations

import datetime as dt
import shutil
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pytest
from conformance_results import keep_outcome
from killing import finish_while_killed, in_order, rows_after
from pod_rows import rows_of as read

from pypods import PodCallError
from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject
from pypods.pods import PodLoader

SECRET = "swordfish of the conformance suite"
UNCLAIMED = {"snapshot": "not offered"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return the pod of a server, and its port."""
    folder = tmp_path_factory.mktemp("servers")
    shutil.copytree(Path(__file__).parent / "servers" / "clickhouse", folder / "clickhouse")
    with PodLoader("clickhouse", pods_directory=folder) as pod:
        yield pod, pod.start({"default": ""})
        pod.stop()


@pytest.fixture
def place(server):
    return {"port": server[1], "database": "scratch"}


@pytest.fixture
def pod(load_connector, place):
    pod = load_connector("clickhouse").load_pod()
    default = {**place, "database": "default"}
    pod.execute(default, "create database scratch engine = Atomic")
    yield pod
    load_connector("clickhouse").load_pod().execute(default, "drop database scratch sync")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", list_checks())
def test_it_passes(load_connector, pod, place, name):
    scratch = Scratch(
        connection=place,
        stream=lambda table: ["scratch", table],
        unreachable={**place, "port": 1},
        wrong_password={**place, "password": SECRET},
        secret=SECRET,
    )
    outcome = run_check(Subject(load_connector("clickhouse"), scratch), name)
    assert outcome.status == UNCLAIMED.get(name, "passed"), outcome.detail
    keep_outcome(outcome)


def kind(pod, place, column="c"):
    field = pa.schema(pod.schema(place, "t")["schema"]).field(column)
    return str(field.type), (field.metadata or {}).get(b"pypods.type", b"").decode()


MAX = 2**256 - 1


@pytest.mark.parametrize(
    ("sql_type", "value", "type_", "wanted"),
    [
        ("UInt64", "18446744073709551615", ("uint64", ""), 2**64 - 1),
        ("Int128", str(-(2**127)), ("decimal256(39, 0)", ""), Decimal(-(2**127))),
        ("UInt128", str(2**128 - 1), ("decimal256(39, 0)", ""), Decimal(2**128 - 1)),
        ("Int256", f"'{-(2**255)}'", ("string", "int256"), str(-(2**255))),
        ("UInt256", f"'{MAX}'", ("string", "uint256"), str(MAX)),
        ("Decimal(76, 20)", f"'{'9' * 56}.{'9' * 20}'", ("decimal256(76, 20)", ""),
         Decimal("9" * 56 + "." + "9" * 20)),
        ("Float32", "1.401298464324817e-45", ("float", ""), 1.401298464324817e-45),
        ("Bool", "true", ("bool", ""), True),
        ("Nullable(Bool)", "null", ("bool", ""), None),
        ("DateTime64(0, 'Asia/Tokyo')", "'2024-01-01 09:00:00'",
         ("timestamp[us, tz=Asia/Tokyo]", ""),
         dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
        ("DateTime64(6)", "'2299-12-31 23:59:59.999999'", ("timestamp[us]", ""),
         dt.datetime(2299, 12, 31, 23, 59, 59, 999999)),
        ("DateTime64(9, 'UTC')", "'2024-01-01 00:00:00.123456789'", ("string", "datetime64(9)"),
         "2024-01-01 00:00:00.123456789"),
        ("DateTime", "'2106-02-07 06:28:15'", ("timestamp[us]", ""),
         dt.datetime(2106, 2, 7, 6, 28, 15)),
        ("Date", "'2149-06-06'", ("date32[day]", ""), dt.date(2149, 6, 6)),
        ("Date32", "'1900-01-01'", ("date32[day]", ""), dt.date(1900, 1, 1)),
        ("UUID", f"'{UUID(int=2**64)}'", ("fixed_size_binary[16]", "uuid"), UUID(int=2**64).bytes),
        ("IPv4", "'10.0.0.1'", ("string", "ipv4"), "10.0.0.1"),
        ("IPv6", "'2001:db8::1'", ("string", "ipv6"), "2001:db8::1"),
        ("LowCardinality(Nullable(String))", "'x'", ("string", ""), "x"),
        ("FixedString(3)", "'ab'", ("fixed_size_binary[3]", ""), b"ab\0"),
        ("Enum8('a' = 1, 'it\\'s' = 2)", "'it\\'s'", ("string", ""), "it's"),
        ("Array(Nullable(Int64))", "[1, null]", ("list<item: int64>", ""), [1, None]),
        ("Map(String, Int64)", "{'k': 1}",
         ("list<item: struct<key: string, value: int64>>", ""), [{"key": "k", "value": 1}]),
        ("Tuple(a Int64, `b c` String)", "(1, 'x')", ("struct<a: int64, b c: string>", ""),
         {"a": 1, "b c": "x"}),
        ("Array(Date)", "['2024-01-01']", ("string", "array"), "['2024-01-01']"),
        ("JSON", "'{\"a\": 1}'", ("string", "json"), '{"a":1}'),
    ],
    ids=lambda each: each if isinstance(each, str) and each[0].isupper() else "",
)  # fmt: skip
def test_types_of_its_own_are_read_and_written_again(pod, place, sql_type, value, type_, wanted):
    pod.execute(place, f"create table t (c {sql_type}) engine = MergeTree order by tuple()")
    pod.execute(place, f"insert into t values ({value})")
    assert kind(pod, place) == type_
    assert read(pod, place) == [{"c": wanted}]
    # The same rows again, into the column of that type.
    pod.write_all(place, "t", iter(list(pod.read(place, "t"))))
    assert read(pod, place) == [{"c": wanted}] * 2


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (pa.array([dt.date(1899, 12, 31)]), "does not hold"),
        (pa.array([dt.datetime(2300, 1, 1)], pa.timestamp("us")), "does not hold"),
        (pa.array([None], pa.list_(pa.int64())), "NULL"),
        (pa.array([[[1], None]], pa.list_(pa.list_(pa.int64()))), "inside of another"),
    ],
)
def test_what_it_cannot_hold_is_refused_with_its_place(pod, place, array, words):
    with pytest.raises(PodCallError, match=words) as caught:
        pod.write_all(place, "t", iter(pa.table({"c": array}).to_batches()))
    assert caught.value.type_name.endswith(".DataError")
    assert (caught.value.position, caught.value.column) == (0, "c")


def test_bytes_are_no_text_unless_the_column_says_so(pod, place):
    pod.execute(place, "create table t (c String) engine = MergeTree order by tuple()")
    pod.execute(place, "insert into t values ('good'), (unhex('ff'))")
    with pytest.raises(PodCallError, match=r"row 1 \(from 0\), column 'c'"):
        read(pod, place)
    pod.execute(place, "alter table t modify column c comment 'pypods.type=binary'")
    assert [row["c"] for row in read(pod, place)] == [b"good", b"\xff"]


def test_rows_sorted_by_a_number_are_read_in_parts(pod, place):
    table = pa.table({"id": list(range(5000)), "n": list(range(5000))})
    pod.write_all(place, "t", iter(table.to_batches()), mode="replace", key=["id"])
    parts = pod.partitions(place, "t", 4)
    assert len(parts) == 4
    found = [read(pod, place, partition=part) for part in parts]
    assert min(map(len, found)) > 1000
    assert sorted(row["id"] for rows in found for row in rows) == list(range(5000))


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["create table t (id Int64) engine = Memory"], "MergeTree"),
        (["create table t (id Int64) engine = MergeTree order by id",
          "create table u (id Int64) engine = MergeTree order by id",
          "create materialized view v to u as select id from t"], "materialized views"),
    ],
)  # fmt: skip
def test_a_table_that_would_be_changed_unseen_is_refused(pod, place, statements, words):
    for statement in statements:
        pod.execute(place, statement)
    with pytest.raises(PodCallError, match=words) as caught:
        pod.prepare(place, "t", pa.schema([("id", pa.int64())]), mode="append", run="r")
    assert caught.value.type_name.endswith(".SettingsError")


def test_a_replaced_table_keeps_what_was_its_own(pod, place):
    pod.execute(
        place, "create table t (id Int64, n Int64 default 7 comment 'mine') engine = "
        "ReplacingMergeTree partition by id % 3 order by id settings index_granularity = 512",
    )  # fmt: skip
    query = "select engine_full, partition_key from system.tables where name = 't'"
    before = read(pod, place, query=query)
    for mode in ("replace", "append", "upsert"):
        table = pa.table({"id": list(range(9))})
        pod.write_all(place, "t", iter(table.to_batches()), mode=mode, key=["id"])
    assert read(pod, place, query=query) == before
    rows = read(pod, place, query="select distinct id, n from t final order by id")
    assert rows == [{"id": n, "n": 7} for n in range(9)]


@pytest.mark.parametrize("mode", ["append", "replace", "upsert", "delete_insert"])
def test_a_finish_killed_anywhere_is_finished_again(load_connector, server, pod, place, mode):
    """The worker is killed after each few statements; in the end each row is there once."""
    old = pa.table({"id": list(range(10)), "text": ["old"] * 10})
    new = pa.table({"id": list(range(5, 300)), "text": ["new"] * 295})
    loader = load_connector("clickhouse")
    pod.write_all(place, "t", iter(old.to_batches()), mode="replace")
    pod.prepare(place, "t", new.schema, mode=mode, key=["id"], run="r")
    pod.write(place, "t", iter(new.to_batches()), run="r")
    kills = finish_while_killed(loader, server[0], place, rows=295, first=1, step=1)
    pod = loader.load_pod()
    pod.finish(place, "t", run="r", rows=295)
    assert kills > 3
    assert read(pod, place, order_by=["id", "text"]) == rows_after(mode, old, new)
    tables = read(pod, place, query="select name from system.tables where database = 'scratch'")
    assert {row["name"] for row in tables} == {"t", "_pypods_runs"}


@pytest.mark.parametrize("mode", ["upsert", "delete_insert", "append"])
def test_what_another_run_wrote_while_a_finish_was_cut_off_stays(
    load_connector, server, pod, place, mode
):
    """After each kill another run is finished; in the end the rows of both are there."""
    old = pa.table({"id": list(range(10)), "text": ["old"] * 10})
    new = pa.table({"id": list(range(5, 30)), "text": ["new"] * 25})
    wanted = rows_after(mode, old, new)
    loader = load_connector("clickhouse")
    pod.write_all(place, "t", iter(old.to_batches()), mode="replace")
    pod.prepare(place, "t", new.schema, mode=mode, key=["id"], run="r")
    pod.write(place, "t", iter(new.to_batches()), run="r")

    def write_another(kills):
        another = pa.table({"id": [1000 + kills], "text": ["another"]})
        loader.load_pod().write_all(place, "t", iter(another.to_batches()), mode="append")
        wanted.extend(another.to_pylist())

    kills = finish_while_killed(
        loader, server[0], place, rows=25, first=1, step=2, meanwhile=write_another
    )
    found = read(loader.load_pod(), place, order_by=["id", "text"])
    assert kills > 4
    assert found == in_order(wanted)
