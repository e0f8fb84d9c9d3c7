"""Cursors stored as JSON and read back, and where reading begins."""

# ruff: noqa: E501 - tables of one case a line

from __future__ import annotations

import datetime as dt
import json
import math
import uuid
from decimal import Decimal

import pytest

from pypods.errors import IntegrationError
from pypods.integrator.cursor import decode_cursor, encode_cursor, greatest, parse_lag, start_of

UTC = dt.UTC


@pytest.mark.parametrize(
    "value",
    [
        None, 0, -5, 2**70, 0.1, -0.0, math.inf, "", "text", b"\x00\xff", Decimal("1.10"),
        dt.datetime(2024, 2, 29, 1, 2, 3, 456789), dt.datetime(2024, 1, 1, tzinfo=UTC),
        dt.date(1, 1, 1), dt.time(23, 59, 59, 1), uuid.UUID(int=7), True,
    ],
    ids=repr,
)  # fmt: skip
def test_a_value_comes_back_equal_and_of_its_type(value):
    back = decode_cursor(json.loads(json.dumps(encode_cursor(value))))
    assert (type(back), repr(back)) == (type(value), repr(value))


@pytest.mark.parametrize("value", [[1], object(), 1j])
def test_what_has_no_order_is_no_cursor(value):
    with pytest.raises(IntegrationError, match="cannot be a cursor"):
        encode_cursor(value)


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"type": "date"},
        {"type": "x", "value": 1},
        {"type": "date", "value": "no"},
        {"type": "decimal", "value": "x"},
    ],
)
def test_a_cursor_of_another_make(stored):
    with pytest.raises(IntegrationError, match="--full-refresh"):
        decode_cursor(stored)


@pytest.mark.parametrize(
    ("lag", "amount"),
    [("90s", 90), ("15m", 900), ("1.5h", 5400), ("2d", 172800), (7, 7), (0.5, 0.5)],
)
def test_lags(lag, amount):
    assert parse_lag(lag) == amount


@pytest.mark.parametrize("lag", ["", "5", "m", "-5m", "5w", -1])
def test_what_is_no_lag(lag):
    with pytest.raises(ValueError, match="lag"):
        parse_lag(lag)


@pytest.mark.parametrize(
    ("value", "lag", "start"),
    [
        (5, None, 5), (5, 2, 3), (5, 1.5, 3), (5.0, 1.5, 3.5), (Decimal(5), 0.5, Decimal("4.5")),
        (dt.datetime(2024, 1, 2), "1d", dt.datetime(2024, 1, 1)),
        (dt.datetime(2024, 1, 2, tzinfo=UTC), 60, dt.datetime(2024, 1, 1, 23, 59, tzinfo=UTC)),
        (dt.date(2024, 1, 2), "1h", dt.date(2024, 1, 1)), (dt.date(2024, 1, 3), "2d", dt.date(2024, 1, 1)),
        (dt.date(1, 1, 1), "2d", None),
    ],
)  # fmt: skip
def test_where_reading_begins(value, lag, start):
    assert start_of(value, lag) == start


@pytest.mark.parametrize(("value", "lag"), [("text", 5), (5, "5m"), (True, 1), (b"x", 1)])
def test_a_lag_that_does_not_fit(value, lag):
    with pytest.raises(IntegrationError, match="cannot be taken off"):
        start_of(value, lag)


def test_the_greatest():
    assert greatest([]) is None
    assert greatest([None, None]) is None
    assert greatest([1, None, 3, 2]) == 3
    assert math.isnan(greatest([1.0, math.nan, math.inf]))
