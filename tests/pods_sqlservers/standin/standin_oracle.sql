create schema "APP";
create table public.dual (dummy text);
insert into public.dual values ('X');
create table public.declared (
    object_id bigint, column_id int, type text, length int, precision int, scale int,
    primary key (object_id, column_id)
);
create table public.conditions (
    object_id bigint, column_id int, name text, condition text, primary key (object_id, name)
);
create view public.relations as
    select c.oid::bigint as object_id, n.nspname::text as owner, c.relname::text as name, c.relkind,
        case when c.reltuples >= 0 then c.reltuples::bigint end as num_rows
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname !~ '^pg_' and n.nspname not in ('public', 'information_schema')
        and c.relkind in ('r', 'v');
create view public.all_tables as
    select owner, name as table_name, num_rows from relations where relkind = 'r';
create view public.all_views as
    select owner, name as view_name from relations where relkind = 'v';
create view public.all_users as select 'APP' as username, 'N' as oracle_maintained;
create view public.all_tab_cols as
    select r.owner, r.name as table_name, a.attname::text as column_name,
        coalesce(d.type, case format_type(a.atttypid, null)
            when 'numeric' then 'NUMBER' when 'text' then 'CLOB' when 'bytea' then 'BLOB'
            when 'double precision' then 'BINARY_DOUBLE' when 'bigint' then 'NUMBER'
            when 'integer' then 'NUMBER'
            when 'timestamp without time zone' then 'TIMESTAMP(6)' else 'VARCHAR2' end) as data_type,
        coalesce(d.length, 4000) as data_length, d.precision as data_precision,
        d.scale as data_scale, case when a.attnotnull then 'N' else 'Y' end as nullable,
        case when a.atthasdef then 1 end as default_length,
        case when a.attidentity <> '' then 'YES' else 'NO' end as identity_column,
        case when a.attgenerated <> '' then 'YES' else 'NO' end as virtual_column,
        'NO' as hidden_column, a.attnum as column_id
    from relations r join pg_attribute a on a.attrelid::bigint = r.object_id
    left join declared d on d.object_id = r.object_id and d.column_id = a.attnum
    where a.attnum > 0 and not a.attisdropped;
create view public.all_constraints as
    select r.owner, r.name as table_name, k.conname::text as constraint_name,
        upper(k.contype::text) as constraint_type, null::text as search_condition_vc,
        'ENABLED' as status, 'VALIDATED' as validated, r.object_id, k.conkey
    from pg_constraint k join relations r on r.object_id = k.conrelid::bigint
    where k.contype in ('p', 'u', 'f')
    union all
    select r.owner, r.name, c.name, 'C', c.condition, 'ENABLED', 'VALIDATED', r.object_id,
        array[c.column_id]::smallint[]
    from conditions c join relations r on r.object_id = c.object_id
    where exists (select 1 from pg_constraint k
        where k.conrelid::bigint = c.object_id and k.conname = c.name);
create view public.all_cons_columns as
    select k.owner, k.constraint_name, k.table_name, a.attname::text as column_name,
        u.place as position
    from all_constraints k cross join unnest(k.conkey) with ordinality as u(n, place)
    join pg_attribute a on a.attrelid::bigint = k.object_id and a.attnum = u.n;
create function public.sys_context(text, text) returns text language sql as $$select 'APP'$$;
create function public.sys_extract_utc(timestamptz) returns timestamp language sql
    as $$select $1 at time zone 'UTC'$$;
create function public.day_of(timestamp) returns timestamp language sql immutable
    as $$select date_trunc('day', $1)$$;
create function public.day_of(numeric) returns numeric language sql immutable
    as 'select trunc($1)';
create function public.hexadecimal_length(bytea) returns int language sql immutable
    as 'select 2 * octet_length($1)';
create function public.hexadecimal_length(text) returns int language sql immutable
    as 'select length($1)';
create function public.is_json(text) returns boolean language plpgsql immutable as $$
    begin perform $1::json; return true; exception when others then return $1 is null; end $$;
create function public.tm9(numeric) returns text language sql immutable as $$select case
    when $1 = 0 then '0' when abs($1) < 1 then regexp_replace(trim_scale($1)::text, '^(-?)0', '\1')
    else trim_scale($1)::text end$$;
