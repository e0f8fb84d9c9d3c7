"""CSV files: what they look like, what types their columns are, and what is wrong with them."""

from __future__ import annotations

import datetime as dt
import gzip
import random
from decimal import Decimal

import file_connectors as files
import pyarrow as pa
import pytest

from pypods.connectors.errors import DataError, SchemaError, SettingsError, StreamNotFoundError


@pytest.fixture
def connector():
    return files.load("csv")


@pytest.fixture
def place(tmp_path):
    return {"folder": str(tmp_path)}


def types_of(connector, place, stream):
    return [str(field.type) for field in pa.schema(connector.schema(place, stream)["schema"])]


# --- every type, in every guise -----------------------------------------------------------------

GUISES = [
    {}, {"delimiter": ";", "nulls": "NULL", "binary": "hex"}, {"delimiter": "."},
    {"encoding": "utf-16"}, {"encoding": "utf-8-sig"}, {"quote": "'"}, {"header": False},
    {"nulls": "\\N|NA"},
]  # fmt: skip


@pytest.mark.parametrize("guise", GUISES, ids=repr)
@pytest.mark.parametrize("name", ["a.csv", "a.tsv.gz", "a.csv.zst"])
def test_each_type_comes_back_as_it_was(connector, place, tmp_path, guise, name):
    table = files.extremes()
    place = {**place, **guise}
    connector.write_all(place, name, table, mode="replace")
    # By what is remembered of the file, and by what is declared.
    if guise.get("header", True):
        assert files.same(files.table_of(connector.read(place, name)), table)
    (tmp_path / name).rename(tmp_path / f"other.{name}")
    declared = {**place, "columns": files.declared(table.schema)}
    assert files.same(files.table_of(connector.read(declared, f"other.{name}")), table)
    sums = {
        connector.checksum(each, f"other.{name}", schema=table.schema)["sum"]
        for each in ((place, declared) if guise.get("header", True) else (declared,))
    }
    assert len(sums) == 1


def test_rows_that_are_added_look_like_those_before(connector, place, tmp_path):
    for encoding, end in (("utf-16", ""), ("utf-8", "\n"), ("latin-1", "")):
        (tmp_path / "a.csv").write_text(f"id,text\n007,ü{end}", encoding=encoding)
        here = {**place, "encoding": encoding}
        connector.write_all(here, "a.csv", pa.table({"text": ["é"], "id": ["008"]}))
        assert (tmp_path / "a.csv").read_text(encoding=encoding) == "id,text\n007,ü\n008,é\n"


# --- types that are found -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (["1", "-5", "0"], "int64"), (["007", "1"], "string"), (["+49", "1"], "string"),
        (["1.5", "2"], "double"), (["1e5", "-2.5E-3"], "double"), (["nan", "1.0"], "double"),
        (["nan", "inf"], "string"), (["0.1234567890123456789"], "decimal128(20, 19)"),
        (["0.30000000000000004", "1.5"], "double"), (["9223372036854775808"], "decimal128(19, 0)"),
        (["9" * 39], "string"), (["12345678901234567.89", "1e3"], "string"),
        (["-0", "5"], "double"),
        (["true", "False"], "bool"), (["true", "1"], "string"), (["2026-11-21"], "date32[day]"),
        (["2026-02-30"], "string"), (["14:05:00", "00:00:00.5"], "time64[us]"),
        (["25:00:00"], "string"), (["2026-11-21 14:05:00", "2026-11-21T14:05"], "timestamp[us]"),
        (["2026-11-21 14:05:00Z", "2026-11-21T14:05:00.5+00:00"], "timestamp[us, tz=UTC]"),
        (["2026-11-21 14:05:00+02:00"], "string"), (["2026-11-21", "2026-11-21 14:05"], "string"),
        (["", ""], "string"), (["", "5"], "int64"), (["0x10"], "string"), (["1_0"], "string"),
    ],
)  # fmt: skip
def test_a_type_is_one_that_all_values_are_of(connector, place, tmp_path, values, type_):
    (tmp_path / "a.csv").write_text("v,end\n" + "".join(f"{each},x\n" for each in values))
    assert types_of(connector, place, "a.csv")[0] == type_
    assert len(files.rows_of(connector, place, "a.csv")) == len(values)


