"""The SQLite connector passes the suite, and what is SQLite's own."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from conformance_results import keep_outcome
from pod_rows import rows_of as read

from pypods import PodCallError
from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject

UNCLAIMED = {"snapshot": "not offered", "wrong_password": "not checked"}


@pytest.fixture(scope="module")
def pod(load_connector):
    return load_connector("sqlite").load_pod()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "shop.db"


@pytest.fixture
def place(file):
    return {"database": str(file)}


@pytest.mark.parametrize("name", list_checks())
def test_it_passes(load_connector, tmp_path, name):
    scratch = Scratch(
        connection={"database": str(tmp_path / "scratch.db")},
        unreachable={"database": str(tmp_path / "none" / "x.db")},
    )
    outcome = run_check(Subject(load_connector("sqlite"), scratch), name)
    assert outcome.status == UNCLAIMED.get(name, "passed"), outcome.detail
    keep_outcome(outcome)


def make(file, *statements):
    connection = sqlite3.connect(file)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


KILLED_WRITER = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("pragma cache_size = 1")  # So that pages are written before the end.
connection.execute("begin immediate")
connection.executemany("insert into t values (?)", [(n,) for n in range(50_000)])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_reader_finds_the_rows_as_they_were_before_a_writer_was_killed(pod, file, place):
    make(file, "create table t (n integer)", "insert into t values (7)")
    subprocess.run([sys.executable, "-c", KILLED_WRITER, str(file)], check=False)
    journal = Path(f"{file}-journal")
    assert journal.stat().st_size > 0
    assert read(pod, place) == [{"n": 7}]
    assert not journal.exists()


def test_declared_types_are_kept_where_the_values_allow(pod, file, place):
    make(
        file,
        "create table t (b boolean, n decimal(10,2), d date, at timestamp, i int, x)",
        "insert into t values (1, 1.10, '2024-02-29', '2024-02-29 01:02:03.5', 2, 'any')",
    )
    schema = pa.schema(pod.schema(place, "t")["schema"])
    assert [str(field.type) for field in schema] == [
        "bool", "decimal128(10, 2)", "date32[day]", "timestamp[us]", "int64", "string",
    ]  # fmt: skip
    (row,) = read(pod, place)
    assert (row["b"], row["n"], str(row["at"])) == (
        True,
        Decimal("1.10"),
        "2024-02-29 01:02:03.500000",
    )


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("boolean", "2"), ("integer", "'x'"), ("integer", "1.5"), ("decimal(5,2)", "1.555"),
        ("decimal(5,2)", "1e6"), ("date", "'yesterday'"), ("timestamp", "5"), ("text", "x'00'"),
        ("tinyint", "300"), ("uuid", "'1234'"), ("real", "'much'"),
    ],
)  # fmt: skip
def test_a_value_that_is_none_of_its_declared_type_is_named(pod, file, place, declared, value):
    good = {"text": "'a'", "date": "'2024-01-01'", "timestamp": "'2024-01-01'",
            "uuid": "'00000000-0000-0000-0000-000000000001'"}.get(declared, "1")  # fmt: skip
    make(
        file,
        f"create table t (c {declared})",
        f"with recursive n(i) as (select 1 union all select i + 1 from n where i < 70000) "
        f"insert into t select {good} from n",
        f"insert into t values ({value})",
    )
    with pytest.raises(PodCallError) as caught:
        read(pod, place)
    assert caught.value.type_name.endswith(".DataError")
    assert (caught.value.position, caught.value.column) == (70000, "c")


def test_columns_of_nulls_at_first_keep_their_type(pod, file, place):
    make(
        file,
        "create table t (c text, n decimal(10,2))",
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 70000) "
        "insert into t select null, null from n",
        "insert into t values ('late', 2.5)",
    )
    rows = read(pod, place)
    assert len(rows) == 70001
    assert rows[-1] == {"c": "late", "n": Decimal("2.50")}


def test_columns_of_nulls_at_first_keep_the_order(pod, file, place):
    make(
        file,
        "create table t (id int, c text)",
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 70000) "
        "insert into t select (i * 7919) % 70001, null from n",
        "insert into t values (0, 'x')",
    )
    rows = [row["id"] for row in read(pod, place, order_by=["id"], after=[10], limit=69000)]
    assert rows == list(range(11, 69011))


@pytest.mark.parametrize("declared", ["string", "json", ""])
def test_numbers_in_a_column_of_texts_keep_their_digits(pod, file, place, declared):
    make(file, f"create table t (c {declared})", "insert into t values ('a'), (0.1), (1e-7)")
    make(file, "insert into t values (0.30000000000000004), (9007199254740993)")
    got = [row["c"] for row in read(pod, place)]
    assert got == ["a", "0.1", "1e-07", "0.30000000000000004", "9007199254740993"]


def test_decimals_of_many_digits_are_read_as_they_are_kept(pod, file, place):
    make(
        file,
        "create table t (n decimal(38,10))",
        "insert into t values ('1234567890123456789012345678.0123456789x')",
    )
    with pytest.raises(PodCallError, match="is no decimal"):
        read(pod, place)
    make(file, "delete from t", "insert into t values (1.5), (2), (null)")
    assert [row["n"] for row in read(pod, place)] == [Decimal("1.5"), Decimal(2), None]


MIXED = (
    "5", "-7", "0.25", "'12.5'", "'1234567890123456'", "' 2.5 '", "1e3", "123456789012.0625",
    "null", "4503599627370497.5", "-0.0001", "9007199254740993", "0.30000000000000004",
)  # fmt: skip


@pytest.mark.parametrize("others", [0, 100_000], ids=["alone", "after many"])
@pytest.mark.parametrize("declared", ["numeric(38,18)", "decimal_text(38,18)", "numeric(38,20)"])
def test_decimals_kept_as_several_kinds_are_read_each_as_it_is(pod, file, place, declared, others):
    """What SQLite keeps as INTEGER, REAL and TEXT arrives as the numbers that these show."""
    make(
        file, f"create table t (id integer primary key, d {declared})",
        "with recursive n(i) as (select 0 union all select i + 1 from n) "
        f"insert into t (d) select i / 8.0 from n limit {others}",
        *(f"insert into t (d) values ({value})" for value in MIXED),
    )  # fmt: skip
    kept = sqlite3.connect(file)
    wanted = [
        None if value is None else Decimal(value if isinstance(value, (int, str)) else repr(value))
        for (value,) in kept.execute("select d from t order by id")
    ]
    kept.close()
    assert [row["d"] for row in read(pod, place, order_by=["id"])] == wanted
    assert len(set(wanted)) >= len(MIXED)


@pytest.mark.parametrize("value", ["0.00001", "'x'", "1e30", "x'31'", "9e999", "'0.00001'"])
def test_what_is_none_of_its_decimals_is_named_among_several_kinds(pod, file, place, value):
    make(
        file, "create table t (d numeric(18,4))", "insert into t values (1), (0.5), (null), ('2')",
        f"insert into t values ({value})",
    )  # fmt: skip
    with pytest.raises(PodCallError, match=r"row 4 \(from 0\), column 'd'") as caught:
        read(pod, place)
    assert (caught.value.position, caught.value.column) == (4, "d")


def test_nan_is_refused_and_not_made_null(pod, place):
    batch = pa.record_batch([pa.array([1.0, float("nan")])], names=["f"])
    with pytest.raises(PodCallError, match="SQLite has no NaN") as caught:
        pod.write_all(place, "t", iter([batch]))
    assert caught.value.position == 1
    assert pod.streams(place) == []


def test_a_locked_file_is_worth_another_try(pod, file, place):
    make(file, "create table t (a int)")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin exclusive")
    try:
        with pytest.raises(PodCallError) as caught:
            pod.truncate({**place, "timeout": 0.05}, "t")
    finally:
        other.close()
    assert caught.value.type_name.endswith(".UnreachableError")
    assert caught.value.retry is True


def test_an_index_and_a_view_outlive_a_replace(pod, file, place):
    make(
        file, "create table t (a integer primary key, b text)", "create index by_b on t (b)",
        "create view v as select b from t", "insert into t values (1, 'old')",
    )  # fmt: skip
    table = pa.table({"a": [2], "b": ["new"]})
    pod.write_all(place, "t", iter(table.to_batches()), mode="replace")
    assert read(pod, place, "v") == [{"b": "new"}]
    connection = sqlite3.connect(file)
    assert connection.execute(
        "select name from sqlite_master where type = 'index' and tbl_name = 't'"
    ).fetchall() == [("by_b",)]
    connection.close()


def test_a_column_of_an_index_is_not_widened(pod, file, place):
    make(file, "create table t (a smallint, b text)", "create index by_a on t (a)")
    table = pa.table({"a": pa.array([2**40]), "b": ["x"]})
    with pytest.raises(PodCallError, match="drop that first"):
        pod.write_all(place, "t", iter(table.to_batches()))


def test_what_is_no_database_is_said_to_be_none(pod, file, place):
    file.write_text("this is a text, and long enough to be looked at as a header of a file" * 20)
    with pytest.raises(PodCallError) as caught:
        pod.check(place)
    assert caught.value.type_name.endswith(".SettingsError")


@pytest.mark.parametrize("declared", ["date", "time", "timestamp", "timestamptz", "uuid"])
@pytest.mark.parametrize("value", ["5", "2024", "20240101", "2460000.5", "x'00'", "'now'"])
def test_a_number_is_neither_a_date_nor_a_uuid(pod, file, place, declared, value):
    good = {"date": "2024-01-01", "time": "01:02:03", "timestamp": "2024-01-01 01:02:03",
            "timestamptz": "2024-01-01 01:02:03+00:00",
            "uuid": "00000000-0000-0000-0000-000000000001"}[declared]  # fmt: skip
    make(file, f"create table t (c {declared})", f"insert into t values ('{good}'), ({value})")
    with pytest.raises(PodCallError, match=r"row 1 \(from 0\), column 'c'"):
        read(pod, place)
