"""Rows of files changed by those with the same key: the files are read, and written anew.

Memory holds a part of the new rows at a time; for each further part the old rows are passed over
once more, and wait in a temporary file meanwhile.
"""

from __future__ import annotations

import itertools
from contextlib import ExitStack

from pypods.connectors.errors import DataError, SchemaError
from pypods.connectors.sorting import sorted_batches

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Iterator

__all__ = ["MergeByKey"]

#: New rows that are in memory at once.
CHUNK_ROWS = 1_000_000
CHUNK_BYTES = 128 * 2**20
#: Old rows that are compared with them at once.
JOIN_ROWS = 262_144
_ROW, _OTHER = "\0row", "\0other"


class MergeByKey:
    """Writes old rows and staged ones through a builder.

    ``updates``: old rows with a staged key get the staged columns' values, and keys that are new
    are added; a key that is staged twice is a DataError. Else old rows with a staged key go, and
    all staged rows are added.
    """

    def __init__(
        self,
        builder: Any,
        before: Any,
        staged: Callable[[], Iterator[Any]],
        key: list[str],
        *,
        updates: bool,
    ) -> None:
        self.builder = builder
        self.before = before
        self.staged = staged
        self.key = key
        self.updates = updates
        #: Per part of the staged rows: which of them an old row was found for.
        self.found: list[bytearray] = []
        self.changed = 0

    def write(self) -> None:
        """Write all files that change, and those with new rows."""
        builder = self.builder
        format_, store = builder.source.format, builder.staging.store
        if self.updates:
            _refuse_twins(self.staged, self.key)
        self.found = [bytearray(chunk.num_rows) for chunk in self._chunks()]
        if builder.staging.stream.kind == "file":
            path = builder.staging.stream.path
            old = itertools.chain(*(self._old_rows(file) for file in self.before.files))
            rows = builder.counted(itertools.chain(old, self._new_rows()))
            builder.write_one(
                path, lambda file: format_.write(builder.source, path, file, builder.schema, rows)
            )
            return
        stays = False
        for old_file in self.before.files:
            written, self.changed = builder.rows, 0
            name, rows = builder.next_name(), builder.counted(self._old_rows(old_file))
            builder.write_one(
                name,
                lambda file, name=name, rows=rows: format_.write(
                    builder.source, name, file, builder.schema, rows
                ),
            )
            if not self.changed or builder.rows == written:
                # Nothing of it changes, or nothing of it is left.
                store.remove(builder.publish.pop()[0])
            if self.changed:
                builder.replaces([old_file])
            stays = stays or not self.changed
        builder.write_all(self._new_rows(), even_empty=not stays)

    def _old_rows(self, file: Any) -> Iterator[Any]:
        """Yield the rows of a file that stay, changed or not, in their order."""
        old = self.builder.fill(self.before.only([file]).batches())
        last = len(self.found) - 1
        with ExitStack() as stack:
            for at, chunk in enumerate(self._chunks()):
                old = self._passed(old, chunk, self.found[at])
                if at != last:
                    # Done before the next part is read, so that this one is not kept.
                    old = _spilled(old, self.builder.schema, stack)
            yield from old

    def _new_rows(self) -> Iterator[Any]:
        """Yield the staged rows that are added."""
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        for found, chunk in zip(self.found, self._chunks()):
            if self.updates:
                mask = pa.array([not each for each in found], pa.bool_())
                chunk = chunk.filter(mask)
            yield from self.builder.fill(chunk.to_batches())

    def _chunks(self) -> Iterator[Any]:
        """Yield the staged rows in tables that memory holds."""
        import pyarrow as pa

        waiting: list[Any] = []
        rows = size = 0
        for batch in self.staged():
            waiting.append(batch)
            rows += batch.num_rows
            size += batch.nbytes
            if rows >= CHUNK_ROWS or size >= CHUNK_BYTES:
                yield pa.Table.from_batches(waiting)
                waiting, rows, size = [], 0, 0
        if waiting:
            yield pa.Table.from_batches(waiting)

    def _passed(self, old: Iterable[Any], chunk: Any, found: bytearray) -> Iterator[Any]:
        """Yield old rows as they are after a part of the staged rows."""
        import pyarrow as pa

        numbered = chunk.select(self.key).append_column(
            _OTHER, pa.array(range(chunk.num_rows), pa.int64())
        )
        waiting: list[Any] = []
        for batch in itertools.chain(old, [None]):
            if batch is not None:
                waiting.append(batch)
            if not waiting or (batch is not None and _count(waiting) < JOIN_ROWS):
                continue
            table, waiting = pa.Table.from_batches(waiting), []
            # Keys in the types that both have: those of the target.
            keys = pa.table(
                [numbered.column(name).cast(table.schema.field(name).type) for name in self.key]
                + [numbered.column(_OTHER)],
                names=[*self.key, _OTHER],
            )
            yield from self._merged(table, chunk, keys, found).to_batches()

    def _merged(self, table: Any, chunk: Any, keys: Any, found: bytearray) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]

        numbers = pa.array(range(table.num_rows), pa.int64())
        rows = table.select(self.key).append_column(_ROW, numbers)
        try:
            pairs = rows.join(keys, self.key, join_type="inner").select([_ROW, _OTHER])
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
            raise SchemaError(f"rows cannot be found by {', '.join(self.key)}: {exc}") from None
        if not pairs.num_rows:
            return table
        self.changed += 1
        pairs = pairs.combine_chunks()
        if not self.updates:
            gone = pc.is_in(numbers, value_set=pairs.column(_ROW).combine_chunks())
            return table.filter(pc.invert(gone))
        pairs = pairs.sort_by(_ROW)
        others = pairs.column(_OTHER)
        for each in others.to_pylist():
            found[each] = 1
        # Behind the old values lie the new ones; each row takes the one or the other.
        places = list(range(table.num_rows))
        for at, row in enumerate(pairs.column(_ROW).to_pylist()):
            places[row] = table.num_rows + at
        chosen = pa.array(places, pa.int64())
        taken = chunk.take(others)
        for name in chunk.schema.names:
            if name in self.key:
                continue
            field = table.schema.field(name)
            new = taken.column(name).cast(field.type)
            both = pa.chunked_array([*table.column(name).chunks, *new.chunks], field.type)
            at = table.schema.get_field_index(name)
            table = table.set_column(at, field, both.take(chosen))
        return table


