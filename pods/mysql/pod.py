"""MySQL and MariaDB, as a source and a target of rows."""

from pypods.connectors.sql.sql_connector import SqlConnector as _SqlConnector

from .mysql_database import MysqlDatabase as _MysqlDatabase

(
    describe_connector, check, streams, schema, partitions, release_partitions, read, count,
    checksum, truncate, execute, prepare, write, finish, abandon, state, write_all,
) = _SqlConnector(_MysqlDatabase()).functions()  # fmt: skip
