"""The PostgreSQL connector passes the suite, and what is PostgreSQL's own."""

from __future__ import annotations

import os
from decimal import Decimal

import pyarrow as pa
import pytest
from conformance_results import keep_outcome
from pod_rows import rows_of

from pypods import PodCallError
from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject

SCHEMA = f"pypods_conformance_{os.getpid()}"
SECRET = "swordfish of the conformance suite"


@pytest.fixture
def place(postgresql):
    place = {"host": postgresql.host, "port": postgresql.port, "user": postgresql.user,
             "database": postgresql.database or "postgres"}  # fmt: skip
    return {**place, "password": postgresql.password} if postgresql.password else place


@pytest.fixture
def pod(load_connector, place):
    pod = load_connector("postgresql").load_pod()
    pod.execute(place, f"drop schema if exists {SCHEMA} cascade")
    pod.execute(place, f"create schema {SCHEMA}")
    yield pod
    pod.execute(place, f"drop schema if exists {SCHEMA} cascade")


@pytest.mark.parametrize("name", list_checks())
def test_it_passes(load_connector, pod, place, name):
    scratch = Scratch(
        connection=place,
        stream=lambda table: [SCHEMA, table],
        unreachable={**place, "port": 1},
        # The server may trust everybody, but nobody whom it does not know.
        wrong_password={**place, "user": "pypods_nobody", "password": SECRET},
        secret=SECRET,
    )
    outcome = run_check(Subject(load_connector("postgresql"), scratch), name)
    assert outcome.status == "passed", outcome.detail
    keep_outcome(outcome)


def read(pod, place, stream="t", **options):
    return rows_of(pod, place, [SCHEMA, stream], **options)


def execute(pod, place, *statements):
    for statement in statements:
        pod.execute(place, statement.replace("SCHEMA", SCHEMA))


def kind(pod, place, column="c"):
    field = pa.schema(pod.schema(place, [SCHEMA, "t"])["schema"]).field(column)
    return str(field.type), (field.metadata or {}).get(b"pypods.type", b"").decode()


@pytest.mark.parametrize(
    ("sql", "type_", "value"),
    [
        ("'10.0.0.1/8'::inet", ("string", "inet"), "10.0.0.1/8"),
        ("'1 mon 03:04:05.000006'::interval", ("string", "interval"), "1 mon 03:04:05.000006"),
        ("'12:00:00+01'::timetz", ("string", "timetz"), "12:00:00+01"),
        ("'(1,2)'::point", ("string", "point"), "(1,2)"),
        ("'0101'::varbit", ("string", "varbit"), "0101"),
        ("'{\"a\":1.10}'::jsonb", ("string", "json"), '{"a": 1.10}'),
        ("'x'::char(3)", ("string", ""), "x  "),
        ("1.5::numeric", ("decimal128(38, 1)", ""), Decimal("1.5")),
        ("12345678901234567890123456789012345678901234567890.5::numeric", ("decimal256(76, 1)", ""),
         Decimal("12345678901234567890123456789012345678901234567890.5")),
        ("'NaN'::numeric", ("string", "numeric"), "NaN"),
        ("1200::numeric(3,-2)", ("decimal128(5, 0)", ""), Decimal(1200)),
        ("array[1.5,null]::numeric(5,2)[]", ("string", "_numeric"), "{1.50,NULL}"),
        ("array['2024-01-01'::date]", ("list<item: date32[day]>", ""), None),
    ],
)  # fmt: skip
def test_types_of_its_own_are_read_and_written_again(pod, place, sql, type_, value):
    execute(pod, place, f"create table SCHEMA.t as select {sql} as c")
    assert kind(pod, place) == type_
    (row,) = read(pod, place)
    assert value is None or row["c"] == value
    # The same rows again, into the column of that type.
    batches = list(pod.read(place, [SCHEMA, "t"]))
    pod.write_all(place, [SCHEMA, "t"], iter(batches))
    assert read(pod, place) == [row, row]


