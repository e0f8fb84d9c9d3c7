"""SQL Server for the connectors' SQL half: catalog, statements of its own."""

from __future__ import annotations

import mssql_python

from pypods.connectors.errors import ConnectorError, SchemaError, SettingsError
from pypods.connectors.names import join_stream
from pypods.connectors.settings import Settings, setting
from pypods.connectors.sql.database import Database, Description
from pypods.connectors.sql.key_ranges import key_ranges, range_condition
from pypods.connectors.sql.statement import Statement, Value

from . import mssql_errors, mssql_reading, mssql_types, mssql_writing
from .mssql_sessions import MssqlSession

MAX_NAME_CHARACTERS = 128
_KINDS = {"U": "table", "V": "view"}
_OBJECTS = """
    select s.name, o.name, o.type, (select sum(p.rows) from sys.partitions as p
        where p.object_id = o.object_id and p.index_id in (0, 1)), o.object_id
    from sys.objects as o join sys.schemas as s on s.schema_id = o.schema_id
    where o.type in ('U', 'V') and o.is_ms_shipped = 0"""
_COLUMNS = """
    select c.name, t.name, c.max_length, c.precision, c.scale, c.is_nullable,
        case when c.is_identity = 1 or c.is_computed = 1 or c.default_object_id <> 0
            or c.generated_always_type <> 0 or t.name = 'timestamp' then 1 else 0 end
    from sys.columns as c
    left join sys.types as t on t.user_type_id = case
        when c.system_type_id = 240 then c.user_type_id else c.system_type_id end
    where c.object_id = """
_KEY = """
    select c.name from sys.indexes as i
    join sys.index_columns as k on k.object_id = i.object_id and k.index_id = i.index_id
    join sys.columns as c on c.object_id = k.object_id and c.column_id = k.column_id
    where i.is_primary_key = 1 and i.object_id = """
#: Whether a table may be truncated, and whether others, who read an older state of it, would see
#: that before the transaction has ended.
_TRUNCATABLE = """
    select case when exists (select 1 from sys.foreign_keys as f
            where f.referenced_object_id = o.object_id)
        or exists (select 1 from sys.databases as d where d.name = db_name()
            and (d.is_read_committed_snapshot_on = 1 or d.snapshot_isolation_state <> 0))
        or has_perms_by_name(
            concat(quotename(s.name), '.', quotename(o.name)), 'OBJECT', 'ALTER') = 0
        then 0 else 1 end
    from sys.objects as o join sys.schemas as s on s.schema_id = o.schema_id"""


