"""Type texts, the types of the contract, and which holds which."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pypods.connectors.errors import SchemaError
from pypods.connectors.types import (
    common_field,
    field_from_text,
    fits,
    holds,
    kind_of,
    normal_field,
    schema_from_rows,
    text_of,
)

TEXTS = [
    "int8", "uint64", "float32", "float64", "bool", "utf8", "binary", "decimal(38,10)",
    "decimal(50,5)", "date", "time(us)", "timestamp(us)", "timestamp(us, UTC)",
    "timestamp(us, Asia/Tokyo)", "json", "uuid", "list<int64>", "list<list<utf8>>", "utf8:inet",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_a_type_and_a_type_a_text(text):
    field = field_from_text("c", text, nullable=False)
    assert text_of(field) == text
    assert normal_field(field) == field
    assert not field.nullable


@pytest.mark.parametrize("text", ["", "int", "int7", "decimal(0,0)", "decimal(77,0)", "list<x>"])
def test_another_text_is_refused(text):
    with pytest.raises(SchemaError, match="'c'"):
        field_from_text("c", text)


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        (pa.large_utf8(), pa.utf8()),
        (pa.string_view(), pa.utf8()),
        (pa.large_binary(), pa.binary()),
        (pa.dictionary(pa.int8(), pa.utf8()), pa.utf8()),
        (pa.float16(), pa.float32()),
        (pa.decimal128(5, -2), pa.decimal128(7, 0)),
        (pa.date64(), pa.date32()),
        (pa.time32("s"), pa.time64("us")),
        (pa.timestamp("ns", "UTC"), pa.timestamp("us", "UTC")),
        (pa.large_list(pa.large_utf8()), pa.list_(pa.utf8())),
        (pa.null(), pa.utf8()),
        (pa.uuid(), pa.binary(16)),
    ],
)
def test_other_types_of_arrow_become_those_of_the_contract(given, normal):
    assert normal_field(pa.field("c", given)).type == normal
    assert kind_of(normal_field(pa.field("c", pa.uuid()))) == "uuid"


@pytest.mark.parametrize("type_", [pa.duration("s"), pa.month_day_nano_interval()])
def test_a_type_that_nobody_carries_is_refused(type_):
    with pytest.raises(SchemaError, match="cast it"):
        normal_field(pa.field("c", type_))


@pytest.mark.parametrize(
    ("wide", "narrow", "does"),
    [
        ("int64", "int32", True), ("int32", "int64", False), ("int16", "uint8", True),
        ("int8", "uint8", False), ("uint8", "int8", False), ("float64", "int32", True),
        ("float64", "int64", False), ("float32", "float64", False),
        ("decimal(19,0)", "int64", True), ("decimal(18,0)", "int64", False),
        ("decimal(12,4)", "decimal(10,2)", True), ("decimal(11,4)", "decimal(10,2)", False),
        ("timestamp(us)", "date", True), ("timestamp(us, UTC)", "timestamp(us)", False),
        ("timestamp(us, UTC)", "timestamp(us, Asia/Tokyo)", True), ("utf8", "int64", False),
        ("list<int64>", "list<int32>", True), ("float64", "decimal(5,2)", False),
    ],
)  # fmt: skip
def test_a_type_holds_another_only_without_loss(wide, narrow, does):
    one, other = field_from_text("c", wide), field_from_text("c", narrow)
    assert holds(one.type, other.type) is does
    assert fits(one, other) is does


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("int16", "int64", "int64"), ("uint8", "int8", "int16"),
        ("uint64", "int64", "decimal(20,0)"),
        ("decimal(10,2)", "int64", "decimal(21,2)"),
        ("decimal(10,2)", "decimal(9,4)", "decimal(12,4)"),
        ("int64", "utf8", None), ("json", "utf8", "utf8"), ("uuid", "binary", None),
        ("utf8", "json", "utf8"), ("float64", "int64", None),
        ("date", "timestamp(us)", "timestamp(us)"),
    ],
)  # fmt: skip
def test_the_common_type_of_two_takes_both(one, other, common):
    found = common_field(field_from_text("c", one), field_from_text("c", other))
    assert (None if found is None else text_of(found)) == common


def test_rows_name_their_schema():
    schema = schema_from_rows([("a", "int64", False), ("b", "json", True)])
    assert schema.names == ["a", "b"]
    assert schema_from_rows(schema) is schema