def test_enums_and_domains_are_read(pod, place):
    execute(
        pod, place, "create type SCHEMA.mood as enum ('sad', 'ok')",
        "create domain SCHEMA.price as numeric(10,2) not null",
        "create table SCHEMA.t (c SCHEMA.mood, p SCHEMA.price)",
        "insert into SCHEMA.t values ('ok', 1.5)",
    )  # fmt: skip
    assert kind(pod, place) == ("string", "mood")
    assert read(pod, place) == [{"c": "ok", "p": Decimal("1.50")}]
    assert read(pod, place, where=[["c", "=", "ok"], ["p", ">", 1]]) != []


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("'infinity'::timestamp", "infinity"),
        ("'-infinity'::timestamptz", "infinity"),
        ("'infinity'::date", "infinity"),
        ("'NaN'::numeric(5,2)", "no decimal"),
        ("array[[1,2],[3,4]]", "more than one dimension"),
        ("'[0:1]={1,2}'::int[]", "does not begin with 1"),
    ],
)
def test_what_arrow_cannot_hold_is_refused(pod, place, sql, words):
    execute(pod, place, f"create table SCHEMA.t as select {sql} as c")
    with pytest.raises(PodCallError, match=words) as caught:
        read(pod, place)
    assert caught.value.type_name.endswith(".DataError")
    assert caught.value.column == "c"


@pytest.mark.parametrize("type_", ["timestamp(3)", "timestamptz(0)", "time(2)"])
def test_a_time_that_a_column_would_round_is_refused(pod, place, type_):
    execute(pod, place, f"create table SCHEMA.t (c {type_})")
    arrow = {"timestamp(3)": pa.timestamp("us"), "timestamptz(0)": pa.timestamp("us", "UTC"),
             "time(2)": pa.time64("us")}[type_]  # fmt: skip
    for value, good in ((2_000_000, True), (2_000_001, False)):
        table = pa.table({"c": pa.array([value], pa.int64()).cast(arrow)})
        if good:
            pod.write_all(place, [SCHEMA, "t"], iter(table.to_batches()))
        else:
            with pytest.raises(PodCallError, match="multiples"):
                pod.write_all(place, [SCHEMA, "t"], iter(table.to_batches()))
    assert len(read(pod, place)) == 1


def test_numerics_are_stored_exactly(pod, place):
    """Some versions of the driver store others than they are given."""
    digits = ["0.0001", "10000", "9999.9999", "12345678.0001", "-0.0010", "100000000", "1e-10"]
    values = [Decimal(text) for text in digits]
    table = pa.table({"c": pa.array(values, pa.decimal128(38, 10))})
    pod.write_all(place, [SCHEMA, "t"], iter(table.to_batches()))
    query = f"select c::text as c from {SCHEMA}.t"
    got = [row["c"] for row in rows_of(pod, place, query=query)]
    assert [Decimal(text) for text in got] == values


ROW = pa.table({"a": [2], "b": ["new"]})


def replace(pod, place):
    pod.write_all(place, [SCHEMA, "t"], iter(ROW.to_batches()), mode="replace")


def ask(pod, place, query):
    query = query.replace("SCHEMA", SCHEMA)
    return [tuple(row.values()) for row in rows_of(pod, place, query=query)]


OID = "select 'SCHEMA.t'::regclass::oid::bigint as o"


def test_a_replace_swaps_the_table_and_keeps_what_it_had(pod, place):
    execute(
        pod, place,
        "create table SCHEMA.t (a bigint primary key, b text default 'd' check (b <> ''))",
        "create index by_b on SCHEMA.t (b)", "comment on table SCHEMA.t is 'it''s mine'",
        "grant select on SCHEMA.t to public", "insert into SCHEMA.t values (1, 'old')",
    )  # fmt: skip
    before = ask(pod, place, OID)
    said = ("select relacl::text, obj_description(oid) as d, pg_get_userbyid(relowner)::text as o "
            "from pg_class where oid = 'SCHEMA.t'::regclass")  # fmt: skip
    names = ("select c.relname::text as n from pg_index i join pg_class c on c.oid = i.indexrelid "
             "where indrelid = 'SCHEMA.t'::regclass order by 1")  # fmt: skip
    wanted = ask(pod, place, said), ask(pod, place, names)
    replace(pod, place)
    assert read(pod, place) == [{"a": 2, "b": "new"}]
    assert ask(pod, place, OID) != before
    assert (ask(pod, place, said), ask(pod, place, names)) == wanted
    assert wanted[1] == [("by_b",), ("t_pkey",)]
    with pytest.raises(PodCallError, match="check constraint"):
        execute(pod, place, "insert into SCHEMA.t values (3, '')")


