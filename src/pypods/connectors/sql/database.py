"""What a SQL system does its own way, with what most of them share as the default; no staging.

A connector's pod has a subclass of Database, and of Session where its driver is no plain DB-API.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from pypods.connectors.errors import ConnectorError, DataError, SchemaError, SettingsError
from pypods.connectors.names import quote
from pypods.connectors.rows import columns_of
from pypods.connectors.sql.session import Session
from pypods.connectors.sql.staging import Staging
from pypods.connectors.sql.statement import Statement, Value, join
from pypods.connectors.types import fits

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

__all__ = ["CAPABILITIES", "Database", "Description"]

#: What a SQL connector can do unless it says otherwise.
CAPABILITIES: dict[str, Any] = {
    "read": True,
    "query": True,
    "where": True,
    "order": True,
    "after": True,
    "partition": True,
    "snapshot": False,
    "write": ["append", "replace", "upsert", "delete_insert"],
    "atomic": True,
    "resume": True,
    "schema": True,
    "execute": True,
    "truncate": True,
    "count": True,
    "rows": False,
    "parallel_write": True,
}


class Description:
    """A table or a view as it is: Arrow schema, key, estimate of rows, columns with a default."""

    def __init__(
        self,
        schema: Any,
        *,
        key: Any = (),
        rows: int | None = None,
        defaults: Any = (),
        kind: str = "table",
    ) -> None:
        self.schema = schema
        self.key = list(key)
        self.rows = rows
        self.defaults = set(defaults)
        self.kind = kind


class Database(ABC):
    """One SQL system and its driver."""

    name = ""
    title = ""
    settings: Any = None
    capabilities: dict[str, Any] = CAPABILITIES
    #: Whether it was tried with a real server; False, or words of how far it was, are shown
    #: wherever connectors are listed.
    verified: bool | str = True
    #: How the driver wants values marked (see ``Statement.render``).
    style = "qmark"
    mark = '"'
    #: Types of the columns of our own tables; the last one is a text that may be part of a key.
    text_type = "text"
    number_type = "bigint"
    key_text_type = "text"
    #: Whether "A" and "a" are one column.
    folds_case = False
    #: What keeps others from changing the rows of a SELECT, but not from reading them so: behind
    #: the table's name, or at the end. Where there is no such thing, ``lock_for_update`` ends one
    #: that nobody else can read so.
    hint_for_share = ""
    lock_for_share = ""
    lock_for_update = ""
    max_name_characters = 63

    # --- connecting ----------------------------------------------------------------------------

    @abstractmethod
    def driver(self) -> str:
        """Return the driver and its version."""

    @abstractmethod
    def open(self, settings: dict[str, Any], *, writing: bool = False) -> Session:
        """Return a session outside of any transaction. Raises the driver's errors."""

    def will_be_made(self, settings: dict[str, Any]) -> bool:
        """Whether there is nothing yet, and writing makes it: a file in a folder that is there."""
        return False

    @abstractmethod
    def server(self, session: Session) -> str:
        """Return the system and its version."""

    @abstractmethod
    def translate(self, error: Exception) -> ConnectorError | None:
        """Return what a driver's error is for everybody; None for what is no driver's."""

    # --- names ---------------------------------------------------------------------------------

    def quote(self, name: str) -> str:
        """Return a name as it stands in SQL."""
        return quote(name, self.mark)

    def fold(self, name: str) -> str:
        """Return what two names have to share to be one column."""
        return name.casefold() if self.folds_case else name

    @abstractmethod
    def resolve(self, session: Session, parts: list[str]) -> tuple[str, ...]:
        """Return the full name of a table that may not be there yet."""

    def table(self, parts: Any) -> str:
        """Return a table's name as it stands in SQL."""
        return ".".join(self.quote(part) for part in parts)

    def query_relation(self, query: str) -> Statement:
        """Return a query as it stands behind FROM."""
        # A line end, for a query whose last line is a comment.
        return Statement("(", query, "\n) as ", self.quote("pypods_query"))

    # --- what there is -------------------------------------------------------------------------

    @abstractmethod
    def streams(self, session: Session) -> list[dict[str, Any]]:
        """Return the tables and views."""

    @abstractmethod
    def describe(self, session: Session, parts: Any) -> Description | None:
        """Return what a table or view has, or None if there is none."""

    @abstractmethod
    def describe_query(self, session: Session, query: str) -> Description:
        """Return what a query has."""

    # --- types ---------------------------------------------------------------------------------

    def stored(self, field: Any) -> Any:
        """Return the field that a column made for this one is read as. Raises SchemaError."""
        return field

    def taken(self, there: Any, given: Any) -> Any:
        """Return the field that values become on their way into a column, or None: it takes none.

        ``there`` is the column's field and ``given`` what ``stored`` made of theirs.
        """
        return there if fits(there, given) else None

    @abstractmethod
    def type_sql(self, field: Any) -> str:
        """Return the type of a column for a field that ``stored`` returned."""

    def bind(self, value: Value) -> Any:
        """Return a value as the driver takes it; that of a condition is made its column's type."""
        return value.value if value.field is None else self.typed(value)

    def typed(self, value: Value) -> Any:
        """Return a condition's value in its column's type. Raises DataError."""
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        given = value.value
        try:
            if isinstance(given, str) and not pa.types.is_string(value.field.type):
                return pa.scalar(given).cast(value.field.type).as_py()
            return given
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise DataError(
                f"{given!r} is no value of column {value.field.name!r}, "
                f"which is {value.field.type}",
                column=value.field.name,
            ) from None

    # --- reading -------------------------------------------------------------------------------

    def select_item(self, field: Any) -> str:
        """Return what stands for a column in a list of columns."""
        return self.quote(field.name)

    def operand(self, field: Any) -> str:
        """Return what stands for a column in a condition."""
        return self.quote(field.name)

    def ascending(self, field: Any) -> str:
        """Return what an ORDER BY says for NULLs first."""
        return self.quote(field.name)

    def limited(self, statement: Statement, rows: int) -> Statement:
        """Return a SELECT that ends after so many rows."""
        return statement + f" limit {rows:d}"

    def batches(
        self, session: Session, statement: Statement, schema: Any, batch_rows: int
    ) -> Iterator[Any]:
        """Yield the rows of a SELECT as batches of that schema. Raises DataError."""
        from pypods.connectors.rows import batches_from_rows

        cursor = session.execute(statement)
        try:
            yield from batches_from_rows(cursor.fetchmany, schema, batch_rows=batch_rows)
        finally:
            cursor.close()

    def partitions(
        self, settings: dict[str, Any], session: Session, parts: Any, count: int
    ) -> list[dict[str, Any]]:
        """Return parts of a table that together have each row once; one is always right."""
        return [{}]

    def partition_condition(self, partition: dict[str, Any]) -> Statement | None:
        """Return the condition of a partition, in SQL. Raises SettingsError."""
        if partition:
            raise SettingsError(f"{self.title} has no partition {partition!r}")
        return None

    def enter_partition(self, session: Session, partition: dict[str, Any]) -> None:
        """Bring the session to the state in which the partition was made."""

    def release_partitions(self, partitions: list[dict[str, Any]]) -> None:
        """Let go of what was held for partitions."""

    # --- writing -------------------------------------------------------------------------------

    def staging(self, session: Session, target: Any) -> Staging:
        """Return the steps of writing into a table."""
        return Staging(self, session, target)

    def create_table(self, session: Session, parts: Any, schema: Any, key: Any = ()) -> None:
        """Make a table; with a key, it is its primary key."""
        columns = []
        for field in schema:
            required = not field.nullable or field.name in key
            sql_type = self.key_type_sql(field) if field.name in key else self.type_sql(field)
            columns.append(f"{self.quote(field.name)} {sql_type}{' not null' if required else ''}")
        if key:
            columns.append(f"primary key ({', '.join(map(self.quote, key))})")
        options = self.table_options(session)
        session.run(f"create table {self.table(parts)} ({', '.join(columns)}){options}")

    def key_type_sql(self, field: Any) -> str:
        """Return the type of a column that is part of a table's key."""
        return self.type_sql(field)

    def table_options(self, session: Session) -> str:
        """Return what a CREATE TABLE ends with."""
        return ""

    def create_beside(self, session: Session, text: str) -> None:
        """Make one of our own tables, if it is not there, without ending a transaction."""
        session.run(text)

    def create_if_missing(
        self, session: Session, parts: Any, columns: str, *, beside: bool = False
    ) -> None:
        """Make one of our own tables, unless it is there; beside a transaction that goes on."""
        text = f"create table if not exists {self.table(parts)} ({columns})"
        text += self.table_options(session)
        if beside:
            self.create_beside(session, text)
        else:
            session.run(text)

    def create_staging(
        self, session: Session, staging: Any, target: Any, plan: Any, *, mode: str, key: Any
    ) -> None:
        """Make the table that a run's rows wait in, where its target is there already."""
        self.create_table(session, staging, plan.schema, key if mode == "upsert" else ())

    def drop_table(self, session: Session, parts: Any) -> None:
        """Remove a table, if it is there."""
        session.run(f"drop table if exists {self.table(parts)}")

    def rename_table(self, session: Session, parts: Any, name: str) -> None:
        """Give a table another name, in the same schema."""
        session.run(f"alter table {self.table(parts)} rename to {self.quote(name)}")

    def add_column(self, session: Session, parts: Any, field: Any) -> None:
        """Add a column that may be NULL."""
        session.run(
            f"alter table {self.table(parts)} add column "
            f"{self.quote(field.name)} {self.type_sql(field)}"
        )

    def widen_column(self, session: Session, parts: Any, field: Any) -> None:
        """Give a column a type that holds more."""
        session.run(
            f"alter table {self.table(parts)} alter column "
            f"{self.quote(field.name)} type {self.type_sql(field)}"
        )

    def writer(self, session: Session, staging: Any, schema: Any) -> Any:
        """Return a function that inserts a batch of that schema, in the transaction under way."""
        names = ", ".join(self.quote(name) for name in schema.names)
        marks = ", ".join("?" * len(schema))
        text = f"insert into {self.table(staging)} ({names}) values ({marks})"
        converters = [self.converter(field) for field in schema]

        def insert(batch: Any) -> None:
            cursor = session.connection.cursor()
            try:
                cursor.executemany(text, list(zip(*columns_of(batch, converters))))
            finally:
                cursor.close()

        return insert

    def converter(self, field: Any) -> Any:
        """Return what makes a Python value one that the driver writes, or None if all are."""
        return None

    def insert_all(self, session: Session, staging: Any, target: Any, names: Any) -> int:
        """Copy the rows of one table into another; return how many."""
        columns = ", ".join(map(self.quote, names))
        return session.run(
            f"insert into {self.table(target)} ({columns}) "
            f"select {columns} from {self.table(staging)}"
        )

    def evolve(self, session: Session, target: Any, plan: Any) -> None:
        """Give the target the columns and types that the plan says."""
        for field in plan.add:
            self.add_column(session, target, field)
        for field in plan.widen:
            self.widen_column(session, target, field)

    def check_widening(self, session: Session, target: Any, plan: Any) -> None:
        """Raise SchemaError for a column of the plan that cannot be widened here."""

    def replace_all(self, session: Session, staging: Any, target: Any, plan: Any) -> None:
        """Make the rows of the staging table the target's only ones, and remove that table."""
        session.run(f"delete from {self.table(target)}")
        self.evolve(session, target, plan)
        self.insert_all(session, staging, target, plan.schema.names)
        self.drop_table(session, staging)

    def upsert_all(self, session: Session, staging: Any, target: Any, names: Any, key: Any) -> None:
        """Change the target's rows that have a staged key, and insert the others."""
        there, new = self.table(target), self.table(staging)
        others = [name for name in names if name not in key]
        if others:
            sets = ", ".join(f"{self.quote(name)} = s.{self.quote(name)}" for name in others)
            session.run(
                f"update {there} set {sets} from {new} as s where "
                + " and ".join(f"{there}.{self.quote(name)} = s.{self.quote(name)}" for name in key)
            )
        columns = ", ".join(map(self.quote, names))
        session.run(
            f"insert into {there} ({columns}) select {columns} from {new} as s "
            f"where not exists (select 1 from {there} as t where {self.same_key('t', 's', key)})"
        )

    def delete_insert_all(
        self, session: Session, staging: Any, target: Any, names: Any, key: Any
    ) -> None:
        """Delete the target's rows that have a staged key, and insert all."""
        there, new = self.table(target), self.table(staging)
        session.run(
            f"delete from {there} where exists (select 1 from {new} as s where "
            + " and ".join(f"s.{self.quote(name)} = {there}.{self.quote(name)}" for name in key)
            + ")"
        )
        self.insert_all(session, staging, target, names)

    def same_key(self, one: str, other: str, key: Any) -> str:
        """Return the condition that two rows have the same key."""
        return " and ".join(
            f"{one}.{self.quote(name)} = {other}.{self.quote(name)}" for name in key
        )

    def truncate(self, session: Session, parts: Any) -> None:
        """Remove all rows of a table."""
        session.run(f"delete from {self.table(parts)}")

    # --- helpers of the above ------------------------------------------------------------------

    def insert_row(self, parts: Any, values: dict[str, Any]) -> Statement:
        """Return the INSERT of one row into one of our own tables."""
        return Statement(
            f"insert into {self.table(parts)} (",
            ", ".join(map(self.quote, values)),
            ") values (",
            join(", ", [Value(each) for each in values.values()]),
            ")",
        )

    def refuse_type(self, field: Any) -> SchemaError:
        """Return the error for a type that the system has no place for."""
        return SchemaError(
            f"column {field.name!r}: {self.title} has no type for {field.type}; cast it first"
        )
