"""What the connectors of SQL Server and of Oracle do alike, each over its stand-in."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from conformance_results import keep_outcome

from pypods import PodCallError
from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject

SECRET = "swordfish}; of the stand-in"
TITLES = {"mssql": "SQL Server", "oracle": "Oracle"}
BIGINT = "between -9223372036854775808 and 9223372036854775807"
TYPES = {
    "mssql": [
        ("tinyint", "uint8", ""), ("bit", "bool", ""), ("money", "decimal128(19, 4)", ""),
        ("smallmoney", "decimal128(10, 4)", ""), ("decimal(38,10)", "decimal128(38, 10)", ""),
        ("float(53)", "double", ""), ("real", "float", ""),
        ("datetime2(7)", "timestamp[us]", ""), ("datetime", "timestamp[us]", ""),
        ("datetimeoffset(3)", "timestamp[us, tz=UTC]", ""), ("time(7)", "time64[us]", ""),
        ("uniqueidentifier", "fixed_size_binary[16]", "uuid"), ("nvarchar(20)", "string", ""),
        ("nvarchar(max)", "string", ""), ("varbinary(max)", "binary", ""), ("xml", "string", "xml"),
        ("rowversion", "binary", ""), ("sql_variant", "string", "sql_variant"),
    ],
    "oracle": [
        ("number(1)", "int8", ""), ("number(4)", "int16", ""), ("number(9)", "int32", ""),
        ("number(18)", "int64", ""), ("number(19)", "decimal128(19, 0)", ""),
        ("number(12,2)", "decimal128(12, 2)", ""), ("number(3,5)", "decimal128(5, 5)", ""),
        (f'number(19) check ("c" {BIGINT})', "int64", ""),
        ('number(1) check ("c" in (0, 1))', "bool", ""),
        ("date", "timestamp[us]", ""), ('date check ("c" = trunc("c"))', "date32[day]", ""),
        ("timestamp(9)", "timestamp[us]", ""),
        ("timestamp(6) with time zone", "timestamp[us, tz=UTC]", ""),
        ("binary_float", "float", ""), ("varchar2(20)", "string", ""), ("clob", "string", ""),
        ('clob check ("c" is json)', "string", "json"), ("blob", "binary", ""),
        ("raw(16)", "binary", ""),
        ('raw(16) check (length("c") = 32)', "fixed_size_binary[16]", "uuid"),
    ],
}  # fmt: skip
UNCHANGED = {
    "mssql": [
        ("datetime", dt.datetime(2024, 1, 1, 0, 0, 0, 7000)),
        ("datetime", dt.datetime(1900, 1, 1, 0, 0, 0, 3000)),
    ],
    "oracle": [
        ("date", dt.datetime(2024, 1, 1, 0, 0, 1)),
        ("timestamp(3)", dt.datetime(2024, 1, 1, 0, 0, 0, 1000)),
    ],
}
CHANGED = {
    "mssql": [
        ("datetime", dt.datetime(2024, 1, 1, 0, 0, 0, 5000)),
        ("datetime2(3)", dt.datetime(2024, 1, 1, 0, 0, 0, 1)),
        ("smalldatetime", dt.datetime(2024, 1, 1, 0, 0, 1)),
        ("time(0)", dt.time(1, 2, 3, 1)),
        ("real", pa.scalar(1e-40, pa.float32())),
        ("float(53)", float("nan")),
        ("nvarchar(2)", "abc"),
    ],
    "oracle": [
        ("date", dt.datetime(2024, 1, 1, 0, 0, 0, 1)),
        ("timestamp(3)", dt.datetime(2024, 1, 1, 0, 0, 0, 1)),
        ("varchar2(2)", "abc"),
        ("number(3)", pa.scalar(1234, pa.int16())),
    ],
}
ERRORS = {
    "mssql": [
        ("28000", 18456, "Login failed for user 'sa'.", "AuthenticationError", False),
        ("42000", 4060, 'Cannot open database "x" requested by the login.', "AuthenticationError",
         False),
        ("42000", 229, "The SELECT permission was denied on the object 't'.",
         "AuthenticationError", False),
        ("42S02", 208, "Invalid object name 't'.", "StreamNotFoundError", False),
        ("42S01", 2714, "There is already an object named 't'.", "ConflictError", False),
        ("42S22", 207, "Invalid column name 'x'.", "SchemaError", False),
        ("42000", 102, "Incorrect syntax near 'x'.", "SchemaError", False),
        ("23000", 2627, "Violation of PRIMARY KEY constraint.", "DataError", False),
        ("23000", 2601, "Cannot insert duplicate key row in object.", "DataError", False),
        ("23000", 515, "Cannot insert the value NULL into column 'n'.", "DataError", False),
        ("22001", 2628, "String or binary data would be truncated in table.", "DataError", False),
        ("22001", 8152, "String or binary data would be truncated.", "DataError", False),
        ("22003", 8115, "Arithmetic overflow error converting numeric.", "DataError", False),
        ("22018", 245, "Conversion failed when converting.", "DataError", False),
        ("42000", 8023, "The supplied value is not a valid instance of data type float.",
         "DataError", False),
        ("40001", 1205, "Transaction was deadlocked on lock resources.", "ConflictError", True),
        ("42000", 3960, "Snapshot isolation transaction aborted due to update conflict.",
         "ConflictError", True),
        ("HYT00", 1222, "Lock request time out period exceeded.", "ConflictError", True),
        ("HYT00", 0, "Login timeout expired", "UnreachableError", True),
        ("08S01", 10054, "TCP Provider: Error code 0x68", "UnreachableError", True),
        ("08001", 10061, "TCP Provider: Error code 0x2749", "UnreachableError", True),
    ],
    "oracle": [
        ("", 1017, "ORA-01017: invalid credential", "AuthenticationError", False),
        ("", 28000, "ORA-28000: the account is locked", "AuthenticationError", False),
        ("", 1031, "ORA-01031: insufficient privileges", "AuthenticationError", False),
        ("", 942, "ORA-00942: table or view does not exist", "StreamNotFoundError", False),
        ("", 904, 'ORA-00904: "X": invalid identifier', "SchemaError", False),
        ("", 932, "ORA-00932: inconsistent datatypes", "SchemaError", False),
        ("", 1, "ORA-00001: unique constraint violated", "DataError", False),
        ("", 1400, "ORA-01400: cannot insert NULL", "DataError", False),
        ("", 2290, "ORA-02290: check constraint violated", "DataError", False),
        ("", 12899, "ORA-12899: value too large for column", "DataError", False),
        ("", 1438, "ORA-01438: value larger than specified precision", "DataError", False),
        ("", 22835, "ORA-22835: buffer too small for CLOB to CHAR", "DataError", False),
        ("", 955, "ORA-00955: name is already used", "ConflictError", False),
        ("", 60, "ORA-00060: deadlock detected", "ConflictError", True),
        ("", 54, "ORA-00054: resource busy", "ConflictError", True),
        ("", 8177, "ORA-08177: can't serialize access", "ConflictError", True),
        ("", 12541, "ORA-12541: no listener", "UnreachableError", True),
        ("", 3113, "ORA-03113: end-of-file on communication channel", "UnreachableError", True),
        ("", 1034, "ORA-01034: ORACLE not available", "UnreachableError", True),
        ("", 0, "DPY-6005: cannot connect to database", "UnreachableError", True),
        ("", 0, "DPY-4011: the database or network closed the connection", "UnreachableError",
         True),
        ("", 0, "DPY-6001: service x is not registered with the listener", "SettingsError", False),
        ("", 0, "DPY-4001: no credentials specified", "AuthenticationError", False),
        ("", 0, "DPY-4036: value cannot be converted to an Arrow integer", "DataError", False),
    ],
}  # fmt: skip


def for_each(names, cases):
    """Parametrize a test with the cases of each connector, over its stand-in."""
    rows = [(connector, *case) for connector, listed in cases.items() for case in listed]
    return pytest.mark.parametrize(("standin", *names), rows, indirect=["standin"])


for_both = for_each((), {"mssql": [()], "oracle": [()]})


@for_each(("name",), {connector: [(name,) for name in list_checks()] for connector in TITLES})
def test_it_passes(standin, name):
    scratch = Scratch(
        connection=standin.connection,
        stream=lambda table: [standin.schema, table],
        unreachable={**standin.connection, "port": 1},
        wrong_password={**standin.connection, "password": SECRET},
        secret=SECRET,
        **({"whole_number": "number(19)"} if standin.name == "oracle" else {}),
    )
    outcome = run_check(Subject(standin.loader, scratch), name)
    expected = {"snapshot": "not offered"}
    assert outcome.status == expected.get(name, "passed"), outcome.detail
    keep_outcome(outcome)


@for_each(("declared", "arrow", "kind"), TYPES)
def test_a_type_of_its_own_is_read_and_written(standin, declared, arrow, kind):
    standin.make("t", {"c": declared})
    assert standin.fields()["c"] == (arrow, kind)
    if declared != "rowversion":  # Which SQL Server writes itself.
        schema = pa.schema(standin.pod.schema(standin.connection, [standin.schema, "t"])["schema"])
        standin.write(schema.empty_table(), schema=schema)
        assert standin.read() == []


@for_each(("type_",), {"mssql": [("datetime2(7)",)], "oracle": [("timestamp(9)",)]})
def test_what_is_finer_than_a_microsecond_is_refused(standin, type_):
    table = standin.make("t", {"plain": type_, "fine": type_})
    when = "2024-01-02 03:04:05.123456"
    standin.execute(f"insert into {table} values ('{when}', '{when}')")
    with pytest.raises(PodCallError, match="microseconds cannot hold it") as caught:
        standin.read()
    assert caught.value.column == "fine"
    assert standin.read(columns=["plain"]) == [{"plain": dt.datetime(2024, 1, 2, 3, 4, 5, 123456)}]


@for_each(("declared", "value"), UNCHANGED)
def test_a_value_that_a_column_holds_is_read_as_it_was(standin, declared, value):
    standin.make("t", {"c": declared})
    standin.write(pa.table({"c": [None, value]}), mode="append")
    rows = sorted(standin.read(), key=str)
    assert rows == sorted([{"c": None}, {"c": value}], key=str)


@for_each(("declared", "value"), CHANGED)
def test_a_value_that_a_column_would_change_is_refused(standin, declared, value):
    standin.make("t", {"c": declared})
    value = value if isinstance(value, pa.Scalar) else pa.scalar(value)
    table = pa.table({"c": pa.array([None, value.as_py()], value.type)})
    with pytest.raises(PodCallError) as caught:
        standin.write(table, mode="append")
    assert caught.value.type_name.endswith(".DataError")
    assert standin.read() == []


@for_both
def test_every_statement_is_one_that_a_parser_of_the_dialect_reads(standin):
    table = pa.table({"id": pa.array([1, 2], pa.int32()), "v": ["a", "b"]})
    for mode in ("append", "replace", "upsert", "delete_insert", "upsert"):
        standin.write(table, mode=mode, key=["id"])
    standin.read(where=[["v", "in", ["a"]]], order_by=["v", "id"], after=["a", 0], limit=3)
    assert len(standin.pod.recorded()) > 20
    assert standin.pod.unparsed() == []


@for_each(("state", "number", "said", "kind", "retry"), ERRORS)
def test_an_error_is_the_contract_s(standin, state, number, said, kind, retry):
    got = standin.pod.translate(state, number, said)
    assert got[:2] == [kind, retry]
    assert got[2].startswith(f"{TITLES[standin.name]}: ")
    assert said in got[2]
    assert "Help:" not in got[2]
