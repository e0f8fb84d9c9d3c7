"""Conditions on rows, and the row to go on after: what they may be, for all systems."""

from __future__ import annotations

from pypods.connectors.errors import SettingsError
from pypods.connectors.names import check_columns

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterable

__all__ = ["OPERATORS", "check_after", "check_condition"]

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in", "is null", "is not null")


def check_condition(condition: Any, known: Iterable[str], shown: str) -> tuple[str, str, Any]:
    """Return column, operator and value of ``[column, operator, value]``.

    The value is None for ``is null`` and ``is not null`` only, and a list for ``in``. Raises
    SchemaError for a column that is not among the known, and SettingsError.
    """
    if not isinstance(condition, (list, tuple)) or len(condition) not in (2, 3):
        raise SettingsError(f"a condition is [column, operator, value], not {condition!r}")
    column, operator, *values = condition
    value = values[0] if values else None
    (name,) = check_columns([column], known, shown)
    if operator in ("is null", "is not null"):
        return name, operator, None
    if operator not in OPERATORS:
        raise SettingsError(
            f"condition on {name!r}: {operator!r} is no operator; there are " + ", ".join(OPERATORS)
        )
    if operator == "in":
        if not isinstance(value, (list, tuple, set, frozenset)) or None in value:
            raise SettingsError(f"condition on {name!r}: 'in' takes a list without None")
        return name, operator, list(value)
    if value is None:
        raise SettingsError(
            f"condition on {name!r}: nothing is {operator} None; use 'is null' or 'is not null'"
        )
    return name, operator, value


def check_after(
    order_by: Any, after: Any, known: Iterable[str], shown: str
) -> list[tuple[str, Any]]:
    """Return pairs of a column of the order and its value in the row to go on after.

    Raises SchemaError for a column that is not among the known, and SettingsError.
    """
    names = check_columns(order_by or [], known, shown)
    values = list(after)
    if not names or len(values) != len(names):
        raise SettingsError(
            f"after has {len(values)} values and order_by {len(names)} columns: one for each"
        )
    return list(zip(names, values))
