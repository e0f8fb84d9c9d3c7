"""Clients of one cluster: made when they are needed, all closed at the end."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pypods.connectors.errors import SettingsError

from .kafka_notes import NOTES, KafkaNotes

LOOKUPS = "lookups"
# With read_committed a broker says where the first open transaction is, and not the end.
_ISOLATIONS = {NOTES: "read_committed", LOOKUPS: "read_uncommitted"}
WAIT_SECONDS = 0.02
SYSLOG_ERROR = 3
AUTHENTICATION = (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED)


class KafkaSession:
    """Clients with the connection's settings; ``refused`` is why a broker does not let us in."""

    def __init__(self, settings):
        self.settings = settings
        self.timeout = settings["timeout"]
        self.refused = None
        self.notes = KafkaNotes(self, settings["notes_topic"])
        self._config = _config(settings, self._failed)
        self._producers = {}
        self._consumers = {}
        self._delivery_error = None

    def _failed(self, error):
        if error.code() in AUTHENTICATION:
            self.refused = error.str()

    # --- looking -------------------------------------------------------------------------------

    def topics(self):
        """Return the topics' metadata by name; none is made by asking."""
        return self.consumer(LOOKUPS).list_topics(timeout=self.timeout).topics

    def partitions(self, topic):
        """Return the numbers of a topic's partitions; none: there is no such topic."""
        found = self.topics().get(topic)
        return [] if found is None else sorted(found.partitions)

    def ends(self, topic, partition):
        """Return a partition's first offset and the one after its last.

        Asked by a consumer that fetches nothing: who fetches waits for that first.
        """
        return self.consumer(LOOKUPS).get_watermark_offsets(
            TopicPartition(topic, partition), timeout=self.timeout
        )

    def consumer(self, kind):
        """Return a consumer that is assigned to by hand, and commits nothing.

        ``kind`` is its isolation, or for what it is.
        """
        if kind in self._consumers:
            return self._consumers[kind]
        made = Consumer(
            {
                **self._config, "group.id": "pypods", "enable.auto.commit": False,
                "enable.auto.offset.store": False, "enable.partition.eof": True,
                "isolation.level": _ISOLATIONS.get(kind, kind), "auto.offset.reset": "error",
                "fetch.wait.max.ms": 20,
            }
        )  # fmt: skip
        self._consumers[kind] = made
        return made

    # --- writing -------------------------------------------------------------------------------

    def producer(self):
        """Return the producer of rows that is in no transaction."""
        return self._made({"enable.idempotence": True})

    def note_producer(self):
        """Return the producer of notes, each of which is waited for; one that is doubled is one."""
        return self._made({"acks": "all"})

    def _made(self, config):
        kind = tuple(config)
        if kind not in self._producers:
            self._producers[kind] = Producer({**self._config, **config, "linger.ms": 0})
        return self._producers[kind]

    def transactional_producer(self, name):
        """Return a producer of transactions; whoever had that name before is refused from now."""
        made = Producer(
            {
                **self._config, "transactional.id": name,
                "transaction.timeout.ms": int(self.settings["transaction_timeout"] * 1000),
                "message.timeout.ms": int(self.settings["transaction_timeout"] * 1000),
            }
        )  # fmt: skip
        # Without a broker that it is connected to, it would wait before it asks again.
        made.list_topics(self.settings["notes_topic"], timeout=self.timeout)
        made.init_transactions(self.timeout)
        return made

    def delivered(self, error, _):
        """Keep the first error of what was produced."""
        if error is not None and self._delivery_error is None:
            self._delivery_error = error

    def flush(self, producer):
        """Wait for what was produced. Raises KafkaException."""
        left = producer.flush(self.timeout)
        error, self._delivery_error = self._delivery_error, None
        if error is None and left:
            error = KafkaError(KafkaError._TIMED_OUT)
        if error is not None:
            raise KafkaException(error)

    def make_topic(self, topic):
        """Make a topic that is written to, unless it is there."""
        if topic in self.topics():
            return
        count = self.settings["topic_partitions"]
        if count is not None:
            self.create_topic(topic, count, {})
            return
        # Asking for it by name lets the broker make it, where it is allowed to.
        self.note_producer().list_topics(topic, timeout=self.timeout)
        self._wait_for(
            topic, f"there is no topic {topic!r}, and the broker makes none on its own; make it, "
            f"or set 'topic_partitions'"
        )  # fmt: skip

    def create_topic(self, topic, count, config):
        """Make a topic. Raises KafkaException."""
        admin = AdminClient(self._config)
        made = admin.create_topics(
            [NewTopic(topic, count, config=config)], request_timeout=self.timeout
        )
        try:
            made[topic].result(self.timeout)
        except KafkaException as exc:
            if exc.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
        self._wait_for(topic, f"the topic {topic!r} was made and is not to be seen")

    def _wait_for(self, topic, message):
        patience = time.monotonic() + self.timeout
        while not self.partitions(topic):
            if time.monotonic() > patience:
                raise SettingsError(message)
            time.sleep(WAIT_SECONDS)

    def close(self):
        """Let go of all clients."""
        for each in self._consumers.values():
            each.close()


def _config(settings, failed):
    """Return librdkafka's configuration."""
    config = {
        "bootstrap.servers": settings["servers"],
        "client.id": "pypods",
        "security.protocol": _protocol(settings),
        "socket.timeout.ms": int(settings["timeout"] * 1000),
        "log_level": SYSLOG_ERROR,
        "error_cb": failed,
    }
    if settings["user"] is not None:
        config["sasl.mechanism"] = settings["sasl_mechanism"]
        config["sasl.username"] = settings["user"]
        config["sasl.password"] = settings["password"] or ""
    files = {
        "ca_file": "ssl.ca.location", "certificate_file": "ssl.certificate.location",
        "key_file": "ssl.key.location", "key_password": "ssl.key.password",
    }  # fmt: skip
    config.update({name: settings[ours] for ours, name in files.items() if settings[ours]})
    return config


def _protocol(settings):
    if settings["user"] is not None:
        return "sasl_ssl" if settings["tls"] else "sasl_plaintext"
    return "ssl" if settings["tls"] else "plaintext"
