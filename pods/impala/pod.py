"""Impala and Hive, as a source and a target of rows."""

from pypods.connectors.sql.sql_connector import SqlConnector as _SqlConnector

from .impala_database import ImpalaDatabase as _ImpalaDatabase

(
    describe_connector, check, streams, schema, partitions, release_partitions, read, count,
    checksum, truncate, execute, prepare, write, finish, abandon, state, write_all,
) = _SqlConnector(_ImpalaDatabase()).functions()  # fmt: skip
