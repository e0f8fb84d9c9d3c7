"""Compare every row of a target with what it should be, by value and type: ``verify.py SPEC``."""

from __future__ import annotations

import json
import sqlite3
import sys
from datetime import datetime
from decimal import Decimal

from rows import COLUMNS, make_rows

#: What a column may be called where types are told apart.
TYPES = {
    "postgresql": (
        {"int4", "int8"}, {"int8"}, {"float8"}, {"numeric"}, {"text", "varchar"}, {"bool"},
        {"timestamp"}, {"text", "varchar"},
    ),
    "parquet": (
        {"int32", "int64"}, {"int64"}, {"double"}, {"decimal128"}, {"string", "large_string"},
        {"bool"}, {"timestamp"}, {"string", "large_string"},
    ),
}  # fmt: skip


def read_postgresql(target):
    """Return the types and an iterator over the rows."""
    import psycopg

    connection = psycopg.connect(**target["connection"])
    schema, table = target["schema"], target["table"]
    found = connection.execute(
        "select column_name, udt_name from information_schema.columns "
        "where table_schema = %s and table_name = %s",
        (schema, table),
    )
    types = dict(found.fetchall())
    cursor = connection.cursor("rows")
    cursor.itersize = 20_000
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    cursor.execute(f'select {names} from "{schema}"."{table}" order by id')
    return [types.get(name) for name in COLUMNS], cursor


def read_parquet(target):
    """Return the same of a file, or of the files in a folder."""
    import pyarrow.dataset as ds

    table = ds.dataset(target["path"], format="parquet").to_table(columns=list(COLUMNS))
    table = table.sort_by("id")
    types = [str(field.type).partition("[")[0].partition("(")[0] for field in table.schema]

    def rows():
        for batch in table.to_batches(max_chunksize=20_000):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    return types, rows()


def read_sqlite(target):
    """Return the rows as they should be read; SQLite itself knows few types."""
    connection = sqlite3.connect(target["path"])
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    found = connection.execute(f'select {names} from "{target["table"]}" order by id')

    def rows():
        for a, b, c, d, e, f, g, h in found:
            amount = Decimal(str(d)) if d is not None else None
            at = datetime.fromisoformat(g).replace(tzinfo=None) if type(g) is str else g
            yield a, b, c, amount, e, bool(f) if f in (0, 1) else f, at, h

    return None, rows()


def main():
    """Print how many rows there are, how many differ, an example, and what types differ."""
    spec = json.loads(sys.argv[1])
    target = spec["target"]
    kind = target["kind"]
    reader = {"postgresql": read_postgresql, "parquet": read_parquet, "sqlite": read_sqlite}[kind]
    types, rows = reader(target)
    expected = make_rows(spec["rows"])
    count = different = 0
    example = ""
    for row in rows:
        count += 1
        wanted = next(expected, None)
        if wanted is None or any(
            a != b and not (type(a) is datetime and a.replace(tzinfo=None) == b)
            for a, b in zip(row, wanted, strict=True)
        ):
            different += 1
            example = example or f"{row} instead of {wanted}"
    wrong = []
    if types is not None:
        wrong = [
            f"{name} is {found}"
            for name, found, may_be in zip(COLUMNS, types, TYPES[kind], strict=True)
            if found not in may_be
        ]
    missing = max(0, spec["rows"] - count)
    print(
        json.dumps(
            {"rows": count, "different": different + missing, "example": example, "types": wrong}
        )
    )


main()
