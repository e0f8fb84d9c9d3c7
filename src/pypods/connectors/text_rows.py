"""Rows whose values are texts, as the system writes them, to record batches; each value checked."""

from __future__ import annotations

from pypods.connectors.rows import batches_from_rows
from pypods.connectors.text_forms import array_from_text

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Iterator

__all__ = ["batches_from_texts", "typed"]


def batches_from_texts(
    fetch: Callable[[int], Any],
    schema: Any,
    prepare: Callable[[Any, Any], Any],
    *,
    batch_rows: int,
) -> Iterator[Any]:
    """Yield batches from a cursor's ``fetchmany``, until it returns nothing; see ``typed``."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    texts = pa.schema([(name, pa.utf8()) for name in schema.names])
    return typed(batches_from_rows(fetch, texts, batch_rows=batch_rows), schema, prepare)


def typed(batches: Iterable[Any], schema: Any, prepare: Callable[[Any, Any], Any]) -> Iterator[Any]:
    """Yield batches of texts, or of bytes, as ones of a schema.

    ``prepare`` makes of a column one that ``text_forms`` reads, or one of the field's type. Raises
    DataError.
    """
    import pyarrow as pa

    first_row = 0
    for batch in batches:
        columns = []
        for column, field in zip(batch.columns, schema):
            ready = prepare(column, field)
            if ready.type != field.type:
                ready = array_from_text(ready, field, first_row=first_row)
            columns.append(ready)
        yield pa.record_batch(columns, schema=schema)
        first_row += batch.num_rows
