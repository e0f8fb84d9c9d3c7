"""What connections declare of streams: checked, and what of a request a system is told itself."""

from __future__ import annotations

from pypods.connectors.errors import SettingsError

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

    from pypods.connectors.row_filter import RowFilter

__all__ = ["check_declaration", "check_where", "column_names", "passed_on"]

_OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in")


def check_declaration(shown: str, declared: Any, known: dict[str, Any]) -> None:
    """Raise SettingsError for what is no mapping of known names to values of their types."""
    if not isinstance(declared, dict):
        raise SettingsError(f"{shown} is a mapping, not {type(declared).__name__}")
    for name, value in declared.items():
        if name not in known:
            raise SettingsError(f"{shown} has no {name!r}; there are {', '.join(known)}")
        if isinstance(value, bool) != (known[name] is bool) or not isinstance(value, known[name]):
            raise SettingsError(f"{shown}: {name!r} cannot be {type(value).__name__}")


def column_names(declared: Any) -> list[str]:
    """Return names of columns, of which one may stand alone."""
    return [declared] if isinstance(declared, str) else list(declared or ())


def check_where(shown: str, declared: Any) -> dict[tuple[str, str], str]:
    """Return parameters by column and operator, from ``{"updated >=": "since"}``."""
    found = {}
    for condition, param in (declared or {}).items():
        column, _, operator = condition.rpartition(" ")
        if operator not in _OPERATORS or not column.strip():
            raise SettingsError(
                f"{shown}: where has {condition!r}, and takes a column and an operator, as "
                f"'updated >='"
            )
        if not isinstance(param, str):
            raise SettingsError(f"{shown}: where {condition!r} is the name of a parameter")
        found[column.strip(), operator] = param
    return found


def passed_on(
    declared: dict[tuple[str, str], str], sorted_by: list[str], chosen: RowFilter
) -> dict[str, tuple[str, str, Any]]:
    """Return column, operator and value, by parameter, of what a system can be told of a request.

    Values are Arrow's scalars, for ``in`` a list of them. Of the row to go on after it is told the
    first value, if its rows are sorted so: others may have that one too.
    """
    found: dict[str, tuple[str, str, Any]] = {}
    for column, operator, value in chosen.conditions:
        param = declared.get((column, operator))
        if param is not None:
            found.setdefault(param, (column, operator, value))
    if chosen.after and sorted_by[: len(chosen.order)] == chosen.order:
        column, value = chosen.after[0]
        param = declared.get((column, ">="))
        if param is not None and value.is_valid:
            found.setdefault(param, (column, ">=", value))
    return found
