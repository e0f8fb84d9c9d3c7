"""Rows of a SELECT as Arrow batches, with ADBC and without; no catalog.

Before each batch of ADBC is in the types of the columns, ``sqlite_values`` has checked every value.
"""

from __future__ import annotations

from pypods.connectors.errors import DataError
from pypods.connectors.rows import batches_from_rows

from . import sqlite_types, sqlite_values

FETCHED_ROWS = 65536


def can_read_fast(schema) -> bool:
    """Whether ADBC can give every column: none is text made of numbers and texts."""
    return all(
        sqlite_types.keeps_one_kind(field) or sqlite_types.is_mixed_decimal(field)
        for field in schema
    )


def _selected(database, field) -> list[str]:
    """Return what is selected for a column: one item, or its REALs and its other values."""
    name = database.quote(field.name)
    if not sqlite_types.is_mixed_decimal(field):
        return [name]
    others = (
        f"case typeof({name}) when 'real' then '{sqlite_values.OF_REAL}' "
        f"when 'null' then '{sqlite_values.OF_NULL}' when 'blob' then 'blob' "
        f"else cast({name} as text) end"
    )
    return [f"case typeof({name}) when 'real' then {name} else 0.0 end", others]


def _kept_as(field) -> list[tuple[str, str]]:
    """Return the Arrow types that ADBC gives what is selected, and a value of each kind."""
    if sqlite_types.is_mixed_decimal(field):
        return [("double", "0.0"), ("string", "''")]
    return [_kind_of_values(field.type)]


def _kind_of_values(type_) -> tuple[str, str]:
    import pyarrow.types as is_

    if is_.is_integer(type_) or is_.is_boolean(type_):
        return "int64", "0"
    if is_.is_floating(type_):
        return "double", "0.0"
    if is_.is_decimal(type_):
        small = type_.precision <= sqlite_types.NUMERIC_DIGITS
        return ("double", "0.0") if small else ("string", "'0'")
    return ("binary", "x''") if is_.is_binary(type_) else ("string", "''")


def _guard(database, schema) -> str:
    """Return what is true of a row that ADBC would change: it makes text of whatever it gets."""
    import pyarrow.types as is_

    wrong = []
    for field in schema:
        # A date, a decimal or a UUID of another kind of value is none when it is read.
        if is_.is_string(field.type):
            kinds = "= 'blob'" if sqlite_types.turns_into_text(field) else "not in ('text', 'null')"
            wrong.append(f"typeof({database.quote(field.name)}) {kinds}")
    return " or ".join(wrong) or "0"


def read_with_adbc(session, statement, schema, batch_rows: int):
    """Yield batches. Raises DataError, with row and column, for what is none of a column's type.

    The types of the first rows may be others than the columns': of NULLs alone, say. Then the
    first row is one of ours, which has a value of each column's kind, and is left out again. That
    takes SQLite longer.
    """
    import adbc_driver_sqlite.dbapi as adbc
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(schema):
        return
    kinds = [kind for field in schema for kind in _kept_as(field)]
    text, values = statement.render("qmark", session.database.bind)
    items = [item for field in schema for item in _selected(session.database, field)]
    text = f"select {', '.join(items)}, {_guard(session.database, schema)} from ({text})"
    seen = 0
    with adbc.connect(session.uri) as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_options(
            **{"adbc.sqlite.query.batch_rows": str(min(batch_rows, FETCHED_ROWS))}
        )
        try:
            cursor.execute(text, values or None)
            reader = cursor.fetch_record_batch()
            ours = 0
            if [str(type_) for type_ in reader.schema.types][:-1] != [kind for kind, _ in kinds]:
                first, ours = ", ".join([*(value for _, value in kinds), "0"]), 1
                reader.close()
                cursor.execute(f"select {first} union all select * from ({text})", values or None)
                reader = cursor.fetch_record_batch()
            for batch in reader:
                batch, ours = batch.slice(ours), 0
                if not batch.num_rows:
                    continue
                if pc.max(batch.column(len(kinds))).as_py():
                    raise DataError("a value of another kind")  # The slow way says which one.
                yield pa.record_batch(_declared(batch, schema, seen), schema=schema)
                seen += batch.num_rows
        except (DataError, OSError, adbc.Error) as exc:
            problem = exc
        else:
            return
    if "Type mismatch" not in str(problem) and not isinstance(problem, DataError):
        raise problem
    # A value of another kind than its column's: the slow way says which one, or takes it.
    for batch in read_with_sqlite3(session, statement, schema, batch_rows):
        if seen >= batch.num_rows:
            seen -= batch.num_rows
            continue
        yield batch.slice(seen)
        seen = 0


def _declared(batch, schema, first_row: int):
    """Return the columns of a batch in their declared types."""
    given = iter(batch.columns)
    return [
        sqlite_values.mixed_decimals(next(given), next(given), field, first_row)
        if sqlite_types.is_mixed_decimal(field)
        else sqlite_values.to_declared(next(given), field, first_row)
        for field in schema
    ]


def read_with_sqlite3(session, statement, schema, batch_rows: int):
    """Yield batches, value by value."""
    cursor = session.execute(statement)
    try:
        if not len(schema):
            return

        def fetch(count: int):
            rows = cursor.fetchmany(count)
            return [
                tuple(sqlite_values.to_python(value, field) for value, field in zip(row, schema))
                for row in rows
            ]

        yield from batches_from_rows(fetch, schema, batch_rows=batch_rows)
    finally:
        cursor.close()
