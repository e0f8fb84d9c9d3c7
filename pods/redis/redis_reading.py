"""Rows of hashes and of streams' entries.

Hashes are found by SCAN: one that is there from beginning to end is read, and once; one that comes
or goes meanwhile may be among them or not. A stream's entries are read in the order of their ids.
"""

from __future__ import annotations

import re

import pyarrow as pa

from pypods.connectors.errors import DataError
from pypods.connectors.names import only_columns
from pypods.connectors.text_forms import array_from_text

from .redis_notes import OURS

SCAN_COUNT = 1000
READ_ROWS = 500
#: A field without a name, of a hash or an entry that has no values.
NOTHING = b""
_GLOB = re.compile(r"([\\\[\]?*^])")
_ID = re.compile(r"(\d{1,20})-(\d{1,20})")


def scan(client, prefix, kind):
    """Yield the keys of that type with that prefix, each once, and none of ours."""
    seen = set()
    pattern = _GLOB.sub(r"\\\1", prefix) + "*"
    for key in client.scan_iter(match=pattern, count=SCAN_COUNT, _type=kind):
        if key not in seen and not key.startswith(OURS.encode()):
            seen.add(key)
            yield key


def is_there(client, stream, hashes):
    """Whether there is a hash of that prefix, or the stream."""
    if stream.kind != hashes:
        return client.type(stream.name) == b"stream"
    return next(scan(client, stream.name[:-1], "hash"), None) is not None


def field_names(client, stream, hashes):
    """Return the names of all fields that any hash or entry has."""
    names = {}
    if stream.kind != hashes:
        for _, fields in _entries(client, stream.name, (0, 0)):
            names.update(dict.fromkeys(fields))
    else:
        for keys in _groups(scan(client, stream.name[:-1], "hash")):
            with client.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.hkeys(key)
                for fields in pipe.execute():
                    names.update(dict.fromkeys(fields))
    names.pop(NOTHING, None)
    return sorted(_decoded(name, stream.name, "a field's name", 0) for name in names)


# --- hashes -------------------------------------------------------------------------------------


def read_hashes(client, key_column, found, asked):
    """Return batches of the rows, and whether they are in the order that is wanted."""
    prefix = found.stream.name[:-1]
    return _hashes(client, prefix, key_column, found, asked), False


def _hashes(client, prefix, key_column, found, asked):
    cut, first = len(prefix.encode()), 0
    for keys in _groups(scan(client, prefix, "hash")):
        with client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hgetall(key)
            # An empty one has gone since its key was seen.
            rows = [(key[cut:], fields) for key, fields in zip(keys, pipe.execute()) if fields]
        yield _batch(rows, key_column, found, asked.columns, first)
        first += len(rows)


def _groups(keys):
    group = []
    for key in keys:
        group.append(key)
        if len(group) == READ_ROWS:
            yield group
            group = []
    if group:
        yield group


# --- streams ------------------------------------------------------------------------------------


def read_stream(client, key_column, found, asked):
    """Return batches of the entries, and whether they are in the order that is wanted."""
    order, chosen = asked.order, asked.chosen
    has_id = found.key == [key_column]
    start = (0, 0)
    if has_id:
        texts = [
            value.as_py()
            for name, operator, value in chosen.conditions
            if name == key_column and operator in (">", ">=", "=")
        ]
        if asked.after is not None and order[0] == key_column:
            texts.append(asked.after[0].as_py())
        start = max([start, *filter(None, map(_parsed_id, texts))])
    in_order = not order or (has_id and order[0] == key_column)
    return _stream(client, key_column, found, asked, start), in_order


def _parsed_id(text):
    """Return the two numbers of an id, None of what is none."""
    match = _ID.fullmatch(text or "")
    return (int(match[1]), int(match[2])) if match else None


def shown_id(entry):
    """Return an id as a text that sorts as ids do."""
    milliseconds, _, number = entry.partition(b"-")
    return b"%020d-%020d" % (int(milliseconds), int(number))


def _stream(client, key_column, found, asked, start):
    rows, first = [], 0
    for entry, fields in _entries(client, found.stream.name, start):
        rows.append((shown_id(entry), fields))
        if len(rows) == READ_ROWS:
            yield _batch(rows, key_column, found, asked.columns, first)
            first += len(rows)
            rows = []
    yield _batch(rows, key_column, found, asked.columns, first)


def _entries(client, name, start):
    while True:
        entries = client.xrange(name, min=f"{start[0]}-{start[1]}", count=SCAN_COUNT)
        for entry, fields in entries:
            yield entry, fields or {}
        if len(entries) < SCAN_COUNT:
            return
        milliseconds, _, number = entries[-1][0].partition(b"-")
        start = (int(milliseconds), int(number) + 1)


# --- values -------------------------------------------------------------------------------------


def _batch(rows, key_column, found, columns, first):
    """Return a batch of the rows, each its key and its fields."""
    schema = only_columns(found.schema, columns)
    arrays = []
    for field in schema:
        name = field.name.encode()
        texts = []
        for at, (key, fields) in enumerate(rows):
            value = fields.get(name)
            if value is None and field.name == key_column:
                value = key
            if value is None and not field.nullable:
                raise DataError(
                    f"row {first + at} (from 0) of {found.stream.name}, {key!r}: column "
                    f"{field.name!r} has no value, and is declared not null",
                    position=first + at,
                    column=field.name,
                )
            texts.append(_decoded(value, found.stream.name, field.name, first + at))
        arrays.append(array_from_text(pa.array(texts, pa.utf8()), field, first_row=first))
    if not arrays:
        return pa.record_batch([pa.nulls(len(rows))], names=["rows"]).select([])
    return pa.record_batch(arrays, schema=schema)


def _decoded(value, stream, column, row):
    try:
        return None if value is None else value.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(
            f"row {row} (from 0) of {stream}, column {column!r}: {value[:40]!r} is no UTF-8",
            position=row,
            column=column,
        ) from None
