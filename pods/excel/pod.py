"""Excel files, as a source and a target of rows."""

from pypods.connectors.files.file_connector import FileConnector as _FileConnector

from .excel_format import ExcelFormat as _ExcelFormat

(
    describe_connector, check, streams, schema, partitions, release_partitions, read, count,
    checksum, truncate, execute, prepare, write, finish, abandon, state, write_all,
) = _FileConnector(_ExcelFormat()).functions()  # fmt: skip
