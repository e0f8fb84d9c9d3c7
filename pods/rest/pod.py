"""Web services that speak JSON (REST), as a source and a target of rows."""

from .rest_connector import RestConnector as _RestConnector

(
    describe_connector, check, streams, schema, partitions, release_partitions, read, count,
    checksum, truncate, execute, prepare, write, finish, abandon, state, write_all,
) = _RestConnector().functions()  # fmt: skip
