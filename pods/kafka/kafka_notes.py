"""What Kafka keeps for us: a compacted topic, whose keys are paths.

The last message of a key counts; one without a value removes it. All is in the topic's first
partition, so it has one order.
"""

from __future__ import annotations

import time
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from pypods.connectors.errors import UnreachableError
from pypods.connectors.stores.notes import Notes

NOTES = "notes"
POLL_SECONDS = 0.02
POLL_MESSAGES = 1000


def consume(consumer, count):
    """Return messages, of which there are so many at the most: for more of them, it would wait."""
    return consumer.consume(max(min(count, POLL_MESSAGES), 1), POLL_SECONDS)


def messages_until(consumer, partition, position, end, timeout):
    """Yield a partition's messages in lists, from where the consumer is up to an offset.

    Ends before it where an open transaction keeps back what comes after. Raises UnreachableError
    where nothing comes.
    """
    patience = time.monotonic() + timeout
    while True:
        messages, is_over = [], False
        for message in consume(consumer, end - position):
            error = message.error()
            if error is None:
                position = message.offset() + 1
                is_over = is_over or message.offset() >= end - 1
                if message.offset() < end:
                    messages.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                is_over = True
            else:
                raise KafkaException(error)
        if messages:
            patience = time.monotonic() + timeout
            yield messages
        if is_over:
            return
        if time.monotonic() > patience:
            raise UnreachableError(
                f"partition {partition} has sent nothing for {timeout:g} s", retry=True
            )


class KafkaNotes(Notes):
    """Notes in a compacted topic; what is produced in a transaction is there once it commits."""

    def __init__(self, session, topic):
        self.session = session
        self.topic = topic
        self._consumer = None
        self._known = {}
        self._position = 0
        self._is_held = False

    @contextmanager
    def caught_up(self):
        """Look once what was written since; in the block it is not looked again."""
        self._catch_up()
        before, self._is_held = self._is_held, True
        try:
            yield
        finally:
            self._is_held = before

    def read(self, path):
        self._catch_up()
        return self._known.get(path)

    def write(self, path, content):
        self.put(self.session.note_producer(), path, content)
        self.session.flush(self.session.note_producer())

    def put(self, producer, path, content):
        """Produce a note; the producer's transaction, or its flush, brings it there."""
        self._make()
        producer.produce(
            self.topic, content, key=path.encode(), partition=0, on_delivery=self.session.delivered
        )

    def remove(self, path):
        self._catch_up()
        if path in self._known:
            self.write(path, None)

    def names(self, path):
        self._catch_up()
        start = path + "/"
        below = (each[len(start) :] for each in self._known if each.startswith(start))
        return sorted(name for name in below if "/" not in name)

    def remove_tree(self, path):
        self._catch_up()
        for each in [each for each in self._known if each.startswith(path + "/")]:
            self.put(self.session.note_producer(), each, None)
        self.session.flush(self.session.note_producer())

    def _make(self):
        """Make the topic where it is missing."""
        if self._consumer is None and self.topic not in self.session.topics():
            self.session.create_topic(self.topic, 1, {"cleanup.policy": "compact"})

    def _catch_up(self):
        """Take in what was written since, all of what is committed or not by now."""
        if self._is_held:
            return
        if self._consumer is None:
            if self.topic not in self.session.topics():
                return
            self._consumer = self.session.consumer(NOTES)
            self._position, _ = self.session.ends(self.topic, 0)
            self._consumer.assign([TopicPartition(self.topic, 0, self._position)])
        _, end = self.session.ends(self.topic, 0)
        patience = time.monotonic() + self.session.timeout
        while self._position < end:
            for message in consume(self._consumer, end - self._position):
                error = message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                self._position = max(self._position, message.offset())
                if error is None:
                    self._position = message.offset() + 1
                    self._take(message)
            if time.monotonic() > patience:
                raise UnreachableError(
                    f"topic {self.topic} has a transaction that does not end; it is given up by "
                    f"the broker after transaction.timeout.ms",
                    retry=True,
                )

    def _take(self, message):
        path = (message.key() or b"").decode("utf-8", "replace")
        if message.value() is None:
            self._known.pop(path, None)
        else:
            self._known[path] = message.value()
