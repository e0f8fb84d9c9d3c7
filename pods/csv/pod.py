"""CSV files, as a source and a target of rows."""

from pypods.connectors.files.file_connector import FileConnector as _FileConnector

from .csv_format import CsvFormat as _CsvFormat

(
    describe_connector, check, streams, schema, partitions, release_partitions, read, count,
    checksum, truncate, execute, prepare, write, finish, abandon, state, write_all,
) = _FileConnector(_CsvFormat()).functions()  # fmt: skip
