"""The MySQL connector passes the suite on MariaDB, and what is MySQL's own."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pyarrow as pa
import pytest
from conformance_results import keep_outcome
from pod_rows import rows_of as read

from pypods import PodCallError
from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject
from pypods.integrator import Integration, Integrator, Operation, Source, Target

SECRET = "swordfish of the conformance suite"
UNCLAIMED = {"snapshot": "not offered"}


@pytest.fixture
def pod(load_connector):
    return load_connector("mysql").load_pod()


@pytest.fixture
def place(mariadb_place):
    return mariadb_place


@pytest.mark.parametrize("name", list_checks())
def test_it_passes(load_connector, place, name):
    scratch = Scratch(
        connection=place,
        stream=lambda table: [place["database"], table],
        unreachable={**place, "port": 1},
        wrong_password={**place, "user": "pypods_nobody", "password": SECRET},
        secret=SECRET,
        mark="`",
    )
    outcome = run_check(Subject(load_connector("mysql"), scratch), name)
    keep_outcome(outcome)
    assert outcome.status == UNCLAIMED.get(name, "passed"), outcome.detail


def execute(pod, place, *statements):
    for statement in statements:
        pod.execute(place, statement)


def kind(pod, place, **options):
    field = pa.schema(pod.schema(place, "t", **options)["schema"]).field("c")
    return str(field.type), (field.metadata or {}).get(b"pypods.type", b"").decode()


POINT = bytes.fromhex("0101000000000000000000f03f0000000000000040")


@pytest.mark.parametrize(
    ("type_", "sql", "arrow", "value"),
    [
        ("bigint unsigned", "18446744073709551615", ("uint64", ""), 2**64 - 1),
        ("int(5) unsigned zerofill", "7", ("uint32", ""), 7),
        ("mediumint", "-8388608", ("int32", ""), -(2**23)),
        ("decimal(65,30)", f"'{'9' * 35}.{'9' * 30}'", ("decimal256(65, 30)", ""),
         Decimal(f"{'9' * 35}.{'9' * 30}")),
        ("tinyint(1)", "1", ("bool", ""), True),
        ("tinyint(4)", "-128", ("int8", ""), -128),
        ("bit(1)", "b'1'", ("bool", ""), True),
        ("bit(64)", "~0", ("uint64", ""), 2**64 - 1),
        ("float", "0.1", ("float", ""), 0.10000000149011612),
        ("year", "2155", ("int16", ""), 2155),
        ("datetime", "'2024-02-29 01:02:03'", ("timestamp[us]", ""),
         dt.datetime(2024, 2, 29, 1, 2, 3)),
        ("timestamp(6)", "'2024-02-29 01:02:03.000004'", ("timestamp[us, tz=UTC]", ""),
         dt.datetime(2024, 2, 29, 1, 2, 3, 4, dt.UTC)),
        ("time(3)", "'23:59:59.999'", ("time64[us]", ""), dt.time(23, 59, 59, 999000)),
        ("enum('b','a')", "'a'", ("string", "enum"), "a"),
        ("set('a','b')", "'a,b'", ("string", "set"), "a,b"),
        ("json", "'{\"a\": 1.10}'", ("string", "json"), '{"a": 1.10}'),
        ("text character set latin1", "'ü€'", ("string", ""), "ü€"),
        ("varbinary(9)", "x'00ff0a5c'", ("binary", ""), b"\x00\xff\n\\"),
        ("point", "st_geomfromtext('POINT(1 2)')", ("binary", ""), POINT),
    ],
)  # fmt: skip
@pytest.mark.parametrize("local_infile", [True, False])
def test_types_of_its_own_are_read_and_written_again(
    pod, place, type_, sql, arrow, value, local_infile
):
    execute(pod, place, f"create table t (c {type_})", f"insert into t values ({sql}), (null)")
    assert kind(pod, place) == arrow
    rows = [{"c": value}, {"c": None}]
    assert read(pod, place) == rows
    # The same rows again, into the column of that type.
    pod.write_all({**place, "local_infile": local_infile}, "t", pod.read(place, "t"))
    assert read(pod, place) == rows * 2
    if type_ != "point":
        assert read(pod, place, where=[["c", "=", value]]) == [{"c": value}] * 2
    if arrow[1] != "json":  # MariaDB's is a text to a query.
        query = {"query": "select c from t limit 2"}
        assert kind(pod, place, **query) == arrow
        assert read(pod, place, **query) == rows


def test_mariadb_s_own_types_are_read_and_written_again(pod, place):
    if "MariaDB" not in pod.check(place)["server"]:
        pytest.skip("the server is MySQL's own")
    number = uuid.uuid4()
    execute(pod, place, "create table t (c uuid, i inet6)",
            f"insert into t values ('{number}', '::1')")  # fmt: skip
    assert kind(pod, place) == ("fixed_size_binary[16]", "uuid")
    row = {"c": number.bytes, "i": "::1"}
    pod.write_all(place, "t", pod.read(place, "t", where=[["c", "=", number]]))
    assert read(pod, place) == [row, row]


@pytest.mark.parametrize(
    ("type_", "sql"),
    [
        ("date", "'0000-00-00'"),
        ("datetime", "'0000-00-00 00:00:00'"),
        ("timestamp", "'0000-00-00 00:00:00'"),
        ("date", "'2024-00-00'"),
        ("time", "'838:59:59'"),
        ("time", "'-01:00:00'"),
        ("tinyint(1)", "2"),
    ],
)
def test_what_arrow_cannot_hold_is_refused_with_its_place(pod, place, type_, sql):
    execute(pod, place, f"create table t (id int primary key, c {type_})",
            f"insert into t values (1, null), (2, {sql})")  # fmt: skip
    with pytest.raises(PodCallError, match=r"row 1 \(from 0\), column 'c'") as caught:
        read(pod, place, order_by=["id"])
    assert caught.value.type_name.endswith(".DataError")
    assert (caught.value.position, caught.value.column) == (1, "c")
    assert read(pod, place, where=[["id", "=", 1]]) == [{"id": 1, "c": None}]


def test_a_geometry_of_another_system_is_refused(pod, place):
    execute(pod, place, "create table t (c point)",
            "insert into t values (st_geomfromtext('POINT(1 2)', 4326))")  # fmt: skip
    with pytest.raises(PodCallError, match="geometry of SRID 4326"):
        read(pod, place)


@pytest.mark.parametrize("local_infile", [True, False])
@pytest.mark.parametrize(
    ("type_", "values", "words"),
    [
        ("varchar(3)", ["abc", "abcd"], "too long|truncated"),
        ("enum('a')", ["a", "a", "b"], "truncated"),
        ("int not null", [1, None], "NULL|null"),
        ("int check (c > 0)", [1, 2, 0], "CONSTRAINT"),
        ("int primary key", [1, 2, 1], "Duplicate"),
        ("varchar(9) character set latin1", ["é", "漢"], "Incorrect string"),
        ("year", [1901, 1900], "range"),
        ("timestamp", [dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
                       dt.datetime(9999, 1, 1, tzinfo=dt.UTC)], "datetime value|range"),
        ("datetime(3)", [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, 0, 0, 0, 1)],
         "multiples of 1000"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_an_error_with_its_place(
    pod, place, type_, values, words, local_infile
):
    execute(pod, place, f"create table t (c {type_})")
    table = pa.table({"c": values})
    if table["c"].type == pa.int64():
        table = table.cast(pa.schema([("c", pa.int32())]))
    pod.prepare(place, "t", table.schema, mode="append", run="r", drift="discard")
    way = {**place, "local_infile": local_infile}
    with pytest.raises(PodCallError, match=words) as caught:
        pod.write(way, "t", iter(table.to_batches()), run="r")
    assert caught.value.type_name.endswith(".DataError")
    if not type_.startswith("int"):  # Of these the server says not always in which row.
        assert caught.value.position == len(values) - 1
    assert read(pod, place) == []


TEXTS = ["", "\\", "\\N", "NULL", "a\tb\nc\rd", "'\"`", "漢😀", "%s", "\0", "x" * 70_000, None]


@pytest.mark.parametrize("local_infile", [True, False])
def test_texts_and_bytes_arrive_whichever_way_they_are_written(pod, place, local_infile):
    raw = [None if each is None else each.encode("utf-16") for each in TEXTS]
    table = pa.table({"id": range(len(TEXTS)), "100%": TEXTS, "raw": raw})
    way = {**place, "local_infile": local_infile}
    pod.write_all(way, "t %s", iter(table.to_batches()), mode="replace", key=["id"])
    got = read(pod, place, "t %s", order_by=["id"])
    assert got == table.to_pylist()


def test_no_file_of_this_machine_is_sent(pod, place, tmp_path):
    """A server may ask for any file in answer to any statement."""
    file = tmp_path / "secret"
    file.write_text("1\n")
    execute(pod, place, "create table t (c int)")
    with pytest.raises(PodCallError, match="pypods sends no files") as caught:
        pod.execute(place, f"load data local infile '{file}' into table t")
    assert caught.value.type_name.endswith(".SettingsError")
    assert read(pod, place) == []


def test_texts_of_a_key_are_told_apart(pod, place):
    names = ["a", "A", "á", "a ", "b"]
    for value in (1, 2):
        table = pa.table({"name": names, "value": [value] * 5})
        pod.write_all(place, "t", iter(table.to_batches()), mode="upsert", key=["name"])
        assert sorted(row["name"] for row in read(pod, place)) == sorted(names)
    assert {row["value"] for row in read(pod, place)} == {2}


def test_an_upsert_goes_by_its_key_where_the_table_has_another_one(pod, place):
    execute(pod, place, "create table t (id int primary key, mail varchar(9) unique, n int)",
            "insert into t values (1, 'a', 1), (2, 'b', 2)")  # fmt: skip
    table = pa.table({"id": pa.array([1, 3], pa.int32()), "mail": ["c", "d"],
                      "n": pa.array([10, 30], pa.int32())})  # fmt: skip
    pod.write_all(place, "t", iter(table.to_batches()), mode="upsert", key=["id"])
    rows = [(row["id"], row["mail"], row["n"]) for row in read(pod, place, order_by=["id"])]
    assert rows == [(1, "c", 10), (2, "b", 2), (3, "d", 30)]
    taken = pa.table({"id": pa.array([9], pa.int32()), "mail": ["b"]})
    with pytest.raises(PodCallError, match="Duplicate"):
        pod.write_all(place, "t", iter(taken.to_batches()), mode="upsert", key=["id"])
    assert len(read(pod, place)) == 3


@pytest.mark.parametrize(
    ("type_", "key", "parts"),
    [
        ("int", "n", 4),
        ("varchar(20)", "concat('k', n)", 4),
        ("date", "'2024-01-01' + interval n day", 4),
        ("decimal(9,2)", "n", 1),
    ],
)
def test_partitions_are_ranges_of_the_key(pod, place, type_, key, parts):
    execute(
        pod, place, f"create table t (k {type_}, second int, primary key (k, second))",
        f"insert into t with recursive r (n) as (select 1 union all select n + 1 from r "
        f"where n < 500) select {key}, n from r",
    )  # fmt: skip
    made = pod.partitions(place, "t", 4)
    assert len(made) == parts
    got = [[row["second"] for row in read(pod, place, partition=part)] for part in made]
    assert sorted(number for part in got for number in part) == list(range(1, 501))
    assert all(0 < len(part) <= 500 / parts * 1.1 for part in got)


def test_decimals_are_compared_with_all_their_digits(pod, place):
    digits = "12345678901234567890123456789012345.00000000"
    one, other = Decimal(digits + "01"), Decimal(digits + "02")
    execute(pod, place, "create table t (c decimal(65,10))", f"insert into t values ({one})")
    assert read(pod, place, where=[["c", "=", one]]) == [{"c": one}]
    assert read(pod, place, where=[["c", "=", str(one)]]) == [{"c": one}]
    assert read(pod, place, where=[["c", "=", other]]) == []
    assert read(pod, place, where=[["c", "<", Decimal("1e-10")]]) == []


def test_parts_of_a_table_are_moved_side_by_side(load_connector, pod, place, tmp_path):
    execute(pod, place, "create table t (id bigint unsigned primary key, b varchar(50))")
    numbers = pa.array([n * 1000000007 for n in range(9000)], pa.uint64())
    table = pa.table({"id": numbers, "b": ["ü" * (n % 50) for n in range(9000)]})
    pod.write_all(place, "t", iter(table.to_batches()))
    operation = Operation(
        name="parts",
        integrations=[
            Integration(
                name="rows",
                source=Source(connector="mysql", connection=place, stream="t"),
                target=Target(connector="mysql", connection=place, stream="there"),
                mode="upsert",
                key=["id"],
                process_count=3,
                batch_rows=500,
            )
        ],
    )
    folder = load_connector("mysql").folder.path.parent
    integrator = Integrator(pods_directory=folder, history=tmp_path / "history.db")
    try:
        (report,) = integrator.integrate(operation, verify=True).integrations
    finally:
        integrator.history.close()
    assert report.rows_written == 9000
    assert report.verification.equal
    assert ask(pod, place, "select count(*) as n from t join there using (id, b)") == [(9000,)]


def test_a_table_without_transactions_is_refused(pod, place):
    execute(pod, place, "create table t (a int) engine=MyISAM")
    with pytest.raises(PodCallError, match="MyISAM, which has no transactions"):
        pod.prepare(place, "t", pa.schema([("a", pa.int32())]), mode="append", run="r")


def test_a_column_is_widened_and_stays_what_else_it_is(pod, place):
    number = "id int not null auto_increment primary key comment 'it''s'"
    execute(pod, place, f"create table t ({number}, n smallint not null default 7)")
    table = pa.table({"id": pa.array([2**40], pa.int64()), "n": pa.array([70_000], pa.int32())})
    pod.write_all(place, "t", iter(table.to_batches()))
    execute(pod, place, "insert into t values ()")
    assert read(pod, place, order_by=["id"]) == [
        {"id": 2**40, "n": 70_000}, {"id": 2**40 + 1, "n": 7},
    ]  # fmt: skip
    comment = "select column_comment as c from information_schema.columns where column_name = 'id'"
    assert {"c": "it's"} in read(pod, place, query=f"{comment} and table_schema = database()")


def ask(pod, place, query):
    return [tuple(row.values()) for row in read(pod, place, query=query)]


def tables(pod, place):
    """Return the tables of ours that are there, but for the bookkeeping."""
    query = ("select table_name as n from information_schema.tables where table_name like "
             f"'\\_pypods\\_%' and table_schema = '{place['database']}'")  # fmt: skip
    names = {name for (name,) in ask(pod, place, query)}
    return names - {"_pypods_runs", "_pypods_checkpoints"}


ROW = pa.table({"a": pa.array([2], pa.int32()), "b": ["new"]})


def replace(pod, place):
    pod.write_all(place, "t", iter(ROW.to_batches()), mode="replace")


def test_a_replace_swaps_the_table_and_keeps_what_it_had(pod, place):
    execute(
        pod, place,
        "create table t (a int primary key, b varchar(9) default 'd' check (b <> ''), "
        "key by_b (b)) comment 'mine' collate latin1_german1_ci",
        "create view v as select a, b from t", "insert into t values (1, 'old')",
    )  # fmt: skip
    here = "where table_schema = database() and table_name = 't'"
    said = [
        f"select create_time as c from information_schema.tables {here}",
        f"select table_comment as c, table_collation as d from information_schema.tables {here}",
        f"select column_name as c, column_type as d from information_schema.columns {here}",
        f"select column_default as e, collation_name as f from information_schema.columns {here}",
        f"select index_name as c, column_name as d from information_schema.statistics {here}",
    ]
    before = [ask(pod, place, query) for query in said]
    assert [len(rows) for rows in before] == [1, 1, 2, 2, 2]
    assert before[1] == [("mine", "latin1_german1_ci")]
    replace(pod, place)
    assert [ask(pod, place, query) for query in said][1:] == before[1:]
    assert ask(pod, place, "select a, b from v") == [(2, "new")]
    with pytest.raises(PodCallError, match="CONSTRAINT"):
        execute(pod, place, "insert into t values (3, '')")
    assert tables(pod, place) == set()


TRIGGER = """select trigger_name as c from information_schema.triggers
    where event_object_table = 't' and trigger_schema = database()"""
REFERENCE = """select constraint_name as c from information_schema.key_column_usage
    where referenced_table_name = 't' and table_schema = database()"""


@pytest.mark.parametrize(
    ("tie", "still", "row"),
    [
        ("create trigger g before insert on t for each row set new.b = concat(new.b, '!')",
         TRIGGER, {"a": 2, "b": "new!"}),
        ("create table child (a int references t (a) on delete cascade)",
         REFERENCE, {"a": 2, "b": "new"}),
    ],
)  # fmt: skip
def test_a_table_that_others_depend_on_stays_the_same_one(pod, place, tie, still, row):
    execute(pod, place, "create table t (a int primary key, b varchar(9))",
            "insert into t values (1, 'old')", tie)  # fmt: skip
    replace(pod, place)
    assert len(ask(pod, place, still)) == 1
    assert read(pod, place) == [row]
    assert tables(pod, place) == set()


def test_a_table_that_somebody_reads_is_not_waited_for_without_end(pod, place):
    execute(
        pod, place, "create table t (a int primary key, b longtext)",
        "insert into t with recursive r (n) as (select 1 union all select n + 1 from r "
        "where n < 200) select n, repeat('x', 100000) from r",
    )  # fmt: skip
    reading = pod.read(place, "t", batch_rows=1)
    next(reading)
    run = {"run": "r"}
    hasty = {**place, "lock_timeout": 1}
    pod.prepare(hasty, "t", ROW.schema, mode="replace", **run)
    pod.write(hasty, "t", iter(ROW.to_batches()), **run)
    with pytest.raises(PodCallError, match="Lock wait timeout") as caught:
        pod.finish(hasty, "t", **run)
    assert caught.value.type_name.endswith(".ConflictError")
    assert caught.value.retry is True
    reading.close()
    assert pod.count(place, "t") == 200
    pod.finish(place, "t", rows=1, **run)
    assert [row["a"] for row in read(pod, place)] == [2]


def test_a_lost_connection_is_worth_another_try(pod, place):
    table = pa.table({"a": [1, 2, 3, 4]})
    where = f"db = '{place['database']}' and id <> connection_id()"

    def cutting():
        for number, batch in enumerate(table.to_batches(max_chunksize=1)):
            if number == 2:
                query = f"select id as i from information_schema.processlist where {where}"
                for (each,) in ask(pod, {**place, "database": "information_schema"}, query):
                    pod.execute({**place, "database": "information_schema"}, f"kill {each}")
            yield batch

    pod.prepare(place, "t", table.schema, mode="append", run="r")
    with pytest.raises(PodCallError) as caught:
        pod.write(place, "t", cutting(), run="r")
    assert caught.value.type_name.endswith(".UnreachableError"), caught.value
    assert caught.value.retry is True
    parts = pod.prepare(place, "t", table.schema, mode="append", run="r")["parts"]
    done = parts["0"]["rows"] if parts else 0
    assert done < 4
    rest = table.slice(done)
    pod.write(place, "t", iter(rest.to_batches(max_chunksize=1)), run="r")
    pod.finish(place, "t", run="r", rows=4)
    assert sorted(row["a"] for row in read(pod, place)) == [1, 2, 3, 4]


def test_errors_say_what_they_are(pod, place):
    with pytest.raises(PodCallError, match="Unknown database") as caught:
        pod.check({**place, "database": "no_such_database"})
    assert caught.value.type_name.endswith(".SettingsError")
    with pytest.raises(PodCallError, match="doesn't exist") as caught:
        pod.execute(place, "select * from nothing")
    assert caught.value.type_name.endswith(".StreamNotFoundError")
    with pytest.raises(PodCallError, match="syntax") as caught:
        pod.execute(place, "selct 1")
    assert caught.value.type_name.endswith(".SchemaError")
    with pytest.raises(PodCallError, match="tls is one of") as caught:
        pod.check({**place, "tls": "perhaps"})
    assert caught.value.type_name.endswith(".SettingsError")


def test_a_connection_that_has_to_be_encrypted_is_or_is_none(pod, place):
    has_tls = ask(pod, place, "select @@have_ssl as c") == [("YES",)]
    if has_tls:
        assert pod.check({**place, "tls": "require"})["server"]
    else:
        with pytest.raises(PodCallError, match=r"SSL is required|not encrypted") as caught:
            pod.check({**place, "tls": "require"})
        assert caught.value.type_name.endswith(".UnreachableError")
