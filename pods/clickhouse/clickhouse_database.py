"""ClickHouse for the connectors' SQL half: connections, catalog, tables, errors."""

from __future__ import annotations

import re
from importlib.metadata import version

from clickhouse_connect.driver import exceptions

from pypods.connectors.error_table import ErrorTable
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
from pypods.connectors.sql.statement import Statement, Value
from pypods.connectors.sql.untransacted.database import UntransactedDatabase

from . import clickhouse_swap, clickhouse_types, clickhouse_values
from .clickhouse_sessions import ClickhouseSession

#: ClickHouse's numbers of errors.
_ERRORS = ErrorTable({
    AuthenticationError: (192, 193, 194, 497, 516),
    StreamNotFoundError: (60, 81),
    SchemaError: (8, 10, 15, 16, 20, 36, 42, 43, 44, 46, 47, 48, 50, 51, 62, 63, 80, 126, 184, 215,
                  344, 386, 403, 524, 549),
    DataError: (6, 26, 27, 32, 33, 38, 41, 53, 69, 70, 72, 117, 131, 190, 321, 349, 376, 407, 441,
                469, 547, 634, 636, 675, 676, 691),
    ConflictError: (57, 82),
}, passing=(
    # Too many at once, out of memory, out of time: later there may be room.
    159, 160, 202, 203, 204, 209, 210, 241, 242, 252, 319, 439, 473, 999,
))  # fmt: skip


