"""BSON's values to Arrow's and back, each as it was or refused.

===========================  =================================================================
BSON                         Arrow
===========================  =================================================================
32 and 64 bits, double       int64, float64 (or narrower, if declared)
Decimal128                   decimal; without a declaration text, named ``decimal128``
text, bool                   utf8, bool
UTC datetime                 timestamp(us, UTC); also without a zone, and dates
ObjectId                     text of 24 hexadecimal digits, named ``objectid``
binary; of subtype 4         binary; uuid
documents, arrays            JSON text; structs and lists, if declared
anything else, a mixture     JSON text, as relaxed extended JSON has it
===========================  =================================================================

What Arrow has and BSON has not (times of day, decimals of more than 34 digits) is stored as text.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.types as is_
from bson import Binary, Decimal128, Int64, ObjectId, json_util
from bson.errors import BSONError

from pypods.connectors.batches import misfit, refuse_finer
from pypods.connectors.errors import DataError
from pypods.connectors.records.json_text import dump_json, parse_json
from pypods.connectors.rows import column_of
from pypods.connectors.text_forms import array_from_text, text_from_array
from pypods.connectors.types import field_from_text, kind_of

OBJECT_ID = "objectid"
DECIMAL128_DIGITS = 34
MILLISECOND = 1000
UUID_SUBTYPE = 4
_LARGEST = 2**63
_UTC = dt.timezone.utc


# --- to BSON ------------------------------------------------------------------------------------


def is_text(field):
    """Whether a column's values are stored as texts, BSON having nothing for them."""
    type_ = field.type
    if is_.is_decimal(type_):
        return type_.precision > DECIMAL128_DIGITS
    return is_.is_time(type_)


def to_bson(array, field):
    """Return the values of an array as documents hold them. Raises DataError."""
    type_, kind = field.type, kind_of(field)
    if is_text(field):
        return text_from_array(array, field).to_pylist()
    if is_.is_timestamp(type_):
        refuse_finer(array, field, MILLISECOND)
    values = array.to_pylist()
    if kind == "uuid":
        return [None if each is None else Binary(each, UUID_SUBTYPE) for each in values]
    if kind == OBJECT_ID:
        return [_checked(_object_id, each, at, array, field) for at, each in enumerate(values)]
    if kind == "json":
        return [_checked(_document, each, at, array, field) for at, each in enumerate(values)]
    if is_.is_integer(type_) and type_.bit_width > 32 - is_.is_unsigned_integer(type_):
        return [None if each is None else Int64(each) for each in values]
    if is_.is_nested(type_) or is_.is_date(type_) or is_.is_decimal(type_):
        return [_checked(_nested, each, at, array, field) for at, each in enumerate(values)]
    return values


def _checked(convert, value, at, array, field):
    try:
        return None if value is None else convert(value)
    except (ValueError, ArithmeticError, DataError, BSONError):
        raise misfit(array, at, field, 0) from None


def _object_id(text):
    made = ObjectId(text)
    if str(made) != text:
        raise ValueError("not as it is written")
    return made


def _nested(value):
    """Return a value of a list or a struct, a date or a decimal."""
    if isinstance(value, dict):
        return {name: _nested(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_nested(each) for each in value]
    if isinstance(value, Decimal):
        return Decimal128(value)
    if isinstance(value, dt.datetime):
        if value.microsecond % MILLISECOND:
            raise ValueError("finer than milliseconds")
        return value
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time(0))
    if isinstance(value, dt.time):
        return value.isoformat()
    if isinstance(value, int) and not isinstance(value, bool):
        if not -_LARGEST <= value < _LARGEST:
            raise ValueError("more than 64 bits")
        return Int64(value)
    return value


def _document(text):
    """Return what a JSON text says; ``null`` could not be told from NULL."""
    value = parse_json(text, "it")
    if value is None:
        raise ValueError("it could not be told from NULL")
    return _json_value(value)


