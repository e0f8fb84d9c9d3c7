"""PostgreSQL for the connectors' SQL half, over any driver: catalog, partitions, errors."""

from __future__ import annotations

import re

from pypods.connectors.errors import (
    AuthenticationError,
    ConflictError,
    ConnectorError,
    DataError,
    SchemaError,
    SettingsError,
    StreamNotFoundError,
    UnreachableError,
)
from pypods.connectors.names import join_stream
from pypods.connectors.sql.database import CAPABILITIES, Database, Description
from pypods.connectors.sql.statement import Statement, Value, join

from . import postgresql_swap, postgresql_types
from .postgresql_settings import SETTINGS
from .postgresql_values import text_form

#: What a partition has, all of it.
_PARTITION = {"snapshot", "from_page", "to_page", "stable"}
_KINDS = {"r": "table", "p": "table", "v": "view", "m": "view", "f": "table"}
_COLUMNS = """
    select a.attname, format_type(a.atttypid, a.atttypmod), t.typname, t.typcategory,
        e.typname, case when d.oid is null then a.atttypmod else d.typtypmod end,
        not (a.attnotnull or coalesce(d.typnotnull, false)),
        a.atthasdef or a.attidentity <> '' or a.attgenerated <> ''
    from pg_catalog.pg_attribute a
    left join pg_catalog.pg_type d on d.oid = a.atttypid and d.typtype = 'd'
    join pg_catalog.pg_type t on t.oid = coalesce(d.typbasetype, a.atttypid)
    left join pg_catalog.pg_type e on e.oid = t.typelem and t.typcategory = 'A'
    where a.attnum > 0 and not a.attisdropped and a.attrelid = """
_RESULT = """
    select t.oid, format_type(t.oid, null), b.typname, b.typcategory, e.typname
    from pg_catalog.pg_type t
    join pg_catalog.pg_type b
        on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
    left join pg_catalog.pg_type e on e.oid = b.typelem and b.typcategory = 'A'
    where t.oid in ("""


