"""Parquet files: their schema, their rows by row groups, their writing."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from pypods.connectors.errors import DataError, SchemaError
from pypods.connectors.files.builder import fill_batch
from pypods.connectors.files.format import (
    FILE_CAPABILITIES,
    FileFormat,
    file_settings,
    merge_schemas,
    spread,
)
from pypods.connectors.settings import Settings, setting
from pypods.connectors.types import normal_schema

__all__ = ["ParquetFormat"]

COMPRESSIONS = ("snappy", "zstd", "gzip", "lz4", "brotli", "none")
#: Rows of a row group; a group is what one worker reads.
GROUP_ROWS = 131_072


class ParquetFormat(FileFormat):
    """Parquet files, and folders of them."""

    name = "parquet"
    title = "Parquet files"
    settings = Settings(
        "parquet",
        *file_settings(s3=True),
        setting(
            "compression", "text", "of files that are written: " + ", ".join(COMPRESSIONS),
            default="snappy",
        ),
    )  # fmt: skip
    capabilities = dict(FILE_CAPABILITIES, write=["append", "replace", "upsert", "delete_insert"])
    suffixes = (".parquet", ".parq", ".pq")
    can_evolve = True
    has_types = True

    def check_settings(self, settings):
        """Raise SettingsError for a compression that there is not."""
        from pypods.connectors.errors import SettingsError

        if settings["compression"] not in COMPRESSIONS:
            raise SettingsError(
                f"compression is {', '.join(COMPRESSIONS)}, not {settings['compression']!r}"
            )

    # --- reading -------------------------------------------------------------------------------

    def schema(self, source):
        """Return the schema of all files: columns by name, each as wide as the widest."""
        return merge_schemas((file.path, self._schema_of(source, file)) for file in source.files)

    def _schema_of(self, source, file):
        with source.store.open(file.path) as opened, self._open(opened, file.path) as parquet:
            schema = parquet.schema_arrow
        if len(set(schema.names)) < len(schema):
            raise SchemaError(f"{file.path} has a column twice: {', '.join(schema.names)}")
        return normal_schema(schema)

    def _open(self, file, path):
        try:
            return pq.ParquetFile(file)
        except pa.ArrowInvalid as exc:
            raise DataError(f"{path} is no whole Parquet file: {exc}") from None

    def read(self, source, piece, schema, batch_rows):
        """Yield the rows of a file, or of some of its row groups."""
        path = piece["path"]
        with source.store.open(path) as opened, self._open(opened, path) as parquet:
            groups = range(parquet.num_row_groups)
            if "from" in piece:
                groups = range(piece["from"], piece["to"])
            names = parquet.schema_arrow.names
            there = [name for name in schema.names if name in names]
            first = sum(parquet.metadata.row_group(at).num_rows for at in range(groups.start))
            if not there:
                for at in groups:
                    yield _without_columns(parquet.metadata.row_group(at).num_rows, schema)
                return
            try:
                for batch in parquet.iter_batches(
                    batch_rows, row_groups=list(groups), columns=there, use_threads=True
                ):
                    # Found by name: nested columns are chosen by their parts' names.
                    yield self._typed(batch.select(there), schema, path, first)
                    first += batch.num_rows
            except (pa.ArrowInvalid, OSError) as exc:
                raise DataError(f"{path} is damaged near row {first} (from 0): {exc}") from None

    def _typed(self, batch, schema, path, first):
        try:
            return fill_batch(batch, schema)
        except DataError as error:
            position = None if error.position is None else first + error.position
            raise DataError(
                f"{path}, row {position} (from 0): {error}", position=position, column=error.column
            ) from None

    def rows(self, source, file):
        """Return the number of rows, as the file's end says."""
        with source.store.open(file.path) as opened, self._open(opened, file.path) as parquet:
            return parquet.metadata.num_rows

    def split(self, source, count):
        """Return row groups that lie together, of about as many rows each."""
        pieces = []
        for file in source.files:
            with source.store.open(file.path) as opened, self._open(opened, file.path) as parquet:
                metadata = parquet.metadata
                for at in range(metadata.num_row_groups):
                    piece = {"path": file.path, "from": at, "to": at + 1}
                    pieces.append((piece, metadata.row_group(at).num_rows))
        return [_joined(part) for part in spread(pieces, count)]

    # --- writing -------------------------------------------------------------------------------

    def check_target(self, source, schema):
        """Raise SchemaError for a type that Parquet has no form for."""
        for field in schema:
            if pa.types.is_struct(field.type) and not field.type.num_fields:
                raise SchemaError(f"column {field.name!r} is a struct without fields")

    def write(self, source, path, file, schema, batches):
        """Write a file."""
        compression = source.settings["compression"]
        with pq.ParquetWriter(
            file, schema, compression=compression, store_schema=True, version="2.6",
            coerce_timestamps=None,
        ) as writer:  # fmt: skip
            waiting, rows = [], 0
            for batch in batches:
                waiting.append(batch)
                rows += batch.num_rows
                if rows >= GROUP_ROWS:
                    writer.write_table(pa.Table.from_batches(waiting, schema), GROUP_ROWS)
                    waiting, rows = [], 0
            if rows:
                writer.write_table(pa.Table.from_batches(waiting, schema), GROUP_ROWS)


def _joined(pieces):
    """Return pieces in which row groups of one file that follow each other are one."""
    joined = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last is not None and last["path"] == piece["path"] and last["to"] == piece["from"]:
            last["to"] = piece["to"]
        else:
            joined.append(dict(piece))
    return joined


def _without_columns(rows, schema):
    """Return so many rows of a schema whose columns a file has not."""
    if len(schema):
        return pa.record_batch([pa.nulls(rows, each.type) for each in schema], schema=schema)
    counted = pa.record_batch([pa.nulls(rows)], names=[""])
    return counted.select([])
