"""Oracle for the connectors' SQL half: catalog, statements of its own."""

from __future__ import annotations

import socket

import oracledb

from pypods.connectors.errors import (
    ConnectorError,
    SchemaError,
    SettingsError,
    UnreachableError,
)
from pypods.connectors.names import join_stream
from pypods.connectors.settings import Settings, setting
from pypods.connectors.sql.database import CAPABILITIES, Description
from pypods.connectors.sql.journaled_database import JournaledDatabase
from pypods.connectors.sql.key_ranges import key_ranges, range_condition
from pypods.connectors.sql.statement import Statement, Value

from . import oracle_errors, oracle_reading, oracle_types, oracle_writing
from .oracle_sessions import OracleSession

MAX_NAME_BYTES = 128
_OBJECTS = """
    select owner, name, kind, num_rows from (
        select owner, table_name name, 'table' kind, num_rows from all_tables
        union all select owner, view_name, 'view', null from all_views
    ) o where """
_COLUMNS = """
    select column_name, data_type, data_length, data_precision, data_scale, nullable,
        case when default_length is not null or identity_column = 'YES' or virtual_column = 'YES'
            then 1 else 0 end
    from all_tab_cols where hidden_column = 'NO' and """
_CHECKS = """
    select c.column_name, k.search_condition_vc
    from all_constraints k join all_cons_columns c
        on c.owner = k.owner and c.constraint_name = k.constraint_name
    where k.constraint_type = 'C' and k.status = 'ENABLED' and k.validated = 'VALIDATED' and """
_KEY = """
    select c.column_name from all_constraints k join all_cons_columns c
        on c.owner = k.owner and c.constraint_name = k.constraint_name
    where k.constraint_type = 'P' and """


