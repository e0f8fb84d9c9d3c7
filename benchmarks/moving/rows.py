"""The rows that are moved, and their types in each system; standard library only, any program."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

COLUMNS = ("id", "big", "price", "amount", "name", "active", "at", "note")
DECLARED = {
    "sqlite": (
        "id INTEGER PRIMARY KEY, big BIGINT, price REAL, amount NUMERIC(18,4), name TEXT, "
        "active BOOLEAN, at TIMESTAMP, note TEXT"
    ),
    "postgresql": (
        "id integer primary key, big bigint, price double precision, amount numeric(18,4), "
        "name text, active boolean, at timestamp, note text"
    ),
    "mariadb": (
        "id integer primary key, big bigint, price double, amount decimal(18,4), name text, "
        "active boolean, at datetime(6), note text"
    ),
}
_BEGIN = datetime(2020, 1, 1)


def make_row(i):
    """Return row i: int, bigint, float, numeric, text, bool, timestamp, text or null."""
    return (
        i,
        i * 1_000_003 - 2**40,
        i / 7,
        Decimal(i * 7919 % 10**14).scaleb(-4),
        f"name {i} \u00e9",
        i % 3 == 0,
        _BEGIN + timedelta(microseconds=i * 1_000_007),
        None if i % 5 == 0 else f'note "{i}", with\ta tab',
    )


def make_rows(count):
    """Yield so many rows."""
    return map(make_row, range(1, count + 1))


def as_csv(row):
    """Return a row as PostgreSQL reads it in CSV."""
    return ["" if value is None else int(value) if type(value) is bool else value for value in row]
