"""Rows into tables, as parts of statements that are not too long; no catalog.

Where the server can take a text apart, a statement has its rows as one text: a long list of VALUES
takes a parser in Java far longer. Fields are between two characters, rows between two others, an
empty field is NULL, and a text begins with a plus.
"""

from __future__ import annotations

from .impala_types import base_of, sql_type_of, storage_of
from .impala_values import from_text, text_literal, written_texts

#: A server keeps the texts of many statements, and writes them to its log.
MAX_STATEMENT_BYTES = 2**20
FIELD_END, ROW_END = "\x01", "\x02"
_MAY_BE_EMPTY = ("string", "varchar", "char", "binary")


def make_writer(session, parts, schema):
    """Return a function that inserts a batch of all columns of a table, in their order."""
    table = session.database.table(parts)

    def insert(batch) -> None:
        texts = [
            written_texts(column, field, session.dialect)
            for column, field in zip(batch.columns, schema)
        ]
        make = _split_statements if session.dialect.splits else _values_statements
        for statement in make(table, schema, texts, session.dialect):
            session.run(statement)

    return insert


def _in_pieces(rows, sizes, most: int):
    """Yield lists of rows that together are not larger, unless a single one is."""
    some: list = []
    size = 0
    for row, bytes_ in zip(rows, sizes):
        if some and size + bytes_ > most:
            yield some
            some, size = [], 0
        some.append(row)
        size += bytes_
    if some:
        yield some


def _split_statements(table: str, schema, texts, dialect):
    import pyarrow as pa
    import pyarrow.compute as pc

    columns, items = [], []
    for at, (column, field) in enumerate(zip(texts, schema)):
        expression = f"nullif(r[{at}], '')"
        if base_of(sql_type_of(field) or storage_of(field)) in _MAY_BE_EMPTY:
            if pc.any(pc.match_substring_regex(column, f"[{FIELD_END}{ROW_END}]")).as_py():
                hexadecimal = [
                    None if each is None else each.encode().hex() for each in column.to_pylist()
                ]
                column = pa.array(hexadecimal, pa.utf8())
                expression = f"decode(unhex(substr({expression}, 2)), 'UTF-8')"
            else:
                expression = f"substr({expression}, 2)"
            column = pc.binary_join_element_wise("+", column, "")
        columns.append(pc.fill_null(column, ""))
        items.append(from_text(expression, field, dialect))
    lines = pc.binary_join_element_wise(*columns, FIELD_END) if len(columns) > 1 else columns[0]
    sizes = pc.binary_length(lines).to_pylist()
    for some in _in_pieces(lines.to_pylist(), sizes, MAX_STATEMENT_BYTES):
        yield (
            f"insert into table {table} select {', '.join(items)} from ("
            f"select split(l, '\\u0001') as r from ("
            f"select explode(split({text_literal(ROW_END.join(some))}, '\\u0002')) as l"
            f") as a) as b"
        )


def _values_statements(table: str, schema, texts, dialect):
    rows = [
        "("
        + ", ".join(
            from_text("null" if text is None else text_literal(text), field, dialect)
            for text, field in zip(row, schema)
        )
        + ")"
        for row in zip(*(column.to_pylist() for column in texts))
    ]
    for some in _in_pieces(rows, map(len, rows), MAX_STATEMENT_BYTES):
        yield f"insert into table {table} values {', '.join(some)}"


def log_statement(table: str, rows, dialect) -> str:
    """Return the INSERT of rows of texts and numbers, which all are there or none."""
    listed = ", ".join(
        "("
        + ", ".join(text_literal(each) if isinstance(each, str) else f"{each:d}" for each in row)
        + ")"
        for row in rows
    )
    if not dialect.in_one_file or len(rows) == 1:
        return f"insert into table {table} values {listed}"
    return f"insert into table {table} select {dialect.in_one_file}* from values {listed}"
