"""Rows that a target cannot take: found in their batch, and put aside with the reason."""

from __future__ import annotations

from pypods.connectors.batches import conform
from pypods.connectors.errors import DataError
from pypods.connectors.json_values import row_as_json

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable

__all__ = ["BAD_ROWS_SUFFIX", "COLUMNS", "BadRow", "rows_to_keep", "split_bad_rows", "too_many"]

#: What the place where a stream's bad rows are is called, behind the stream's name.
BAD_ROWS_SUFFIX = "__bad_rows"
#: What is kept of each, as ``rows_to_keep`` has it.
COLUMNS = ("run", "part", "position", "reason", "row_json")


class BadRow:
    """A row that was refused: its place in the batch, why, and itself."""

    def __init__(self, at: int, reason: str, row: dict[str, Any]) -> None:
        self.at = at
        self.reason = reason
        self.row = row


def split_bad_rows(
    batch: Any,
    schema: Any,
    key: Any,
    *,
    first_row: int,
    most: int | None,
    check: Callable[[Any], None] | None = None,
) -> tuple[Any, list[BadRow]]:
    """Return the batch in the staged types, without rows that do not fit; and those.

    ``check`` raises DataError for a batch in those types. Raises DataError for the first bad row
    if none are collected (``most`` is None), or for the first one too many.
    """
    bad: list[BadRow] = []
    places = list(range(batch.num_rows))
    while True:
        try:
            made = conform(batch, schema)
            refuse_null_keys(made, key)
            if check is not None:
                check(made)
        except DataError as error:
            if error.position is None:
                raise
            at = error.position
            if most is None:
                row = first_row + at
                raise DataError(
                    f"row {row} (from 0) of the part, column {error.column!r}: {error}",
                    position=row,
                    column=error.column,
                ) from None
            bad.append(BadRow(places[at], str(error), batch.slice(at, 1).to_pylist()[0]))
            if len(bad) > most:
                raise too_many(len(bad), most, bad[-1]) from None
            del places[at]
            batch = _without(batch, at)
        else:
            return made, bad


def refuse_null_keys(batch: Any, key: Iterable[str]) -> None:
    """Raise DataError for the first row whose key is not known."""
    import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]

    for name in key:
        column = batch.column(name)
        if column.null_count:
            at = pc.index(column.is_null(), True).as_py()
            raise DataError(
                f"row {at} (from 0), column {name!r}: a key cannot be NULL",
                position=at,
                column=name,
            )


def _without(batch: Any, at: int) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    parts = [batch.slice(0, at), batch.slice(at + 1)]
    return (
        pa.Table.from_batches(parts).combine_chunks().to_batches(max_chunksize=batch.num_rows)[0]
        if batch.num_rows > 1
        else batch.slice(0, 0)
    )


def too_many(count: int, most: int, last: BadRow) -> DataError:
    """Return the error for a run with more bad rows than it may have."""
    return DataError(
        f"{count} bad rows in this batch, and {most} more are allowed in the run; the last one, "
        f"row {last.at} of the batch: {last.reason}",
        position=last.at,
    )


def rows_to_keep(run: str, part: str, first: int, rows: list[BadRow]) -> list[tuple[Any, ...]]:
    """Return what is kept; ``first`` is the place of their batch's first row in the part."""
    return [(run, part, first + each.at, each.reason, row_as_json(each.row)) for each in rows]
