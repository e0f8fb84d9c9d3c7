"""The rows that each server is given, of every type its drivers agree on; nothing of pods."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from math import inf
from uuid import UUID

Row = tuple[object, ...]
Columns = list[tuple[str, str]]

TEXTS = ["", "plain", 'it\'s "quoted" \\ 100 %s', "žluťoučký kůň 🐎", "第 1 行"]
MOODS = ["sad", "ok", "happy"]
INDIA = timezone(timedelta(hours=5, minutes=30))

MARIADB_COLUMNS: Columns = [
    ("id", "INT PRIMARY KEY"),
    ("tiny", "TINYINT"),
    ("big", "BIGINT"),
    ("unsigned_big", "BIGINT UNSIGNED"),
    ("flags", "BIT(8)"),
    ("price", "DECIMAL(30, 10)"),
    ("ratio", "DOUBLE"),
    ("name", "VARCHAR(200)"),
    ("data", "LONGBLOB"),
    ("day", "DATE"),
    ("clock", "TIME(6)"),
    ("moment", "DATETIME(6)"),
    ("mood", "ENUM('sad', 'ok', 'happy')"),
    ("tags", "SET('a', 'b', 'c')"),
    ("born", "YEAR"),
]


def make_mariadb_row(i: int) -> Row:
    """Return a row for the columns above."""
    return (
        i,
        i % 256 - 128,
        (2**63 - 1 - i) * (-1) ** i,
        2**64 - 1 - i,
        bytes([i % 256]),
        Decimal(f"{i}2345678901234.0123456789"),
        (i + 1) / 3,
        f"NUL \0 {TEXTS[i % 5]} {i}",
        bytes(range(256)) * (i % 3),
        date(1000, 1, 1) + timedelta(days=i),
        timedelta(hours=i % 838, microseconds=i),
        datetime.max - timedelta(days=i, microseconds=i),  # noqa: DTZ901 - a DATETIME has no zone
        MOODS[i % 3],
        "a,c",
        1901 + i % 200,
    )


POSTGRESQL_COLUMNS: Columns = [
    ("id", "integer PRIMARY KEY"),
    ("small", "smallint"),
    ("big", "bigint"),
    ("exact", "numeric"),
    ("ratio", "double precision"),
    ("flag", "boolean"),
    ("name", "text"),
    ("data", "bytea"),
    ("day", "date"),
    ("clock", "time"),
    ("clock_with_zone", "timetz"),
    ("moment", "timestamp"),
    ("moment_with_zone", "timestamptz"),
    ("span", "interval"),
    ("ident", "uuid"),
    ("numbers", "bigint[]"),
    ("words", "text[]"),
    ("document", "jsonb"),
    ("span_of_numbers", "int8range"),
]


def make_postgresql_row(i: int) -> Row:
    """Return a row for the columns above."""
    return (
        i,
        i % 65_536 - 32_768,
        (2**63 - 1 - i) * (-1) ** i,
        Decimal("NaN") if i % 7 == 1 else Decimal(f"{i}2345678901234567890.{i:050}"),
        [(i + 1) / 3, inf, -inf, 1e-300][i % 4],
        i % 2 == 0,
        f"{TEXTS[i % 5]} {i}",
        bytes(range(256)) * (i % 3),
        date.min + timedelta(days=i),
        time(i % 24, 59, 59, 999_999),
        time(i % 24, 1, 2, 3, tzinfo=INDIA),
        datetime.max - timedelta(days=i, microseconds=i),  # noqa: DTZ901 - a timestamp has none
        datetime(2024, 2, 29, 12, 30, 1, i % 1_000_000, tzinfo=UTC),
        timedelta(days=-i, seconds=i, microseconds=i),
        UUID(int=i * 2**64 + i),
        [i, None, -i],
        ["", None, 'a,"b"\\{}', TEXTS[i % 5]],
        {"i": i, "ratio": i / 8, "nested": {"list": [1, None, True, TEXTS[i % 5]]}},
        (i, i + 10, "[)"),
    )


def make_redis_row(i: int) -> Row:
    """Return a key: its name, its kind and its value."""
    text = f"NUL \0 {TEXTS[i % 5]} {i}".encode()
    kinds: list[tuple[str, object]] = [
        ("string", text),
        ("hash", {b"i": b"%d" % i, text: bytes(range(256))}),
        ("list", [text, b"", text]),
        ("set", {text, b"", b"%d" % i}),
        ("zset", [(b"low", -1e300), (text, (i + 1) / 3), (b"top", inf)]),
    ]
    return (f"{i:09}", *kinds[i % 5])


def make_rows(make_row: Callable[[int], Row], count: int) -> list[Row]:
    """Return so many rows; in every eighth, one or another value is missing."""
    rows = [make_row(i) for i in range(count)]
    if make_row is make_redis_row:  # A key without a value is no key.
        return rows
    return [
        tuple(
            None if i % 8 == 7 and at and (i // 8) % 3 == at % 3 else v for at, v in enumerate(row)
        )
        for i, row in enumerate(rows)
    ]


def is_same(left: object, right: object) -> bool:
    """Return whether two values are of the same types and equal, down to the sign of a zero."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(is_same(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(is_same, left, right))
    if isinstance(left, set):
        return left == right
    return repr(left) == repr(right)
