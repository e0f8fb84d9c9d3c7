"""The schema of records that nobody declared, from some of them.

Columns are the names in the order in which they first appear, all of them nullable. A column is

==============================  ===========
of nothing but ``null``         json
``true``, ``false``             bool
integers                        int64; decimal(38,0) if one is larger
numbers with a fraction         float64
text                            utf8; dates in it stay text
objects, arrays, or a mixture   json
==============================  ===========
"""

from __future__ import annotations

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterable

__all__ = ["infer_schema"]

_LARGEST = 2**63


def infer_schema(records: Iterable[dict[str, Any]]) -> Any:
    """Return the Arrow schema of records, as ``parse_json`` gives them."""
    from pypods.connectors.types import schema_from_rows

    kinds: dict[str, set[str]] = {}
    for record in records:
        for name, value in record.items():
            found = kinds.setdefault(name, set())
            if value is not None:
                found.add(_kind(value))
    return schema_from_rows([(name, _type(found), True) for name, found in kinds.items()])


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64" if -_LARGEST <= value < _LARGEST else "decimal(38,0)"
    if isinstance(value, str):
        return "utf8"
    if isinstance(value, (dict, list)):
        return "json"
    return "float64"


def _type(kinds: set[str]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    if kinds == {"int64", "decimal(38,0)"}:
        return "decimal(38,0)"
    if kinds == {"int64", "float64"}:
        return "float64"
    return "json"
