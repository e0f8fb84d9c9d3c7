"""The Oracle connector over a stand-in: the suite, and what is Oracle's own."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from conformance_results import keep_outcome

from pypods import PodCallError
from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject

CONNECTOR = "oracle"
SECRET = "swordfish of the stand-in"


@pytest.mark.parametrize("name", list_checks())
def test_it_passes(standin, name):
    scratch = Scratch(
        connection=standin.connection,
        stream=lambda table: [standin.schema, table],
        unreachable={**standin.connection, "port": 1},
        wrong_password={**standin.connection, "password": SECRET},
        secret=SECRET,
        whole_number="number(19)",
    )
    outcome = run_check(Subject(standin.loader, scratch), name)
    expected = {"snapshot": "not offered"}
    assert outcome.status == expected.get(name, "passed"), outcome.detail
    keep_outcome(outcome)


def execute(standin, *statements):
    for statement in statements:
        standin.pod.execute(standin.connection, statement)


def read(standin, stream="t", **options):
    batches = standin.pod.read(standin.connection, [standin.schema, stream], **options)
    return [row for each in batches for row in pa.record_batch(each).to_pylist()]


def fields(standin, stream="t", **options):
    described = standin.pod.schema(standin.connection, [standin.schema, stream], **options)
    return {
        field.name: (str(field.type), (field.metadata or {}).get(b"pypods.type", b"").decode())
        for field in pa.schema(described["schema"])
    }


def write(standin, table, **options):
    standin.pod.write_all(
        standin.connection, [standin.schema, "t"], iter(table.to_batches()), **options
    )


@pytest.mark.parametrize(
    ("declared", "arrow", "kind"),
    [
        ("number(1)", "int8", ""), ("number(4)", "int16", ""), ("number(9)", "int32", ""),
        ("number(18)", "int64", ""), ("number(19)", "decimal128(19, 0)", ""),
        ("number(12,2)", "decimal128(12, 2)", ""), ("number(3,5)", "decimal128(5, 5)", ""),
        ("number(19) check (\"c\" between -9223372036854775808 and 9223372036854775807)", "int64",
         ""),
        ("number(1) check (\"c\" in (0, 1))", "bool", ""),
        ("date", "timestamp[us]", ""), ("date check (\"c\" = trunc(\"c\"))", "date32[day]", ""),
        ("timestamp(9)", "timestamp[us]", ""),
        ("timestamp(6) with time zone", "timestamp[us, tz=UTC]", ""),
        ("binary_float", "float", ""), ("varchar2(20)", "string", ""), ("clob", "string", ""),
        ("clob check (\"c\" is json)", "string", "json"), ("blob", "binary", ""),
        ("raw(16)", "binary", ""),
        ("raw(16) check (length(\"c\") = 32)", "fixed_size_binary[16]", "uuid"),
    ],
)  # fmt: skip
def test_a_type_of_its_own_is_read_and_written(standin, declared, arrow, kind):
    execute(standin, f'create table "APP"."t" ("c" {declared})')
    assert fields(standin)["c"] == (arrow, kind)
    batches = pa.schema(standin.pod.schema(standin.connection, ["APP", "t"])["schema"])
    write(standin, batches.empty_table(), schema=batches)
    assert read(standin) == []


@pytest.mark.parametrize(
    ("values", "arrow"),
    [
        (["1", "-20.5", "0.001"], "decimal128(38, 3)"),
        (["12345678901234567890"], "decimal128(38, 0)"),
        (["0"], "decimal128(38, 0)"),
        ([], "decimal128(38, 9)"),
    ],
)
def test_a_number_of_any_precision_has_that_of_its_values(standin, values, arrow):
    execute(standin, 'create table "APP"."t" ("c" number)')
    for value in values:
        execute(standin, f'insert into "APP"."t" values ({value})')
    assert fields(standin)["c"] == (arrow, "")
    assert sorted(row["c"] for row in read(standin)) == sorted(map(Decimal, values))
    query = 'select "c" from "APP"."t"'
    assert fields(standin, query=query)["c"] == (arrow, "")


def test_a_number_of_more_digits_than_arrow_s_decimals_is_text(standin):
    execute(
        standin, 'create table "APP"."t" ("c" number)',
        f'insert into "APP"."t" values (1{"0" * 37}.5)',
    )  # fmt: skip
    assert fields(standin)["c"] == ("string", "number")


@pytest.mark.parametrize("values", [["a", ""], [b"a", b""]])
def test_what_is_empty_is_refused_or_made_null(standin, values):
    table = pa.table({"c": values})
    with pytest.raises(PodCallError, match="would make NULL of what is empty") as caught:
        write(standin, table)
    assert (caught.value.column, caught.value.position) == ("c", 1)
    standin.connection["empty_text"] = "null"
    write(standin, table)
    assert [row["c"] for row in read(standin)] == [values[0], None]
    standin.connection["empty_text"] = "keep"
    with pytest.raises(PodCallError, match="refuse, null"):
        write(standin, table)


def test_what_is_finer_than_a_microsecond_is_refused(standin):
    execute(
        standin, 'create table "APP"."t" ("plain" timestamp(9), "fine" timestamp(9))',
        "insert into \"APP\".\"t\" values ('2024-01-02 03:04:05', '2024-01-02 03:04:05')",
    )  # fmt: skip
    with pytest.raises(PodCallError, match="microseconds cannot hold it") as caught:
        read(standin)
    assert caught.value.column == "fine"
    assert read(standin, columns=["plain"]) == [{"plain": dt.datetime(2024, 1, 2, 3, 4, 5)}]


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("date", dt.datetime(2024, 1, 1, 0, 0, 0, 1)),
        ("timestamp(3)", dt.datetime(2024, 1, 1, 0, 0, 0, 1)),
        ("varchar2(2)", "abc"),
        ("number(3)", 1234),
    ],
)
def test_a_value_that_a_column_would_change_is_refused(standin, declared, value):
    execute(standin, f'create table "APP"."t" ("c" {declared})')
    type_ = pa.int16() if isinstance(value, int) else None
    with pytest.raises(PodCallError) as caught:
        write(standin, pa.table({"c": pa.array([None, value], type_)}), mode="append")
    assert caught.value.type_name.endswith(".DataError")
    assert read(standin) == []


def test_a_time_without_a_date_has_no_type(standin):
    with pytest.raises(PodCallError, match="Oracle has no type for time64"):
        write(standin, pa.table({"c": [dt.time(1, 2)]}))


def test_texts_are_compared_and_are_keys(standin):
    table = pa.table({"k": ["a", "b"], "v": ["x" * 5000, "y"]})
    write(standin, table, mode="upsert", key=["k"])
    assert fields(standin) == {"k": ("string", ""), "v": ("string", "")}
    assert read(standin, where=[["v", "=", "y"]], order_by=["v"]) == [{"k": "b", "v": "y"}]
    write(standin, pa.table({"k": ["c"], "v": ["y"]}), mode="delete_insert", key=["v"])
    assert sorted(row["k"] for row in read(standin)) == ["a", "c"]
    assert 'to_char("v")' in " ".join(standin.pod.recorded())


def test_names_in_capitals_are_found_as_oracle_s_users_write_them(standin):
    execute(standin, 'create table "APP"."ORDERS" ("ID" number(9))')
    described = standin.pod.schema(standin.connection, "app.orders")
    assert pa.schema(described["schema"]).names == ["ID"]
    assert standin.pod.count(standin.connection, "orders") == 0


def test_every_statement_is_one_that_a_parser_of_the_dialect_reads(standin):
    table = pa.table({"id": [1, 2], "v": ["a", "b"]})
    for mode in ("append", "replace", "upsert", "delete_insert", "upsert"):
        write(standin, table, mode=mode, key=["id"])
    read(standin, where=[["v", "in", ["a"]]], order_by=["v", "id"], after=["a", 0], limit=3)
    assert len(standin.pod.recorded()) > 20
    assert standin.pod.unparsed() == []


@pytest.mark.parametrize(
    ("number", "said", "kind", "retry"),
    [
        (1017, "ORA-01017: invalid credential", "AuthenticationError", False),
        (28000, "ORA-28000: the account is locked", "AuthenticationError", False),
        (1031, "ORA-01031: insufficient privileges", "AuthenticationError", False),
        (942, "ORA-00942: table or view does not exist", "StreamNotFoundError", False),
        (904, 'ORA-00904: "X": invalid identifier', "SchemaError", False),
        (932, "ORA-00932: inconsistent datatypes", "SchemaError", False),
        (1, "ORA-00001: unique constraint violated", "DataError", False),
        (1400, "ORA-01400: cannot insert NULL", "DataError", False),
        (2290, "ORA-02290: check constraint violated", "DataError", False),
        (12899, "ORA-12899: value too large for column", "DataError", False),
        (1438, "ORA-01438: value larger than specified precision", "DataError", False),
        (22835, "ORA-22835: buffer too small for CLOB to CHAR", "DataError", False),
        (955, "ORA-00955: name is already used", "ConflictError", False),
        (60, "ORA-00060: deadlock detected", "ConflictError", True),
        (54, "ORA-00054: resource busy", "ConflictError", True),
        (8177, "ORA-08177: can't serialize access", "ConflictError", True),
        (12541, "ORA-12541: no listener", "UnreachableError", True),
        (3113, "ORA-03113: end-of-file on communication channel", "UnreachableError", True),
        (1034, "ORA-01034: ORACLE not available", "UnreachableError", True),
        (0, "DPY-6005: cannot connect to database", "UnreachableError", True),
        (0, "DPY-4011: the database or network closed the connection", "UnreachableError", True),
        (0, "DPY-6001: service x is not registered with the listener", "SettingsError", False),
        (0, "DPY-4001: no credentials specified", "AuthenticationError", False),
        (0, "DPY-4036: value cannot be converted to an Arrow integer", "DataError", False),
    ],
)
def test_an_error_is_the_contract_s(standin, number, said, kind, retry):
    got = standin.pod.translate("", number, said)
    assert got[:2] == [kind, retry]
    assert said in got[2]
    assert "Help:" not in got[2]


def test_settings_name_one_database(standin):
    for settings in ({"user": "app"}, {**standin.connection, "sid": "x"}):
        with pytest.raises(PodCallError, match="one of the settings"):
            standin.pod.check(settings)
    secrets = {each["name"] for each in standin.pod.describe_connector()["settings"]
               if each["secret"]}  # fmt: skip
    assert secrets == {"password", "wallet_password"}
    assert standin.pod.describe_connector()["verified"] is False
