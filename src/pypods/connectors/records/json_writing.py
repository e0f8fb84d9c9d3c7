"""Record batches to JSON records: the forms that ``json_columns`` reads back as they were."""

from __future__ import annotations

from pypods.connectors.batches import misfit
from pypods.connectors.errors import DataError
from pypods.connectors.records.json_text import parse_json, put_at
from pypods.connectors.types import kind_of

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["document_of", "records_of_batch"]


def records_of_batch(
    batch: Any,
    paths: dict[str, list[str]],
    *,
    decimals_as_text: bool = False,
    omit_nulls: bool = False,
) -> list[dict[str, Any]]:
    """Return a batch's rows as objects that ``dump_json`` writes.

    Raises DataError for what JSON has no form for, with the row from 0 and the column.
    """
    records: list[dict[str, Any]] = [{} for _ in range(batch.num_rows)]
    for field, array in zip(batch.schema, batch.columns):
        path = paths.get(field.name, [field.name])
        for record, value in zip(records, _values(array, field, decimals_as_text)):
            if value is not None or not omit_nulls:
                put_at(record, path, value)
    return records


def _values(array: Any, field: Any, decimals_as_text: bool) -> list[Any]:
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    from pypods.connectors.text_forms import text_from_array

    type_, kind = field.type, kind_of(field)
    if kind == "json":
        return [document_of(text, at, array, field) for at, text in enumerate(array.to_pylist())]
    if is_.is_floating(type_):
        return _finite(array, field)
    is_plain = is_.is_string(type_) or is_.is_boolean(type_) or is_.is_integer(type_)
    if is_plain or (is_.is_decimal(type_) and not decimals_as_text):
        values: list[Any] = array.to_pylist()
        return values
    texts: list[Any] = text_from_array(array, field).to_pylist()
    if is_.is_nested(type_):
        return [None if each is None else parse_json(each, field.name) for each in texts]
    if is_.is_timestamp(type_):
        return [None if each is None else each.replace(" ", "T") for each in texts]
    return texts


def document_of(text: str | None, at: int, array: Any, field: Any) -> Any:
    """Return what a JSON text says; ``null`` could not be told from NULL and is refused.

    Raises DataError, with the value of ``array`` at that place and the row from 0.
    """
    if text is None:
        return None
    try:
        document = parse_json(text, "it")
    except DataError:
        document = None
    if document is None:
        raise misfit(array, at, field, 0)
    return document


def _finite(array: Any, field: Any) -> list[Any]:
    values: list[Any] = array.to_pylist()
    for at, value in enumerate(values):
        if value is not None and (value != value or value in (float("inf"), -float("inf"))):
            raise misfit(array, at, field, 0)
    return values
