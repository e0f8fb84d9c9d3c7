"""Partitions by ranges of a key that is a whole number, for systems that offer nothing else.

Together they have each row once, whatever is written meanwhile, unless a row's key changes.
"""

from __future__ import annotations

from pypods.connectors.errors import SettingsError
from pypods.connectors.sql.statement import Statement, Value

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["key_ranges", "range_condition"]

EDGES = {"from": ">=", "to": "<"}


def key_ranges(database: Any, session: Any, parts: Any, count: int) -> list[dict[str, Any]]:
    """Return ranges of the key's first column, the first and the last one open at their ends.

    A table whose key does not begin with a whole number has one partition.
    """
    found = database.describe(session, parts)
    if not found.key or not _is_whole(found.schema.field(found.key[0])):
        return [{}]
    column = database.quote(found.key[0])
    ((low, high),) = session.rows(
        f"select min({column}), max({column}) from {database.table(parts)}"
    )
    if low is None or int(high) - int(low) < count:
        return [{}]
    low, high = int(low), int(high)
    bounds = [low + (high - low + 1) * each // count for each in range(1, count)]
    edges = [None, *bounds, None]
    return [
        {"column": found.key[0], "from": start, "to": end} for start, end in zip(edges, edges[1:])
    ]


def range_condition(database: Any, partition: dict[str, Any]) -> Statement | None:
    """Return the condition of a range. Raises SettingsError for one that was not made here."""
    if not partition:
        return None
    name = partition.get("column")
    edges = [partition.get(edge) for edge in EDGES]
    is_ours = set(partition) == {"column", *EDGES} and isinstance(name, str)
    if not is_ours or any(edge is not None and type(edge) is not int for edge in edges):
        raise SettingsError(f"{database.title} made no partition {partition!r}")
    column, condition = database.quote(name), Statement("1 = 1")
    for operator, edge in zip(EDGES.values(), edges):
        if edge is not None:
            condition += Statement(f" and {column} {operator} ", Value(edge))
    return condition


def _is_whole(field: Any) -> bool:
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    return bool(
        is_.is_integer(field.type) or (is_.is_decimal(field.type) and field.type.scale == 0)
    )
