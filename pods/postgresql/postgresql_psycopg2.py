"""PostgreSQL over psycopg2, also an old one: rows as the texts that the server writes and reads."""

from __future__ import annotations

import io
from functools import partial

import psycopg2
import psycopg2.extensions

from pypods.connectors.batches import refuse_finer
from pypods.connectors.errors import ConnectorError, DataError
from pypods.connectors.sql.statement import Statement
from pypods.connectors.tab_lines import tab_lines
from pypods.connectors.text_forms import array_from_text, text_from_array
from pypods.connectors.text_rows import batches_from_texts
from pypods.connectors.types import kind_of

from . import postgresql_types
from .postgresql_database import PostgresqlDatabase, error_for
from .postgresql_sessions import PostgresqlSession
from .postgresql_settings import libpq_parameters

_CURSOR = "pypods_rows"
#: Whatever the driver would make of a value, it stays the text that it came as.
_TEXT = psycopg2.extensions.new_type(
    tuple(psycopg2.extensions.string_types), "PYPODS_TEXT", lambda value, _: value
)
_TEXTS = psycopg2.extensions.new_array_type((), "PYPODS_TEXTS", _TEXT)


class Psycopg2Session(PostgresqlSession):
    """A session over psycopg2, which begins no transactions of its own."""

    def __init__(self, settings, database) -> None:
        self.dsn = psycopg2.extensions.make_dsn(**libpq_parameters(settings))
        super().__init__(self.connect(), database)

    def connect(self):
        """Return one more connection."""
        connection = psycopg2.connect(self.dsn)
        connection.autocommit = True
        return connection


class Psycopg2Database(PostgresqlDatabase):
    """PostgreSQL, with psycopg2: a cursor of the server's to read, COPY to write."""

    style = "format"

    def driver(self) -> str:
        """Return the driver and its version."""
        return f"psycopg2 {psycopg2.__version__.split()[0]}"

    def open(self, settings, *, writing: bool = False):
        """Return a session."""
        return Psycopg2Session(settings, self)

    def translate(self, error: Exception) -> ConnectorError | None:
        """Return the contract's error for one of psycopg2's."""
        text = " ".join(str(error).split())
        if isinstance(error, ValueError) and "NUL" in text:
            return DataError(f"PostgreSQL: {text}")
        if not isinstance(error, psycopg2.Error):
            return None
        return error_for(error.pgcode or "", text)

    def result_columns(self, session, text: str):
        """Return name, type's number and modifier of a statement's columns."""
        with session.connection.cursor() as cursor:
            cursor.execute(text)
            return [
                (each.name, each.type_code, _modifier(each.precision, each.scale))
                for each in cursor.description
            ]

    def batches(self, session, statement, schema, batch_rows: int):
        """Yield the rows of a SELECT as batches, from a cursor of the server's."""
        partition = self._partition.pop(id(session), {})
        session.run("begin isolation level repeatable read read only")
        if partition.get("snapshot"):
            session.run(f"set transaction snapshot '{partition['snapshot']}'")
        session.run(Statement(f"declare {_CURSOR} no scroll cursor for ", statement))
        return batches_from_texts(partial(_fetch, session), schema, _ready, batch_rows=batch_rows)

    def hold_snapshot(self, session):
        """Return a connection that holds a snapshot, and the snapshot's name."""
        holder = session.connect()
        try:
            with holder.cursor() as cursor:
                cursor.execute("begin isolation level repeatable read read only")
                cursor.execute("select pg_export_snapshot()")
                return holder, cursor.fetchone()[0]
        except BaseException:
            holder.close()
            raise

    def writer(self, session, staging, schema):
        """Return a function that appends a batch, by COPY."""
        session.do_not_wait_for_the_disk()
        names = ", ".join(map(self.quote, schema.names))
        text = f"copy {self.table(staging)} ({names}) from stdin"
        plain = [at for at, field in enumerate(schema) if _is_plain(field.type)]

        def copy(batch) -> None:
            columns = [_texts(column, field) for column, field in zip(batch.columns, schema)]
            with session.connection.cursor() as cursor:
                cursor.copy_expert(text, io.BytesIO(tab_lines(columns, plain=plain)))

        return copy


