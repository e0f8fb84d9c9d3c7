"""What differs between Impala, Hive and Spark, as far as it shows without them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from types import SimpleNamespace
from uuid import UUID

import pyarrow as pa
import pytest
from shipped import shipped_module

from pypods.connectors.errors import DataError, SchemaError, SettingsError

dialects = shipped_module("impala", "impala_dialects")
tables = shipped_module("impala", "impala_tables")
types = shipped_module("impala", "impala_types")
values = shipped_module("impala", "impala_values")
writing = shipped_module("impala", "impala_writing")
HIVE, SPARK, IMPALA = (dialects.DIALECTS[name] for name in ("hive", "spark", "impala"))


@pytest.mark.parametrize(
    ("version", "dialect"),
    [
        ("impalad version 4.4.0-RELEASE RELEASE (build abc)\nBuilt on Mon", IMPALA),
        ("3.1.3 r4df4d75bf1e16fe0af75aad0b4179c34c07fc975", HIVE),
        ("2.3.9 rUnknown", HIVE),
        ("4.0.1 29434ea766b0fc3c3bf6eaadb43a8f931133649e", SPARK),
        ("3.3.2", SPARK),
    ],
)
def test_a_server_is_known_by_its_version(version, dialect):
    assert dialects.dialect_of(version) is dialect


HIVE_TABLE = [
    ("# col_name            ", "data_type           ", "comment             "),
    ("", None, None),
    ("id                  ", "bigint              ", "                    "),
    ("at                  ", "string              ", "pypods.type=time(us)"),
    ("", None, None),
    ("# Partition Information", None, None),
    ("# col_name            ", "data_type           ", "comment             "),
    ("", None, None),
    ("day                 ", "date                ", ""),
    ("", None, None),
    ("# Detailed Table Information", None, None),
    ("Database:           ", "default             ", None),
    ("Table Type:         ", "EXTERNAL_TABLE      ", None),
    ("Table Parameters:", None, None),
    ("", "pypods.table        ", "0123456789abcdef    "),
    ("", None, None),
    ("# Storage Information", None, None),
    ("InputFormat:        ", "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat", None),
]


@pytest.mark.parametrize("dialect", [HIVE, IMPALA], ids=lambda each: each.name)
def test_what_hive_and_impala_say_of_a_table_is_understood(dialect):
    found = tables.Table(HIVE_TABLE, pads=dialect.pads)
    assert found.names == ["id", "at", "day"]
    assert found.partitioned_by == ["day"]
    assert (found.kind, found.is_external, found.token) == ("table", True, "0123456789abcdef")
    assert "Orc" in found.format
    assert [str(each.type) for each in found.schema(dialect)] == [
        "int64", "time64[us]", "date32[day]",
    ]  # fmt: skip


def test_what_spark_says_of_a_table_is_understood():
    rows = [
        ("# odd ", "bigint", None),
        ("", "", ""),
        ("# Detailed Table Information", "", ""),
        ("Type", "VIEW", ""),
        ("Table Properties", "[a=b, pypods.table=0123456789abcdef]", ""),
    ]
    found = tables.Table(rows, pads=SPARK.pads)
    assert (found.kind, found.token) == ("view", "0123456789abcdef")


ROWS = pa.record_batch(
    {
        "id": pa.array([1, None], pa.int64()),
        "text": pa.array(["it's", ""]),
        "raw": pa.array([b"\0\xff", None], pa.binary()),
        "yes": pa.array([True, None]),
        "at": pa.array([dt.datetime(2024, 1, 1), None], pa.timestamp("us")),
        "much": pa.array([Decimal("-1.50"), None], pa.decimal128(9, 2)),
        "real": pa.array([float("-inf"), None], pa.float64()),
    }
)


def statements(dialect, batch=ROWS):
    done = []
    session = SimpleNamespace(
        dialect=dialect, run=done.append, database=SimpleNamespace(table=lambda _: "`t`")
    )
    writing.make_writer(session, ("t",), batch.schema)(batch)
    return done


def test_impala_has_rows_as_values():
    (text,) = statements(IMPALA)
    assert text == (
        "insert into table `t` values "
        "(cast('1' as bigint), 'it\\'s', cast(unhex('00ff') as binary), 'true' = 'true', "
        "cast('2024-01-01 00:00:00.000000' as timestamp), cast('-1.50' as decimal(9,2)), "
        "cast('-Infinity' as double)), "
        "(cast(null as bigint), '', cast(unhex(null) as binary), null = 'true', "
        "cast(null as timestamp), cast(null as decimal(9,2)), cast(null as double))"
    )


def test_hive_and_spark_take_rows_out_of_one_text():
    (text,) = statements(HIVE)
    assert text == statements(SPARK)[0]
    fields = "1\\u0001+it\\'s\\u0001+00ff\\u0001true\\u00012024-01-01 00:00:00.000000\\u0001-1.50"
    assert f"explode(split('{fields}\\u0001-Infinity\\u0002\\u0001+\\u0001" in text
    assert "unhex(substr(nullif(r[2], ''), 2))" in text


def test_statements_are_not_too_long(monkeypatch):
    monkeypatch.setattr(writing, "MAX_STATEMENT_BYTES", 40)
    batch = pa.record_batch({"text": ["x" * 30, "y" * 30, "z" * 100, "", ""]})
    for dialect in (HIVE, IMPALA):
        assert len(statements(dialect, batch)) == 4


def test_a_log_s_rows_are_in_one_file():
    rows = [["it's", 1], ["x", -2]]
    assert writing.log_statement("`t`", rows, HIVE) == (
        "insert into table `t` values ('it\\'s', 1), ('x', -2)"
    )
    assert "coalesce(1)" in writing.log_statement("`t`", rows, SPARK)
    assert "coalesce" not in writing.log_statement("`t`", rows[:1], SPARK)


def field(type_, name="c"):
    return pa.field(name, type_)


@pytest.mark.parametrize(
    ("value", "type_", "wanted"),
    [
        (None, pa.int64(), "null"),
        (True, pa.bool_(), "true"),
        (-5, pa.int64(), "-5"),
        (2**64 - 1, pa.uint64(), f"cast('{2**64 - 1}' as decimal(20,0))"),
        (0.1, pa.float32(), "cast('0.1' as float)"),
        (float("nan"), pa.float64(), "cast('NaN' as double)"),
        (Decimal("-0.0010"), pa.decimal128(9, 2), "cast('-0.0010' as decimal(4,4))"),
        (Decimal("1E+3"), pa.decimal128(9, 2), "cast('1000' as decimal(4,0))"),
        ("\\'${x}\0\n", pa.utf8(), "'\\\\\\'\\u0024{x}\\u0000\\u000a'"),
        (b"\0\xff", pa.binary(), "unhex('00ff')"),
        (UUID(int=1), pa.binary(16), f"'{UUID(int=1)}'"),
        (dt.date(1, 2, 3), pa.date32(), "cast('0001-02-03' as date)"),
        (dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=9))),
         pa.timestamp("us", "Asia/Tokyo"), "cast('2023-12-31 15:00:00.000000' as timestamp)"),
        (dt.time(1, 2, 3), pa.time64("us"), "'01:02:03.000000'"),
    ],
    ids=str,
)  # fmt: skip
def test_values_in_conditions(value, type_, wanted):
    assert values.literal(value, field(type_), SPARK) == wanted


@pytest.mark.parametrize("value", [[1], {"a": 1}, Decimal("NaN"), Decimal("1E-40")], ids=str)
def test_what_cannot_be_compared_is_refused(value):
    with pytest.raises(SettingsError):
        values.literal(value, field(pa.utf8()), SPARK)


def test_times_before_impala_s_first_year_are_refused():
    column = pa.array([dt.datetime(1400, 1, 1), dt.datetime(1399, 12, 31)], pa.timestamp("us"))
    assert len(values.written_texts(column, field(column.type), SPARK)) == 2
    with pytest.raises(DataError, match="before 1400") as caught:
        values.written_texts(column, field(column.type), IMPALA)
    assert caught.value.position == 1


class Nulls(list):
    def any(self):
        return True in self


def test_nine_digits_of_a_second_are_read_where_the_last_are_none():
    at = field(pa.timestamp("us"))
    column = SimpleNamespace(
        values=[b"2024-01-01 00:00:00.123456000", b""], nulls=Nulls([False, True])
    )
    assert values.read_column(column, at, 0).to_pylist() == [
        dt.datetime(2024, 1, 1, 0, 0, 0, 123456), None,
    ]  # fmt: skip
    column.values = [b"2024-01-01 00:00:00.123456789", b""]
    with pytest.raises(DataError, match="row 0"):
        values.read_column(column, at, 0)


def test_bytes_that_are_no_text_are_refused_with_their_place():
    column = SimpleNamespace(values=["ü".encode(), b"", b"\xff"], nulls=Nulls([False, True, False]))
    with pytest.raises(DataError, match=r"row 12 .*column 'c'") as caught:
        values.read_column(column, field(pa.utf8()), 10)
    assert (caught.value.position, caught.value.column) == (12, "c")


@pytest.mark.parametrize("name", ["a,b", "${env:HOME}"])
def test_names_that_no_column_has_are_refused(name):
    with pytest.raises(SchemaError, match="no name has"):
        types.stored_field(field(pa.int64(), name))


def test_decimals_of_more_digits_are_refused():
    with pytest.raises(SchemaError, match="no type"):
        types.storage_of(types.stored_field(field(pa.decimal256(39, 0))))
