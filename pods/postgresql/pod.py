"""PostgreSQL, as a source and a target of rows."""

from pypods.connectors.sql.sql_connector import SqlConnector as _SqlConnector

try:
    from .postgresql_psycopg import PsycopgDatabase as _Database
except ModuleNotFoundError:  # An old Python, for which there is no current driver.
    from .postgresql_psycopg2 import Psycopg2Database as _Database

(
    describe_connector, check, streams, schema, partitions, release_partitions, read, count,
    checksum, truncate, execute, prepare, write, finish, abandon, state, write_all,
) = _SqlConnector(_Database()).functions()  # fmt: skip
