"""Batches into a table: with LOAD DATA LOCAL from memory, else with INSERTs of many rows.

LOCAL makes the server pass over what it otherwise refuses: it cuts values, leaves rows out, and
warns. So each warning is an error here, and the rows are counted.
"""

from __future__ import annotations

from functools import partial

from pymysql.converters import escape_string

from pypods.connectors.batches import misfit, refuse_finer
from pypods.connectors.errors import DataError
from pypods.connectors.tab_lines import tab_lines
from pypods.connectors.text_forms import text_from_array
from pypods.connectors.types import kind_of

from . import mysql_types
from .mysql_errors import error_for_code
from .mysql_sessions import MemoryFile

#: Of an INSERT, in characters; a server takes no less than this.
MAX_STATEMENT = 2**20


def make_writer(session, parts, schema):
    """Return a function that inserts a batch, in the transaction under way."""
    table = session.database.table(parts)
    names = [session.database.quote(name) for name in schema.names]
    forms = [_form(field) for field in schema]
    if session.settings["local_infile"] and may_load(session):
        return partial(_load, session, table, names, forms, schema)
    return partial(_insert, session, table, names, forms, schema)


def may_load(session) -> bool:
    """Whether the server takes LOAD DATA LOCAL."""
    ((allowed,),) = session.rows("select @@local_infile")
    return bool(allowed)


def _form(field) -> str:
    """Return the expression that makes the column's value of a text, which is ``{}`` in it."""
    import pyarrow.types as is_

    base = mysql_types.base_of(mysql_types.sql_type_of(field))
    if base == "uuid":
        return "{}"
    if base in mysql_types.GEOMETRIES:
        return "st_geomfromwkb(unhex({}))"
    if base == "bit":
        return "cast({} as unsigned)"
    return "unhex({})" if _is_binary(field, is_) else "{}"


def _is_binary(field, is_) -> bool:
    return is_.is_binary(field.type) or is_.is_fixed_size_binary(field.type)


def _texts(column, field):
    """Return a column as texts that its form reads. Raises DataError."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as is_

    if is_.is_boolean(field.type):
        return column.cast(pa.int8()).cast(pa.utf8())
    if is_.is_floating(field.type):
        at = pc.index(pc.is_finite(column), False).as_py()
        if at >= 0:
            raise misfit(column, at, field, 0)
        # Of a FLOAT all digits of what it is: the server reads it as a DOUBLE first.
        return column.cast(pa.float64()).cast(pa.utf8())
    refuse_finer(column, field, mysql_types.rounds_to(field))
    if is_.is_timestamp(field.type):
        return column.cast(pa.timestamp("us")).cast(pa.utf8())
    native = mysql_types.base_of(mysql_types.sql_type_of(field)) == "uuid"
    if _is_binary(field, is_) and not native:
        column = column.cast(pa.binary())
        field = field.with_type(pa.binary()).remove_metadata()
    return text_from_array(column, field, binary="hex")


def _columns(batch, schema):
    return [_texts(column, field) for column, field in zip(batch.columns, schema)]


def _load(session, table: str, names, forms, schema, batch) -> None:
    import pyarrow.types as is_

    plain = [at for at, field in enumerate(schema)
             if not is_.is_string(field.type) or kind_of(field) == "uuid"]  # fmt: skip
    targets = [name if form == "{}" else f"@v{at}" for at, (name, form) in
               enumerate(zip(names, forms))]  # fmt: skip
    made = [f"{name} = {form.format(f'@v{at}')}" for at, (name, form) in
            enumerate(zip(names, forms)) if form != "{}"]  # fmt: skip
    with MemoryFile(tab_lines(_columns(batch, schema), plain=plain)) as file:
        loaded = session.run(
            f"load data local infile '{file.name}' into table {table} character set utf8mb4 "
            f"fields terminated by '\\t' escaped by '\\\\' lines terminated by '\\n' "
            f"({', '.join(targets)})" + (f" set {', '.join(made)}" if made else "")
        )
    for _, code, text in session.rows("show warnings"):
        raise as_data_error(code, text)
    if loaded != batch.num_rows:
        raise DataError(f"MySQL took {loaded} of {batch.num_rows} rows, and did not say why")


def as_data_error(code: int, text: str) -> DataError:
    """Return the error for a row that LOAD DATA warns of."""
    error = error_for_code(code, text)
    if isinstance(error, DataError):
        return error
    from .mysql_errors import data_error

    return data_error(str(error), text)


def _insert(session, table: str, names, forms, schema, batch) -> None:
    head = f"insert into {table} ({', '.join(names)}) values "
    columns = []
    for column, form in zip(_columns(batch, schema), forms):
        null = form.format("null")
        columns.append(
            [null if each is None else form.format(f"'{escape_string(each)}'")
             for each in column.to_pylist()]
        )  # fmt: skip
    rows = ["(" + ",".join(row) + ")" for row in zip(*columns)]
    first, size = 0, 0
    for at, row in enumerate(rows):
        if at > first and size + len(row) > MAX_STATEMENT:
            _run(session, head, rows, first, at)
            first, size = at, 0
        size += len(row) + 1
    if rows:
        _run(session, head, rows, first, len(rows))


def _run(session, head: str, rows, first: int, end: int) -> None:
    try:
        session.run(head + ",".join(rows[first:end]))
    except Exception as exc:
        error = session.translate(exc)
        if isinstance(error, DataError) and error.position is not None:
            error.position += first
            raise error from None
        raise
