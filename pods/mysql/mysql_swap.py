"""A table put into the place of another one by RENAME TABLE, where nothing hangs on that."""

from __future__ import annotations

from pypods.connectors.sql.statement import Statement, Value

# What stays with a table that is renamed, and a new one in its place would not have.
_TRIGGERS = (
    "select 1 from information_schema.triggers where event_object_schema = {0} "
    "and event_object_table = {1}"
)
_FOREIGN_KEYS = (
    "select 1 from information_schema.table_constraints where table_schema = {0} "
    "and table_name = {1} and constraint_type = 'FOREIGN KEY'"
)
_VERSIONS = (
    "select 1 from information_schema.tables where table_schema = {0} and table_name = {1} "
    "and table_type <> 'BASE TABLE'"
)
_REFERENCES = (
    "select 1 from information_schema.key_column_usage where referenced_table_schema = {0} "
    "and referenced_table_name = {1}"
)
_COLUMNS = (
    "select column_name, column_type, is_nullable, column_default, extra, collation_name "
    "from information_schema.columns where table_schema = {0} and table_name = {1} "
    "order by ordinal_position"
)
_INDEXES = (
    "select index_name, non_unique, seq_in_index, column_name, sub_part, index_type "
    "from information_schema.statistics where table_schema = {0} and table_name = {1} "
    "order by index_name, seq_in_index"
)


def of_table(text: str, parts) -> Statement:
    """Return a statement about a table: ``{0}`` is its schema, ``{1}`` its name."""
    pieces = []
    for piece in text.replace("{0}", "\0schema\0").replace("{1}", "\0table\0").split("\0"):
        named = {"schema": parts[0], "table": parts[1]}.get(piece)
        pieces.append(piece if named is None else Value(named))
    return Statement(*pieces)


def is_referred_to(session, parts) -> bool:
    """Whether a foreign key refers to the table."""
    return bool(session.rows(of_table(_REFERENCES + " limit 1", parts)))


def can_swap(session, staging, target, plan) -> bool:
    """Whether the staging table, made like the target once, is still so and can take its place."""
    ties = (_TRIGGERS, _FOREIGN_KEYS, _VERSIONS, _REFERENCES)
    if any(session.rows(of_table(text + " limit 1", target)) for text in ties):
        return False
    # What the staging table got when it was made, the target would get first.
    planned = {field.name for field in (*plan.add, *plan.widen)}
    there = _columns(session, target, planned)
    return there == _columns(session, staging, planned) and (
        session.rows(of_table(_INDEXES, target)) == session.rows(of_table(_INDEXES, staging))
    )


def _columns(session, parts, planned):
    return [row for row in session.rows(of_table(_COLUMNS, parts)) if row[0] not in planned]


def swap(session, staging, target, old) -> None:
    """Put the staging table into the target's place, and the target aside, in one step."""
    table = session.database.table
    session.run(
        f"rename table {table(target)} to {table(old)}, {table(staging)} to {table(target)}"
    )


def key_is_only_unique(session, parts, key) -> bool:
    """Whether these columns are the table's only unique index, all of each of them."""
    unique = [row for row in session.rows(of_table(_INDEXES, parts)) if not row[1]]
    whole = all(row[4] is None for row in unique)
    names = [row[3].casefold() for row in unique if row[3] is not None]
    return (
        whole
        and len({row[0] for row in unique}) == 1
        and sorted(names) == sorted(name.casefold() for name in key)
    )