def test_the_last_row_of_all_files_decides(connector, place, tmp_path):
    lines = "".join(f"{n}\n" for n in range(300_000))
    (tmp_path / "a.csv").write_text("n\n" + lines)
    assert types_of(connector, place, "a.csv") == ["int64"]
    (tmp_path / "b.csv").write_text("n\n1\n2.5\n")
    assert types_of(connector, place, "*.csv") == ["double"]
    (tmp_path / "b.csv").write_text("n\n1\n2.5\nx\n")
    assert types_of(connector, place, "*.csv") == ["string"]


def test_declared_types_are_taken_and_the_others_found(connector, place, tmp_path):
    (tmp_path / "a.csv").write_text("id,price,note\n007,1.10,\n8,2.00,x\n")
    here = {**place, "columns": {"id": "int32 not null", "price": "decimal(9,2)"}}
    schema = pa.schema(connector.schema(here, "a.csv")["schema"])
    assert [(str(f.type), f.nullable) for f in schema] == [
        ("int32", False), ("decimal128(9, 2)", True), ("string", True),
    ]  # fmt: skip
    assert files.rows_of(connector, here, "a.csv")[0] == {
        "id": 7, "price": Decimal("1.10"), "note": None,
    }  # fmt: skip
    with pytest.raises(SchemaError, match="no column 'other', which is declared"):
        connector.schema({**place, "columns": {"other": "int64"}}, "a.csv")
    with pytest.raises(SchemaError, match="none of the contract's"):
        connector.check({**place, "columns": {"id": "integer"}})


def test_what_was_written_is_remembered_until_somebody_changes_it(connector, place, tmp_path):
    rows = pa.table({"d": pa.array([dt.date(2026, 1, 1)]), "n": pa.array([1], pa.int8())})
    connector.write_all(place, "a.csv", rows)
    assert types_of(connector, place, "a.csv") == ["date32[day]", "int8"]
    (tmp_path / "a.csv").write_text("d,n\nsoon,1\n")
    assert types_of(connector, place, "a.csv") == ["string", "int64"]


# --- what is wrong ------------------------------------------------------------------------------


def fails(connector, place, **settings):
    with pytest.raises(DataError) as caught:
        files.rows_of(connector, {**place, **settings}, "a.csv")
    return caught.value


def test_a_value_that_does_not_fit_is_named_by_its_line(connector, place, tmp_path):
    before = "id,text\n" + '1,"two\nlines"\n' * 50_000 + "\n"
    (tmp_path / "a.csv").write_text(before + "x,y\n")
    error = fails(connector, place, columns={"id": "int64"})
    assert str(error).startswith("a.csv, line 100003, column 'id': 'x' is no int64")
    assert (error.position, error.column) == (50_000, "id")
    (tmp_path / "a.csv").write_text("id,text\n1,a\n,b\n")
    error = fails(connector, place, columns={"id": "int64 not null"})
    assert "line 3" in str(error)
    assert "not null" in str(error)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a,b\n1,2\n1,2,3\n", "line 3: there are 3 values, and 2 columns"),
        (b'a,b\n1,"x\ny"\n5\n', "line 4: there are 1 values"),
        (b'a,b\n1,"never closed\n2,x\n', "a quote is opened and never closed"),
        ("a,b\n1,ä\n2,ü\n".encode("latin-1"), "line 2: byte 0xe4 is not utf-8"),
    ],
)  # fmt: skip
def test_what_is_no_csv_is_named_by_its_line(connector, place, tmp_path, content, says):
    (tmp_path / "a.csv").write_bytes(content)
    assert says in str(fails(connector, place, columns={"a": "utf8", "b": "utf8"}))


def test_a_quote_inside_a_text_is_none(connector, place, tmp_path):
    (tmp_path / "a.csv").write_text('size,n\n5" disk,1\n3" disk,2\n8"",3\n')
    assert [row["size"] for row in files.rows_of(connector, place, "a.csv")] == [
        '5" disk', '3" disk', '8""',
    ]  # fmt: skip


