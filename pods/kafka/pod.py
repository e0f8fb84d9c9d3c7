"""Topics of Kafka, as a source and a target of rows."""

from .kafka_connector import KafkaConnector as _KafkaConnector

(
    describe_connector, check, streams, schema, partitions, release_partitions, read, count,
    checksum, truncate, execute, prepare, write, finish, abandon, state, write_all,
) = _KafkaConnector().functions()  # fmt: skip
