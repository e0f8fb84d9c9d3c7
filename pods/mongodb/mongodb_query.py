"""Conditions, orders and pages as MongoDB's queries: values are values there, never operators.

What is left to MongoDB is only what it compares as Arrow does; every row is looked at again here.
"""

from __future__ import annotations

import pyarrow.types as is_
from bson import ObjectId
from bson.errors import InvalidId

from pypods.connectors.types import kind_of

from .mongodb_values import OBJECT_ID, is_text

_OPERATORS = {"=": "$eq", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}


def is_plain(name):
    """Whether a name is one field, and neither a path nor an operator."""
    return bool(name) and "." not in name and not name.startswith("$") and "\0" not in name


def compares_alike(field):
    """Whether MongoDB compares a column's values as Arrow does."""
    type_, kind = field.type, kind_of(field)
    if not is_plain(field.name) or is_text(field):
        return False
    if is_.is_string(type_):
        return kind in ("", OBJECT_ID)
    if kind:
        return False
    return is_.is_integer(type_) or is_.is_boolean(type_) or is_.is_timestamp(type_)


def filter_of(asked):
    """Return a query that finds at least all rows that are asked for."""
    chosen = asked.chosen
    parts = [
        part
        for name, operator, value in chosen.conditions
        for part in _condition(chosen.schema.field(name), operator, value)
    ]
    if asked.after is not None:
        parts += _after(chosen.schema.field(asked.order[0]), asked.after[0])
    return {"$and": parts} if parts else {}


def _condition(field, operator, value):
    name = field.name
    if not is_plain(name):
        return []
    if operator == "is null":
        return [{name: {"$eq": None}}]
    if operator == "is not null":
        return [{name: {"$ne": None}}]
    if not compares_alike(field):
        return []
    if operator == "in":
        values = [_value(field, each) for each in value]
        return [] if any(each is _NONE for each in values) else [{name: {"$in": values}}]
    value = _value(field, value)
    if value is _NONE:
        return []
    if operator == "!=":
        return [{name: {"$nin": [value, None]}}]
    return [{name: {_OPERATORS[operator]: value}}]


_NONE = object()


def _value(field, scalar):
    """Return a condition's value as documents hold it, or _NONE where that is not known."""
    value = scalar.as_py()
    if kind_of(field) != OBJECT_ID:
        return value
    try:
        return ObjectId(value)
    except InvalidId:
        return _NONE


def _after(field, value):
    """Return what holds of the rows after one, by the first column alone; or nothing."""
    if not compares_alike(field) or not value.is_valid:
        return []
    value = _value(field, value)
    return [] if value is _NONE else [{field.name: {"$gte": value}}]


def sort_of(schema, order):
    """Return what MongoDB sorts by; None where it would sort otherwise than Arrow."""
    if not order or not all(compares_alike(schema.field(name)) for name in order):
        return None
    return [(name, 1) for name in order]