@pytest.mark.parametrize(
    "tie",
    [
        "create view SCHEMA.v as select * from SCHEMA.t",
        "create table SCHEMA.child (a bigint references SCHEMA.t (a) on delete cascade)",
        "alter table SCHEMA.t add column s serial",
        "alter table SCHEMA.t enable row level security",
    ],
)
def test_a_table_that_others_depend_on_stays_the_same_one(pod, place, tie):
    execute(pod, place, "create table SCHEMA.t (a bigint primary key, b text)",
            "insert into SCHEMA.t values (1, 'old')", tie)  # fmt: skip
    before = ask(pod, place, OID)
    replace(pod, place)
    assert ask(pod, place, "select a, b from SCHEMA.t") == [(2, "new")]
    assert ask(pod, place, OID) == before


def test_a_released_snapshot_holds_no_transaction_open(pod, place):
    execute(pod, place, "create table SCHEMA.t as select n as a, repeat('x', 500) as b "
                        "from generate_series(1, 2000) as n")  # fmt: skip
    waiting = ("select count(*) as n from pg_stat_activity where application_name = 'pypods' "
               "and state = 'idle in transaction' and backend_xmin is not null "
               "and query like '%pg_export_snapshot%'")  # fmt: skip
    parts = pod.partitions(place, [SCHEMA, "t"], 3)
    # A row that is changed moves to another page.
    assert [part["stable"] for part in parts] == [False] * 3
    held = ask(pod, place, waiting)[0][0]
    pod.release_partitions(place, parts)
    assert held >= 1
    with pytest.raises(PodCallError) as caught:
        read(pod, place, partition=parts[0])
    assert caught.value.type_name.endswith(".ConflictError")
    assert caught.value.retry is True


@pytest.fixture
def cut_off(pod, place):
    """Return a connection of a role of its own, all of whose sessions can be ended."""
    role = f"{SCHEMA}_cut"
    execute(
        pod, place, f"create role {role} login password '{SECRET}'",
        f"grant all on schema SCHEMA to {role}",
    )  # fmt: skip
    yield {**place, "user": role, "password": SECRET}
    execute(pod, place, f"drop owned by {role}", f"drop role {role}")


def test_a_lost_connection_is_worth_another_try(pod, place, cut_off):
    stream, table = [SCHEMA, "t"], pa.table({"a": [1, 2, 3, 4]})

    def cutting():
        for number, batch in enumerate(table.to_batches(max_chunksize=1)):
            if number == 2:
                execute(
                    pod, place, "select pg_terminate_backend(pid) from pg_stat_activity "
                    f"where usename = '{cut_off['user']}'",
                )  # fmt: skip
            yield batch

    ask = {"mode": "append", "run": "r"}
    pod.prepare(cut_off, stream, table.schema, **ask)
    with pytest.raises(PodCallError) as caught:
        pod.write(cut_off, stream, cutting(), run="r")
    assert caught.value.type_name.endswith(".UnreachableError"), caught.value
    assert caught.value.retry is True
    assert SECRET not in str(caught.value)
    parts = pod.prepare(cut_off, stream, table.schema, **ask)["parts"]
    done = parts["0"]["rows"] if parts else 0
    assert done < 4
    rest = table.slice(done)
    pod.write(cut_off, stream, iter(rest.to_batches(max_chunksize=1)), run="r")
    pod.finish(cut_off, stream, run="r", rows=4)
    assert sorted(row["a"] for row in read(pod, cut_off)) == [1, 2, 3, 4]
