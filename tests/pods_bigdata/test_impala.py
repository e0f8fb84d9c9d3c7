"""The connector for Impala and Hive passes the suite over Spark's HiveServer2, and what is its own.

Spark takes its time: without PYPODS_TEST_LONG=1 only some of this is run.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from conformance_results import keep_outcome
from killing import finish_while_killed, in_order, rows_after
from pod_rows import rows_of as read

from pypods import PodCallError, PodDiedError
from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject
from pypods.pods import PodLoader

SECRET = "swordfish of the conformance suite"
UNCLAIMED = {"snapshot": "not offered", "refused_rows": "not offered"}
IS_LONG = os.environ.get("PYPODS_TEST_LONG") == "1"
long = pytest.mark.skipif(not IS_LONG, reason="takes minutes; set PYPODS_TEST_LONG=1")
pytestmark = pytest.mark.timeout(600)
#: The checks of every run.
SHORT = ["description", "settings", "unreachable", "wrong_password", "query"]


@pytest.fixture(scope="module")
def server(java, tmp_path_factory):
    """Return the pod of a server, and its ports."""
    folder = tmp_path_factory.mktemp("servers")
    shutil.copytree(Path(__file__).parent / "servers" / "hive", folder / "hive")
    with PodLoader("hive", pods_directory=folder) as pod:
        try:
            yield pod, pod.start()
        finally:
            pod.stop()


@pytest.fixture
def place(server):
    return {"port": server[1]["open"], "database": "scratch"}


@pytest.fixture
def pod(load_connector, place):
    pod = load_connector("impala").load_pod()
    default = {**place, "database": "default"}
    pod.execute(default, "create database scratch")
    yield pod
    load_connector("impala").load_pod().execute(default, "drop database scratch cascade")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", list_checks() if IS_LONG else SHORT)
def test_it_passes(load_connector, server, pod, place, name):
    ports = server[1]
    refused = {**place, "port": ports["closed"], "auth_mechanism": "LDAP", "user": "somebody"}
    scratch = Scratch(
        connection=place,
        stream=lambda table: ["scratch", table],
        unreachable={**place, "port": 1},
        wrong_password={**refused, "password": SECRET},
        secret=SECRET,
        mark="`",
    )
    outcome = run_check(Subject(load_connector("impala"), scratch), name)
    assert outcome.status == UNCLAIMED.get(name, "passed"), outcome.detail
    keep_outcome(outcome)


def kinds(pod, place):
    schema = pa.schema(pod.schema(place, "t")["schema"])
    return [(str(field.type), (field.metadata or {}).get(b"pypods.type", b"").decode())
            for field in schema]  # fmt: skip


TYPES = [
    ("tinyint", "cast(-128 as tinyint)", ("int8", ""), -128),
    ("bigint", "-9223372036854775808L", ("int64", ""), -(2**63)),
    ("float", "cast('1.4E-45' as float)", ("float", ""), 1.401298464324817e-45),
    ("double", "cast('4.9E-324' as double)", ("double", ""), 5e-324),
    ("boolean", "true", ("bool", ""), True),
    ("decimal(38,10)", "cast('-0.0000000001' as decimal(38,10))", ("decimal128(38, 10)", ""),
     Decimal("-0.0000000001")),
    ("string", "'it\\'s \\\\ ü😀'", ("string", ""), "it's \\ ü😀"),
    ("varchar(5)", "'漢字'", ("string", ""), "漢字"),
    ("char(4)", "'ab'", ("string", ""), "ab  "),
    ("date", "date '0001-01-01'", ("date32[day]", ""), dt.date(1, 1, 1)),
    ("timestamp", "timestamp '9999-12-31 23:59:59.999999'", ("timestamp[us]", ""),
     dt.datetime(9999, 12, 31, 23, 59, 59, 999999)),
    ("timestamp", "timestamp '2024-01-01 00:00:00.5'", ("timestamp[us]", ""),
     dt.datetime(2024, 1, 1, 0, 0, 0, 500000)),
    ("binary", "unhex('00ff')", ("binary", ""), b"\0\xff"),
    ("string comment 'pypods.type=time(us)'", "'23:59:59.999999'", ("time64[us]", ""),
     dt.time(23, 59, 59, 999999)),
    ("timestamp comment 'pypods.type=timestamp(us, Asia/Tokyo)'", "timestamp '2024-01-01 00:00:00'",
     ("timestamp[us, tz=Asia/Tokyo]", ""), dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
    ("string comment 'pypods.type=inet'", "'10.0.0.1'", ("string", ""), "10.0.0.1"),
    ("string comment 'pypods.type=utf8:inet'", "'10.0.0.1'", ("string", "inet"), "10.0.0.1"),
    ("decimal(20,0) comment 'pypods.type=uint64'", "18446744073709551615", ("uint64", ""),
     2**64 - 1),
]  # fmt: skip


def test_types_of_its_own_are_read_and_written_again(pod, place):
    columns = ", ".join(f"c{at} {sql_type}" for at, (sql_type, *_) in enumerate(TYPES))
    pod.execute(place, f"create table t ({columns}) stored as parquet")
    pod.execute(place, f"insert into t values ({', '.join(value for _, value, *_ in TYPES)})")
    wanted = {f"c{at}": value for at, (*_, value) in enumerate(TYPES)}
    assert kinds(pod, place) == [kind for _, _, kind, _ in TYPES]
    assert read(pod, place) == [wanted]
    # The same rows again, into columns of those types.
    pod.write_all(place, "t", iter(list(pod.read(place, "t"))))
    assert read(pod, place) == [wanted] * 2
    assert kinds(pod, place) == [kind for _, _, kind, _ in TYPES]


@long
def test_lists_and_structs_are_json_and_stay_what_they_are(pod, place):
    pod.execute(
        place, "create table t (id bigint, a array<bigint>, m map<string,double>, "
        "s struct<x:string,y:bigint>) stored as parquet",
    )  # fmt: skip
    pod.execute(
        place, "insert into t values (1, array(1, null), map('k', 0.5d), "
        "named_struct('x', 'it\"s', 'y', cast(null as bigint)))",
    )  # fmt: skip
    rows = [{"id": 1, "a": "[1,null]", "m": '{"k":0.5}', "s": '{"x":"it\\"s","y":null}'}]
    assert read(pod, place) == rows
    assert [kind for _, kind in kinds(pod, place)] == ["", "json", "json", "json"]
    more = pa.table({"id": [2]})
    pod.write_all(place, "t", iter(more.to_batches()))
    assert read(pod, place, order_by=["id"]) == [
        *rows, {"id": 2, "a": None, "m": None, "s": None},
    ]  # fmt: skip
    with pytest.raises(PodCallError, match="cannot be written") as caught:
        pod.write_all(place, "t", iter(pa.table({"id": [3], "a": ["[]"]}).to_batches()))
    assert caught.value.type_name.endswith(".SchemaError")


def test_what_would_be_cut_is_refused_with_its_place(pod, place):
    pod.execute(place, "create table t (c varchar(3)) stored as parquet")
    table = pa.table({"c": ["abc", "abcd"]})
    with pytest.raises(PodCallError, match="too long") as caught:
        pod.write_all(place, "t", iter(table.to_batches()))
    assert caught.value.type_name.endswith(".DataError")
    assert (caught.value.position, caught.value.column) == (1, "c")


def test_every_text_arrives_as_it_is(pod, place):
    """Also where characters are in it that stand between fields and rows on their way."""
    texts = ["", "+", "\x01", "\x02\x01", "${env:PATH}", "\\u0041", "\\", "'", "\r\n", "\0x", None]
    table = pa.table(
        {"id": list(range(len(texts))), "text": texts, "plain": ["p", None] * 5 + [""]}
    )
    pod.write_all(place, "t", iter(table.to_batches()))
    assert read(pod, place, order_by=["id"]) == table.to_pylist()
    for text in texts[:-1]:
        assert [row["text"] for row in read(pod, place, where=[["text", "=", text]])] == [text]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("create table t (id bigint) partitioned by (p int) stored as parquet", "partitioned by p"),
        ("create external table t (id bigint) stored as parquet location '{folder}'", "external"),
        ("create view t as select 1 as id", "view"),
    ],
)
def test_what_another_table_cannot_take_the_place_of_is_refused(
    pod, place, tmp_path, statement, words
):
    pod.execute(place, statement.format(folder=tmp_path))
    with pytest.raises(PodCallError, match=words) as caught:
        pod.prepare(place, "t", pa.schema([("id", pa.int64())]), mode="append", run="r")
    assert caught.value.type_name.endswith(".SettingsError")


def test_errors_are_those_of_the_contract(pod, place):
    for call, kind in (
        (lambda: pod.check({**place, "database": "no_such"}), "SettingsError"),
        (lambda: pod.check({**place, "auth_mechanism": "NTLM"}), "SettingsError"),
        (lambda: list(pod.read(place, "no_such")), "StreamNotFoundError"),
        (lambda: pod.execute(place, "selec 1"), "SchemaError"),
        (lambda: pod.execute(place, "select no_such from (select 1) as x"), "SchemaError"),
        (lambda: list(pod.read(place, "", query="select cast('x' as int) as n")), "DataError"),
        (lambda: list(pod.read(place, "", query="select 1 as a, 2 as a")), "SchemaError"),
        (lambda: list(pod.read(place, "t", columns=["${x}"])), "StreamNotFoundError"),
        (lambda: list(pod.read(place, "${x}")), "SettingsError"),
    ):
        with pytest.raises(PodCallError) as caught:
            call()
        assert caught.value.type_name.endswith(f".{kind}"), caught.value
        assert "\tat " not in str(caught.value)


# --- the end of a run ---------------------------------------------------------------------------

OLD = pa.table({"id": list(range(10)), "text": ["old"] * 10})
NEW = pa.table({"id": list(range(5, 300)), "text": ["new"] * 295})
MODES = ["append", "replace", "upsert", "delete_insert"]


def begin(pod, place, mode, run="r", rows=NEW):
    pod.prepare(place, "t", rows.schema, mode=mode, key=["id"], run=run)
    pod.write(place, "t", iter(rows.to_batches()), run=run)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("mode", "step"),
    [("upsert", 8), *(pytest.param(mode, 1, marks=long) for mode in MODES)],
)
def test_a_finish_killed_anywhere_is_finished_again(load_connector, server, pod, place, mode, step):
    """The worker is killed before each few statements; in the end each row is there once."""
    loader, counted = load_connector("impala"), {**place, "port": server[1]["counted"]}
    pod.write_all(place, "t", iter(OLD.to_batches()), mode="replace")
    begin(pod, place, mode)
    kills = finish_while_killed(loader, server[0], counted, rows=295, first=2, step=step)
    pod = loader.load_pod()
    pod.finish(place, "t", run="r", rows=295)
    assert kills > 3
    assert in_order(read(pod, place)) == rows_after(mode, OLD, NEW)
    assert server[0].tables("scratch") == ["pypods__runs", "t"]


@pytest.fixture
def cut_between_the_renames(load_connector, server, pod, place):
    """Return the pod, after a finish of an append was killed when the target had lost its name."""
    loader, counted = load_connector("impala"), {**place, "port": server[1]["counted"]}
    pod.write_all(place, "t", iter(OLD.to_batches()), mode="replace")
    begin(pod, place, "append")
    server[0].kill_before(loader.pid, "rename to `scratch`.`t`")
    with pytest.raises(PodDiedError):
        pod.finish(counted, "t", run="r", rows=295)
    assert "t" not in server[0].tables("scratch")
    return loader.load_pod()


@long
def test_between_the_renames_others_are_told_and_it_is_finished(
    server, cut_between_the_renames, place
):
    pod = cut_between_the_renames
    with pytest.raises(PodCallError, match="being replaced") as caught:
        read(pod, place)
    assert caught.value.type_name.endswith(".ConflictError")
    assert caught.value.retry
    pod.finish(place, "t", run="r", rows=295)
    assert in_order(read(pod, place)) == rows_after("append", OLD, NEW)
    assert server[0].tables("scratch") == ["pypods__runs", "t"]


def test_between_the_renames_another_run_loses_nothing(server, cut_between_the_renames, place):
    pod, theirs = cut_between_the_renames, pa.table({"id": [1000], "text": ["theirs"]})
    begin(pod, place, "append", run="another", rows=theirs)
    assert in_order(read(pod, place)) == in_order(OLD.to_pylist())
    pod.finish(place, "t", run="another", rows=1)
    # What was ready was made of the table as it was before.
    pod.finish(place, "t", run="r", rows=295)
    wanted = [*rows_after("append", OLD, NEW), *theirs.to_pylist()]
    assert in_order(read(pod, place)) == in_order(wanted)
    assert server[0].tables("scratch") == ["pypods__runs", "t"]