def _modifier(precision, scale) -> int:
    """Return what PostgreSQL keeps of a NUMERIC's precision and scale; -1: it has none."""
    return -1 if precision is None else ((precision << 16) | (scale & 0x7FF)) + 4


# --- reading ------------------------------------------------------------------------------------


def _fetch(session, count: int):
    with session.connection.cursor() as cursor:
        psycopg2.extensions.register_type(_TEXT, cursor)
        cursor.execute(f"fetch forward {count:d} from {_CURSOR}")
        return cursor.fetchall()


def _ready(column, field):
    """Return a column of PostgreSQL's texts as ``text_forms`` reads it, or as it is to be."""
    import pyarrow as pa
    import pyarrow.compute as pc

    type_ = field.type
    if pa.types.is_boolean(type_):
        return pc.equal(column, "t")
    if pa.types.is_list(type_):
        return _lists(column, field)
    if pa.types.is_timestamp(type_) and type_.tz:
        return pc.replace_substring_regex(column, r"\+00$", "Z")
    if pa.types.is_binary(type_):
        return pa.array([_bytes(each) for each in column.to_pylist()], pa.binary())
    return column


def _bytes(text):
    return None if text is None else bytes.fromhex(text[2:])


def _lists(column, field):
    """Return the lists of a column of arrays. Raises DataError."""
    import pyarrow as pa

    found = []
    for text in column.to_pylist():
        values = None if text is None else _TEXTS(text, None) if text[0] == "{" else [[]]
        if values and any(isinstance(each, list) for each in values):
            raise DataError(
                f"column {field.name!r}: {text} is an array of more than one dimension, or one "
                f"that does not begin with 1; read it as text with a query",
                column=field.name,
            )
        found.append(values)
    texts = pa.array(found, pa.list_(pa.utf8()))
    inner = field.type.value_field.with_name(field.name)
    items = _ready(texts.values, inner)
    if items.type != inner.type:
        try:
            items = array_from_text(items, inner)
        except DataError:
            raise DataError(
                f"column {field.name!r} has an array with a value that is no {inner.type}",
                column=field.name,
            ) from None
    return pa.Array.from_buffers(field.type, len(texts), texts.buffers()[:2], children=[items])


# --- writing ------------------------------------------------------------------------------------


def _is_plain(type_) -> bool:
    """Whether nothing is to be escaped in texts of these values."""
    import pyarrow.types as is_

    return bool(is_.is_integer(type_) or is_.is_decimal(type_) or is_.is_temporal(type_))


def _texts(column, field):
    """Return a column as texts that PostgreSQL reads. Raises DataError."""
    import pyarrow as pa
    import pyarrow.compute as pc

    refuse_finer(column, field, postgresql_types.rounds_to(field))
    if pa.types.is_list(field.type):
        return _arrays(column, _texts(column.flatten(), field.type.value_field).to_pylist())
    is_bytes = pa.types.is_binary(field.type) or pa.types.is_fixed_size_binary(field.type)
    texts = text_from_array(column, field, binary="hex")
    if is_bytes and kind_of(field) != "uuid":
        return pc.binary_join_element_wise("\\x", texts, "")
    return texts


def _arrays(column, items):
    """Return PostgreSQL's own texts for a column of lists, ``items`` being the texts of all."""
    import pyarrow as pa
    import pyarrow.compute as pc

    arrays, first = [], 0
    for length in pc.list_value_length(column).to_pylist():
        end = first + (length or 0)
        shown = ",".join(map(_item, items[first:end]))
        arrays.append(None if length is None else "{" + shown + "}")
        first = end
    return pa.array(arrays, pa.utf8())


def _item(text) -> str:
    if text is None:
        return "NULL"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
