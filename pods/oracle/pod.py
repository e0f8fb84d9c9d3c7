"""Oracle, as a source and a target of rows; not verified against a real server."""

from pypods.connectors.sql.sql_connector import SqlConnector

from .oracle_database import OracleDatabase

__all__ = [
    "abandon", "check", "checksum", "count", "describe_connector", "execute", "finish",
    "partitions", "prepare", "read", "release_partitions", "schema", "state", "streams",
    "truncate", "write", "write_all",
]  # fmt: skip

_connector = SqlConnector(OracleDatabase())

describe_connector = _connector.describe_connector
check = _connector.check
streams = _connector.streams
schema = _connector.schema
partitions = _connector.partitions
release_partitions = _connector.release_partitions
read = _connector.read
count = _connector.count
checksum = _connector.checksum
truncate = _connector.truncate
execute = _connector.execute
prepare = _connector.prepare
write = _connector.write
finish = _connector.finish
abandon = _connector.abandon
state = _connector.state
write_all = _connector.write_all
