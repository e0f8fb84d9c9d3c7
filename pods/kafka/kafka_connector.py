"""Kafka: its settings, its topics, and which module does what with them."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager

import confluent_kafka
import pyarrow as pa
import pyarrow.types as is_
from confluent_kafka import KafkaError, KafkaException

from pypods.connectors.batches import refuse_finer
from pypods.connectors.connector import CAPABILITIES, Connector
from pypods.connectors.errors import (
    AuthenticationError,
    ConflictError,
    ConnectorError,
    DataError,
    SchemaError,
    SettingsError,
    UnreachableError,
)
from pypods.connectors.names import check_columns
from pypods.connectors.records.json_writing import records_of_batch
from pypods.connectors.settings import Settings, setting
from pypods.connectors.stores.described import Described, StoreStream, one_name
from pypods.connectors.stores.notes import noted_schema
from pypods.connectors.stores.staging import StoreSource
from pypods.connectors.stores.store_connector import StoreConnector
from pypods.connectors.types import declared_fields

from . import kafka_reading
from .kafka_columns import FORMATS, JSON, Columns
from .kafka_session import AUTHENTICATION, KafkaSession
from .kafka_writing import KafkaLedger, KafkaStaging

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
MILLISECOND = 1000
NOT_ALLOWED = (
    *AUTHENTICATION, KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED, KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
)  # fmt: skip
FENCED = (
    KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED,
)  # fmt: skip
UNREACHABLE = (
    KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT,
    KafkaError._MSG_TIMED_OUT, KafkaError._RESOLVE, KafkaError._PURGE_QUEUE,
)  # fmt: skip


class KafkaConnector(StoreConnector):
    """Topics, read to their ends and appended to."""

    name = "kafka"
    title = "Kafka"
    verified = "verified against librdkafka's mock cluster, not against a real broker"
    settings = Settings(
        "kafka",
        setting("servers", "text", "brokers to begin with, as host:9092,other:9092", required=True),
        setting(
            "format", "text", "what values are: json (an object, whose fields are columns), text "
            "(UTF-8), binary", default=JSON,
        ),
        setting(
            "columns", "mapping", "types of the fields of JSON values by their names, as "
            '{id: int64, price: "decimal(12,2)"}: those are read; else those that were written '
            "here, else the value as JSON text",
        ),
        setting(
            "metadata", "boolean", "read the columns partition, offset, timestamp, key, headers "
            "and offsets as well", default=True,
        ),
        setting("prefix", "text", "what these are called with, where values are JSON",
                default="kafka_"),
        setting("key", "text", "columns whose values are the key of what is written, with commas"),
        setting(
            "isolation", "text", "read_committed, or read_uncommitted: also what is in open and in "
            "aborted transactions", default="read_committed",
        ),
        setting(
            "transactions", "boolean", "write each batch in a transaction with its checkpoint; "
            "without, a batch may be there twice after a failure", default=True,
        ),
        setting("transaction_timeout", "number", "seconds until the broker gives one up",
                default=60),
        setting("topic_partitions", "integer", "partitions of a topic that is made; nothing: the "
                "broker makes it as it is set up to"),
        setting("notes_topic", "text", "the compacted topic of checkpoints and cursors",
                default="_pypods"),
        setting("user", "text", "who we are, by SASL"),
        setting("password", "text", "the password", secret=True),
        setting("sasl_mechanism", "text", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
                default="PLAIN"),
        setting("tls", "boolean", "speak TLS with the brokers", default=False),
        setting("ca_file", "path", "certificates to trust in place of the system's"),
        setting("certificate_file", "path", "our certificate, where brokers ask for one"),
        setting("key_file", "path", "the key of our certificate"),
        setting("key_password", "text", "the password of that key", secret=True),
        setting("timeout", "number", "seconds to wait for a broker", default=30),
    )  # fmt: skip
    capabilities = {
        **CAPABILITIES,
        "where": True, "order": True, "after": True, "partition": True, "snapshot": True,
        "write": ["append"], "resume": True, "parallel_write": True,
    }  # fmt: skip

    def __init__(self):
        #: What the last call has left, by its settings.
        self._idle = {}

    # --- getting at the system -----------------------------------------------------------------

    def driver(self):
        return f"confluent-kafka {confluent_kafka.__version__}"

    def check_settings(self, connection):
        settings = super().check_settings(connection)
        if settings["format"] not in FORMATS:
            raise SettingsError(f"format is {', '.join(FORMATS)}, not {settings['format']!r}")
        if settings["isolation"] not in ("read_committed", "read_uncommitted"):
            raise SettingsError("isolation is read_committed or read_uncommitted")
        declared_fields(settings["columns"])
        return settings

    @contextmanager
    def open(self, settings, *, writing=False):
        kind = json.dumps(settings, sort_keys=True)
        session = self._idle.pop(kind, None) or KafkaSession(settings)
        try:
            yield session
        except BaseException as exc:
            session.close()
            if session.refused is None or not isinstance(exc, KafkaException):
                raise
            raise AuthenticationError(
                f"Kafka at {settings['servers']} does not let us in: {session.refused}"
            ) from None
        # Clients take long to get to know a cluster; the last ones are used again.
        for other in [*self._idle.values()]:
            other.close()
        self._idle = {kind: session}

    def server(self, session):
        return f"Kafka, {len(session.topics())} topics"

    def translate(self, error, settings):
        if not isinstance(error, KafkaException):
            return None
        cause, where = error.args[0], f"Kafka at {settings['servers']}"
        code, said = cause.code(), cause.str()
        if code in NOT_ALLOWED:
            return AuthenticationError(f"{where} does not let us in, or do this: {said}")
        if code in FENCED:
            return ConflictError(f"another attempt writes this part of the run: {said}")
        if code in UNREACHABLE or cause.retriable():
            return UnreachableError(f"{where}: {said}")
        if code == KafkaError.MSG_SIZE_TOO_LARGE:
            return DataError(f"{where}: a row is too large for the topic: {said}")
        if code in (KafkaError._INVALID_ARG, KafkaError.TOPIC_EXCEPTION):
            return SettingsError(f"{where}: {said}")
        return ConnectorError(f"{where}: {said}")

    # --- what there is -------------------------------------------------------------------------

    def list_streams(self, session, settings):
        names = sorted(session.topics())
        return [
            {"name": name, "kind": "topic", "rows": None}
            for name in names
            if not name.startswith("__") and name != settings["notes_topic"]
        ]

    def parse(self, settings, stream):
        name = one_name(stream, "a topic")
        if not _TOPIC.fullmatch(name) or name in (".", "..", settings["notes_topic"]):
            raise SettingsError(f"{name!r} is no topic's name, or one of the connector's own")
        return StoreStream(name, "topic")

    def written_schema(self, session, settings, stream):
        """Return the columns of values, None without any that somebody knows of."""
        declared = declared_fields(settings["columns"])
        if settings["format"] != JSON:
            return pa.schema(Columns(settings).value_fields())
        if declared:
            return pa.schema([*declared.values()])
        return noted_schema(KafkaLedger(session.notes, stream.name))

    def describe(self, session, settings, stream):
        if not session.partitions(stream.name):
            return None
        columns = Columns(settings)
        schema = self.written_schema(session, settings, stream)
        fields = columns.value_fields() if schema is None else list(schema)
        key = []
        if settings["metadata"]:
            known = {field.name for field in fields}
            fields += [each for each in columns.message_fields() if each.name not in known]
            key = [columns.partition, columns.offset]
        return Described(stream, pa.schema(fields), key=key)

    def split(self, session, settings, found, count):
        return kafka_reading.split(session, found.stream.name, count)

    def check_partition(self, partition):
        kafka_reading.check_partition(self.title, partition)

    def rows(self, session, settings, found, asked):
        reading = kafka_reading.Reading(session, settings, Columns(settings), found, asked)
        return reading.batches(), reading.in_order

    # --- changing ------------------------------------------------------------------------------

    def truncate(self, connection, stream):
        Connector.truncate(self, connection, stream)

    def target(self, session, settings, stream):
        return KafkaStaging(StoreSource(self, session, settings, self.parse(settings, stream)))

    def key_names(self, settings):
        """Return the columns that make a message's key."""
        return [name.strip() for name in (settings["key"] or "").split(",") if name.strip()]

    def check_target(self, source, schema):
        columns = Columns(source.settings)
        check_columns(self.key_names(source.settings), schema.names, "what is written")
        writable = columns.writable()
        for field in columns.message_fields():
            if field.name not in schema.names:
                continue
            if field.name not in writable:
                raise SchemaError(
                    f"column {field.name!r} is where a message lies, which Kafka says; leave it "
                    f"out, or rename it"
                )
            if schema.field(field.name).type != field.type:
                raise SchemaError(f"column {field.name!r} has to be {field.type}")
        if columns.format != JSON:
            others = set(schema.names) - set(writable) - {"value"}
            if "value" not in schema.names or others:
                raise SchemaError(
                    f"values that are {columns.format} are one column 'value', beside "
                    f"{', '.join(writable)}; there is {', '.join(schema.names)}"
                )

    def check_batch(self, settings, batch):
        columns = Columns(settings)
        if columns.timestamp in batch.schema.names:
            field = batch.schema.field(columns.timestamp)
            refuse_finer(batch.column(columns.timestamp), field, MILLISECOND)
        if columns.format == JSON:
            hard = [field.name for field in batch.schema if _can_fail(field)]
            records_of_batch(batch.select(hard), {})

    def check_run(self, staging, run, schema):
        """Say nothing: all of it is in the topic."""

    def apply(self, staging, run, schema):
        """Do nothing: all of it is in the topic."""


def _can_fail(field):
    """Whether a column may have values that JSON has no form for."""
    return is_.is_floating(field.type) or is_.is_nested(field.type) or bool(field.metadata)
