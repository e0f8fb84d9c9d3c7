"""The SQL Server connector over a stand-in: the suite, and what is SQL Server's own."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from conformance_results import keep_outcome

from pypods import PodCallError
from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject

CONNECTOR = "mssql"
SECRET = "swordfish}; of the stand-in"


@pytest.mark.parametrize("name", list_checks())
def test_it_passes(standin, name):
    scratch = Scratch(
        connection=standin.connection,
        stream=lambda table: [standin.schema, table],
        unreachable={**standin.connection, "port": 1},
        wrong_password={**standin.connection, "password": SECRET},
        secret=SECRET,
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


def statements_of(standin, work):
    """Return the statements that some work asked for the first time."""
    before = set(standin.pod.recorded())
    work()
    return [each for each in standin.pod.recorded() if each not in before]


ROWS = pa.table({"id": pa.array([1, 2], pa.int32()), "v": ["a", "b"]})


@pytest.mark.parametrize(
    ("declared", "arrow", "kind"),
    [
        ("tinyint", "uint8", ""), ("bit", "bool", ""), ("money", "decimal128(19, 4)", ""),
        ("smallmoney", "decimal128(10, 4)", ""), ("decimal(38,10)", "decimal128(38, 10)", ""),
        ("float(53)", "double", ""), ("real", "float", ""),
        ("datetime2(7)", "timestamp[us]", ""), ("datetime", "timestamp[us]", ""),
        ("datetimeoffset(3)", "timestamp[us, tz=UTC]", ""), ("time(7)", "time64[us]", ""),
        ("uniqueidentifier", "fixed_size_binary[16]", "uuid"), ("nvarchar(20)", "string", ""),
        ("nvarchar(max)", "string", ""), ("varbinary(max)", "binary", ""), ("xml", "string", "xml"),
        ("rowversion", "binary", ""), ("sql_variant", "string", "sql_variant"),
    ],
)  # fmt: skip
def test_a_type_of_its_own_is_read_and_made_again(standin, declared, arrow, kind):
    execute(standin, f"create table [dbo].[t] ([c] {declared})")
    (field,) = pa.schema(standin.pod.schema(standin.connection, ["dbo", "t"])["schema"])
    assert (str(field.type), (field.metadata or {}).get(b"pypods.type", b"").decode()) == (
        arrow,
        kind,
    )
    if declared != "rowversion":  # Which SQL Server writes itself.
        empty = pa.schema([field]).empty_table()
        standin.pod.write_all(standin.connection, ["dbo", "t"], iter([]), schema=empty.schema)
        assert read(standin) == []


def test_what_is_finer_than_a_microsecond_is_refused(standin):
    execute(
        standin, "create table [dbo].[t] ([plain] datetime2(7), [fine] datetime2(7))",
        "insert into [dbo].[t] values ('2024-01-02 03:04:05.123456', '2024-01-02 03:04:05')",
    )  # fmt: skip
    with pytest.raises(PodCallError, match="microseconds cannot hold it") as caught:
        read(standin)
    assert caught.value.column == "fine"
    assert str(read(standin, columns=["plain"])[0]["plain"]) == "2024-01-02 03:04:05.123456"


@pytest.mark.parametrize(
    ("declared", "value", "good"),
    [
        ("datetime", dt.datetime(2024, 1, 1, 0, 0, 0, 7000), True),
        ("datetime", dt.datetime(1900, 1, 1, 0, 0, 0, 3000), True),
        ("datetime", dt.datetime(2024, 1, 1, 0, 0, 0, 5000), False),
        ("datetime2(3)", dt.datetime(2024, 1, 1, 0, 0, 0, 1), False),
        ("smalldatetime", dt.datetime(2024, 1, 1, 0, 0, 1), False),
        ("time(0)", dt.time(1, 2, 3, 1), False),
        ("real", 1e-40, False),
        ("float(53)", float("nan"), False),
        ("nvarchar(2)", "abc", False),
    ],
)
def test_a_value_that_a_column_would_change_is_refused(standin, declared, value, good):
    execute(standin, f"create table [dbo].[t] ([c] {declared})")
    type_ = pa.float32() if declared == "real" else None
    batch = pa.table({"c": pa.array([None, value], type_)})
    if good:
        standin.pod.write_all(standin.connection, ["dbo", "t"], iter(batch.to_batches()))
        assert read(standin) == [{"c": None}, {"c": value}]
        return
    with pytest.raises(PodCallError) as caught:
        standin.pod.write_all(standin.connection, ["dbo", "t"], iter(batch.to_batches()))
    assert caught.value.type_name.endswith(".DataError")
    assert read(standin) == []


def test_every_statement_is_one_that_a_parser_of_the_dialect_reads(standin):
    for mode in ("append", "replace", "upsert", "delete_insert", "upsert"):
        standin.pod.write_all(
            standin.connection, ["dbo", "t"], iter(ROWS.to_batches()), mode=mode, key=["id"]
        )
    read(standin, where=[["v", "in", ["a"]]], order_by=["v", "id"], after=["", 0], limit=3)
    assert len(standin.pod.recorded()) > 20
    assert standin.pod.unparsed() == []


def test_a_column_that_counts_by_itself_is_written_as_given(standin):
    execute(standin, "create table [dbo].[t] ([id] int identity(1,1) primary key, [v] nvarchar(9))")
    asked = statements_of(
        standin,
        lambda: standin.pod.write_all(
            standin.connection, ["dbo", "t"], iter(ROWS.to_batches()), mode="upsert", key=["id"]
        ),
    )
    at = asked.index("set identity_insert [dbo].[t] on")
    assert asked[at + 1].startswith("merge into [dbo].[t] with (holdlock)")
    assert asked[at + 2] == "set identity_insert [dbo].[t] off"
    assert read(standin) == [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]


@pytest.mark.parametrize("snapshot", [0, 1])
def test_a_replace_is_seen_by_no_reader_of_an_older_state(standin, snapshot):
    standin.pod.write_all(standin.connection, ["dbo", f"t{snapshot}"], iter(ROWS.to_batches()))
    standin.pod.ask(
        standin.database, f"update sys.databases set is_read_committed_snapshot_on = {snapshot}"
    )
    asked = statements_of(
        standin,
        lambda: standin.pod.write_all(
            standin.connection, ["dbo", f"t{snapshot}"], iter(ROWS.to_batches()), mode="replace"
        ),
    )
    verb = "delete from" if snapshot else "truncate table"
    assert f"{verb} [dbo].[t{snapshot}]" in asked


@pytest.mark.parametrize(
    ("state", "number", "said", "kind", "retry"),
    [
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
)  # fmt: skip
def test_an_error_is_the_contract_s(standin, state, number, said, kind, retry):
    got = standin.pod.translate(state, number, said)
    assert got[:2] == [kind, retry]
    assert got[2].startswith("SQL Server: ")
    assert said.split()[0] in got[2]


def test_a_setting_cannot_become_another_one(standin):
    evil = {**standin.connection, "user": "sa};PWD={right", "password": "wrong};Encrypt={no"}
    with pytest.raises(PodCallError) as caught:
        standin.pod.check(evil)
    assert caught.value.type_name.endswith(".AuthenticationError")
    assert "wrong" not in str(caught.value)
    with pytest.raises(PodCallError, match="yes, no, strict"):
        standin.pod.check({**standin.connection, "encrypt": "maybe"})
