"""The files of a run, written under hidden names; which names they are to get is only noted."""

from __future__ import annotations

from pypods.connectors.batches import conform
from pypods.connectors.names import short_hash

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Iterator

__all__ = ["FileBuilder", "fill_batch", "whole_schema"]


class FileBuilder:
    """Writes the files of a run under hidden names, and notes which names they are to get."""

    def __init__(self, staging: Any, found: Any, schema: Any, *, prefix: str = "out") -> None:
        self.staging = staging
        self.source = staging.source
        self.schema = schema
        self.run = found.run
        self.prefix = prefix
        self.folder = staging.ledger.run_folder(found.run)
        self.publish: list[list[str]] = []
        self.remove: list[str] = []
        self.rows = 0

    def fill(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield batches in the schema; a column that they have not is NULL."""
        for batch in batches:
            yield fill_batch(batch, self.schema)

    def counted(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield batches, and count their rows."""
        for batch in batches:
            self.rows += batch.num_rows
            yield batch

    def write_one(self, final: str, write: Callable[[Any], None]) -> None:
        """Write one file that is to have that name."""
        suffix = final.rpartition("/")[2].partition(".")[2]
        staged = f"{self.folder}/{self.prefix}-{len(self.publish):05d}.{suffix}"
        with self.staging.store.stage(staged) as file:
            write(file)
        self.publish.append([staged, final])

    def write_all(self, batches: Iterable[Any], *, even_empty: bool = True) -> None:
        """Write all rows into the stream's file, or into new files of its folder."""
        format_, stream = self.source.format, self.staging.stream
        rows = self.counted(batches)
        if stream.kind == "file":
            self.write_one(
                stream.path,
                lambda file: format_.write(self.source, stream.path, file, self.schema, rows),
            )
            return
        most = self.source.settings["rows_per_file"]
        if format_.max_rows is not None:
            most = min(most, format_.max_rows)
        chunks = _Chunks(rows, most)
        while chunks.more() or (even_empty and not self.publish):
            name = self.next_name()
            self.write_one(
                name,
                lambda file, name=name: format_.write(  # type: ignore[misc]
                    self.source, name, file, self.schema, chunks.next()
                ),
            )

    def next_name(self) -> str:
        """Return the name of the next new file of a folder; no other run has it."""
        suffix = self.source.format.suffix(self.source.settings)
        readable = "".join(char if char.isalnum() or char in "-_" else "_" for char in self.run)
        name = f"part-{readable[:64]}-{short_hash(self.run)[:8]}-{len(self.publish):05d}{suffix}"
        return f"{self.staging.stream.path}/{name}"

    def replaces(self, files: Any) -> None:
        """Note files that go when the new ones are there."""
        self.remove += [file.path for file in files]


class _Chunks:
    """Batches cut into runs of at most so many rows."""

    def __init__(self, batches: Iterator[Any], rows: int) -> None:
        self._batches = batches
        self._rows = rows
        self._head: Any = None

    def more(self) -> bool:
        """Whether there is anything left."""
        while self._head is None or not self._head.num_rows:
            self._head = next(self._batches, None)
            if self._head is None:
                return False
        return True

    def next(self) -> Iterator[Any]:
        """Yield the next run."""
        room = self._rows
        while room and self.more():
            batch = self._head.slice(0, room)
            self._head = self._head.slice(batch.num_rows)
            room -= batch.num_rows
            yield batch


def fill_batch(batch: Any, schema: Any) -> Any:
    """Return a batch in a schema; a column that it has not is NULL."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    if batch.schema.equals(schema):
        return batch
    missing = [field for field in schema if field.name not in batch.schema.names]
    columns = list(batch.columns) + [pa.nulls(batch.num_rows, each.type) for each in missing]
    names = list(batch.schema.names) + [each.name for each in missing]
    return conform(pa.record_batch(columns, names=names), schema)


def whole_schema(plan: Any, there: Any) -> Any:
    """Return the schema of the files to be: columns that are there, as planned, and new ones."""
    import pyarrow as pa

    if there is None:
        return plan.schema
    fields = {field.name: field for field in there}
    for field in [*plan.widen, *plan.add]:
        fields[field.name] = field
    return pa.schema(list(fields.values()))
