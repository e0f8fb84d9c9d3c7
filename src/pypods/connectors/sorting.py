"""Record batches put in order, with as much memory as is allowed; the rest waits in a file.

NULLs come first, NaN after all numbers, texts by their UTF-8 bytes.
"""

from __future__ import annotations

from contextlib import ExitStack

from pypods.connectors.batches import BATCH_ROWS

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator

__all__ = ["sorted_batches"]

#: What is sorted at once, and what a run's next batch takes when runs are merged.
SORT_BYTES = 128 * 2**20
MERGE_ROWS = 16384


def sorted_batches(
    batches: Iterable[Any], schema: Any, keys: list[str], *, sort_bytes: int = SORT_BYTES
) -> Iterator[Any]:
    """Yield the rows of batches of that schema in ascending order of the keys.

    What does not fit into the memory is sorted in runs, which wait in temporary files.
    """
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    with ExitStack() as stack:
        runs: list[Any] = []
        waiting: list[Any] = []
        size = 0
        for batch in batches:
            waiting.append(batch)
            size += batch.nbytes
            if size >= sort_bytes:
                runs.append(_spill(_sorted(pa.Table.from_batches(waiting, schema), keys), stack))
                waiting, size = [], 0
        last = _sorted(pa.Table.from_batches(waiting, schema), keys)
        if not runs:
            yield from last.to_batches(max_chunksize=BATCH_ROWS)
            return
        runs.append(iter(last.to_batches(max_chunksize=MERGE_ROWS)))
        yield from _merged(runs, keys)


def _spill(table: Any, stack: ExitStack) -> Iterator[Any]:
    """Return an iterator over a table that lies in a file, which the system forgets by itself."""
    import tempfile

    import pyarrow as pa

    temporary = tempfile.TemporaryFile(prefix="pypods-sort-")  # noqa: SIM115 - the stack ends it
    file = stack.enter_context(temporary)
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(file, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=MERGE_ROWS)
    file.seek(0)
    return iter(pa.ipc.open_stream(file))


def _sorted(table: Any, keys: list[str]) -> Any:
    """Return a table in order."""
    import pyarrow as pa
    import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    if table.num_rows < 2:
        return table
    # Where nulls go is an option that pyarrow has had in two places; a key of its own says it too,
    # and NaN, which Arrow puts beside the nulls, is a number greater than the others here.
    columns = []
    for name in keys:
        column = table.column(name)
        columns.append(pc.is_valid(column))
        if is_.is_floating(column.type):
            columns.append(pc.is_nan(column))
        columns.append(column)
    names = [str(at) for at in range(len(columns))]
    indices = pc.sort_indices(
        pa.table(columns, names=names), sort_keys=[(name, "ascending") for name in names]
    )
    return table.take(indices)


def _merged(runs: list[Any], keys: list[str]) -> Iterator[Any]:
    """Yield the rows of sorted runs in order: all that no run can have anything before any more."""
    import pyarrow as pa

    heads: dict[int, Any] = {}
    for at, run in enumerate(runs):
        _advance(heads, at, run)
    while heads:
        # The run whose head ends first says up to where all is known.
        ends = pa.concat_tables(
            [
                pa.Table.from_batches([head.slice(head.num_rows - 1)])
                .select(keys)
                .append_column("", pa.array([at], pa.int32()))
                for at, head in heads.items()
            ]
        )
        first = _sorted(ends, keys).column("")[0].as_py()
        end = pa.Table.from_batches([heads[first].slice(heads[first].num_rows - 1)])
        ready = []
        for at in list(heads):
            head = heads[at]
            count = head.num_rows if at == first else _rows_up_to(head, end, keys)
            ready.append(head.slice(0, count))
            if count == head.num_rows:
                _advance(heads, at, runs[at])
            else:
                heads[at] = head.slice(count)
        together = _sorted(pa.Table.from_batches([each for each in ready if each.num_rows]), keys)
        yield from together.combine_chunks().to_batches(max_chunksize=BATCH_ROWS)


def _advance(heads: dict[int, Any], at: int, run: Any) -> None:
    batch = next(run, None)
    while batch is not None and not batch.num_rows:
        batch = next(run, None)
    if batch is None:
        heads.pop(at, None)
    else:
        heads[at] = batch


def _rows_up_to(head: Any, end: Any, keys: list[str]) -> int:
    """Return how many rows of a sorted batch are not after a row."""
    from pypods.connectors.row_filter import RowFilter

    after = [end.column(name)[0].as_py() for name in keys]
    later = RowFilter(head.schema, "", order_by=keys, after=after).apply(head)
    return int(head.num_rows - later.num_rows)


def still_sorted(batches: Iterable[Any], keys: list[str], shown: str) -> Iterator[Any]:
    """Yield batches that are said to be in ascending order already.

    Raises DataError for the first row that is not.
    """
    import pyarrow as pa

    from pypods.connectors.errors import DataError

    last: Any = None
    first_row = 0
    for batch in batches:
        if batch.num_rows:
            parts = [batch] if last is None else [last, batch]
            table = pa.Table.from_batches(parts).select(keys).combine_chunks()
            numbered = table.append_column("", pa.array(range(table.num_rows), pa.int64()))
            # By the number last: rows of one key may stand in any order.
            numbers = _sorted(numbered, [*keys, ""]).column("").to_pylist()
            if numbers != sorted(numbers):
                places = {number: place for place, number in enumerate(numbers)}
                at = next(n for n in range(1, len(numbers)) if places[n] < places[n - 1])
                row = first_row + at + 1 - len(parts)
                raise DataError(
                    f"{shown} is not sorted by {', '.join(keys)}: row {row} (from 0) comes after "
                    f"a greater one (NULLs are first, texts go by their bytes); do not declare it "
                    f"as sorted",
                    position=row,
                )
            last = batch.slice(batch.num_rows - 1)
            first_row += batch.num_rows
        yield batch
