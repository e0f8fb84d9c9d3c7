"""Redis: tables of hashes and streams, as a source and a target of rows."""

from .redis_connector import RedisConnector as _RedisConnector

(
    describe_connector, check, streams, schema, partitions, release_partitions, read, count,
    checksum, truncate, execute, prepare, write, finish, abandon, state, write_all,
) = _RedisConnector().functions()  # fmt: skip
