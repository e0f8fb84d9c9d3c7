"""DuckDB for the connectors' SQL half: connections, catalog, partitions, errors."""

from __future__ import annotations

import duckdb

from pypods.connectors.batches import conform, refuse_finer, refuse_infinite
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
from pypods.connectors.settings import Settings, setting
from pypods.connectors.sql.database import CAPABILITIES, Description
from pypods.connectors.sql.file_database import FILE_SETTING, FileDatabase
from pypods.connectors.sql.statement import Statement, Value
from pypods.connectors.types import kind_of, text_of

from . import duckdb_types
from .duckdb_sessions import BATCH, DuckdbSession

#: Microseconds to which a type rounds.
_UNITS = {"TIMESTAMP_S": 1_000_000, "TIMESTAMP_MS": 1000}


class DuckdbDatabase(FileDatabase):
    """DuckDB, which speaks Arrow itself. One process at a time can have a file open to write."""

    name = "duckdb"
    title = "DuckDB"
    settings = Settings(
        "duckdb",
        FILE_SETTING,
        setting("threads", "integer", "how many threads it may use"),
        setting("memory_limit", "text", "how much memory it may use, as 1GB"),
    )
    capabilities = {**CAPABILITIES, "parallel_write": False}
    style = "dollar"
    folds_case = True

    # --- connecting ----------------------------------------------------------------------------

    def driver(self) -> str:
        """Return the driver and its version."""
        return f"duckdb {duckdb.__version__}"

    def open(self, settings, *, writing: bool = False):
        """Return a session."""
        path = self.path(settings, writing=writing)
        config = {"TimeZone": "UTC"}
        for name in ("threads", "memory_limit"):
            if settings[name] is not None:
                config[name] = settings[name]
        zone = config.pop("TimeZone")
        connection = duckdb.connect(path, read_only=not writing, config=config)
        connection.execute(f"set TimeZone = '{zone}'")
        return DuckdbSession(connection, self)

    def server(self, session) -> str:
        """Return the library's version."""
        return f"DuckDB {duckdb.__version__}"

    def translate(self, error: Exception) -> ConnectorError | None:
        """Return the contract's error for one of DuckDB's."""
        if not isinstance(error, duckdb.Error):
            return None
        message = f"DuckDB: {' '.join(str(error).split())}"
        if isinstance(error, duckdb.IOException):
            locked = "lock" in message.lower()
            if locked or "open" in message:
                advice = "; try again when the other process is done" if locked else ""
                return UnreachableError(message + advice, retry=locked)
            return (
                SettingsError(message) if "valid DuckDB" in message else UnreachableError(message)
            )
        kinds = (
            ((duckdb.ConstraintException, duckdb.ConversionException, duckdb.OutOfRangeException,
              duckdb.InvalidInputException), DataError),
            ((duckdb.TransactionException,), ConflictError),
            ((duckdb.CatalogException,), StreamNotFoundError),
            ((duckdb.BinderException, duckdb.ParserException, duckdb.SyntaxException,
              duckdb.DependencyException, duckdb.NotImplementedException), SchemaError),
            ((duckdb.PermissionException,), AuthenticationError),
        )  # fmt: skip
        for classes, kind in kinds:
            if isinstance(error, classes):
                return kind(message)
        return ConnectorError(message)

    # --- what there is -------------------------------------------------------------------------

    def resolve(self, session, parts):
        """Return schema and table, named as they were made."""
        if len(parts) > 2:
            raise SettingsError("a stream of DuckDB is table, or schema.table")
        schema = parts[0] if len(parts) == 2 else "main"
        rows = session.rows(
            Statement(
                "select table_schema, table_name from information_schema.tables "
                "where table_catalog = current_database() and lower(table_schema) = lower(",
                Value(schema), ") and lower(table_name) = lower(", Value(parts[-1]), ")",
            )
        )  # fmt: skip
        return tuple(rows[0]) if rows else (schema, parts[-1])

    def streams(self, session):
        """Return the tables and views."""
        rows = session.rows(
            "select schema_name, table_name, 'table', estimated_size from duckdb_tables() "
            "where not internal and not starts_with(table_name, '_pypods_') "
            "and database_name = current_database() "
            "union all select schema_name, view_name, 'view', null from duckdb_views() "
            "where not internal and database_name = current_database() order by all"
        )
        return [
            {
                "name": join_stream([name] if schema == "main" else [schema, name]),
                "kind": kind,
                "rows": rows,
            }
            for schema, name, kind, rows in rows
        ]

    def describe(self, session, parts):
        """Return what a table or view has."""
        kinds = session.rows(
            Statement(
                "select table_type from information_schema.tables "
                "where table_catalog = current_database() and table_schema = ",
                Value(parts[0]), " and table_name = ", Value(parts[1]),
            )
        )  # fmt: skip
        if not kinds:
            return None
        table = self.table(parts)
        described = session.rows(f"describe {table}")
        schema = self._schema(session, f"select * from {table}", described)
        key = session.rows(
            Statement(
                "select constraint_column_names from duckdb_constraints() "
                "where constraint_type = 'PRIMARY KEY' and database_name = current_database() "
                "and schema_name = ", Value(parts[0]), " and table_name = ", Value(parts[1]),
            )
        )  # fmt: skip
        is_view = kinds[0][0] == "VIEW"
        estimate = None
        if not is_view:
            ((estimate,),) = session.rows(f"select count(*) from {table}")
        return Description(
            schema,
            key=key[0][0] if key else (),
            rows=estimate,
            defaults=[row[0] for row in described if row[4] is not None],
            kind="view" if is_view else "table",
        )

    def describe_query(self, session, query: str):
        """Return what a query has."""
        described = session.rows(f"describe {query}")
        names = [row[0].lower() for row in described]
        if len(set(names)) < len(names):
            raise SchemaError(f"the query has a column twice ({', '.join(names)}); name each once")
        return Description(self._schema(session, query, described), kind="query")

    def _schema(self, session, query: str, described):
        import pyarrow as pa

        items = ", ".join(
            f"{self.quote(row[0])}::varchar"
            if row[1].startswith(("UNION(", "GEOMETRY", "VARIANT"))
            else self.quote(row[0])
            for row in described
        )
        result = session.connection.sql(f"select {items} from ({query}\n) as q limit 0")
        arrow = result.to_arrow_table().schema
        return pa.schema(
            [
                duckdb_types.field_of(row[0], row[1], field, row[2] == "YES")
                for row, field in zip(described, arrow)
            ]
        )

    # --- types and values ----------------------------------------------------------------------

    def stored(self, field):
        """Return the field that a column made for this one is read as."""
        return duckdb_types.stored_field(field)

    def type_sql(self, field) -> str:
        """Return the type of a column."""
        sql_type = duckdb_types.sql_type_of(field) or duckdb_types.sql_type_for(
            field.type, kind_of(field)
        )
        if sql_type is None:
            raise self.refuse_type(field)
        return sql_type

    def bind(self, value: Value):
        """Return a value as DuckDB takes it."""
        if value.field is None or value.value is None:
            return value.value
        made = self.typed(value)
        if kind_of(value.field) == "uuid" and isinstance(made, bytes):
            from uuid import UUID

            return UUID(bytes=made)
        return made

    def select_item(self, field) -> str:
        """Return the column, as text where Arrow has no type for it."""
        return duckdb_types.select_item(field, self.quote(field.name))

    def ascending(self, field) -> str:
        """Return the order with NULLs first."""
        return f"{self.quote(field.name)} asc nulls first"

    # --- reading -------------------------------------------------------------------------------

    def batches(self, session, statement, schema, batch_rows: int):
        """Yield the rows of a SELECT as batches."""
        import pyarrow as pa

        text, values = statement.render("dollar", self.bind)
        reader = session.connection.sql(text, params=values or None).to_arrow_reader(batch_rows)
        seen = 0
        for batch in reader:
            columns = []
            for column, field in zip(batch.columns, schema):
                if isinstance(column, pa.ExtensionArray):
                    column = column.storage
                refuse_infinite(column, field, seen)
                columns.append(column)
            plain = pa.record_batch(columns, names=schema.names)
            yield conform(plain, schema, first_row=seen)
            seen += batch.num_rows

    def partitions(self, settings, session, parts, count: int):
        """Return ranges of row numbers, the first and the last one open at their ends."""
        names = [field.name.lower() for field in self.describe(session, parts).schema]
        if "rowid" in names:
            return [{}]
        return self.ranges(session, parts, "rowid", count)

    # --- writing -------------------------------------------------------------------------------

    def check_widening(self, session, target, plan) -> None:
        """Raise SchemaError where an index or a key is on the table: DuckDB changes none then."""
        if not plan.widen:
            return
        tied = self.describe(session, target).key or session.rows(
            Statement(
                "select 1 from duckdb_indexes() where schema_name = ", Value(target[0]),
                " and table_name = ", Value(target[1]),
            )
        )  # fmt: skip
        if tied:
            field = plan.widen[0]
            raise SchemaError(
                f"column {field.name!r} has to become {text_of(field)}, and DuckDB cannot change a "
                f"table with an index or a key; drop that first"
            )

    def writer(self, session, staging, schema):
        """Return a function that inserts a batch."""
        names = ", ".join(map(self.quote, schema.names))
        items = ", ".join(
            f"hex({self.quote(field.name)})::uuid"
            if kind_of(field) == "uuid"
            else f"{self.quote(field.name)}::{self.type_sql(field)}"
            for field in schema
        )
        text = f"insert into {self.table(staging)} ({names}) select {items} from {BATCH}"
        units = [_UNITS.get(duckdb_types.sql_type_of(field), 1) for field in schema]

        def insert(batch) -> None:
            for column, field, unit in zip(batch.columns, schema, units):
                refuse_finer(column, field, unit)
            session.insert(text, batch)

        return insert