class MssqlDatabase(Database):
    """SQL Server, with Microsoft's own driver. Making and renaming tables is transactional."""

    name = "mssql"
    title = "SQL Server"
    settings = Settings(
        "mssql",
        setting("host", "text", "name or address of the server; host\\instance for an instance",
                required=True),
        setting("port", "integer", "its port", default=1433),
        setting("database", "text", "the database", required=True),
        setting("user", "text", "who comes in"),
        setting("password", "text", "with which password", secret=True),
        setting("authentication", "text", "instead of a password of the server's own: "
                "ActiveDirectoryDefault, ActiveDirectoryMSI, …"),
        setting("encrypt", "text", "yes, strict (TDS 8) or no", default="yes"),
        setting("trust_server_certificate", "boolean", "whether any certificate will do",
                default=False),
        setting("host_name_in_certificate", "text", "the name to be in it, if not the host's"),
        setting("server_certificate", "path", "a PEM file with the certificate it must be"),
        setting("connect_timeout", "integer", "seconds to wait for the server", default=15),
    )  # fmt: skip
    verified = False
    style = "qmark"
    mark = "["
    text_type = "nvarchar(max)"
    # A key is at most 1700 bytes; case and accents count.
    key_text_type = "nvarchar(200) collate Latin1_General_100_BIN2"
    folds_case = True
    hint_for_share = " with (repeatableread, rowlock)"
    max_name_characters = MAX_NAME_CHARACTERS

    # --- connecting ----------------------------------------------------------------------------

    def driver(self) -> str:
        """Return the driver and its version."""
        return f"mssql-python {mssql_python.__version__}"

    def open(self, settings, *, writing: bool = False):
        """Return a session."""
        return MssqlSession(settings, self)

    def server(self, session) -> str:
        """Return the server's version."""
        ((version,),) = session.rows(
            "select cast(serverproperty('ProductVersion') as nvarchar(40))"
        )
        return f"SQL Server {version}"

    def translate(self, error: Exception) -> ConnectorError | None:
        """Return the contract's error for one of the driver's."""
        if isinstance(error, mssql_python.exceptions.ConnectionStringParseError):
            return SettingsError(f"SQL Server: {error}")
        if isinstance(error, mssql_python.Error):
            return mssql_errors.error_for(error)
        if isinstance(error, TypeError) and "Parameter style mismatch" in str(error):
            return SchemaError("SQL Server: the driver takes no %(…)s in a name")
        return None

    # --- what there is -------------------------------------------------------------------------

    def quote(self, name: str) -> str:
        """Return a name as it stands in SQL. Raises SchemaError for one that is too long."""
        if len(name.encode("utf-16-le")) // 2 > MAX_NAME_CHARACTERS:
            raise SchemaError(f"{name!r} is longer than the 128 characters of SQL Server's names")
        return super().quote(name)

    def resolve(self, session, parts):
        """Return schema and table, named as they were made."""
        if len(parts) == 3:
            ((database,),) = session.rows("select db_name()")
            if parts[0].casefold() != database.casefold():
                raise SettingsError(
                    f"{join_stream(parts)} is in another database than {database!r}"
                )
            parts = parts[1:]
        schema = parts[0] if len(parts) == 2 else None
        if schema is None:
            ((schema,),) = session.rows("select coalesce(schema_name(), 'dbo')")
        found = session.rows(self._object((schema, parts[-1])))
        return tuple(found[0][:2]) if found else (schema, parts[-1])

    def _object(self, parts) -> Statement:
        return Statement(
            _OBJECTS, " and s.name = ", Value(parts[0]), " and o.name = ", Value(parts[1])
        )

    def streams(self, session):
        """Return the tables and views of users."""
        rows = session.rows(_OBJECTS + " order by s.name, o.name")
        return [
            {
                "name": join_stream([schema, name]),
                "kind": _KINDS[kind.strip()],
                "rows": None if rows is None or kind.strip() == "V" else int(rows),
            }
            for schema, name, kind, rows, _ in rows
            if not name.startswith("_pypods_")
        ]

    def describe(self, session, parts):
        """Return what a table or view has."""
        import pyarrow as pa

        found = session.rows(self._object(parts))
        if not found:
            return None
        kind, rows, number = found[0][2].strip(), found[0][3], int(found[0][4])
        columns = session.rows(Statement(_COLUMNS, Value(number), " order by c.column_id"))
        fields = [
            mssql_types.field_of(name, mssql_types.declared(type_ or "", *sizes), bool(nullable))
            for name, type_, *sizes, nullable, _ in columns
        ]
        key = session.rows(Statement(_KEY, Value(number), " order by k.key_ordinal"))
        return Description(
            pa.schema(fields),
            key=[name for (name,) in key],
            rows=None if rows is None or kind == "V" else int(rows),
            defaults=[column[0] for column in columns if column[-1]],
            kind=_KINDS[kind],
        )

    def describe_query(self, session, query: str):
        """Return what a query has."""
        import pyarrow as pa

        rows = session.rows(
            Statement(
                "select name, system_type_name, user_type_name, is_nullable, error_message "
                "from sys.dm_exec_describe_first_result_set(",
                Value(query), ", null, 0) where is_hidden = 0 or error_number is not null "
                "order by column_ordinal",
            )
        )  # fmt: skip
        problem = next((row[-1] for row in rows if row[-1]), None)
        if problem:
            raise SchemaError(f"SQL Server: {problem}")
        names = [row[0] for row in rows]
        folded = [self.fold(name or "") for name in names]
        if not all(names) or len(set(folded)) < len(names):
            raise SchemaError(
                f"the query has a column without a name, or one twice ({names}); name each once"
            )
        fields = [
            mssql_types.field_of(name, system or user or "", bool(nullable))
            for name, system, user, nullable, _ in rows
        ]
        return Description(pa.schema(fields), kind="query")

    # --- types and values ----------------------------------------------------------------------

    def stored(self, field):
        """Return the field that a column made for this one is read as."""
        return mssql_types.stored_field(field)

    def type_sql(self, field) -> str:
        """Return the type of a column."""
        sql_type = mssql_types.sql_type_of(field) or mssql_types.sql_type_for(field)
        if sql_type is None:
            raise self.refuse_type(field)
        return sql_type

    def bind(self, value: Value):
        """Return a value as the driver takes it."""
        if value.field is None or value.value is None:
            return value.value
        return mssql_types.bound(self.typed(value), value.field)

    def select_item(self, field) -> str:
        """Return the column, as text where Arrow has no type for it."""
        return mssql_types.select_item(field, self.quote(field.name))

    # --- reading -------------------------------------------------------------------------------

    def limited(self, statement: Statement, rows: int) -> Statement:
        """Return a SELECT that ends after so many rows."""
        first, *others = statement.pieces
        return Statement(f"select top ({rows:d}) " + first[len("select ") :], *others)

    def batches(self, session, statement, schema, batch_rows: int):
        """Yield the rows of a SELECT as batches."""
        return mssql_reading.read_batches(session, statement, schema, batch_rows)

    def partitions(self, settings, session, parts, count: int):
        """Return ranges of the key; SQL Server keeps no snapshot for several connections."""
        return key_ranges(self, session, parts, count)

    def partition_condition(self, partition):
        """Return the condition of a range of the key."""
        return range_condition(self, partition)

    # --- writing -------------------------------------------------------------------------------

    def create_table(self, session, parts, schema, key=()) -> None:
        """Make a table; text and bytes of its key are as long as an index takes them."""
        import pyarrow as pa

        fields = []
        for field in schema:
            if field.name in key:
                sql_type = mssql_types.key_type(self.type_sql(field), len(key))
                field = field.with_metadata({mssql_types.SQL_TYPE: sql_type.encode()})
            fields.append(field)
        super().create_table(session, parts, pa.schema(fields), key)

    def create_if_missing(self, session, parts, columns: str, *, beside: bool = False) -> None:
        """Make one of our own tables, unless it is there."""
        if not session.rows(self._object(parts)):
            columns = columns.replace("primary key (", "primary key nonclustered (")
            session.run(f"create table {self.table(parts)} ({columns})")

    def rename_table(self, session, parts, name: str) -> None:
        """Give a table another name, in the same schema."""
        session.run(
            Statement("exec sp_rename ", Value(self.table(parts)), ", ", Value(name), ", 'OBJECT'")
        )

    def add_column(self, session, parts, field) -> None:
        """Add a column that may be NULL."""
        session.run(
            f"alter table {self.table(parts)} add {self.quote(field.name)} {self.type_sql(field)}"
        )

    def widen_column(self, session, parts, field) -> None:
        """Give a column a type that holds more; what it may be is said again."""
        plain = field.with_metadata(None)
        null = "null" if field.nullable else "not null"
        session.run(
            f"alter table {self.table(parts)} alter column "
            f"{self.quote(field.name)} {self.type_sql(plain)} {null}"
        )

    def writer(self, session, staging, schema):
        """Return a function that appends a batch."""
        return mssql_writing.make_writer(session, staging, schema)

    def replace_all(self, session, staging, target, plan) -> None:
        """Change the rows and not the table, which others may depend on, in one transaction."""
        self.truncate(session, target)
        self.evolve(session, target, plan)
        self.insert_all(session, staging, target, plan.schema.names)
        self.drop_table(session, staging)

    def upsert_all(self, session, staging, target, names, key) -> None:
        """Change the target's rows that have a staged key, and insert the others."""
        columns = ", ".join(map(self.quote, names))
        given = ", ".join(f"s.{self.quote(name)}" for name in names)
        sets = ", ".join(
            f"t.{self.quote(name)} = s.{self.quote(name)}" for name in names if name not in key
        )
        # Serializable: nobody else inserts a key between its being looked for and its insertion.
        statement = (
            f"merge into {self.table(target)} with (holdlock) as t "
            f"using {self.table(staging)} as s on {self.same_key('t', 's', key)} "
            + (f"when matched then update set {sets} " if sets else "")
            + f"when not matched by target then insert ({columns}) values ({given});"
        )
        self._with_identity(session, target, names, lambda: session.run(statement))

    def insert_all(self, session, staging, target, names) -> int:
        """Copy the rows of one table into another; return how many."""
        copy = super().insert_all
        return self._with_identity(
            session, target, names, lambda: copy(session, staging, target, names)
        )

    def _with_identity(self, session, target, names, work):
        """Do the work; where a column counts by itself, with the values that are written."""
        counting = session.rows(
            Statement(
                "select c.name from sys.columns as c "
                "join sys.objects as o on o.object_id = c.object_id "
                "join sys.schemas as s on s.schema_id = o.schema_id "
                "where c.is_identity = 1 and s.name = ", Value(target[0]),
                " and o.name = ", Value(target[1]),
            )
        )  # fmt: skip
        if {self.fold(name) for (name,) in counting}.isdisjoint(map(self.fold, names)):
            return work()
        session.run(f"set identity_insert {self.table(target)} on")
        done = work()
        session.run(f"set identity_insert {self.table(target)} off")
        return done

    def truncate(self, session, parts) -> None:
        """Remove all rows, at once where that may be and nobody sees it before it is committed."""
        ((may,),) = session.rows(
            Statement(
                _TRUNCATABLE, " where s.name = ", Value(parts[0]),
                " and o.name = ", Value(parts[1]),
            )
        )  # fmt: skip
        verb = "truncate table" if may else "delete from"
        session.run(f"{verb} {self.table(parts)}")
