"""A table put into the place of another one, where nothing else depends on that; else not."""

from __future__ import annotations

from pypods.connectors.sql.statement import Statement, Value

#: Each says whether the table has something that a new one in its place would not have.
_TIES = """
    exists (select 1 from pg_catalog.pg_depend d join pg_catalog.pg_rewrite r on r.oid = d.objid
        where d.classid = 'pg_rewrite'::regclass and d.refobjid = t.oid and r.ev_class <> t.oid)
    or exists (select 1 from pg_catalog.pg_constraint c
        where c.contype = 'f' and (c.confrelid = t.oid or c.conrelid = t.oid))
    or exists (select 1 from pg_catalog.pg_trigger g where g.tgrelid = t.oid and not g.tgisinternal)
    or exists (select 1 from pg_catalog.pg_policy p where p.polrelid = t.oid)
    or exists (select 1 from pg_catalog.pg_inherits i
        where i.inhrelid = t.oid or i.inhparent = t.oid)
    or exists (select 1 from pg_catalog.pg_publication_rel p where p.prrelid = t.oid)
    or exists (select 1 from pg_catalog.pg_depend d
        where d.refobjid = t.oid and d.deptype in ('a', 'i') and d.refobjsubid > 0
        and d.classid = 'pg_class'::regclass
        and exists (select 1 from pg_catalog.pg_class s where s.oid = d.objid and s.relkind = 'S'))
    or exists (select 1 from pg_catalog.pg_attribute a
        where a.attrelid = t.oid and a.attacl is not null)
    or exists (select 1 from pg_catalog.pg_depend d
        where d.refobjid = t.oid and d.classid = 'pg_proc'::regclass)
    or t.relkind <> 'r' or t.relrowsecurity or t.relhasrules or t.relpersistence <> 'p'
    or t.relispartition or t.reloftype <> 0
"""


def _oid(session, parts) -> int:
    ((oid,),) = session.rows(
        Statement(
            "select c.oid::bigint from pg_catalog.pg_class c "
            "join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = ",
            Value(parts[0]), " and c.relname = ", Value(parts[1]),
        )
    )  # fmt: skip
    return int(oid)


def is_referred_to(session, parts) -> bool:
    """Whether a foreign key refers to the table, so that it cannot be truncated."""
    statement = Statement(
        "select 1 from pg_catalog.pg_constraint where contype = 'f' and confrelid <> conrelid "
        "and confrelid = ",
        Value(_oid(session, parts)),
        "::bigint::oid limit 1",
    )
    return bool(session.rows(statement))


def can_swap(session, staging, target, plan) -> bool:
    """Whether the staging table can take the target's place. Locks the target."""
    database = session.database
    session.run(f"lock table {database.table(target)} in access exclusive mode")
    ((tied,),) = session.rows(
        Statement(
            f"select {_TIES} from pg_catalog.pg_class t where t.oid = ",
            Value(_oid(session, target)),
            "::bigint::oid",
        )
    )
    if tied:
        return False
    wanted = {
        field.name: database.type_sql(field) for field in database.describe(session, target).schema
    }
    for field in (*plan.add, *plan.widen):
        wanted[field.name] = database.type_sql(field)
    there = database.describe(session, staging).schema
    if {field.name: database.type_sql(field) for field in there} != {
        name: _plain(sql_type, there, name) for name, sql_type in wanted.items()
    }:
        return False
    return len(_indexes(session, target)) == len(_indexes(session, staging))


def _plain(sql_type: str, schema, name: str) -> str:
    """Return a type's text as the catalog writes it, for a column that was made or widened."""
    from . import postgresql_types

    at = schema.get_field_index(name)
    if at < 0:
        return sql_type
    field = schema.field(at)
    made = postgresql_types.sql_type_for(field)
    return postgresql_types.sql_type_of(field) if made == sql_type else sql_type


def _indexes(session, parts):
    """Return the names of a table's indexes, in an order that a copy of the table has as well."""
    return session.rows(
        Statement(
            "select c.relname from pg_catalog.pg_index i "
            "join pg_catalog.pg_class c on c.oid = i.indexrelid where i.indrelid = ",
            Value(_oid(session, parts)),
            "::bigint::oid order by i.indisprimary, i.indisunique, "
            "regexp_replace(pg_catalog.pg_get_indexdef(i.indexrelid), '^.* USING ', ''), c.relname",
        )
    )


def swap(session, staging, target) -> None:
    """Put the staging table into the target's place, with its owner, grants, comment and names."""
    database = session.database
    old, new = _indexes(session, target), _indexes(session, staging)
    ((owner, comment),) = session.rows(
        Statement(
            "select pg_catalog.pg_get_userbyid(c.relowner), "
            "pg_catalog.obj_description(c.oid, 'pg_class') from pg_catalog.pg_class c "
            "where c.oid = ",
            Value(_oid(session, target)),
            "::bigint::oid",
        )
    )
    grants = session.rows(
        Statement(
            "select case when a.grantee = 0 then null else pg_catalog.pg_get_userbyid(a.grantee) "
            "end, a.privilege_type, a.is_grantable from pg_catalog.pg_class c "
            "cross join pg_catalog.aclexplode(c.relacl) as a where c.oid = ",
            Value(_oid(session, target)),
            "::bigint::oid",
        )
    )
    there = database.table(staging)
    for grantee, privilege, grantable in grants:
        who = "public" if grantee is None else database.quote(grantee)
        option = " with grant option" if grantable and grantee != owner else ""
        session.run(f"grant {privilege} on {there} to {who}{option}")
    session.run(f"alter table {there} owner to {database.quote(owner)}")
    if comment is not None:
        ((text,),) = session.rows(Statement("select quote_literal(", Value(comment), "::text)"))
        session.run(f"comment on table {there} is {text}")
    session.run(f"drop table {database.table(target)}")
    database.rename_table(session, staging, target[-1])
    for (was,), (now,) in zip(old, new):
        if was != now:
            session.run(
                f"alter index {database.table((target[0], now))} rename to {database.quote(was)}"
            )
