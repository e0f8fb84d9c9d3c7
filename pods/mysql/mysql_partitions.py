"""Ranges of a table's key, each to be read on its own; every range sees its own moment."""

from __future__ import annotations

from pypods.connectors.errors import SettingsError
from pypods.connectors.sql.statement import Statement, Value
from pypods.connectors.types import kind_of

_NAMES = {"column", "from", "to"}


def partitions(session, parts, count: int):
    """Return ranges of the key's first column; of integers equally wide ones, else of equal size.

    A table without a key, or with one that nothing can be said of, is one range.
    """
    import pyarrow.types as is_

    database = session.database
    found = database.describe(session, parts)
    if not found.key:
        return [{}]
    field = found.schema.field(found.key[0])
    name, table = database.quote(field.name), database.table(parts)
    if is_.is_integer(field.type):
        ((least, most),) = session.rows(f"select min({name}), max({name}) from {table}")
        if least is None:
            return [{}]
        width = most - least + 1
        bounds = [least + width * each // count for each in range(1, count)]
    elif not kind_of(field) and (is_.is_string(field.type) or is_.is_date(field.type)):
        ((rows,),) = session.rows(f"select count(*) from {table}")
        bounds = []
        for each in range(1, count):
            at = rows * each // count
            bounds += session.rows(
                f"select {name} from {table} order by {name} limit 1 offset {at}"
            )
        bounds = [bound for (bound,) in bounds]
    else:
        return [{}]
    # Equal ones would be ranges without rows.
    edges = [None, *dict.fromkeys(bounds), None]
    return [
        {"column": field.name, "from": start, "to": end} for start, end in zip(edges, edges[1:])
    ]


def condition(database, partition):
    """Return the condition of a range; the first has no beginning, the last no end."""
    if not partition:
        return None
    if set(partition) != _NAMES or not isinstance(partition["column"], str):
        raise SettingsError(f"MySQL made no partition {partition!r}")
    name = database.quote(partition["column"])
    pieces = [
        Statement(name, operator, Value(partition[edge]))
        for edge, operator in (("from", " >= "), ("to", " < "))
        if partition[edge] is not None
    ]
    if not pieces:
        return Statement("1 = 1")
    return pieces[0] if len(pieces) == 1 else Statement(pieces[0], " and ", pieces[1])
