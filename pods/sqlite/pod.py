"""SQLite files, as a source and a target of rows."""

from pypods.connectors.sql.sql_connector import SqlConnector as _SqlConnector

from .sqlite_database import SqliteDatabase as _SqliteDatabase

(
    describe_connector, check, streams, schema, partitions, release_partitions, read, count,
    checksum, truncate, execute, prepare, write, finish, abandon, state, write_all,
) = _SqlConnector(_SqliteDatabase()).functions()  # fmt: skip