class ClickhouseDatabase(UntransactedDatabase):
    """ClickHouse, over its HTTP interface, with Arrow both ways."""

    name = "clickhouse"
    title = "ClickHouse"
    settings = Settings(
        "clickhouse",
        setting("host", "text", "name or address of the server", default="127.0.0.1"),
        setting("port", "integer", "its port for HTTP; 8123, or 8443 with secure"),
        setting("database", "text", "the database", required=True),
        setting("user", "text", "who comes in", default="default"),
        setting("password", "text", "with which password", secret=True),
        setting("secure", "boolean", "whether to speak TLS", default=False),
        setting("verify", "boolean", "whether the certificate has to be good", default=True),
        setting("ca_cert", "path", "a file with the authority's certificate"),
        setting("connect_timeout", "integer", "seconds to wait for the server", default=10),
        setting("timeout", "integer", "seconds to wait for an answer", default=300),
    )
    capabilities = {**CAPABILITIES}
    verified = "with chdb 26.9 behind ClickHouse's HTTP interface"

    # --- connecting ----------------------------------------------------------------------------

    def driver(self) -> str:
        """Return the driver and its version."""
        return f"clickhouse-connect {version('clickhouse-connect')}"

    def open(self, settings, *, writing: bool = False):
        """Return a session."""
        return ClickhouseSession(settings, self)

    def server(self, session) -> str:
        """Return the server's version."""
        ((number,),) = session.rows("select version()")
        return f"ClickHouse {number}"

    def translate(self, error: Exception) -> ConnectorError | None:
        """Return the contract's error for one of the driver's."""
        if not isinstance(error, exceptions.Error):
            return None
        text = " ".join(str(error).split())
        found = re.search(r"\b[Cc]ode: (\d+)", text)
        message = f"ClickHouse: {text}"
        if not found:
            if isinstance(error, exceptions.OperationalError):
                return UnreachableError(message)
            return ConnectorError(message)
        return _ERRORS.error(int(found[1]), message)

    # --- names ---------------------------------------------------------------------------------

    def quote(self, name: str) -> str:
        """Return a name as it stands in SQL."""
        if not name or "\0" in name:
            raise SettingsError(f"{name!r} cannot be a name")
        return clickhouse_types.quote_name(name)

    def resolve(self, session, parts):
        """Return database and table."""
        if len(parts) > 2:
            raise SettingsError("a stream of ClickHouse is table, or database.table")
        return tuple(parts) if len(parts) == 2 else (session.connection.database, parts[0])

    # --- what there is -------------------------------------------------------------------------

    def streams(self, session):
        """Return the tables and views of all databases but ClickHouse's own."""
        rows = session.rows(
            "select database, name, engine, total_rows from system.tables "
            "where database not in ('system', 'INFORMATION_SCHEMA', 'information_schema') "
            "and not is_temporary and not startsWith(name, '_pypods_') "
            "and not startsWith(name, '.inner') order by database, name"
        )
        return [
            {
                "name": join_stream([database, name]),
                "kind": "view" if engine.endswith("View") else "table",
                "rows": None if rows is None else int(rows),
            }
            for database, name, engine, rows in rows
        ]

    def describe(self, session, parts):
        """Return what a table or view has."""
        import pyarrow as pa

        rows = session.rows(
            Statement(
                "select c.name, c.type, c.comment, t.engine, t.total_rows from system.columns as c "
                "join (select * from system.tables where database = ",
                Value(parts[0]), " and name = ", Value(parts[1]),
                ") as t on t.name = c.table where c.database = ",
                Value(parts[0]), " and c.table = ", Value(parts[1]),
                " and default_kind in ('', 'DEFAULT') order by c.position",
            )
        )  # fmt: skip
        if not rows:
            return None
        columns, engine, count = [row[:3] for row in rows], rows[0][3], rows[0][4]
        return Description(
            pa.schema([clickhouse_types.field_of(*column) for column in columns]),
            rows=None if count is None else int(count),
            # What is not given has its type's own default: 0, '' or [].
            defaults=[name for name, *_ in columns],
            kind="view" if engine.endswith("View") else "table",
        )

    def describe_query(self, session, query: str):
        """Return what a query has."""
        import pyarrow as pa

        rows = session.rows(f"describe table ({query}\n)")
        names = [row[0] for row in rows]
        if len(set(names)) < len(names):
            raise SchemaError(f"the query has a column twice ({', '.join(names)}); name each once")
        fields = [clickhouse_types.field_of(row[0], row[1], row[4]) for row in rows]
        return Description(pa.schema(fields), kind="query")

    # --- types and values ----------------------------------------------------------------------

    def stored(self, field):
        """Return the field that a column made for this one is read as."""
        return clickhouse_types.stored_field(field)

    def type_sql(self, field) -> str:
        """Return the type of a column."""
        sql_type = clickhouse_types.sql_type_of(field) or clickhouse_types.sql_type_for(field)
        if sql_type is None:
            raise self.refuse_type(field)
        return sql_type

    def typed(self, value: Value):
        """Return a condition's value in its column's type."""
        return self._uuid(value) if isinstance(value.value, str) else super().typed(value)

    def _uuid(self, value: Value):
        from uuid import UUID

        from pypods.connectors.types import kind_of

        if kind_of(value.field) != "uuid":
            return super().typed(value)
        try:
            return UUID(value.value).bytes
        except ValueError:
            name = value.field.name
            raise DataError(
                f"{value.value!r} is no UUID for column {name!r}", column=name
            ) from None

    def select_item(self, field) -> str:
        """Return the column, as text where Arrow has no type for it."""
        return clickhouse_types.select_item(field, self.quote(field.name))

    def ascending(self, field) -> str:
        """Return the order with NULLs first."""
        return f"{self.quote(field.name)} asc nulls first"

    # --- reading -------------------------------------------------------------------------------

    def batches(self, session, statement, schema, batch_rows: int):
        """Yield the rows of a SELECT as batches."""
        import pyarrow as pa

        seen = 0
        with session.stream(statement, {"max_block_size": min(batch_rows, 65536)}) as stream:
            for given in stream:
                for batch in given.to_batches() if isinstance(given, pa.Table) else [given]:
                    columns = [
                        clickhouse_values.read_column(column, field, seen)
                        for column, field in zip(batch.columns, schema)
                    ]
                    yield (pa.record_batch(columns, schema=schema) if columns else batch)
                    seen += batch.num_rows

    def partitions(self, settings, session, parts, count: int):
        """Return ranges of the first column that rows are sorted by, if it has whole numbers."""
        import pyarrow.types as is_

        (sorting,) = clickhouse_swap.table_row(session, parts, "sorting_key")
        first = clickhouse_types.split_arguments(re.sub(r"^\((.*)\)$", r"\1", sorting))[0]
        schema = self.describe(session, parts).schema
        by_text = {self.quote(field.name): field for field in schema}
        field = by_text.get(first) or by_text.get(self.quote(first) if first else "")
        if field is None or not is_.is_integer(field.type):
            return [{}]
        levels = ", ".join(f"{each / count:.6f}" for each in range(1, count))
        ((bounds,),) = session.rows(
            f"select quantilesExact({levels})({self.quote(field.name)}) from {self.table(parts)}"
        )
        edges = sorted({int(each) for each in bounds if each == each})
        pairs = list(zip([None, *edges], [*edges, None]))
        return [{"column": field.name, "from": low, "to": high} for low, high in pairs]

    def partition_condition(self, partition):
        """Return the condition of a range; the first one has the NULLs too."""
        if not partition:
            return None
        if set(partition) != {"column", "from", "to"}:
            raise SettingsError(f"ClickHouse made no partition {partition!r}")
        edges = partition["from"], partition["to"]
        if not isinstance(partition["column"], str) or not all(
            each is None or isinstance(each, int) for each in edges
        ):
            raise SettingsError(f"ClickHouse made no partition {partition!r}")
        name = self.quote(partition["column"])
        low, high = edges
        if low is None and high is None:
            return Statement("1 = 1")
        if low is None:
            return Statement(f"{name} < {high:d} or {name} is null")
        return Statement(f"{name} >= {low:d}" + ("" if high is None else f" and {name} < {high:d}"))

    # --- writing -------------------------------------------------------------------------------

    def _declared(self, field, *, required: bool = False) -> str:
        """Return a column as it stands in CREATE TABLE, or ADD COLUMN."""
        field = field.with_nullable(False) if required else field
        comment = clickhouse_types.comment_of(field)
        remark = f" comment '{comment}'" if comment else ""
        return f"{self.quote(field.name)} {self.type_sql(field)}{remark}"

    def create_table(self, session, parts, schema, key=()) -> None:
        """Make a table, sorted by its key."""
        session.once(clickhouse_swap.check_database, parts[0])
        columns = ", ".join(self._declared(each, required=each.name in key) for each in schema)
        order = ", ".join(map(self.quote, key))
        session.run(
            f"create table {self.table(parts)} ({columns}) engine = MergeTree order by ({order})"
        )

    def create_staged(self, session, parts, schema) -> None:
        """Make the table that a run's rows wait in."""
        import pyarrow as pa

        token = pa.field(self.token_column, pa.int64(), nullable=False)
        self.create_table(session, parts, schema.append(token))

    def is_there(self, session, parts) -> bool:
        """Whether there is a table of that name."""
        return session.rows(f"exists table {self.table(parts)}") == [(1,)]

    def create_log(self, session, parts, columns) -> None:
        """Make a table that rows are only added to."""
        session.once(clickhouse_swap.check_database, parts[0])
        types = {"text": "String", "number": "Int64"}
        listed = ", ".join(f"{self.quote(name)} {types[kind]}" for name, kind in columns.items())
        session.run(
            f"create table if not exists {self.table(parts)} ({listed}) "
            f"engine = MergeTree order by tuple()"
        )

    def insert_rows(self, session, parts, columns, rows) -> None:
        """Add rows, as one block."""
        import pyarrow as pa

        types = {"text": pa.utf8(), "number": pa.int64()}
        arrays = [
            pa.array(values, types[kind]) for values, kind in zip(zip(*rows), columns.values())
        ]
        session.insert(parts, pa.table(arrays, names=list(columns)))

    def writer(self, session, staging, schema):
        """Return a function that inserts a batch."""
        import pyarrow as pa

        def insert(batch) -> None:
            columns = [
                clickhouse_values.written_column(column, field)
                for column, field in zip(batch.columns, schema)
            ]
            session.insert(staging, pa.table(columns, names=schema.names))

        return insert

    def add_column(self, session, parts, field) -> None:
        """Add a column, unless an earlier attempt did."""
        session.run(
            f"alter table {self.table(parts)} add column if not exists {self._declared(field)}"
        )

    def widen_column(self, session, parts, field) -> None:
        """Give a column a type that holds more."""
        session.run(f"alter table {self.table(parts)} modify column {self._declared(field)}")

    def check_writable(self, session, parts) -> None:
        """Raise SettingsError for a table that cannot be written in steps."""
        session.once(clickhouse_swap.check_database, parts[0])
        clickhouse_swap.check_writable(session, parts)

    def create_like(self, session, parts, target, plan) -> None:
        """Make an empty table like another one, with its engine and all that is its own."""
        session.run(f"create table {self.table(parts)} as {self.table(target)}")
        if plan is not None:
            self.evolve(session, parts, plan)

    def mark_state(self, session, parts):
        """Return what is another once rows of a table have changed."""
        return clickhouse_swap.mark_state(session, parts)

    def note_ready(self, session, new, target):
        """Return the new table's UUID, and how the target was that it was made of."""
        (uuid,) = clickhouse_swap.table_row(session, new, "toString(uuid)")
        return {"uuid": uuid, "before": session.marks.get(tuple(target))}

    def is_stale(self, session, ready, target) -> bool:
        """Whether the target is not what it was when the new table was made of it."""
        return clickhouse_swap.is_stale(session, ready, target)

    def put_in_place(self, session, ready, target, own) -> None:
        """Make the new table, or its rows, the target's."""
        clickhouse_swap.put_in_place(session, ready, target, own)
