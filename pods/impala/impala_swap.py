"""How a new table gets into its place: two renames, and what tells whoever comes in between.

A new table has a token among its properties, which stays with it whatever it is called. The target
is renamed away, and the new table to its name. Where the target is missing and a table that was
renamed away is there, an end was cut off: that one gets its name back, and all begins again.
"""

from __future__ import annotations

import os

from pypods.connectors.errors import ConflictError, SettingsError, StreamNotFoundError
from pypods.connectors.names import join_stream, short_hash

from .impala_tables import TOKEN, find_table, names_like, seen_table


def _olds(database, target) -> str:
    """Return what the names begin with under which targets wait to be dropped."""
    return f"{database.own_prefix}{short_hash(target[-1])}_old_"


def find_aside(session, target):
    """Return the names of tables that were renamed away from a target."""
    return names_like(session, target[0], _olds(session.database, target))


def rename(session, parts, name: str) -> None:
    """Give a table another name. Raises ConflictError where somebody else did or does so."""
    table = session.database.table
    try:
        session.run(f"alter table {table(parts)} rename to {table((parts[0], name))}")
    except Exception as exc:
        error = session.translate(exc)
        if not isinstance(error, (ConflictError, StreamNotFoundError)):
            raise
        raise ConflictError(
            f"somebody else renames tables of {parts[0]} as well ({error}); finish the run again",
            retry=True,
        ) from None


def settle(session, target) -> None:
    """Give a target its name back, which somebody took away and did not come to replace."""
    aside = find_aside(session, target)
    session.settled.add(tuple(target))
    if not aside:
        return
    found = find_table(session, target)
    if found is None and len(aside) == 1:
        rename(session, (target[0], aside[0]), target[-1])
    elif found is not None and found.token:
        for name in aside:
            session.database.drop_table(session, (target[0], name))
    else:
        raise ConflictError(
            f"of {join_stream(target)} there {'are' if len(aside) > 1 else 'is'} "
            f"{', '.join(aside)} as well, left by runs that were cut off; look which of them is "
            f"the right one, rename it to {target[-1]}, and drop the others"
        )


def mark_state(session, parts) -> str:
    """Return what is another once columns or rows of a table have changed, and not by a rename.

    Rows are in files that are never changed, and whose names nobody uses twice.
    """
    dialect, table = session.dialect, session.database.table(parts)
    found = seen_table(session, parts)
    if found is None:
        raise ConflictError(f"{join_stream(parts)} is gone; finish the run again", retry=True)
    if dialect.refresh:
        session.run(dialect.refresh.format(table))
    rows = session.rows(
        f"select f, count(*) from (select {dialect.file_of_row} as f from {table}) as x group by f"
    )
    files = sorted(f"{str(file).rpartition('/')[2]} {count}" for file, count in rows)
    mark = short_hash(*(" ".join(column) for column in found.columns), "", *files)
    session.marks[tuple(parts)] = mark
    return mark


def note_ready(session, new, target):
    """Give a new table its token, and return that with how the target was when it was made."""
    token = os.urandom(8).hex()
    table = session.database.table(new)
    session.run(f"alter table {table} set tblproperties ('{TOKEN}'='{token}')")
    session.made = (token, new[-1])
    return {"token": token, "before": session.marks.get(tuple(target))}


def is_stale(session, ready, target) -> bool:
    """Whether the target is not as it was, unless the new table is there already."""
    settle(session, target)
    found = find_table(session, target)
    if found is not None and found.token == ready["token"]:
        return False
    if found is None or ready["before"] is None:
        return (found is None) != (ready["before"] is None)
    return mark_state(session, target) != ready["before"]


def put_in_place(session, ready, target, own) -> None:
    """Make the new table the target."""
    database, schema = session.database, target[0]
    aside = (schema, _olds(database, target) + ready["token"])
    is_new = session.made == (ready["token"], own[-1])
    # What this session has just looked at; a rename fails if it is another way since.
    found = session.seen.get(tuple(target)) if is_new else find_table(session, target)
    if found is None or found.token != ready["token"]:
        place = own[-1] if is_new else _place_of(session, ready["token"], own)
        if place is None:
            raise ConflictError(
                f"the table that was to become {join_stream(target)} is gone; look whether the "
                f"run is finished"
            )
        if place != own[-1]:
            # Under a name that no earlier attempt knows: what it still has under way fails.
            rename(session, (schema, place), own[-1])
        if found is not None:
            rename(session, target, aside[-1])
            if mark_state(session, aside) != ready["before"]:
                rename(session, aside, target[-1])
                raise ConflictError(
                    f"somebody else wrote into {join_stream(target)} while a run was finished; "
                    f"finish it again",
                    retry=True,
                )
        rename(session, own, target[-1])
    if found is not None:
        database.drop_table(session, aside)


def _place_of(session, token: str, own):
    """Return the name of the table with that token, which some attempt of the run gave it."""
    names = names_like(session, own[0], own[-1].rpartition("_")[0] + "_")
    for name in sorted(names, key=lambda name: name != own[-1]):
        found = find_table(session, (own[0], name))
        if found is not None and found.token == token:
            return name
    return None


def check_writable(session, parts) -> None:
    """Raise SettingsError for a table that another one cannot take the place of."""
    found, why = seen_table(session, parts), ""
    if found.is_external:
        why = "an external table, whose files are not the server's to replace"
    elif found.partitioned_by:
        why = f"partitioned by {', '.join(found.partitioned_by)}"
    if why:
        raise SettingsError(
            f"{join_stream(parts)} is {why}; write into another table, and INSERT from there"
        )
