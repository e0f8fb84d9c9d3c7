"""What connectors for files are made of: names, conditions, order, texts."""

from __future__ import annotations

import importlib.util
import math
import random
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypods.connectors.errors import ConnectorError, DataError, SettingsError
from pypods.connectors.files.streams import parse_stream
from pypods.connectors.row_filter import RowFilter
from pypods.connectors.sorting import sorted_batches
from pypods.connectors.text_forms import array_from_text, text_from_array
from pypods.connectors.types import field_from_text

_spec = importlib.util.spec_from_file_location("files", Path(__file__).with_name("files.py"))
files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(files)

SUFFIXES = (".csv", ".csv.gz")


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "path", "kind", "inner"),
    [
        ("a.csv", "a.csv", "file", None), (["x", "a.CSV"], "x/a.CSV", "file", None),
        ("x/*.csv", "x/*.csv", "pattern", None), ("parts/", "parts", "folder", None),
        ("parts", "parts", "folder", None), ("2026.11/", "2026.11", "folder", None),
        ("a.csv/Sheet 1.5", "a.csv", "file", "Sheet 1.5"),
        ("x/a.csv.gz", "x/a.csv.gz", "file", None),
    ],
)  # fmt: skip
def test_a_stream_s_name_is_a_file_a_pattern_or_a_folder(stream, path, kind, inner):
    found = parse_stream(stream, SUFFIXES, parts=True)
    assert (found.path, found.kind, found.inner) == (path, kind, inner)


@pytest.mark.parametrize(
    "stream",
    ["../a.csv", "a/../../b.csv", "/etc/a.csv", "C:/a.csv", "a\\b.csv", ".hidden/a.csv", "", "/",
     ".", "a//b.csv", "a\0.csv", ".pypods/x.csv", None, 5, ["..", "a.csv"], "people.xml"],
)  # fmt: skip
def test_a_stream_never_leads_out_of_its_folder(stream):
    with pytest.raises(SettingsError):
        parse_stream(stream, SUFFIXES)


def test_a_link_that_leads_out_is_refused(tmp_path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link.csv").symlink_to(tmp_path / "secret.csv")
    (tmp_path / "inside" / "good.csv").write_text("a\n2\n")
    connector, connection = files.load("csv"), {"folder": str(tmp_path / "inside")}
    with pytest.raises(SettingsError, match="leads out"):
        list(connector.read(connection, "link.csv"))
    assert files.rows_of(connector, connection, "good.csv") == [{"a": 2}]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.csv", ["a.csv", "b.csv"]), ("?.csv", ["a.csv", "b.csv"]), ("[!a].csv", ["b.csv"]),
        ("**/*.csv", ["a.csv", "b.csv", "x/a.csv", "x/y/c.csv"]), ("x/*.csv", ["x/a.csv"]),
        ("x/**.csv", ["x/a.csv", "x/y/c.csv"]), ("[ab].csv", ["a.csv", "b.csv"]),
    ],
)  # fmt: skip
def test_patterns_find_files(tmp_path, pattern, found):
    for name in ("a.csv", "b.csv", "x/a.csv", "x/y/c.csv", ".hidden/d.csv", "x/.e.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("n\n1\n")
    connection = {"folder": str(tmp_path)}
    assert files.load("csv").count(connection, pattern) == len(found)


def test_folders_that_hold_a_column_are_refused(tmp_path):
    (tmp_path / "d" / "year=2026").mkdir(parents=True)
    (tmp_path / "d" / "year=2026" / "a.csv").write_text("n\n1\n")
    with pytest.raises(ConnectorError, match="column=value"):
        files.load("csv").count({"folder": str(tmp_path)}, "d/")


# --- conditions and order -----------------------------------------------------------------------

FLOATS = [None, float("nan"), -math.inf, -1.5, -0.0, 0.0, 2.0, math.inf]


def as_key(value):
    """Return what sorts a float as the contract has it: NULL, numbers, NaN."""
    if value is None:
        return (0, 0.0)
    return (2, 0.0) if value != value else (1, value)


@pytest.mark.parametrize("value", FLOATS, ids=repr)
def test_after_is_strictly_after_also_with_null_and_nan(value):
    batch = pa.record_batch([pa.array(FLOATS, pa.float64())], names=["f"])
    chosen = RowFilter(batch.schema, "t", order_by=["f"], after=[value])
    got = chosen.apply(batch).column(0).to_pylist()
    assert list(map(repr, got)) == [repr(e) for e in FLOATS if as_key(e) > as_key(value)]


@pytest.mark.parametrize("operator", ["=", "!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize("value", FLOATS[1:], ids=repr)
def test_conditions_on_floats(operator, value):
    import operator as op

    functions = {"=": op.eq, "!=": op.ne, "<": op.lt, "<=": op.le, ">": op.gt, ">=": op.ge}
    batch = pa.record_batch([pa.array(FLOATS, pa.float64())], names=["f"])
    got = RowFilter(batch.schema, "t", where=[["f", operator, value]]).apply(batch)
    wanted = [e for e in FLOATS[1:] if functions[operator](as_key(e), as_key(value))]
    assert list(map(repr, got.column(0).to_pylist())) == list(map(repr, wanted))


@given(
    rows=st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(allow_nan=True)),
            st.one_of(st.none(), st.text(max_size=3)),
        ),
        max_size=60,
    ),
    cuts=st.integers(1, 7),
    memory=st.sampled_from([1, 200, 10**6]),
)
def test_rows_are_sorted_with_little_memory_as_with_much(rows, cuts, memory):
    schema = pa.schema([("f", pa.float64()), ("t", pa.utf8()), ("n", pa.int64())])
    numbered = [(*row, at) for at, row in enumerate(rows)]
    batches = [
        pa.record_batch([list(column) for column in zip(*numbered[at : at + cuts], strict=True)],
                        schema=schema)
        for at in range(0, len(numbered), cuts)
    ]  # fmt: skip
    got = [
        tuple(row.values())
        for batch in sorted_batches(batches, schema, ["f", "t"], sort_bytes=memory)
        for row in batch.to_pylist()
    ]

    def key(row):
        return (as_key(row[0]), (row[1] is not None, (row[1] or "").encode()))

    assert [key(row) for row in got] == sorted(key(row) for row in numbered)
    assert sorted(row[2] for row in got) == list(range(len(rows)))


