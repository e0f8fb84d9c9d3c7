"""Parquet files, as a source and a target of rows."""

from pypods.connectors.files.file_connector import FileConnector as _FileConnector

from .parquet_format import ParquetFormat as _ParquetFormat

(
    describe_connector, check, streams, schema, partitions, release_partitions, read, count,
    checksum, truncate, execute, prepare, write, finish, abandon, state, write_all,
) = _FileConnector(_ParquetFormat()).functions()  # fmt: skip
