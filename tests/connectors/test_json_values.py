"""Positions and schemas as text: what is kept comes back as it was."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest

from pypods.connectors.json_values import (
    dump_schema,
    dump_values,
    load_schema,
    load_values,
    row_as_json,
)

BERLIN = dt.timezone(dt.timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "[null]"),
        (True, "[true]"),
        (2**70, f"[{2**70}]"),
        ("ä", '["\\u00e4"]'),
        (0.1, '[{"float":"0x1.999999999999ap-4"}]'),
        (float("-inf"), '[{"float":"-inf"}]'),
        (Decimal("1.50"), '[{"decimal":"1.50"}]'),
        (b"\x00\xff", '[{"bytes":"00ff"}]'),
        (UUID(int=1), '[{"uuid":"00000000000000000000000000000001"}]'),
        (dt.datetime(2026, 1, 2, 3, 4, 5, 6), '[{"timestamp":"2026-01-02T03:04:05.000006"}]'),
        (dt.date(2026, 1, 2), '[{"date":"2026-01-02"}]'),
        (dt.time(3, 4, 5, 6), '[{"time":"03:04:05.000006"}]'),
    ],
)
def test_a_value_is_kept_with_its_type(value, text):
    assert dump_values([value]) == text
    (found,) = load_values(text)
    assert (type(found), found) == (type(value), value)


def test_a_moment_with_a_zone_is_kept_in_utc():
    text = dump_values([dt.datetime(2026, 1, 2, 3, tzinfo=BERLIN)])
    assert text == '[{"timestamp":"2026-01-02T01:00:00+00:00"}]'
    assert load_values(text) == [dt.datetime(2026, 1, 2, 3, tzinfo=BERLIN)]


def test_no_number_is_kept_as_itself():
    (found,) = load_values(dump_values([float("nan")]))
    assert found != found


@pytest.mark.parametrize("value", [[1], {"a": 1}, object()], ids=lambda each: type(each).__name__)
def test_what_has_no_order_is_no_position(value):
    with pytest.raises(TypeError, match=f"a {type(value).__name__} cannot be kept as a position"):
        dump_values([value])


def test_a_schema_keeps_its_types_and_metadata():
    fields = [pa.field("a", pa.decimal128(5, 2), metadata={"k": "v"}), pa.field("b", pa.utf8())]
    schema = pa.schema(fields, metadata={"x": "y"})
    found = load_schema(dump_schema(schema))
    assert found.equals(schema, check_metadata=True)


def test_a_row_is_written_for_a_person():
    row = {"n": Decimal("0.10"), "b": b"\x01", "m": memoryview(b"\x02"), "d": dt.date(2026, 1, 2)}
    assert row_as_json(row) == '{"n": "0.10", "b": "01", "m": "02", "d": "2026-01-02"}'
    assert json.loads(row_as_json({"t": "ä"})) == {"t": "ä"}
    assert row_as_json({"t": "ä"}) == '{"t": "ä"}'
