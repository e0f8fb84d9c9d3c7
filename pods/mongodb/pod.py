"""Collections of MongoDB, as a source and a target of rows."""

from .mongodb_connector import MongodbConnector as _MongodbConnector

(
    describe_connector, check, streams, schema, partitions, release_partitions, read, count,
    checksum, truncate, execute, prepare, write, finish, abandon, state, write_all,
) = _MongodbConnector().functions()  # fmt: skip
