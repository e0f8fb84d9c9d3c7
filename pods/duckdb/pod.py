"""DuckDB files, as a source and a target of rows."""

from pypods.connectors.sql.sql_connector import SqlConnector as _SqlConnector

from .duckdb_database import DuckdbDatabase as _DuckdbDatabase

(
    describe_connector, check, streams, schema, partitions, release_partitions, read, count,
    checksum, truncate, execute, prepare, write, finish, abandon, state, write_all,
) = _SqlConnector(_DuckdbDatabase()).functions()  # fmt: skip
