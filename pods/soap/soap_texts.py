"""Columns to what zeep writes into elements: texts of our own, so that nothing is rounded.

====================  =========================================================================
string and such       anything, as text; what has parts as JSON
boolean               bool; text that says so
integers              integers, and decimals without a fraction, that the type has
decimal               integers, decimals, floats
float, double         floats and integers that the type holds exactly
dateTime              timestamps; with a zone the instant, with a Z
date, time            dates, times
base64Binary, hex…    binary
others                text
what has parts        JSON, lists, structs
====================  =========================================================================

Text is taken everywhere, as it stands.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as is_
from zeep.xsd.types import builtins
from zeep.xsd.types.complex import ComplexType

from pypods.connectors.batches import conform, misfit
from pypods.connectors.records.json_writing import document_of
from pypods.connectors.text_forms import text_from_array
from pypods.connectors.types import field_from_text, kind_of, with_kind

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

    from .soap_types import Member

__all__ = ["element_values", "takes"]

_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_FLOATS = {"nan": "NaN", "inf": "INF", "-inf": "-INF"}


def takes(member: Member, field: Any) -> bool:
    """Whether an element takes values of a column's type; each of them is looked at later."""
    type_ = field.type
    if _has_parts(field) and member.is_nested:
        return True
    if isinstance(member.type, ComplexType):
        return False
    target = member.text or "utf8"
    if target == "utf8" or is_.is_string(type_):
        return True
    wanted = field_from_text("", target).type
    if is_.is_integer(wanted) or target == "decimal(38,0)":
        return bool(is_.is_integer(type_) or is_.is_decimal(type_))
    if is_.is_decimal(wanted):
        return bool(is_.is_integer(type_) or is_.is_decimal(type_) or is_.is_floating(type_))
    if is_.is_floating(wanted):
        return bool(is_.is_integer(type_) or is_.is_floating(type_))
    if is_.is_binary(wanted):
        return bool(is_.is_binary(type_) or is_.is_fixed_size_binary(type_))
    alike = (is_.is_boolean, is_.is_timestamp, is_.is_date, is_.is_time)
    return any(each(wanted) and each(type_) for each in alike)


def _has_parts(field: Any) -> bool:
    return kind_of(field) == "json" or bool(is_.is_nested(field.type))


def element_values(array: Any, field: Any, member: Member) -> list[Any]:
    """Return what zeep is given for each value. Raises DataError, with the row from 0."""
    target = member.text or "utf8"
    if _has_parts(field) and member.is_nested:
        texts = text_from_array(array, field).to_pylist()
        return [document_of(text, at, array, field) for at, text in enumerate(texts)]
    if target == "bool":
        return _truths(array, field)
    if is_.is_string(field.type):
        return list(array.to_pylist())
    if target != "decimal(38,10)" and _is_number(field_from_text("", target)):
        wanted = field_from_text(field.name, target)
        batch = pa.record_batch([array], schema=pa.schema([field.with_nullable(True)]))
        array, field = conform(batch, pa.schema([wanted])).column(0), wanted
    if target == "binary":
        field = with_kind(field, "")
    binary = "hex" if member.is_hex else "base64"
    texts = text_from_array(array, field, binary=binary).to_pylist()
    if is_.is_timestamp(field.type):
        return [None if text is None else text.replace(" ", "T") for text in texts]
    if is_.is_floating(field.type):
        return [
            None if text is None else _float(text, at, array, field, member)
            for at, text in enumerate(texts)
        ]
    return list(texts)


def _is_number(field: Any) -> bool:
    type_ = field.type
    return bool(is_.is_integer(type_) or is_.is_floating(type_) or is_.is_decimal(type_))


def _truths(array: Any, field: Any) -> list[Any]:
    """Return truth, which zeep would make of any text."""
    values: list[Any] = array.to_pylist()
    if not is_.is_string(field.type):
        return values
    for at, text in enumerate(values):
        if text is not None and text.strip() not in _TRUTH:
            raise misfit(array, at, field, 0)
    return [None if text is None else _TRUTH[text.strip()] for text in values]


def _float(text: str, at: int, array: Any, field: Any, member: Member) -> str:
    """Return a float's text in an element, which may be a decimal, or text."""
    from decimal import Decimal

    if isinstance(member.type, builtins.Decimal):  # Without an exponent, and there is no infinity.
        if text in _FLOATS:
            raise misfit(array, at, field, 0)
        return format(Decimal(text), "f")
    if text == "nan" and isinstance(member.type, builtins.Float):
        # zeep writes NAN, which is none.
        raise misfit(array, at, field, 0)
    return _FLOATS.get(text, text)