class OracleDatabase(JournaledDatabase):
    """Oracle, with its own driver in thin mode. What is done to tables cannot be undone."""

    name = "oracle"
    title = "Oracle"
    settings = Settings(
        "oracle",
        setting("host", "text", "name or address of the server", default="127.0.0.1"),
        setting("port", "integer", "its listener's port", default=1521),
        setting("service_name", "text", "the database, as a service; or sid, or dsn"),
        setting("sid", "text", "the database, as an instance"),
        setting("dsn", "text", "a connect string or an alias of tnsnames.ora, instead of host, "
                "port and service"),
        setting("user", "text", "who comes in", required=True),
        setting("password", "text", "with which password", secret=True),
        setting("protocol", "text", "tcp, or tcps for an encrypted connection", default="tcp"),
        setting("ssl_server_dn_match", "boolean", "whether the certificate must be the host's",
                default=True),
        setting("wallet_location", "path", "the folder of ewallet.pem"),
        setting("wallet_password", "text", "its password", secret=True),
        setting("config_dir", "path", "the folder of tnsnames.ora"),
        setting("connect_timeout", "integer", "seconds to wait for the server", default=15),
        setting("empty_text", "text", "refuse empty text and bytes, or write null for them",
                default="refuse"),
    )  # fmt: skip
    # No name has a double quote in it, quoted or not.
    capabilities = {**CAPABILITIES, "refused_in_names": ['"']}
    verified = False
    style = "numeric"
    text_type = "clob"
    number_type = "number(19)"
    key_text_type = "varchar2(200 char)"
    lock_for_update = " for update"
    max_name_characters = MAX_NAME_BYTES

    # --- connecting ----------------------------------------------------------------------------

    def driver(self) -> str:
        """Return the driver and its version."""
        return f"oracledb {oracledb.__version__}"

    def open(self, settings, *, writing: bool = False):
        """Return a session."""
        return OracleSession(settings, self)

    def server(self, session) -> str:
        """Return the server's version."""
        return f"Oracle {session.connection.version}"

    def translate(self, error: Exception) -> ConnectorError | None:
        """Return the contract's error for one of the driver's."""
        if isinstance(error, oracledb.Error):
            return oracle_errors.error_for(error)
        if isinstance(error, socket.gaierror):  # What the driver raises for a host without address.
            return UnreachableError(f"Oracle: the host has no address: {error}")
        return None

    # --- names ---------------------------------------------------------------------------------

    def quote(self, name: str) -> str:
        """Return a name as it stands in SQL. Raises SchemaError for one that Oracle cannot have."""
        if '"' in name:
            raise SchemaError(
                f"{name!r} has a double quote, which no name has in Oracle; rename it"
            )
        if len(name.encode()) > MAX_NAME_BYTES:
            raise SchemaError(f"{name!r} is longer than the 128 bytes of Oracle's names")
        return super().quote(name)

    def query_relation(self, query: str) -> Statement:
        """Return a query as it stands behind FROM, where Oracle takes no AS."""
        return Statement("(", query, "\n) ", self.quote("pypods_query"))

    def resolve(self, session, parts):
        """Return owner and table: as they are written, else in upper case, if that is there."""
        if len(parts) > 2:
            raise SettingsError(f"{join_stream(parts)} has more parts than owner and table")
        owner = parts[0] if len(parts) == 2 else None
        if owner is None:
            ((owner,),) = session.rows("select sys_context('USERENV', 'CURRENT_SCHEMA') from dual")
        for names in ((owner, parts[-1]), (owner.upper(), parts[-1].upper())):
            if session.rows(Statement(_OBJECTS, self._named(names, "name"))):
                return names
        return (owner, parts[-1])

    def _named(self, parts, column: str = "table_name", prefix: str = "") -> Statement:
        return Statement(
            f"{prefix}owner = ", Value(parts[0]), f" and {prefix}{column} = ", Value(parts[1])
        )

    # --- what there is -------------------------------------------------------------------------

    def streams(self, session):
        """Return the tables and views of users that Oracle did not make itself."""
        rows = session.rows(
            _OBJECTS + "owner in (select username from all_users where oracle_maintained = 'N') "
            "order by owner, name"
        )
        return [
            {
                "name": join_stream([owner, name]),
                "kind": kind,
                "rows": None if rows is None else int(rows),
            }
            for owner, name, kind, rows in rows
            if not name.startswith("_pypods_")
        ]

    def describe(self, session, parts):
        """Return what a table or view has."""
        import pyarrow as pa

        found = session.rows(Statement(_OBJECTS, self._named(parts, "name")))
        if not found:
            return None
        said = {}
        for name, condition in session.rows(Statement(_CHECKS, self._named(parts, prefix="k."))):
            text = condition and oracle_types.said_by(condition, f'"{name}"')
            if text:
                said[name] = text
        rows = session.rows(Statement(_COLUMNS, self._named(parts), " order by column_id"))
        columns = [
            oracle_types.Column(
                name, data_type, int(length or 0), *(None if n is None else int(n) for n in sizes),
                nullable == "Y", said.get(name),
            )
            for name, data_type, length, *sizes, nullable, _ in rows
        ]  # fmt: skip
        self._measure(session, Statement(self.table(parts)), columns)
        key = session.rows(Statement(_KEY, self._named(parts, prefix="k."), " order by c.position"))
        estimate = found[0][3]
        return Description(
            pa.schema([column.field() for column in columns]),
            key=[name for (name,) in key],
            rows=None if estimate is None else int(estimate),
            defaults=[row[0] for row in rows if row[-1]],
            kind=found[0][2],
        )

    def describe_query(self, session, query: str):
        """Return what a query has."""
        import pyarrow as pa

        relation = self.query_relation(query)
        cursor = session.execute(Statement("select * from ", relation, " where 1 = 0"))
        try:
            described = [tuple(each) for each in cursor.description]
        finally:
            cursor.close()
        names = [each[0] for each in described]
        if len(set(names)) < len(names):
            raise SchemaError(f"the query has a column twice ({', '.join(names)}); name each once")
        columns = [oracle_types.described_column(*each) for each in described]
        self._measure(session, relation, columns)
        return Description(pa.schema([column.field() for column in columns]), kind="query")

    def _measure(self, session, relation, columns) -> None:
        """Ask the data for the digits of NUMBERs that may have any number of them."""
        free = [column for column in columns if column.is_free_number and not column.said]
        if not free:
            return
        items = []
        for column in free:
            name = self.quote(column.name)
            items.append(
                f"max(case when {name} <> round({name}, 38) or abs({name}) >= 1e38 "
                f"then 1 else 0 end), "
                f"max(case when {name} = trunc({name}) then 0 "
                f"else length(to_char(abs({name} - trunc({name})), 'TM9')) - 1 end), "
                f"max(length(to_char(trunc(abs({name})), 'TM9')))"
            )
        (row,) = session.rows(Statement("select ", ", ".join(items), " from ", relation))
        for at, column in enumerate(free):
            special, scale, whole = row[3 * at : 3 * at + 3]
            if whole is not None:
                column.digits = (None, 0) if special else (int(scale), int(whole))

    # --- types and values ----------------------------------------------------------------------

    def stored(self, field):
        """Return the field that a column made for this one is read as."""
        return oracle_types.stored_field(field)

    def type_sql(self, field) -> str:
        """Return the type of a column."""
        sql_type = oracle_types.sql_type_of(field) or oracle_types.sql_type_for(field)
        if sql_type is None:
            raise self.refuse_type(field)
        return sql_type

    def bind(self, value: Value):
        """Return a value as the driver takes it, times in the session's zone, UTC."""
        import datetime as dt

        given = value.value if value.field is None or value.value is None else self.typed(value)
        if isinstance(given, dt.datetime) and given.tzinfo is not None:
            return given.astimezone(dt.timezone.utc).replace(tzinfo=None)
        return int(given) if isinstance(given, bool) else given

    def select_item(self, field) -> str:
        """Return the column, as what the driver gives as Arrow data."""
        return oracle_types.select_item(field, self.quote(field.name))

    def operand(self, field) -> str:
        """Return the column as it can be compared; a CLOB of more than 4000 bytes cannot."""
        name = self.quote(field.name)
        return f"to_char({name})" if oracle_types.is_lob(field) else name

    def ascending(self, field) -> str:
        """Return the order with NULLs first."""
        return f"{self.operand(field)} nulls first"

    # --- reading -------------------------------------------------------------------------------

    def limited(self, statement: Statement, rows: int) -> Statement:
        """Return a SELECT that ends after so many rows."""
        return statement + f" fetch first {rows:d} rows only"

    def batches(self, session, statement, schema, batch_rows: int):
        """Yield the rows of a SELECT as batches."""
        return oracle_reading.read_batches(session, statement, schema, batch_rows)

    def partitions(self, settings, session, parts, count: int):
        """Return ranges of the key, each read as of its own time."""
        return key_ranges(self, session, parts, count)

    def partition_condition(self, partition):
        """Return the condition of a range of the key."""
        return range_condition(self, partition)

    # --- tables --------------------------------------------------------------------------------

    def column_sql(self, field, key=()) -> str:
        """Return the definition of a column, with what it says of its values."""
        name, sql_type = self.quote(field.name), self.type_sql(field)
        if field.name in key:
            sql_type = oracle_types.key_type(sql_type, len(key))
        required = " not null" if not field.nullable or field.name in key else ""
        check = oracle_types.check_of(field, name)
        return f"{name} {sql_type}{required}" + (f" check ({check})" if check else "")

    def create_table(self, session, parts, schema, key=()) -> None:
        """Make a table; with a key, it is its primary key."""
        columns = [self.column_sql(field, key) for field in schema]
        if key:
            columns.append(f"primary key ({', '.join(map(self.quote, key))})")
        session.change_tables(f"create table {self.table(parts)} ({', '.join(columns)})")

    def create_if_missing(self, session, parts, columns: str, *, beside: bool = False) -> None:
        """Make one of our own tables, unless it is there."""
        if not session.rows(Statement(_OBJECTS, self._named(parts, "name"))):
            session.change_tables(f"create table {self.table(parts)} ({columns})")

    def drop_table(self, session, parts) -> None:
        """Remove a table, if it is there, at once."""
        if session.rows(Statement(_OBJECTS, self._named(parts, "name"))):
            session.change_tables(f"drop table {self.table(parts)} purge")

    def rename_table(self, session, parts, name: str) -> None:
        """Give a table another name, in the same schema, at once."""
        session.change_tables(f"alter table {self.table(parts)} rename to {self.quote(name)}")

    def add_column(self, session, parts, field) -> None:
        """Add a column that may be NULL."""
        column = self.column_sql(field.with_metadata(_kind_only(field)))
        session.change_tables(f"alter table {self.table(parts)} add ({column})")

    def widen_column(self, session, parts, field) -> None:
        """Give a column a type that holds more, and have it say so."""
        table, name = self.table(parts), self.quote(field.name)
        plain = field.with_metadata(_kind_only(field))
        rows = session.rows(
            Statement(
                "select k.constraint_name, k.search_condition_vc from all_constraints k "
                "where k.constraint_type = 'C' and ",
                self._named(parts, prefix="k."),
            )
        )
        for constraint, condition in rows:
            if condition and oracle_types.said_by(condition, name):
                session.change_tables(
                    f"alter table {table} drop constraint {self.quote(constraint)}"
                )
        session.change_tables(f"alter table {table} modify ({name} {self.type_sql(plain)})")
        check = oracle_types.check_of(plain, name)
        if check:
            session.change_tables(f"alter table {table} add check ({check})")

    # --- writing -------------------------------------------------------------------------------

    def writer(self, session, staging, schema):
        """Return a function that appends a batch."""
        return oracle_writing.make_writer(session, staging, schema)

    def upsert_all(self, session, staging, target, names, key) -> None:
        """Change the target's rows that have a staged key, and insert the others."""
        columns = ", ".join(map(self.quote, names))
        given = ", ".join(f"s.{self.quote(name)}" for name in names)
        sets = ", ".join(
            f"t.{self.quote(name)} = s.{self.quote(name)}" for name in names if name not in key
        )
        session.run(
            f"merge into {self.table(target)} t using {self.table(staging)} s "
            f"on ({self.same_key('t', 's', key)}) "
            + (f"when matched then update set {sets} " if sets else "")
            + f"when not matched then insert ({columns}) values ({given})"
        )

    def delete_insert_all(self, session, staging, target, names, key) -> None:
        """Delete the target's rows that have a staged key, and insert all."""
        there = self.describe(session, target).schema
        same = []
        for name in key:
            field = there.field(name)
            one, other = (f"{alias}.{self.quote(name)}" for alias in "ts")
            is_lob = oracle_types.is_lob(field)
            same.append(f"to_char({one}) = to_char({other})" if is_lob else f"{one} = {other}")
        session.run(
            f"delete from {self.table(target)} t where exists "
            f"(select 1 from {self.table(staging)} s where {' and '.join(same)})"
        )
        self.insert_all(session, staging, target, names)


def _kind_only(field):
    """Return a field's metadata without the type that its column had."""
    from pypods.connectors.types import KIND

    kept = {KIND: (field.metadata or {}).get(KIND, b"")}
    return kept if kept[KIND] else None
