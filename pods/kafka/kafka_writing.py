"""Batches into a topic: each one transaction, in which its checkpoint is as well.

Rows are in the topic once their transaction is committed, and cannot be taken back; so whatever
checkpoint there is counts, of whichever attempt. An earlier attempt's writer of the same part is
fenced by the transactions' name, which is the part's.
"""

from __future__ import annotations

import json

from confluent_kafka import KafkaException

from pypods.connectors.errors import ConflictError
from pypods.connectors.files.ledger import STAGING, FileLedger, PartWriter
from pypods.connectors.json_values import dump_values
from pypods.connectors.names import short_hash
from pypods.connectors.records.json_text import dump_json
from pypods.connectors.records.json_writing import records_of_batch
from pypods.connectors.stores.staging import StoreStaging
from pypods.connectors.text_forms import text_from_array

from .kafka_columns import JSON, Columns

FULL_SECONDS = 0.1


class KafkaLedger(FileLedger):
    """Runs and checkpoints, of which every one counts."""

    def parts(self, run):
        """Return how far each part has come, by whichever attempt."""
        parts = dict(run.base)
        folder = self.run_folder(run.run)
        with self.store.caught_up():
            names = [name for name in self.store.names(folder) if name.endswith(".json")]
            texts = [self.store.read_text(f"{folder}/{name}") for name in names]
        for document in map(json.loads, texts):
            part = document.pop("part")
            if document["batches"] > parts.get(part, {"batches": 0})["batches"]:
                parts[part] = document
        return dict(sorted(parts.items()))

    def runs(self):
        """Return all runs, in the order in which they were finished."""
        with self.store.caught_up():
            return super().runs()

    def _remove_unused(self, run):
        """Keep them: a writer that was thought dead may have written one just now."""


class KafkaStaging(StoreStaging):
    """The steps of writing one topic; what is written is to be seen at once."""

    def __init__(self, source):
        super().__init__(source)
        self.ledger = KafkaLedger(self.store, self.stream.name)

    def prepare(self, schema, *, mode, key, run, drift, exists):
        prepared = super().prepare(schema, mode=mode, key=key, run=run, drift=drift, exists=exists)
        self.session.make_topic(self.stream.name)
        return prepared

    def part_writer(self, found, part):
        return KafkaPartWriter(self, found, part)

    def abandon(self, *, run):
        found = self.ledger.find(run)
        if found is not None and found.state == STAGING:
            rows = sum(part["rows"] for part in self.ledger.parts(found).values())
            if rows:
                raise ConflictError(
                    f"run {run!r} has {rows} rows in the topic {self.shown}, which cannot be taken "
                    f"back; go on with it, or leave them and begin another run"
                )
        super().abandon(run=run)

    def _check_count(self, found, rows):
        noted = sum(part["rows"] for part in found.base.values())
        if rows is not None and noted != rows:
            raise ConflictError(
                f"run {found.run!r} of {self.shown} has {noted} rows, and there must be {rows}; "
                f"prepare the run again and go on where it says"
            )
        return noted


class KafkaPartWriter(PartWriter):
    """Writes batches of one part."""

    def __init__(self, staging, run, part):
        self.staging = staging
        self.topic = staging.stream.name
        self.columns = Columns(staging.settings)
        self.is_transactional = staging.settings["transactions"]
        self.session = staging.session
        if self.is_transactional:
            name = f"pypods-{short_hash(self.topic, run.run, part)}"
            self.producer = self.session.transactional_producer(name)
        else:
            self.producer = self.session.producer()
        super().__init__(staging.ledger, run, part)
        told = run.base.get(part, {"batches": 0})["batches"]
        if self.known is None and self.done["batches"] != told:
            raise ConflictError(
                f"an earlier attempt of run {run.run!r} has written more of part {part!r} since "
                f"it was prepared; prepare it again and go on where it says",
                retry=True,
            )

    def add(self, batch, *, size, bad, bad_files, position):
        """Write a batch, which may be empty, and its checkpoint, in one transaction."""
        with self.ledger.store.caught_up():
            self.ledger.take_over(self.run, None)
            self.check()
        done = dict(self.done)
        done["batches"] += 1
        done["rows"] += batch.num_rows
        done["bytes"] += size
        done["bad"] += bad
        done["bad_files"] = [*done["bad_files"], *bad_files]
        done["position"] = dump_values(position)
        done["writer"] = self.writer
        text = json.dumps(dict(done, part=self.part))
        messages = self._messages(batch)
        if self.is_transactional:
            self._transaction(messages, text)
        else:
            self._produce(messages)
            self.session.flush(self.producer)
            self.ledger.store.write_text(self.path, text)
        self.done, self.known = done, text

    def _transaction(self, messages, text):
        self.producer.begin_transaction()
        try:
            self._produce(messages)
            self.ledger.store.put(self.producer, self.path, text.encode())
            self.producer.commit_transaction(self.session.timeout)
        except KafkaException as exc:
            if exc.args[0].txn_requires_abort():
                self.producer.abort_transaction(self.session.timeout)
            raise

    def _produce(self, messages):
        delivered = self.session.delivered
        for message in messages:
            while True:
                try:
                    self.producer.produce(self.topic, on_delivery=delivered, **message)
                    break
                except BufferError:  # The queue is full; what was sent makes room.
                    self.producer.poll(FULL_SECONDS)

    def _messages(self, batch):
        """Return the arguments of ``produce`` for each row."""
        names, columns = self.columns, dict(zip(batch.schema.names, batch.columns))
        messages = [{"value": value} for value in self._values(batch)]
        keys = self._keys(batch, columns)
        if keys is not None:
            for message, key in zip(messages, keys):
                message["key"] = key
        if names.headers in columns:
            for message, headers in zip(messages, columns[names.headers].to_pylist()):
                message["headers"] = [(each["name"], each["value"]) for each in headers or ()]
        if names.timestamp in columns:
            times = columns[names.timestamp].cast("int64").to_pylist()
            for message, time in zip(messages, times):
                message["timestamp"] = 0 if time is None else time // 1000
        return messages

    def _values(self, batch):
        if self.columns.format != JSON:
            return batch.column("value").to_pylist()
        kept = [name for name in batch.schema.names if name not in self.columns.writable()]
        if kept == ["value"] and batch.schema.field("value") == self.columns.value_fields()[0]:
            return batch.column("value").to_pylist()
        records = records_of_batch(batch.select(kept), {})
        return [dump_json(record).encode() for record in records]

    def _keys(self, batch, columns):
        """Return the messages' keys, by the setting or by their column; None without any."""
        names = self.staging.format.key_names(self.staging.settings)
        if not names:
            return columns[self.columns.key].to_pylist() if self.columns.key in columns else None
        texts = [
            text_from_array(columns[name], batch.schema.field(name)).to_pylist() for name in names
        ]
        if len(texts) == 1:
            return texts[0]
        return [json.dumps(row) for row in zip(*texts)]
