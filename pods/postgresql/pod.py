"""PostgreSQL, as a source and a target of rows."""

from pypods.connectors.sql.sql_connector import SqlConnector as _SqlConnector

from .postgresql_database import PostgresqlDatabase as _PostgresqlDatabase

(
    describe_connector, check, streams, schema, partitions, release_partitions, read, count,
    checksum, truncate, execute, prepare, write, finish, abandon, state, write_all,
) = _SqlConnector(_PostgresqlDatabase()).functions()  # fmt: skip