def test_many_batches_are_sorted_through_files():
    seeded = random.Random(7)
    numbers = [seeded.randrange(10**6) for _ in range(200_000)]
    batches = pa.table({"n": numbers}).to_batches(max_chunksize=5000)
    got = [
        n
        for batch in sorted_batches(batches, batches[0].schema, ["n"], sort_bytes=100_000)
        for n in batch.column(0).to_pylist()
    ]
    assert got == sorted(numbers)


# --- texts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", ["base64", "hex"])
@pytest.mark.parametrize("name", files.extremes().schema.names)
def test_each_type_has_a_text_that_is_read_as_it_was(name, binary):
    table = files.extremes()
    field = table.schema.field(name)
    array = table.column(name).combine_chunks()
    texts = text_from_array(array, field, binary=binary)
    assert texts.type == pa.utf8()
    back = array_from_text(texts, field, binary=binary)
    assert back.type == field.type
    assert list(map(repr, back.to_pylist())) == list(map(repr, array.to_pylist()))


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("int64", "0x10"), ("int64", " 1"), ("int64", "1.0"), ("int64", ""), ("int8", "128"),
        ("int64", "1_0"), ("uint8", "-1"), ("float64", "1,5"), ("float64", " 1"), ("bool", "yes"),
        ("decimal(5,2)", "1.555"), ("decimal(5,2)", "1000"), ("decimal(5,2)", "1.5x"),
        ("date", "2026-02-30"), ("date", "21.11.2026"), ("time(us)", "25:00:00"),
        ("timestamp(us)", "2026-11-21 14:05:00.1234567"), ("timestamp(us)", "2026-11-21 14:05:00Z"),
        ("timestamp(us, UTC)", "2026-11-21 14:05:00"), ("binary", "not base64!"), ("uuid", "1234"),
        ("json", "{"), ("list<int64>", "[1.5]"), ("list<int64>", '["x"]'), ("list<int64>", "1"),
        ("list<bool>", "[1]"), ("list<utf8>", "[1]"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_value_is_named(type_, text):
    good = {"json": "1", "uuid": "0" * 32, "binary": "AA==", "date": "2026-11-21"}.get(type_)
    texts = pa.array([good] * 300 + [text] + [good] * 5, pa.utf8())
    with pytest.raises(DataError) as caught:
        array_from_text(texts, field_from_text("c", type_), first_row=1000)
    assert (caught.value.position, caught.value.column) == (1300, "c")


def test_other_forms_that_mean_the_same_are_read():
    cases = {
        "timestamp(us, UTC)": (["2026-11-21T14:05:00+02:00", "2026-11-21 12:05:00Z"], None),
        "bool": (["1", "TRUE"], True),
        "int64": (["+7", "007"], 7),
        "decimal(9,2)": (["1e2", "100.0"], Decimal("100.00")),
    }
    for type_, (texts, value) in cases.items():
        got = array_from_text(pa.array(texts), field_from_text("c", type_)).to_pylist()
        assert got[0] == got[1] == (value if value is not None else got[0])