def _json_value(value):
    if isinstance(value, dict):
        return {name: _json_value(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_json_value(each) for each in value]
    if isinstance(value, Decimal):
        made = float(value)
        if made not in (float("inf"), -float("inf")) and Decimal(repr(made)) == value:
            return made
        return Decimal128(value)
    return _nested(value)


# --- from BSON ----------------------------------------------------------------------------------


def from_bson(values, field, *, first_row):
    """Return an array of the field's type. Raises DataError, with row and column."""
    type_, kind = field.type, kind_of(field)
    if not field.nullable and None in values:
        row = first_row + values.index(None)
        raise DataError(
            f"row {row} (from 0), column {field.name!r}: there is no value, and the column is "
            f"declared not null",
            position=row,
            column=field.name,
        )
    if kind == "json":
        return pa.array([None if each is None else _as_json(each) for each in values], pa.utf8())
    if is_text(field):
        texts = column_of(values, pa.field(field.name, pa.utf8()), first_row=first_row)
        return array_from_text(texts, field, first_row=first_row)
    if is_.is_nested(type_):
        texts = [None if each is None else dump_json(_plain(each)) for each in values]
        return array_from_text(pa.array(texts, pa.utf8()), field, first_row=first_row)
    return column_of([_value(each, type_, kind) for each in values], field, first_row=first_row)


def _value(value, type_, kind):
    """Return a value as ``column_of`` takes it for a type; what does not fit, it refuses."""
    if isinstance(value, dt.datetime):
        if is_.is_date(type_):
            return value if value.time() != dt.time(0) else value.date()
        return value.replace(tzinfo=_UTC) if is_.is_timestamp(type_) and type_.tz else value
    if isinstance(value, Decimal128):
        if kind == "decimal128":
            return str(value)
        made = value.to_decimal()
        return made if made.is_finite() else str(value)
    if isinstance(value, ObjectId):
        return str(value) if kind == OBJECT_ID else value
    if isinstance(value, Binary):
        is_uuid = value.subtype == UUID_SUBTYPE
        return bytes(value) if is_uuid == (kind == "uuid") else value.hex()
    if isinstance(value, Int64):
        return int(value)
    if isinstance(value, float) and is_.is_integer(type_) and value.is_integer():
        return int(value)
    return value


def _as_json(value):
    return dump_json(_plain(value))


def _plain(value):
    """Return a value as JSON has it, all else as relaxed extended JSON writes it."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, Decimal128):
        made = value.to_decimal()
        return made if made.is_finite() else str(value)
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return text_from_array(pa.array([bytes(value)]), pa.field("", pa.binary()))[0].as_py()
    if isinstance(value, ObjectId):
        return str(value)
    if isinstance(value, float) and not (-float("inf") < value < float("inf")):
        return repr(value)
    if value is None or isinstance(value, (bool, int, str, float)):
        return int(value) if isinstance(value, Int64) else value
    options = json_util.RELAXED_JSON_OPTIONS
    return json.loads(json_util.dumps(value, json_options=options))


# --- types of what is there ---------------------------------------------------------------------


def infer_fields(documents):
    """Return fields for all names of documents, in the order in which they first appear."""
    kinds = {}
    for document in documents:
        for name, value in document.items():
            found = kinds.setdefault(name, set())
            if value is not None:
                found.add(_kind(value))
    return [field_from_text(name, _common(found)) for name, found in kinds.items()]


def _kind(value):
    kinds = (
        (bool, "bool"), (int, "int64"), (float, "float64"), (str, "utf8"),
        (ObjectId, f"utf8:{OBJECT_ID}"), (Decimal128, "utf8:decimal128"),
        (dt.datetime, "timestamp(us, UTC)"),
    )  # fmt: skip
    for type_, text in kinds:
        if isinstance(value, type_):
            return text
    if isinstance(value, bytes):
        return "uuid" if getattr(value, "subtype", 0) == UUID_SUBTYPE else "binary"
    return "json"


def _common(kinds):
    if len(kinds) == 1:
        return next(iter(kinds))
    return "float64" if kinds == {"int64", "float64"} else "json"
