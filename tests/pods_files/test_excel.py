"""Workbooks: cells for what Excel holds exactly, texts for the rest, errors for what it cannot."""

from __future__ import annotations

import datetime as dt
import shutil
from decimal import Decimal

import file_connectors as files
import pyarrow as pa
import pytest

from pypods import PodCallError
from pypods.pods import PodLoader


@pytest.fixture(scope="module")
def pod(load_connector):
    return load_connector("excel").load_pod()


@pytest.fixture
def place(tmp_path):
    return {"folder": str(tmp_path)}


def types_of(pod, place, stream):
    return [str(field.type) for field in pa.schema(pod.schema(place, stream)["schema"])]


def fails(kind, call, *args, **options):
    with pytest.raises(PodCallError) as caught:
        call(*args, **options)
    assert caught.value.type_name.endswith(f".{kind}"), str(caught.value)
    return caught.value


@pytest.mark.parametrize("header", [True, False])
def test_each_type_comes_back_as_it_was(pod, place, tmp_path, header):
    table = files.extremes()
    place = {**place, "header": header}
    pod.write_all(place, "a.xlsx", table, mode="replace")
    (tmp_path / "a.xlsx").rename(tmp_path / "b.xlsx")
    declared = {**place, "columns": files.declared(table.schema)}
    assert files.same(files.table_of(pod.read(declared, "b.xlsx")), table)
    assert pod.checksum(declared, "b.xlsx", schema=table.schema)["rows"] == table.num_rows


def test_what_excel_holds_exactly_is_a_cell_of_its_kind(pod, place, tmp_path):
    rows = pa.table(
        {
            "n": [1, 2], "big": pa.array([10**15, 1]), "f": [0.5, 1e300],
            "d": pa.array([Decimal("1.50"), None], pa.decimal128(9, 2)), "b": [True, False],
            "day": [dt.date(2026, 11, 21), dt.date(1900, 3, 1)],
            "at": [dt.datetime(2026, 11, 21, 14, 5, 0, 123000), dt.datetime(1900, 3, 1)],
            "fine": [dt.datetime(2026, 11, 21, 14, 5, 0, 123456), None],
            "clock": [dt.time(23, 59, 59), dt.time(0, 0)], "text": ["x", "=1+1"],
        }
    )  # fmt: skip
    pod.write_all(place, "a.xlsx/Data", rows)
    (tmp_path / "a.xlsx").rename(tmp_path / "b.xlsx")  # So that types are found by cells.
    assert dict(zip(rows.column_names, types_of(pod, place, "b.xlsx"), strict=True)) == {
        "n": "int64", "big": "string", "f": "double", "d": "double", "b": "bool",
        "day": "date32[day]", "at": "timestamp[us]", "fine": "string", "clock": "time64[us]",
        "text": "string",
    }  # fmt: skip
    got = files.rows_of(pod, place, "b.xlsx/Data")
    assert got[0]["at"] == dt.datetime(2026, 11, 21, 14, 5, 0, 123000)
    assert [row["text"] for row in got] == ["x", "=1+1"]


def test_numbers_of_more_digits_are_never_rounded(pod, place, tmp_path):
    values = [Decimal("123456789012345678.25"), Decimal("0.1"), Decimal(999999999999999)]
    rows = pa.table(
        {"d": pa.array(values, pa.decimal128(38, 4)), "n": [2**63 - 1, -(2**53) - 1, 7]}
    )
    pod.write_all(place, "a.xlsx", rows)
    (tmp_path / "a.xlsx").rename(tmp_path / "b.xlsx")
    declared = {**place, "columns": files.declared(rows.schema)}
    assert files.same(files.table_of(pod.read(declared, "b.xlsx")), rows)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x" * 32768, "32768 characters"),
        ("💜" * 16384, "32768 characters"),
        ("a\ufffe", "U\\+FFFE"),
    ],
    ids=["long", "pairs", "noncharacter"],
)
def test_a_text_that_no_cell_holds_names_its_row_and_column(pod, place, text, says):
    rows = pa.table({"id": [0, 1, 2], "t": ["x" * 32767, "💜" * 16383, text]})
    error = fails("DataError", pod.write_all, place, "a.xlsx", rows)
    assert (error.position, error.column) == (2, "t")
    with pytest.raises(PodCallError, match=says):
        pod.write_all(place, "a.xlsx", rows)
    pod.write_all(place, "a.xlsx", rows.slice(0, 2))
    assert files.rows_of(pod, place, "a.xlsx") == rows.slice(0, 2).to_pylist()


