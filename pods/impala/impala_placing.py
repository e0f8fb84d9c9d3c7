"""How rows get to where they are seen, in steps that may be repeated; nothing here is atomic."""

from __future__ import annotations

import re

from pypods.connectors.errors import ConflictError, SettingsError
from pypods.connectors.names import join_stream

#: What the name of a table whose place was taken ends with.
OLD = "_old"


def split_description(rows):
    """Return the columns of DESCRIBE FORMATTED, and what it says else, by names in lower case."""
    columns, rest = [], {}
    in_columns = True
    for row in rows:
        name, value = (row[0] or "").strip(), (row[1] or "").strip()
        if name == "# col_name":
            continue  # Hive's heading; a second one is that of partitions' columns.
        if not name or name.startswith("#"):
            in_columns = in_columns and not columns
        if in_columns and name and not name.startswith("#"):
            columns.append((row[0], value, row[2]))
        elif name:
            rest.setdefault(re.sub(r"[\s:]+$", "", name).lower(), value)
    return columns, rest


def check_writable(session, parts) -> None:
    """Raise SettingsError for a table of which files cannot simply be added or replaced."""
    rows = session.rows(f"describe formatted {session.database.table(parts)}")
    _, rest = split_description(rows)
    if "# partition information" in rest:
        raise SettingsError(
            f"{join_stream(parts)} has partitions; write into a table without, and INSERT from it"
        )
    told = " ".join(f"{row[0]} {row[1]}" for row in rows).lower()
    if re.search(r"\btransactional\s*=?\s*true", told):
        raise SettingsError(
            f"{join_stream(parts)} is a transactional table of Hive, into which files cannot be "
            f"moved; write into another one, and INSERT from it"
        )


def _count(session, parts) -> int:
    session.refresh(parts)
    ((rows,),) = session.rows(f"select count(*) from {session.database.table(parts)}")
    return int(rows)


def put_in_place(session, ready, target) -> None:
    """Make the new table the target, or move its rows there."""
    database, target = session.database, tuple(target)
    new = (target[0], ready["table"])
    is_there = database.is_there(session, new)
    if ready["how"] == "rename":
        if is_there:
            _rename(session, new, target)
    elif ready["how"] == "swap":
        old = (target[0], ready["table"] + OLD)
        if is_there:
            if not database.is_there(session, old):
                _rename(session, target, old)
            _rename(session, new, target)
    elif not is_there:
        raise ConflictError(
            f"the rows that were to go into {join_stream(target)} are gone; look whether the run "
            f"is finished"
        )
    elif ready["how"] == "move":
        _move(session, new, target)
    else:
        _overwrite(session, new, target)


def _rename(session, old, new) -> None:
    table = session.database.table
    if session.database.is_there(session, new):
        raise ConflictError(f"somebody else made {join_stream(new)} meanwhile; finish again")
    session.run(f"alter table {table(old)} rename to {table(new)}")


def _move(session, new, target) -> None:
    """Move files. Each is in one of the two folders, never in both."""
    if not _count(session, new):
        return
    place = session.properties(new)["location"].replace("\\", "\\\\").replace("'", "\\'")
    session.run(f"load data inpath '{place}' into table {session.database.table(target)}")
    session.refresh(target)
    left = _count(session, new)
    if left:
        raise ConflictError(
            f"{left} rows are still to go into {join_stream(target)}; finish the run again",
        )


def _overwrite(session, new, target) -> None:
    """Replace the files of a table by what another one has; doing so again changes nothing."""
    database = session.database
    schema = database.describe(session, new).schema
    for field in schema:
        database.add_column(session, target, field)
    names = ", ".join(map(database.quote, database.describe(session, target).schema.names))
    session.run(
        f"insert overwrite table {database.table(target)} select {names} from {database.table(new)}"
    )
    there, wanted = _count(session, target), _count(session, new)
    if there != wanted:
        raise ConflictError(
            f"{join_stream(target)} has {there} rows and has to have {wanted}: what an earlier "
            f"attempt has under way may still run; finish the run again"
        )