def test_a_damaged_archive_is_no_end_of_rows(connector, place, tmp_path):
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 100_000)
    (tmp_path / "a.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"a\.csv\.gz is damaged"):
        files.rows_of(connector, place, "a.csv.gz")


@pytest.mark.parametrize(
    ("content", "says"),
    [("", "no first line"), ("a,a\n1,2\n", "column twice: 'a'"), ("\n\na,b\n", "no first line")],
)
def test_names_have_to_be_names(connector, place, tmp_path, content, says):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(SchemaError, match=says):
        connector.schema(place, "a.csv")


def test_files_without_rows_or_names(connector, place, tmp_path):
    (tmp_path / "a.csv").write_text("a,b")
    assert files.rows_of(connector, place, "a.csv") == []
    assert types_of(connector, place, "a.csv") == ["string", "string"]
    (tmp_path / "b.csv").write_text("1,x\n\n2,y")
    here = {**place, "header": False}
    assert files.rows_of(connector, here, "b.csv") == [
        {"column_1": 1, "column_2": "x"}, {"column_1": 2, "column_2": "y"},
    ]  # fmt: skip
    here["columns"] = {"n": "int8", "t": "utf8"}
    assert files.rows_of(connector, here, "b.csv")[0] == {"n": 1, "t": "x"}
    (tmp_path / "c.csv").write_text("a\n1\n\n3\n")
    assert [row["a"] for row in files.rows_of(connector, place, "c.csv")] == [1, None, 3]
    with pytest.raises(StreamNotFoundError, match=r"no file d\.csv"):
        connector.count(place, "d.csv")


@pytest.mark.parametrize(
    "settings",
    [{"delimiter": ""}, {"delimiter": "::"}, {"delimiter": '"'}, {"quote": "«"}, {"nulls": '"'},
     {"encoding": "klingon"}, {"encoding": "base64"}, {"binary": "octal"}, {"compression": "rar"},
     {"columns": {"a": 5}}, {"rows_per_file": 0}, {"folder": "ftp://host/x"}],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(connector, place, settings):
    with pytest.raises(SettingsError):
        connector.check({**place, **settings})


def test_without_quotes_a_text_that_needs_them_is_refused(connector, place):
    rows = pa.table({"a": ["x", "y,z"], "b": [1, 2]})
    with pytest.raises(DataError, match="without quotes") as caught:
        connector.write_all({**place, "quote": ""}, "a.csv", rows)
    assert caught.value.position == 1
    assert connector.streams(place) == []


# --- ranges of bytes ----------------------------------------------------------------------------


def test_ranges_of_bytes_have_each_row_once(connector, place, tmp_path):
    seed = 11
    seeded = random.Random(seed)
    pieces = ['"', '""', ",", "\n", "\r\n", "a", "text ", "'", ";"]
    rows = pa.table(
        {
            "n": list(range(150_000)),
            "t": ["".join(seeded.choices(pieces, k=seeded.randrange(30))) for _ in range(150_000)],
        }
    )
    connector.write_all(place, "a.csv", rows)
    parts = connector.partitions(place, "a.csv", 4)
    assert len(parts) == 4, seed
    got = [
        row for part in parts for row in files.rows_of(connector, place, "a.csv", partition=part)
    ]
    assert got == rows.to_pylist()
    # Each part knows the types, so that not every worker looks at all values.
    assert all(part["types"] == [["n", "int64", True], ["t", "utf8", True]] for part in parts)


def test_a_file_whose_quotes_tell_nothing_is_read_as_a_whole(connector, place, tmp_path):
    line = '5" disk, a,"quoted, text"\n'
    (tmp_path / "a.csv").write_text("x,y,z\n" + line * 200_000)
    assert connector.partitions(place, "a.csv", 3) == [{}]
    (tmp_path / "a.csv").write_text("x,y,z\n" + '5" disk,a,b\n' * 200_000)
    here = {**place, "quote": ""}
    parts = connector.partitions(here, "a.csv", 2)
    assert len(parts) == 2
    counts = [len(files.rows_of(connector, here, "a.csv", partition=part)) for part in parts]
    assert sum(counts) == 200_000


def test_an_error_in_a_range_names_the_line_of_the_file(connector, place, tmp_path):
    (tmp_path / "a.csv").write_text("n,t\n" + "1,xxxxxxxxxx\n" * 250_000)
    here = {**place, "columns": {"n": "int64", "t": "utf8"}}
    parts = connector.partitions(here, "a.csv", 2)
    assert len(parts) == 2
    text = (tmp_path / "a.csv").read_text()
    (tmp_path / "a.csv").write_text(text[:-13] + "z,xxxxxxxxxx\n")
    del parts[1]["snapshot"]
    with pytest.raises(DataError, match="line 250001, column 'n'"):
        files.rows_of(connector, here, "a.csv", partition=parts[1])
