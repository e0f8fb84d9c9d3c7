"""What is staged, brought to hashes and streams: in chunks, each one transaction with its mark.

The mark says how many rows of the run are there. It is watched, so a chunk is written by one, and
once: whoever comes after a crash goes on after it. What replaces others is made under keys of our
own, and takes their place in one more transaction.
"""

from __future__ import annotations

from pypods.connectors.errors import ConflictError
from pypods.connectors.names import short_hash
from pypods.connectors.text_forms import text_from_array

from .redis_notes import APPLIED
from .redis_reading import NOTHING, scan

CHUNK_ROWS = 1000
SWAPPED = b"swapped"


class _Writer:
    """Applies a run; ``_put`` writes rows, ``_swap`` lets the new ones take the old ones' place."""

    def __init__(self, staging, run, schema):
        self.staging = staging
        self.client = staging.session.client
        self.run = run
        self.schema = schema
        self.replaces = run.mode == "replace"
        folder = staging.store.key(staging.ledger.run_folder(run.run))
        self.mark = folder + APPLIED
        self.new = folder + "/new/"

    def apply(self):
        """Write what is not there yet."""
        noted = self.client.get(self.mark) or b"0"
        if noted == SWAPPED:
            return
        done, at = int(noted), 0
        for batch in self.staging.staged(self.run, self.schema):
            for start in range(0, batch.num_rows, CHUNK_ROWS):
                rows = batch.slice(start, CHUNK_ROWS)
                if at >= done:
                    self._write(rows, at)
                at += rows.num_rows
        if self.replaces:
            with self.client.pipeline() as pipe:
                self._watch(pipe, at)
                self._swap(pipe)
                pipe.set(self.mark, SWAPPED)
                pipe.execute()

    def _write(self, rows, at):
        columns = [
            text_from_array(column, field).to_pylist()
            for column, field in zip(rows.columns, self.schema)
        ]
        rows = list(zip(*columns))
        with self.client.pipeline() as pipe:
            self._watch(pipe, at)
            self._put(pipe, rows, at)
            pipe.set(self.mark, at + len(rows))
            pipe.execute()

    def _watch(self, pipe, at):
        pipe.watch(self.mark)
        if (pipe.get(self.mark) or b"0") != b"%d" % at:
            raise ConflictError(
                f"run {self.run.run!r} is applied by somebody else as well; prepare it again",
                retry=True,
            )

    def _fields(self, row):
        """Return a row's fields that have a value; one without a name where none has."""
        fields = {name: text for name, text in zip(self.schema.names, row) if text is not None}
        return fields or {NOTHING: ""}


class HashWriter(_Writer):
    """Rows as hashes, whose keys are the prefix and the key's columns, or a number."""

    def __init__(self, staging, run, schema):
        super().__init__(staging, run, schema)
        self.prefix = staging.stream.name[:-1]
        keyed = run.key if run.mode != "append" else []
        self.key_places = [schema.get_field_index(name) for name in keyed]
        self.written = set(run.source_schema.names)

    def _rest(self, row, number):
        if not self.key_places:
            return f"{short_hash(self.run.run)}-{number:010d}"
        parts = [row[place] for place in self.key_places]
        if len(parts) == 1:
            return parts[0]
        return ":".join(part.replace("%", "%25").replace(":", "%3A") for part in parts)

    def _put(self, pipe, rows, at):
        start = self.new if self.replaces else self.prefix
        keys = [start + self._rest(row, at + number) for number, row in enumerate(rows)]
        self._refuse_others(keys)
        pipe.multi()
        for key, row in zip(keys, rows):
            gone = [
                name
                for name, text in zip(self.schema.names, row)
                if text is None and name in self.written
            ]
            # First what is there, so that the hash is never without fields.
            pipe.hset(key, mapping=self._fields(row))
            if gone and self.run.mode == "upsert":
                pipe.hdel(key, *gone)

    def _refuse_others(self, keys):
        """Raise ConflictError for a key that is no hash: a transaction would not be undone."""
        with self.client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.type(key)
            for key, kind in zip(keys, pipe.execute()):
                if kind not in (b"none", b"hash"):
                    raise ConflictError(
                        f"the key {key!r} is a {kind.decode()} and no hash; remove it, and finish "
                        f"the run {self.run.run!r} again"
                    )

    def _swap(self, pipe):
        old = list(scan(self.client, self.prefix, "hash"))
        new = list(self.client.scan_iter(match=_literal(self.new) + "*", count=CHUNK_ROWS))
        pipe.multi()
        for key in old:
            pipe.unlink(key)
        cut, prefix = len(self.new.encode()), self.prefix.encode()
        for key in set(new):
            pipe.rename(key, prefix + key[cut:])


class StreamWriter(_Writer):
    """Rows as entries of a stream, in their order."""

    def _put(self, pipe, rows, at):
        pipe.multi()
        for row in rows:
            pipe.xadd(self.new if self.replaces else self.staging.stream.name, self._fields(row))

    def _swap(self, pipe):
        there = pipe.exists(self.new)
        pipe.multi()
        if there:
            pipe.rename(self.new, self.staging.stream.name)
        else:
            pipe.unlink(self.staging.stream.name)


def _literal(text):
    from .redis_reading import _GLOB

    return _GLOB.sub(r"\\\1", text)
