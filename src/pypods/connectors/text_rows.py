"""Rows whose values are texts, as the system writes them, to record batches; each value checked."""

from __future__ import annotations

from pypods.connectors.rows import batches_from_rows
from pypods.connectors.text_forms import array_from_text

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator

__all__ = ["batches_from_texts"]


def _never(_: Any) -> bool:
    return False


def batches_from_texts(
    fetch: Callable[[int], Any],
    schema: Any,
    prepare: Callable[[Any, Any], Any],
    *,
    batch_rows: int,
    has_bytes: Callable[[Any], bool] = _never,
) -> Iterator[Any]:
    """Yield batches from a cursor's ``fetchmany``, until it returns nothing.

    ``prepare`` makes an array of texts one that ``text_forms`` reads, or one of the field's type.
    ``has_bytes`` says of a field that its values are bytes. Raises DataError.
    """
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    raw = pa.schema(
        [(field.name, pa.binary() if has_bytes(field) else pa.utf8()) for field in schema]
    )
    first_row = 0
    for batch in batches_from_rows(fetch, raw, batch_rows=batch_rows):
        columns = []
        for column, field in zip(batch.columns, schema):
            ready = prepare(column, field)
            if ready.type != field.type:
                ready = array_from_text(ready, field, first_row=first_row)
            columns.append(ready)
        yield pa.record_batch(columns, schema=schema)
        first_row += batch.num_rows