class PostgresqlDatabase(Database):
    """PostgreSQL. A subclass has a driver: ``result_columns`` and ``hold_snapshot`` as well."""

    name = "postgresql"
    title = "PostgreSQL"
    settings = SETTINGS
    capabilities = {**CAPABILITIES, "snapshot": True}
    lock_for_share = " for share"

    def __init__(self) -> None:
        #: Connections that hold a snapshot open for partitions, by its name.
        self._held: dict[str, object] = {}
        #: The partition that the session was opened for.
        self._partition: dict[int, dict] = {}

    # --- connecting ----------------------------------------------------------------------------

    def server(self, session) -> str:
        """Return the server's version."""
        ((version,),) = session.rows("show server_version")
        return f"PostgreSQL {version.split()[0]}"

    # --- what there is -------------------------------------------------------------------------

    def resolve(self, session, parts):
        """Return schema and table; one part is looked up along the search path."""
        if len(parts) == 3:
            ((database,),) = session.rows("select current_database()")
            if parts[0] != database:
                raise SettingsError(
                    f"{join_stream(parts)} is in another database than {database!r}"
                )
            parts = parts[1:]
        if len(parts) == 2:
            return tuple(parts)
        rows = session.rows(
            Statement(
                "select n.nspname from pg_catalog.pg_class c "
                "join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
                "where pg_catalog.pg_table_is_visible(c.oid) and c.relname = ",
                Value(parts[0]),
            )
        ) or session.rows("select coalesce(current_schema(), 'public')")
        return (rows[0][0], parts[0])

    def streams(self, session):
        """Return the tables and views outside of PostgreSQL's own schemas."""
        rows = session.rows(
            "select n.nspname, c.relname, c.relkind::text, c.reltuples::bigint "
            "from pg_catalog.pg_class c "
            "join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
            "where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition "
            "and n.nspname not in ('pg_catalog', 'information_schema') "
            "and n.nspname !~ '^pg_(toast|temp)' and c.relname !~ '^_pypods_' "
            "and pg_catalog.has_schema_privilege(n.oid, 'usage') order by 1, 2"
        )
        return [
            {
                "name": join_stream([schema, name]),
                "kind": _KINDS[kind],
                "rows": estimate if estimate >= 0 and kind != "v" else None,
            }
            for schema, name, kind, estimate in rows
        ]

    def describe(self, session, parts):
        """Return what a table or view has."""
        import pyarrow as pa

        rows = session.rows(
            Statement(
                "select c.oid::bigint, c.relkind::text, c.reltuples::bigint "
                "from pg_catalog.pg_class c "
                "join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
                "where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname = ",
                Value(parts[0]), " and c.relname = ", Value(parts[1]),
            )
        )  # fmt: skip
        if not rows:
            return None
        oid, kind, estimate = rows[0]
        found = session.rows(
            Statement(_COLUMNS, Value(int(oid)), "::bigint::oid order by a.attnum")
        )
        columns = [postgresql_types.Column(row) for row in found]
        self._measure(session, Statement(self.table(parts)), columns)
        key = session.rows(
            Statement(
                "select a.attname from pg_catalog.pg_index i "
                "cross join unnest(i.indkey) with ordinality as k(attnum, place) "
                "join pg_catalog.pg_attribute a "
                "on a.attrelid = i.indrelid and a.attnum = k.attnum "
                "where i.indisprimary and i.indrelid = ",
                Value(int(oid)), "::bigint::oid order by k.place",
            )
        )  # fmt: skip
        return Description(
            pa.schema([column.field() for column in columns]),
            key=[name for (name,) in key],
            rows=estimate if estimate >= 0 and kind != "v" else None,
            defaults=[column.name for column in columns if column.has_default],
            kind=_KINDS[kind],
        )

    def describe_query(self, session, query: str):
        """Return what a query has."""
        import pyarrow as pa

        result = self.result_columns(session, f"select * from ({query}\n) as pypods_query limit 0")
        names = [name for name, *_ in result]
        if len(set(names)) < len(names):
            raise SchemaError(f"the query has a column twice ({', '.join(names)}); name each once")
        oids = sorted({oid for _, oid, _ in result})
        found = session.rows(Statement(_RESULT, join(", ", map(Value, oids)), ")")) if oids else []
        types = {row[0]: row[1:] for row in found}
        columns = [
            postgresql_types.Column((name, *types[oid], modifier, True, False))
            for name, oid, modifier in result
        ]
        self._measure(session, Statement("(", query, "\n) as pypods_query"), columns)
        return Description(pa.schema([column.field() for column in columns]), kind="query")

    def _measure(self, session, relation, columns) -> None:
        """Ask the data for the digits of NUMERICs that may have any number of them."""
        free = [column for column in columns if column.is_free_numeric]
        if not free:
            return
        items = []
        for column in free:
            name = self.quote(column.name)
            items.append(
                f"max(scale({name})), max(length(trunc(abs({name}))::text)), "
                f"bool_or({name} in ('NaN', 'Infinity', '-Infinity'))"
            )
        (row,) = session.rows(Statement("select ", ", ".join(items), " from ", relation))
        for at, column in enumerate(free):
            scale, whole, special = row[3 * at : 3 * at + 3]
            if special:
                column.digits = (None, 0)
            elif whole is not None:
                column.digits = (scale, whole)

    # --- types and values ----------------------------------------------------------------------

    def stored(self, field):
        """Return the field that a column made for this one is read as."""
        return postgresql_types.stored_field(field)

    def taken(self, there, given):
        """Return the field that values become on their way into a column, or None."""
        free = postgresql_types.sql_type_of(there) == "numeric"
        if free and postgresql_types.is_number(given):
            # A NUMERIC without precision takes any, whatever is in it now.
            return postgresql_types.as_numeric(given).with_nullable(there.nullable)
        return super().taken(there, given)

    def type_sql(self, field) -> str:
        """Return the type of a column."""
        sql_type = postgresql_types.sql_type_of(field) or postgresql_types.sql_type_for(field)
        if sql_type is None:
            raise self.refuse_type(field)
        return sql_type

    def bind(self, value: Value):
        """Return a value as the driver takes it."""
        if value.field is None or value.value is None:
            return value.value
        return text_form(value, self)

    def select_item(self, field) -> str:
        """Return the column, as text where Arrow has no type for it."""
        name = self.quote(field.name)
        return f"{name}::text" if postgresql_types.is_read_as_text(field) else name

    def ascending(self, field) -> str:
        """Return the order with NULLs first: an index is in it only where there are none."""
        return self.quote(field.name) + (" nulls first" if field.nullable else "")

    # --- reading -------------------------------------------------------------------------------

    def enter_partition(self, session, partition) -> None:
        """Note the partition, whose snapshot the connection that reads is to have."""
        if partition:
            self.partition_condition(partition)
            self._partition[id(session)] = partition

    def partitions(self, settings, session, parts, count: int):
        """Return ranges of pages, all of one snapshot; it is held open until they are released."""
        ((kind, pages),) = session.rows(
            Statement(
                "select c.relkind::text, pg_catalog.pg_relation_size(c.oid) / "
                "current_setting('block_size')::bigint from pg_catalog.pg_class c "
                "join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = ",
                Value(parts[0]), " and c.relname = ", Value(parts[1]),
            )
        )  # fmt: skip
        if kind != "r" or pages < count:
            return [{}]
        holder, snapshot = self.hold_snapshot(session)
        self._held[snapshot] = holder
        bounds = [pages * each // count for each in range(1, count)]
        edges = [0, *bounds, None]
        return [
            # A row that is changed moves to another page: ranges are of one snapshot alone.
            {"snapshot": snapshot, "from_page": start, "to_page": end, "stable": False}
            for start, end in zip(edges, edges[1:])
        ]

    def partition_condition(self, partition):
        """Return the condition of a range of pages; the last one has no end."""
        if not partition:
            return None
        start, end = partition.get("from_page"), partition.get("to_page")
        snapshot = partition.get("snapshot")
        known = (
            set(partition) == _PARTITION
            and isinstance(snapshot, str)
            and re.fullmatch(r"[0-9A-F-]+", snapshot)
            and isinstance(start, int)
            and (end is None or isinstance(end, int))
        )
        if not known:
            raise SettingsError(f"PostgreSQL made no partition {partition!r}")
        condition = f"ctid >= '({start:d},0)'::tid"
        if end is not None:
            condition += f" and ctid < '({end:d},0)'::tid"
        return Statement(condition)

    def release_partitions(self, partitions) -> None:
        """End the transactions that hold the partitions' snapshots."""
        for partition in partitions or ():
            holder = self._held.pop(partition.get("snapshot"), None)
            if holder is not None:
                holder.close()

    # --- writing -------------------------------------------------------------------------------

    def create_staging(self, session, staging, target, plan, *, mode: str, key) -> None:
        """Make a table like the target, so that what it refuses is refused when it is written."""
        everything = mode == "replace"
        session.run(
            f"create table {self.table(staging)} (like {self.table(target)} including "
            + ("all)" if everything else "all excluding indexes excluding identity)")
        )
        self.evolve(session, staging, plan)
        if mode == "upsert":
            session.run(
                f"alter table {self.table(staging)} add unique ({', '.join(map(self.quote, key))})"
            )

    def replace_all(self, session, staging, target, plan) -> None:
        """Put the staging table into the target's place, or its rows where others depend on it."""
        if postgresql_swap.can_swap(session, staging, target, plan):
            postgresql_swap.swap(session, staging, target)
            return
        self.truncate(session, target)
        self.evolve(session, target, plan)
        self.insert_all(session, staging, target, plan.schema.names)
        self.drop_table(session, staging)

    def truncate(self, session, parts) -> None:
        """Remove all rows; one by one where a foreign key of another table refers to them."""
        if postgresql_swap.is_referred_to(session, parts):
            session.run(f"delete from {self.table(parts)}")
        else:
            session.run(f"truncate {self.table(parts)}")


def error_for(state: str, text: str) -> ConnectorError:
    """Return the contract's error for an SQLSTATE, or for a message without one."""
    message = f"PostgreSQL: {text}"
    if "snapshot" in text and state in ("22023", "55000", "42704"):
        return ConflictError(message + "; make the partitions anew", retry=True)
    if not state:
        if re.search(r"authentication|password|pg_hba|role .* does not exist|not permitted", text):
            return AuthenticationError(message)
        if re.search(r"database .* does not exist|invalid (connection|sslmode|port)", text):
            return SettingsError(message)
        return UnreachableError(message)
    kinds = (
        (("28", "42501", "25006"), AuthenticationError),
        (("42P01", "3F000"), StreamNotFoundError),
        (("3D",), SettingsError),
        (("42P07",), ConflictError),
        (("22", "23"), DataError),
        (("42", "0A"), SchemaError),
        (("08", "53", "57", "58"), UnreachableError),
    )
    if state[:2] == "40" or state == "55P03":
        return ConflictError(message, retry=True)
    for starts, kind in kinds:
        if state.startswith(starts):
            return kind(message)
    return ConnectorError(message)
