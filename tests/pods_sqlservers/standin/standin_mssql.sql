create schema dbo;
create schema sys;
create table sys.declared (
    object_id bigint, column_id int, type text, max_length int, precision int, scale int,
    primary key (object_id, column_id)
);
create table sys.types (name text, user_type_id int, system_type_id int);
insert into sys.types select t, n, n from unnest(array[
    'bit', 'tinyint', 'smallint', 'int', 'bigint', 'real', 'float', 'money', 'smallmoney',
    'decimal', 'numeric', 'char', 'varchar', 'nchar', 'nvarchar', 'text', 'ntext', 'binary',
    'varbinary', 'image', 'timestamp', 'date', 'time', 'datetime', 'smalldatetime', 'datetime2',
    'datetimeoffset', 'uniqueidentifier', 'xml', 'sql_variant', 'json', 'hierarchyid'
]) with ordinality as u(t, n);
create view sys.schemas as
    select oid::bigint as schema_id, nspname::text as name from pg_namespace
    where nspname !~ '^pg_' and nspname not in ('sys', 'information_schema');
create view sys.objects as
    select c.oid::bigint as object_id, c.relname::text as name, c.relnamespace::bigint as schema_id,
        (case c.relkind when 'v' then 'V ' else 'U ' end)::char(2) as type, 0 as is_ms_shipped
    from pg_class c join sys.schemas s on s.schema_id = c.relnamespace::bigint
    where c.relkind in ('r', 'v');
create view sys.partitions as
    select oid::bigint as object_id, 1 as index_id, greatest(reltuples, 0)::bigint as rows
    from pg_class where relkind = 'r';
create view sys.columns as
    select a.attrelid::bigint as object_id, a.attname::text as name, a.attnum::int as column_id,
        t.user_type_id, t.system_type_id, coalesce(d.max_length, -1) as max_length,
        coalesce(d.precision, 0) as precision, coalesce(d.scale, 6) as scale,
        case when a.attnotnull then 0 else 1 end as is_nullable,
        case when a.attidentity <> '' then 1 else 0 end as is_identity,
        case when a.attgenerated <> '' then 1 else 0 end as is_computed,
        case when a.atthasdef then 1 else 0 end as default_object_id, 0 as generated_always_type
    from pg_attribute a
    left join sys.declared d on d.object_id = a.attrelid::bigint and d.column_id = a.attnum
    join sys.types t on t.name = coalesce(d.type, case format_type(a.atttypid, null)
        when 'boolean' then 'bit' when 'smallint' then 'smallint' when 'integer' then 'int'
        when 'bigint' then 'bigint' when 'double precision' then 'float' when 'bytea' then
        'varbinary' when 'date' then 'date' when 'timestamp without time zone' then 'datetime2'
        else 'nvarchar' end)
    where a.attnum > 0 and not a.attisdropped;
create view sys.indexes as
    select indrelid::bigint as object_id, indexrelid::bigint as index_id,
        case when indisprimary then 1 else 0 end as is_primary_key from pg_index;
create view sys.index_columns as
    select i.indrelid::bigint as object_id, i.indexrelid::bigint as index_id, k.n::int as column_id,
        k.place::int as key_ordinal
    from pg_index i cross join unnest(i.indkey) with ordinality as k(n, place);
create view sys.foreign_keys as
    select confrelid::bigint as referenced_object_id from pg_constraint where contype = 'f';
create table sys.databases (name text, is_read_committed_snapshot_on int, snapshot_isolation_state int);
insert into sys.databases values (current_database(), 0, 0);
create function public.db_name() returns text language sql as 'select current_database()::text';
create function public.quotename(text) returns text language sql as 'select quote_ident($1)';
create function public.serverproperty(text) returns text language sql as $$select 'stand-in'$$;
create function public.has_perms_by_name(text, text, text) returns int language sql as 'select 1';
