"""JSON records to record batches of a schema: each value checked, none changed.

==================  ==============================================================================
bool                ``true``, ``false``
integers            numbers without a fraction; text of digits
floats              numbers that a float has the digits of
decimals            numbers, and texts of them
text                text; with ``loose`` also numbers, truth and what is nested, as JSON
date, time          text as ISO 8601 has it
timestamp           the same; with a zone where the column has one, without where it has none
binary, uuid        Base64; hexadecimal digits
json                anything, as JSON
list, struct        arrays, objects
==================  ==============================================================================
"""

from __future__ import annotations

import re

from pypods.connectors.errors import DataError
from pypods.connectors.records.json_text import MISSING, dump_json, value_at
from pypods.connectors.types import kind_of, text_of

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["batch_of_records", "column_from_json", "without_further_zeros"]

#: Digits that every float's shortest text has at most.
_FLOAT_DIGITS = 17
#: Zeros after the microseconds say nothing.
_FURTHER_ZEROS = re.compile(r"(\.\d{6})0+(?!\d)")


def batch_of_records(
    records: list[Any],
    schema: Any,
    paths: dict[str, list[str]],
    *,
    first_row: int = 0,
    column: Callable[..., Any] | None = None,
) -> Any:
    """Return a batch of records; ``paths`` says where a column's value lies, else by its name.

    ``column`` makes an array of one column's values, as ``column_from_json`` does. Raises
    DataError, which names the row (``first_row`` is the number of the first) and the column.
    """
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    column = column or column_from_json
    for at, record in enumerate(records):
        if not isinstance(record, dict):
            row = first_row + at
            raise DataError(
                f"record {row} (from 0) is {_shown(record)}, and has to be an object", position=row
            )
    arrays = []
    for field in schema:
        path = paths.get(field.name, [field.name])
        if len(path) == 1:
            values = [record.get(path[0]) for record in records]
        else:
            found = (value_at(record, path) for record in records)
            values = [None if each is MISSING else each for each in found]
        if not field.nullable and None in values:
            row = first_row + values.index(None)
            raise DataError(
                f"row {row} (from 0), column {field.name!r}: there is no value, and the column "
                f"is declared not null",
                position=row,
                column=field.name,
            )
        arrays.append(column(values, field, first_row=first_row))
    if not arrays:
        return pa.record_batch([pa.nulls(len(records))], names=["rows"]).select([])
    return pa.record_batch(arrays, schema=schema)


def column_from_json(
    values: list[Any], field: Any, *, first_row: int = 0, loose: bool = False
) -> Any:
    """Return an array of the field's type. Raises DataError, with row and column."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    from pypods.connectors.rows import column_of
    from pypods.connectors.text_forms import array_from_text

    type_, kind = field.type, kind_of(field)
    if kind == "json":
        return pa.array([None if each is None else dump_json(each) for each in values], pa.utf8())
    if is_.is_nested(type_):
        texts = [None if each is None else dump_json(each) for each in values]
        return array_from_text(pa.array(texts, pa.utf8()), field, first_row=first_row)
    if is_.is_string(type_):
        if loose:
            values = [
                each if each is None or isinstance(each, str) else dump_json(each)
                for each in values
            ]
        return column_of(values, field, first_row=first_row)
    if is_.is_boolean(type_):
        return column_of(values, field, first_row=first_row)
    if is_.is_floating(type_):
        return column_of(_each(values, field, first_row, _float), field, first_row=first_row)
    if is_.is_integer(type_):
        return column_of(_each(values, field, first_row, _integer), field, first_row=first_row)
    if is_.is_decimal(type_):
        return column_of(_each(values, field, first_row, _decimal), field, first_row=first_row)
    texts = _each(values, field, first_row, _text)
    if is_.is_timestamp(type_) or is_.is_time(type_):
        texts = without_further_zeros(texts)
    return array_from_text(column_of(texts, _texts()), field, first_row=first_row)


def without_further_zeros(texts: list[Any]) -> list[Any]:
    """Return texts of times without zeros after their microseconds."""
    return [each and _FURTHER_ZEROS.sub(r"\1", each) for each in texts]


def _texts() -> Any:
    import pyarrow as pa

    return pa.field("", pa.utf8())


def _each(values: list[Any], field: Any, first_row: int, convert: Callable[[Any], Any]) -> Any:
    made = []
    for at, value in enumerate(values):
        try:
            made.append(None if value is None else convert(value))
        except (ValueError, ArithmeticError):
            raise _misfit(value, at, field, first_row) from None
    return made


def _misfit(value: Any, at: int, field: Any, first_row: int) -> DataError:
    row = first_row + at
    return DataError(
        f"row {row} (from 0), column {field.name!r}: {_shown(value)} is no {text_of(field)}",
        position=row,
        column=field.name,
    )


def _shown(value: Any) -> str:
    try:
        return dump_json(value)[:80]
    except (TypeError, ValueError):
        return repr(value)[:80]


def _float(value: Any) -> Any:
    from decimal import Decimal

    if isinstance(value, Decimal):
        made = float(value)
        digits = max(len(value.as_tuple().digits), _FLOAT_DIGITS)
        # Its shortest text, or as many digits of it as somebody has printed.
        if Decimal(repr(made)) != value and Decimal(format(made, f".{digits - 1}e")) != value:
            raise ValueError("a float has no digits for it")
        return made
    if isinstance(value, (bool, str, dict, list)):
        raise ValueError("no number")
    return value


def _integer(value: Any) -> Any:
    from decimal import Decimal

    if isinstance(value, str):
        if re.fullmatch(r"[+-]?[0-9]{1,40}", value) is None:
            raise ValueError("no integer")
        return int(value)
    if isinstance(value, Decimal):
        if abs(value.adjusted()) > 2 * _FLOAT_DIGITS or value != value.to_integral_value():
            raise ValueError("no integer")
        return int(value)
    if isinstance(value, (bool, dict, list)):
        raise ValueError("no integer")
    return value


def _decimal(value: Any) -> Any:
    from decimal import Decimal

    if isinstance(value, (bool, dict, list)):
        raise ValueError("no number")
    made = Decimal(value)
    if not made.is_finite():
        raise ValueError("no number")
    return made


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    return value