def _count(batches: Iterable[Any]) -> int:
    return sum(batch.num_rows for batch in batches)


def _spilled(batches: Iterable[Any], schema: Any, stack: ExitStack) -> Iterator[Any]:
    import tempfile

    import pyarrow as pa

    temporary = tempfile.TemporaryFile(prefix="pypods-keys-")  # noqa: SIM115 - the stack ends it
    file = stack.enter_context(temporary)
    with pa.ipc.new_stream(file, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    file.seek(0)
    return iter(pa.ipc.open_stream(file))


def _refuse_twins(staged: Callable[[], Iterator[Any]], key: list[str]) -> None:
    """Raise DataError for a key that two staged rows have: which is the last is not known."""
    import pyarrow as pa
    import pyarrow.compute as pc

    last: Any = None
    batches = (batch.select(key) for batch in staged())
    first = next(batches, None)
    if first is None:
        return
    for batch in sorted_batches(itertools.chain([first], batches), first.schema, key):
        rows = pa.Table.from_batches([batch] if last is None else [last, batch]).combine_chunks()
        last = batch.slice(batch.num_rows - 1)
        mask = None
        for column in rows.columns:
            same = pc.equal(column.slice(0, rows.num_rows - 1), column.slice(1))
            mask = same if mask is None else pc.and_(mask, same)
        at = pc.index(mask, True).as_py() if rows.num_rows > 1 else -1
        if at >= 0:
            values = ", ".join(repr(column[at].as_py()) for column in rows.columns)
            raise DataError(
                f"two rows have the key ({', '.join(key)}) = ({values}); nothing was changed; "
                f"have each key once, or use mode delete_insert",
                column=key[0],
            )
