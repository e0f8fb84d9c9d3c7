"""A stream of files, opened: which files, of which format, with which settings; and its rows."""

from __future__ import annotations

from pypods.connectors.batches import BATCH_ROWS, conform
from pypods.connectors.errors import ConflictError, SettingsError
from pypods.connectors.files.format import FileFormat

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

__all__ = ["FileSource"]


class FileSource:
    """What reads a stream; ``files`` are the facts of its files, in their order."""

    def __init__(
        self, kind: FileFormat, store: Any, settings: dict[str, Any], stream: Any, files: Any = ()
    ) -> None:
        self.format = kind
        self.store = store
        self.settings = settings
        self.stream = stream
        self.files = list(files)
        self._schema: Any = None

    def of(self, files: Any) -> FileSource:
        """Return the same with these files."""
        return FileSource(self.format, self.store, self.settings, self.stream, files)

    def only(self, files: Any) -> FileSource:
        """Return the same with these of its files, and the schema of all."""
        made = self.of(files)
        made._schema = self.schema
        return made

    @property
    def schema(self) -> Any:
        """The schema of the files, without a row's number."""
        if self._schema is None:
            self._schema = self.format.schema(self)
        return self._schema

    @schema.setter
    def schema(self, schema: Any) -> None:
        self._schema = schema

    @property
    def remembered(self) -> dict[str, Any]:
        """The fields that the files were written with, by name, if nobody has changed them."""
        from pypods.connectors.files.ledger import FileLedger

        schema = FileLedger(self.store, self.stream.name).types(self.files)
        return {} if schema is None else {field.name: field for field in schema}

    @property
    def row_number(self) -> str | None:
        """The name of the column of row numbers, if there is one."""
        name: str | None = self.settings.get("row_number")
        return name

    @property
    def whole_schema(self) -> Any:
        """The schema of what is read."""
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        if self.row_number is None:
            return self.schema
        if self.row_number in self.schema.names:
            raise SettingsError(
                f"{self.stream.name} has a column {self.row_number!r} already; "
                f"give the setting 'row_number' another name"
            )
        number = pa.field(self.row_number, pa.int64(), nullable=False)
        return pa.schema([number, *self.schema])

    @property
    def key(self) -> list[str]:
        """The columns that tell rows apart, as far as that is known."""
        if self.row_number is not None:
            return [self.row_number]
        from pypods.connectors.names import check_columns

        names = [name.strip() for name in (self.settings.get("key") or "").split(",")]
        return check_columns([name for name in names if name], self.schema.names, self.stream.name)

    def rows(self) -> int | None:
        """Return how many rows there are, where the files say so themselves."""
        counts = [self.format.rows(self, file) for file in self.files]
        return None if None in counts else sum(each or 0 for each in counts)

    def count(self) -> int:
        """Return how many rows there are."""
        rows = self.rows()
        if rows is None:
            rows = sum(batch.num_rows for batch in self.batches(columns=[]))
        return rows

    def batches(
        self, *, columns: Any = None, partition: Any = None, batch_rows: int = BATCH_ROWS
    ) -> Iterator[Any]:
        """Yield the rows in the files' order: those columns of the whole schema."""
        import pyarrow as pa

        whole = self.whole_schema
        names = whole.names if columns is None else columns
        schema = pa.schema([whole.field(name) for name in names])
        inner = pa.schema([field for field in schema if field.name != self.row_number])
        number = 0
        for piece in self._pieces(partition):
            for batch in self.format.read(self, piece, inner, batch_rows):
                batch = _like(batch, inner)
                if self.row_number in schema.names:
                    numbers = pa.array(range(number, number + batch.num_rows), pa.int64())
                    batch = pa.record_batch(
                        [
                            numbers if name == self.row_number else batch.column(name)
                            for name in schema.names
                        ],
                        schema=schema,
                    )
                number += batch.num_rows
                yield batch

    def _pieces(self, partition: Any) -> list[dict[str, Any]]:
        if not partition:
            return [{"path": file.path} for file in self.files]
        known = {file.path: file for file in self.files}
        if not isinstance(partition, dict) or not isinstance(partition.get("files"), list):
            raise SettingsError(f"{self.stream.name} has no partition {partition!r}")
        pieces: list[dict[str, Any]] = partition["files"]
        for piece in pieces:
            if piece["path"] not in known:
                raise ConflictError(f"{piece['path']} is none of the files of {self.stream.name}")
        for path, mark in (partition.get("snapshot") or {}).items():
            if path not in known or known[path].mark != list(mark):
                raise ConflictError(
                    f"{path} was changed since {self.stream.name} was partitioned; begin anew"
                )
        return pieces

    def partitions(self, count: int) -> list[dict[str, Any]]:
        """Return at most that many partitions."""
        if count < 2 or self.row_number is not None:
            return [{}]
        parts = self.format.split(self, count)
        if len(parts) < 2:
            return [{}]
        marks = {file.path: file.mark for file in self.files}
        known = self.format.remember(self)
        return [
            {
                **known,
                "files": part,
                # A range of a file that has changed is another one's rows.
                "stable": False,
                "snapshot": {piece["path"]: marks[piece["path"]] for piece in part},
            }
            for part in parts
        ]


def _like(batch: Any, schema: Any) -> Any:
    """Return a batch in a schema; one without columns keeps its number of rows."""
    return batch if not len(schema) else conform(batch, schema)
