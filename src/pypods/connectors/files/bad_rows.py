"""Rows that no file can hold, put aside as Parquet files in a folder beside the stream."""

from __future__ import annotations

from pypods.connectors.bad_rows import BAD_ROWS_SUFFIX, COLUMNS, rows_to_keep
from pypods.connectors.files.format import FileFormat
from pypods.connectors.files.streams import FileStream
from pypods.connectors.types import schema_from_rows

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterable

__all__ = ["BadRowsFiles", "BadRowsFormat", "bad_rows_stream"]

SUFFIX = ".parquet"
_TYPES = {"position": "int64"}


def bad_rows_stream(stream: FileStream) -> FileStream:
    """Return the stream of what was refused for another one."""
    inner = "" if stream.inner is None else f".{stream.inner}"
    return FileStream(stream.path + inner + BAD_ROWS_SUFFIX, "folder", (SUFFIX,))


class BadRowsFiles:
    """The files of one stream's refused rows, each of one batch of one run."""

    def __init__(self, store: Any, stream: FileStream, run: str) -> None:
        self.store = store
        self.folder = bad_rows_stream(stream).path
        self.run = run

    def add(self, part: str, number: int, first: int, rows: list[Any]) -> str:
        """Put rows of a batch aside; return the file's name."""
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        from pypods.connectors.names import short_hash

        values = rows_to_keep(self.run, part, first, rows)
        batch = pa.record_batch(
            [list(column) for column in zip(*values)],
            schema=_schema(),
        )
        name = f"{self._start()}{short_hash(part)}-{number:06d}{SUFFIX}"
        with self.store.create(f"{self.folder}/{name}") as file:
            BadRowsFormat().write(None, name, file, batch.schema, [batch])
        return name

    def keep_only(self, names: Any) -> None:
        """Remove the files of the run that are none of these."""
        for name in self.store.names(self.folder):
            if name.startswith(self._start()) and name not in names:
                self.store.remove(f"{self.folder}/{name}")

    def _start(self) -> str:
        from pypods.connectors.names import short_hash

        readable = "".join(char if char.isalnum() or char in "-_" else "_" for char in self.run)
        return f"{readable[:64]}-{short_hash(self.run)}-"


def _schema() -> Any:
    return schema_from_rows([(name, _TYPES.get(name, "utf8"), False) for name in COLUMNS])


class BadRowsFormat(FileFormat):
    """What is in those files."""

    title = "Refused rows"
    suffixes = (SUFFIX,)

    def schema(self, source: Any) -> Any:
        """Return run, part, position in the part, reason and the row as JSON."""
        return _schema()

    def read(self, source: Any, piece: dict[str, Any], schema: Any, batch_rows: int) -> Any:
        """Yield the rows of a file."""
        import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]

        with source.store.open(piece["path"]) as file:
            yield from pq.read_table(file, columns=schema.names).to_batches(batch_rows)

    def write(self, source: Any, path: str, file: Any, schema: Any, batches: Iterable[Any]) -> None:
        """Write a file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_batches(batches, schema), file)
