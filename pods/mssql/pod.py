"""SQL Server, as a source and a target of rows; not verified against a real server."""

from pypods.connectors.sql.sql_connector import SqlConnector as _SqlConnector

from .mssql_database import MssqlDatabase as _MssqlDatabase

(
    describe_connector, check, streams, schema, partitions, release_partitions, read, count,
    checksum, truncate, execute, prepare, write, finish, abandon, state, write_all,
) = _SqlConnector(_MssqlDatabase()).functions()  # fmt: skip
