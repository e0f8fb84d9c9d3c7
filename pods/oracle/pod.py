"""Oracle, as a source and a target of rows; not verified against a real server."""

from pypods.connectors.sql.sql_connector import SqlConnector as _SqlConnector

from .oracle_database import OracleDatabase as _OracleDatabase

(
    describe_connector, check, streams, schema, partitions, release_partitions, read, count,
    checksum, truncate, execute, prepare, write, finish, abandon, state, write_all,
) = _SqlConnector(_OracleDatabase()).functions()  # fmt: skip
