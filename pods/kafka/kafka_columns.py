"""The columns of messages: what a message itself has, and the fields of its value."""

from __future__ import annotations

import pyarrow as pa

from pypods.connectors.errors import DataError
from pypods.connectors.names import only_columns
from pypods.connectors.records.json_columns import batch_of_records
from pypods.connectors.records.json_text import parse_json
from pypods.connectors.types import with_kind

JSON, TEXT, BINARY = "json", "text", "binary"
FORMATS = (JSON, TEXT, BINARY)
HEADERS = pa.list_(
    pa.field("item", pa.struct([pa.field("name", pa.utf8()), pa.field("value", pa.binary())]))
)
OFFSET_DIGITS = 19


class Columns:
    """What columns of a topic are called, by its settings."""

    def __init__(self, settings):
        self.format = settings["format"]
        # Fields of a JSON value may be called anything.
        prefix = settings["prefix"] if self.format == JSON else ""
        self.key, self.headers, self.partition, self.offset, self.timestamp, self.offsets = (
            prefix + name
            for name in ("key", "headers", "partition", "offset", "timestamp", "offsets")
        )

    @property
    def text(self):
        """The type of keys, and of values that are no JSON."""
        return pa.binary() if self.format == BINARY else pa.utf8()

    def message_fields(self):
        """Return the fields that a message has beside its value."""
        return [
            pa.field(self.partition, pa.int32(), nullable=False),
            pa.field(self.offset, pa.int64(), nullable=False),
            pa.field(self.timestamp, pa.timestamp("us", "UTC")),
            pa.field(self.key, self.text),
            pa.field(self.headers, HEADERS),
            pa.field(self.offsets, pa.utf8(), nullable=False),
        ]

    def writable(self):
        """Return the fields that are no part of the value, and can be written."""
        return {
            field.name: field
            for field in self.message_fields()
            if field.name in (self.key, self.headers, self.timestamp)
        }

    def value_fields(self):
        """Return the fields of a value that nobody knows more of."""
        field = pa.field("value", self.text)
        return [with_kind(field, "json") if self.format == JSON else field]

    def batch(self, topic, messages, schema, columns, first, vectors):
        """Return a batch of messages; ``vectors`` are their ``offsets``, if they are asked for."""
        schema = only_columns(schema, columns)
        own = {field.name: field for field in self.message_fields()}
        fields = [field for field in schema if field.name not in own]
        arrays = {}
        if fields and self.format == JSON:
            objects = [_object(topic, message) for message in messages]
            if [field.name for field in fields] == ["value"] and fields == self.value_fields():
                objects = [{"value": each} for each in objects]
            else:
                objects = [{} if each is None else each for each in objects]
            parsed = batch_of_records(objects, pa.schema(fields), {}, first_row=first)
            arrays.update(zip(parsed.schema.names, parsed.columns))
        elif fields:
            values = [self._text(topic, message, message.value()) for message in messages]
            arrays["value"] = pa.array(values, self.text)
        for field in schema:
            if field.name in own:
                values = self._own(topic, messages, field.name, vectors)
                arrays[field.name] = pa.array(values, field.type)
        if not len(schema):
            return pa.record_batch([pa.nulls(len(messages))], names=["rows"]).select([])
        return pa.record_batch([arrays[name] for name in schema.names], schema=schema)

    def _own(self, topic, messages, name, vectors):
        if name == self.partition:
            return [message.partition() for message in messages]
        if name == self.offset:
            return [message.offset() for message in messages]
        if name == self.offsets:
            return vectors
        if name == self.key:
            return [self._text(topic, message, message.key()) for message in messages]
        if name == self.timestamp:
            times = [message.timestamp()[1] for message in messages]
            return [None if each < 0 else each * 1000 for each in times]
        return [
            [{"name": header, "value": value} for header, value in message.headers() or ()]
            for message in messages
        ]

    def _text(self, topic, message, raw):
        if raw is None or self.format == BINARY:
            return raw
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise DataError(
                f"{_place(topic, message)}: {raw[:40]!r} is no UTF-8; read it with the setting "
                f"'format' binary",
                position=message.offset(),
            ) from None


def _place(topic, message):
    return f"offset {message.offset()} of partition {message.partition()} of {topic}"


def _object(topic, message):
    """Return what a JSON value says; None without one."""
    raw = message.value()
    return None if raw is None else parse_json(raw, _place(topic, message))


def vector_text(positions):
    """Return the next offset of each partition as a text that grows with them."""
    return "/".join(f"{positions[each]:0{OFFSET_DIGITS}d}" for each in sorted(positions))


def vector_of(text):
    """Return the next offset of each partition. Raises DataError."""
    parts = text.split("/")
    if not all(part.isdigit() and len(part) == OFFSET_DIGITS for part in parts):
        raise DataError(f"{text!r} are no offsets of a topic's partitions")
    return dict(enumerate(map(int, parts)))
