"""JSON records to Arrow and back, and the schema that nobody declared."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest

from pypods.connectors.errors import DataError, SettingsError
from pypods.connectors.records.inference import infer_schema
from pypods.connectors.records.json_columns import batch_of_records, column_from_json
from pypods.connectors.records.json_text import (
    MISSING,
    dump_json,
    parse_json,
    parse_path,
    put_at,
    value_at,
)
from pypods.connectors.records.json_writing import records_of_batch
from pypods.connectors.types import field_from_text, schema_from_rows, text_of

UTC = dt.UTC

#: A type, JSON, and the value that it is.
READ = [
    ("bool", "true", True),
    ("int8", "-128", -128),
    ("int64", "9223372036854775807", 2**63 - 1),
    ("int64", "1.0", 1),
    ("int64", "1e3", 1000),
    ("int64", '"12"', 12),
    ("uint64", "18446744073709551615", 2**64 - 1),
    ("float64", "0.1", 0.1),
    ("float64", "3", 3.0),
    ("float64", "0.1000000000000000055511151231257827", 0.1),
    ("float64", "0.30000000000000004", 0.30000000000000004),
    ("float64", "1e308", 1e308),
    ("decimal(9,2)", "1.50", Decimal("1.50")),
    ("decimal(9,2)", "7", Decimal(7)),
    ("decimal(9,2)", '"-1.25"', Decimal("-1.25")),
    ("decimal(38,20)", "0.12345678901234567890", Decimal("0.12345678901234567890")),
    ("utf8", '"ü😀"', "ü😀"),
    ("date", '"2026-11-21"', dt.date(2026, 11, 21)),
    ("time", '"14:05:00.123456"', dt.time(14, 5, 0, 123456)),
    ("timestamp", '"2026-11-21T10:00:00.5"', dt.datetime(2026, 11, 21, 10, 0, 0, 500000)),
    ("timestamp(us, UTC)", '"2026-11-21T10:00:00Z"', dt.datetime(2026, 11, 21, 10, tzinfo=UTC)),
    ("timestamp(us, UTC)", '"2026-11-21T10:00:00+02:00"', dt.datetime(2026, 11, 21, 8, tzinfo=UTC)),
    (
        "timestamp(us, UTC)",
        '"2026-11-21T10:00:00.123456000Z"',
        dt.datetime(2026, 11, 21, 10, 0, 0, 123456, tzinfo=UTC),
    ),
    ("binary", '"AP8="', b"\0\xff"),
    ("uuid", '"00000000-0000-0000-0000-000000000001"', UUID(int=1).bytes),
    ("json", '{"a": [1.10, null]}', '{"a": [1.10, null]}'),
    ("json", '"text"', '"text"'),
    ("list<int64>", "[1, null]", [1, None]),
    ("list<utf8>", '["a"]', ["a"]),
]

#: A type, and JSON that is no value of it.
REFUSED = [
    ("bool", "1"), ("bool", '"true"'), ("int8", "128"), ("int64", "1.5"), ("int64", "true"),
    ("int64", '"1.0"'), ("int64", '"x"'), ("int64", "[1]"), ("int64", "1e400"), ("uint8", "-1"),
    ("float64", "0.12345678901234567890"), ("float64", "9007199254740993"), ("float64", '"0.1"'),
    ("float64", "1e400"), ("float64", "true"), ("decimal(9,2)", "1.505"),
    ("decimal(3,0)", "1000"), ("decimal(9,2)", '"x"'), ("decimal(9,2)", '"NaN"'),
    ("decimal(9,2)", "true"), ("date", '"2026-11-21T00:00:00"'), ("date", "20260101"),
    ("time", '"25:00:00"'), ("timestamp", '"2026-11-21T10:00:00Z"'),
    ("timestamp(us, UTC)", '"2026-11-21T10:00:00"'),
    ("timestamp(us, UTC)", '"2026-11-21T10:00:00.1234567Z"'), ("timestamp", "1700000000"),
    ("binary", '"?"'), ("uuid", '"x"'), ("list<int64>", '["x"]'), ("list<int64>", "{}"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "text", "value"), READ)
def test_values_are_read(type_, text, value):
    field = field_from_text("c", type_)
    array = column_from_json([None, parse_json(text, "it")], field)
    assert array.type == field.type
    assert array.to_pylist() == [None, value]


@pytest.mark.parametrize(("type_", "text"), REFUSED)
def test_values_of_another_type_are_refused_with_row_and_column(type_, text):
    field = field_from_text("c", type_)
    with pytest.raises(DataError, match=r"row 12 \(from 0\), column 'c'") as caught:
        column_from_json([None, None, parse_json(text, "it")], field, first_row=10)
    assert (caught.value.position, caught.value.column) == (12, "c")


def test_text_takes_what_is_none_only_where_it_was_declared():
    field = field_from_text("c", "utf8")
    values = ["a", Decimal("1.10"), 2, True, {"b": [None]}]
    got = column_from_json(values, field, loose=True).to_pylist()
    assert got == ["a", "1.10", "2", "true", '{"b": [null]}']
    with pytest.raises(DataError, match="row 1"):
        column_from_json(values, field)


@pytest.mark.parametrize(
    ("records", "types"),
    [
        ('[{"a": 1}, {"b": "x", "a": null}]', {"a": "int64", "b": "utf8"}),
        ('[{"a": 1}, {"a": 1.5}]', {"a": "float64"}),
        ('[{"a": 1}, {"a": 9223372036854775808}]', {"a": "decimal(38,0)"}),
        ('[{"a": true}]', {"a": "bool"}),
        ('[{"a": "2026-11-21"}]', {"a": "utf8"}),
        ('[{"a": null}]', {"a": "json"}),
        ('[{"a": [1]}]', {"a": "json"}),
        ('[{"a": {"b": 1}}]', {"a": "json"}),
        ('[{"a": 1}, {"a": "x"}]', {"a": "json"}),
        ('[{"a": 1}, {"a": true}]', {"a": "json"}),
        ('[{"a": 1.5}, {"a": 9223372036854775808}]', {"a": "json"}),
        ("[]", {}),
    ],
)
def test_a_schema_is_inferred(records, types):
    schema = infer_schema(parse_json(records, "it"))
    assert {field.name: text_of(field) for field in schema} == types
    assert all(field.nullable for field in schema)


@pytest.mark.parametrize(
    "type_", sorted({each for each, _, _ in READ} | {"float32", "decimal(50,5)"})
)
def test_what_is_written_is_read_back(type_):
    field = field_from_text("c", type_)
    texts = [text for each, text, _ in READ if each == type_] or ["1.5"]
    values = [None, *(parse_json(text, "it") for text in texts)]
    batch = pa.record_batch([column_from_json(values, field)], schema=pa.schema([field]))
    for as_text in (False, True):
        written = dump_json(records_of_batch(batch, {}, decimals_as_text=as_text))
        again = batch_of_records(parse_json(written, "it"), batch.schema, {})
        assert again.equals(batch, check_metadata=True)


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("float64", [1.0, float("nan")]),
        ("float64", [1.0, float("-inf")]),
        ("json", ["1", "null"]),
        ("json", ["1", "{"]),
    ],
)
def test_what_json_has_no_form_for_is_refused(type_, values):
    field = field_from_text("c", type_)
    batch = pa.record_batch([pa.array(values, field.type)], schema=pa.schema([field]))
    with pytest.raises(DataError, match="row 1") as caught:
        records_of_batch(batch, {})
    assert (caught.value.position, caught.value.column) == (1, "c")


def test_columns_may_lie_at_paths():
    schema = schema_from_rows([("id", "int64", False), ("city", "utf8", True)])
    paths = {"city": ["address", "city"]}
    records = [{"id": 1, "address": {"city": "Delft"}}, {"id": 2}, {"id": 3, "address": None}]
    batch = batch_of_records(records, schema, paths)
    assert batch.column("city").to_pylist() == ["Delft", None, None]
    written = records_of_batch(batch, paths, omit_nulls=True)
    assert written == [{"id": 1, "address": {"city": "Delft"}}, {"id": 2}, {"id": 3}]


def test_a_record_is_an_object_and_has_what_must_be():
    schema = schema_from_rows([("id", "int64", False)])
    with pytest.raises(DataError, match=r"record 6 \(from 0\) is \[1\], and has to be an object"):
        batch_of_records([{"id": 1}, [1]], schema, {}, first_row=5)
    with pytest.raises(DataError, match=r"row 6 .*'id'.*not null"):
        batch_of_records([{"id": 1}, {"x": 1}], schema, {}, first_row=5)
    assert batch_of_records([{"id": 1}], [], {}).num_rows == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"a": 1', "line 1, column 8"),
        (b'{"a":\n tru}', "line 2, column 2 .*'{.*tru}'"),
        (b"\xff\xfe{", "no JSON"),
        (b"[NaN]", "JSON has no NaN"),
        (b"", "line 1, column 1"),
        (b"[" * 100_000, "no JSON"),
        (b"[" + b"1" * 5000 + b"]", "no JSON"),
    ],
)
def test_json_that_is_none_says_where(text, words):
    with pytest.raises(DataError, match=f"the page is {words}|the page is no JSON.*{words}"):
        parse_json(text, "the page")


def test_paths():
    document = {"a": {"b": [{"c": 1}]}, "d.e": 2}
    assert value_at(document, parse_path("a.b.0.c")) == 1
    assert value_at(document, parse_path(["d.e"])) == 2
    assert value_at(document, []) is document
    for path in ("a.x", "a.b.1", "a.b.x", "d.e"):
        assert value_at(document, parse_path(path)) is MISSING
    put_at(document, ["a", "z", "y"], 3)
    assert document["a"]["z"] == {"y": 3}
    for path in ("a..b", 1, ["a", ""]):
        with pytest.raises(SettingsError):
            parse_path(path)
