"""How rows get to where they are seen: one atomic statement of ClickHouse, and who may do it."""

from __future__ import annotations

from pypods.connectors.errors import ConflictError, SettingsError
from pypods.connectors.names import join_stream
from pypods.connectors.sql.statement import Statement, Value


def table_row(session, parts, columns: str):
    """Return columns of a table's row in ``system.tables``, or None."""
    rows = session.rows(
        Statement(
            f"select {columns} from system.tables where database = ",
            Value(parts[0]), " and name = ", Value(parts[1]),
        )
    )  # fmt: skip
    return rows[0] if rows else None


def check_writable(session, parts) -> None:
    """Raise SettingsError for a table that cannot take what was staged in one statement."""
    engine, dependents = table_row(session, parts, "engine, dependencies_table")
    if not engine.endswith("MergeTree") or engine.startswith(("Replicated", "Shared")):
        raise SettingsError(
            f"{join_stream(parts)} is a {engine} table; what is written in steps goes into tables "
            f"of the MergeTree family that are not replicated"
        )
    if dependents:
        raise SettingsError(
            f"{join_stream(parts)} has materialized views ({', '.join(dependents)}), which would "
            f"not see what is moved into it; write into another table, and INSERT from there"
        )


def check_database(session, name: str) -> None:
    """Raise SettingsError for a database whose tables cannot be exchanged."""
    rows = session.rows(Statement("select engine from system.databases where name = ", Value(name)))
    if not rows:
        raise SettingsError(f"there is no database {name!r}; make it first")
    if rows[0][0] != "Atomic":
        raise SettingsError(
            f"database {name!r} is {rows[0][0]}; writing needs one of the engine Atomic, in which "
            f"tables can be exchanged"
        )


def mark_state(session, parts):
    """Return what is another once rows were inserted, deleted or changed; merges leave it."""
    rows = session.rows(
        Statement(
            "select partition_id, max(max_block_number), max(data_version) from system.parts "
            "where active and database = ",
            Value(parts[0]), " and table = ", Value(parts[1]), " group by partition_id order by 1",
        )
    )  # fmt: skip
    (uuid,) = table_row(session, parts, "toString(uuid)")
    mark = [uuid, *map(list, rows)]
    session.marks[tuple(parts)] = mark
    return mark


def is_stale(session, ready, target) -> bool:
    """Whether the target is not as it was when the new table was made of it.

    Rows that are moved do not take the place of others; and what replaces all, replaces these too.
    """
    if ready["how"] == "move" or _place_of(session, ready["uuid"]) == tuple(target):
        return False
    before, exists = ready.get("before"), table_row(session, target, "engine") is not None
    if exists != (before is not None):
        return True
    return exists and not ready["whole"] and mark_state(session, target) != before


def _place_of(session, uuid: str):
    rows = session.rows(
        Statement("select database, name from system.tables where toString(uuid) = ", Value(uuid))
    )
    return tuple(rows[0]) if rows else None


def put_in_place(session, ready, target, own) -> None:
    """Make the new table the target, or move its rows there.

    Which table is which is known by their UUIDs: names are exchanged, those are not.
    """
    if ready["how"] == "move":
        _move(session, ready, target)
        return
    table = session.database.table
    for _ in range(3):
        place = _place_of(session, ready["uuid"])
        if place == tuple(target):
            return
        if place is None:
            raise ConflictError(
                f"the table that was to become {join_stream(target)} is gone; prepare the run again"
            )
        if place != tuple(own):
            # Under a name that no earlier attempt knows: what it still has under way fails.
            session.run(f"rename table {table(place)} to {table(own)}")
        elif ready["how"] == "rename":
            session.run(f"rename table {table(own)} to {table(target)}")
        else:
            session.run(f"exchange tables {table(own)} and {table(target)}")
    if _place_of(session, ready["uuid"]) != tuple(target):
        raise ConflictError(
            f"somebody else gives {join_stream(target)} another place; finish the run again"
        )


def _move(session, ready, target) -> None:
    """Move rows, partition by partition. A row is in one of the two tables, never in both."""
    table = session.database.table
    place = _place_of(session, ready["uuid"])
    if place is None:
        raise ConflictError(
            f"the rows that were to go into {join_stream(target)} are gone; look whether the run "
            f"is finished"
        )
    partitions = session.rows(
        Statement(
            "select distinct partition_id from system.parts where active and database = ",
            Value(place[0]), " and table = ", Value(place[1]), " order by 1",
        )
    )  # fmt: skip
    for (partition,) in partitions:
        session.run(
            Statement(
                f"alter table {table(place)} move partition id ",
                Value(partition),
                f" to table {table(target)}",
            )
        )
