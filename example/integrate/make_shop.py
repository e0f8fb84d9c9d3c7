"""Make shop.db, a SQLite database to move: 100,000 customers with amounts, dates and no values."""

import sqlite3
import sys
from datetime import date, timedelta

ROWS = 100_000


def make(path: str, rows: int = ROWS) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("drop table if exists customers")
        connection.execute(
            "create table customers (id integer primary key, name text not null, "
            "credit numeric(12, 2), active boolean not null, since date not null, note text)"
        )
        connection.executemany(
            "insert into customers values (?, ?, ?, ?, ?, ?)",
            (
                (
                    number,
                    f"customer {number}",
                    None if number % 7 == 0 else f"{number * 1.25:.2f}",
                    number % 3 == 0,
                    str(date(2020, 1, 1) + timedelta(days=number % 1500)),
                    f"said {number}" if number % 4 == 0 else None,
                )
                for number in range(rows)
            ),
        )
    connection.close()


if __name__ == "__main__":
    make(*sys.argv[1:2] or ["shop.db"])