def test_a_sheet_has_no_row_too_many(place, tmp_path, repository):
    """With a sheet of 1,000 lines, for the sake of time."""
    hidden = shutil.ignore_patterns("venv", "venv.*", "__pycache__")
    shutil.copytree(repository / "pods" / "excel", tmp_path / "pods" / "small", ignore=hidden)
    code = tmp_path / "pods" / "small" / "excel_writing.py"
    assert "MAX_LINES = 1_048_576" in code.read_text()
    code.write_text(code.read_text().replace("MAX_LINES = 1_048_576", "MAX_LINES = 1_000"))
    rows = pa.table({"n": pa.array(range(1000), pa.int32())})
    with PodLoader("small", pods_directory=tmp_path / "pods") as pod:
        pod.write_all(place, "full.xlsx", rows.slice(1))
        assert pod.count(place, "full.xlsx") == 999
        error = fails("DataError", pod.write_all, place, "a.xlsx", rows)
        assert error.position == 999
        assert "one too many" in str(error)
        assert [each["name"] for each in pod.streams(place)] == ["full.xlsx/Sheet1"]
        pod.write_all(place, "many/", rows)
        assert pod.count(place, "many/") == 1000


@pytest.mark.parametrize(
    ("stream", "kind"),
    [("a.xls", "SettingsError"), ("a.xlsx/" + "x" * 32, "SettingsError"),
     ("a.xlsx/a:b", "SettingsError"), ("a.ods", "SettingsError"), ("*.xlsx", "SettingsError")],
)  # fmt: skip
def test_what_cannot_be_written_is_said_before(pod, place, stream, kind):
    fails(kind, pod.prepare, place, stream, pa.schema([("a", pa.int8())]), mode="replace", run="r")


def test_columns_are_counted(pod, place):
    schema = pa.schema([(f"c{n}", pa.int8()) for n in range(16385)])
    fails("SchemaError", pod.prepare, place, "a.xlsx", schema, mode="replace", run="r")


def test_other_sheets_are_not_lost(pod, place):
    rows = pa.table({"a": [1]})
    pod.write_all(place, "a.xlsx/One", rows, mode="replace")
    error = fails("ConflictError", pod.write_all, place, "a.xlsx/Two", rows, mode="replace")
    assert "'One'" in str(error)
    fails("SettingsError", pod.write_all, place, "a.xlsx/One", rows)  # Appends.
    pod.write_all(place, "a.xlsx/One", rows, mode="replace")
    assert [each["name"] for each in pod.streams(place)] == ["a.xlsx/One"]
    error = fails("StreamNotFoundError", pod.count, place, "a.xlsx/Three")
    assert "it has 'One'" in str(error)


def test_a_cell_that_does_not_fit_is_named(pod, place, tmp_path):
    pod.write_all(place, "a.xlsx", pa.table({"id": ["1", "2", "x"], "t": ["a"] * 3}))
    declared = {**place, "columns": {"id": "int64"}}
    error = fails("DataError", files.rows_of, pod, declared, "a.xlsx")
    assert "sheet 'Sheet1', cell A4, column 'id': it has 'x', which is no int64" in str(error)
    assert (error.position, error.column) == (2, "id")


def test_rows_of_nothing_stay(pod, place, tmp_path):
    rows = pa.table(
        {"a": pa.array([None, 1, None, None], pa.int64()), "b": [None, "x", None, None]}
    )
    pod.write_all(place, "a.xlsx", rows)
    assert files.rows_of(pod, place, "a.xlsx") == rows.to_pylist()


def test_what_is_no_workbook_is_said_to_be_none(pod, place, tmp_path):
    (tmp_path / "a.xlsx").write_text("no workbook")
    assert "a.xlsx is no workbook" in str(fails("DataError", pod.schema, place, "a.xlsx"))
