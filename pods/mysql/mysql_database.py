"""MySQL and MariaDB for the connectors' SQL half: catalog, partitions, statements of their own."""

from __future__ import annotations

import re

import pymysql
from pymysql.cursors import SSCursor

from pypods.connectors.errors import ConflictError, SchemaError, SettingsError
from pypods.connectors.names import join_stream, short_hash
from pypods.connectors.settings import Settings, setting
from pypods.connectors.sql.database import CAPABILITIES, Description
from pypods.connectors.sql.journaled_database import JournaledDatabase
from pypods.connectors.sql.statement import Statement, Value

from . import mysql_partitions, mysql_reading, mysql_swap, mysql_types, mysql_writing
from .mysql_errors import error_for
from .mysql_sessions import MysqlSession
from .mysql_swap import of_table

_KINDS = {"BASE TABLE": "table", "SYSTEM VERSIONED": "table"}
#: Engines that have transactions.
_ENGINES = ("innodb", "rocksdb", "tokudb", "ndbcluster")
_TABLE = (
    "select table_type, engine, table_rows from information_schema.tables "
    "where table_schema = {0} and table_name = {1}"
)
_COLUMNS = (
    "select column_name, column_type, is_nullable, column_default, extra, column_comment "
    "from information_schema.columns where table_schema = {0} and table_name = {1} "
    "order by ordinal_position"
)
_KEY = (
    "select column_name from information_schema.statistics where table_schema = {0} "
    "and table_name = {1} and index_name = 'PRIMARY' order by seq_in_index"
)
#: MariaDB's JSON is a text with this check.
_JSON_CHECKS = (
    "select check_clause from information_schema.check_constraints "
    "where constraint_schema = {0} and table_name = {1}"
)
_JSON_CHECK = re.compile(r"json_valid\(`((?:[^`]|``)+)`\)")


class MysqlDatabase(JournaledDatabase):
    """MySQL and MariaDB, with PyMySQL."""

    name = "mysql"
    title = "MySQL"
    settings = Settings(
        "mysql",
        setting("host", "text", "name or address of the server", default="127.0.0.1"),
        setting("port", "integer", "its port", default=3306),
        setting("socket", "path", "the server's socket, instead of host and port"),
        setting("database", "text", "the database", required=True),
        setting("user", "text", "who comes in", default="root"),
        setting("password", "text", "with which password", secret=True),
        setting("tls", "text", "prefer (if driver and server can), off, require, or verify: with "
                "a certificate that tls_ca, or the system, vouches for", default="prefer"),
        setting("tls_ca", "path", "file with the certificates that are trusted"),
        setting("connect_timeout", "integer", "seconds to wait for the server", default=10),
        setting("lock_timeout", "integer", "seconds to wait for what others have locked",
                default=60),
        setting("local_infile", "boolean", "write with LOAD DATA LOCAL INFILE, from memory, where "
                "the server allows it; else with INSERT", default=True),
        setting("tinyint1_is_bool", "boolean", "whether TINYINT(1) is true or false",
                default=True),
    )  # fmt: skip
    capabilities = {**CAPABILITIES}
    verified = "with MariaDB; not with MySQL's own server"
    style = "format"
    mark = "`"
    text_type = "longtext"
    key_text_type = "varchar(250)"
    folds_case = True
    lock_for_update = " for update"
    lock_for_share = " lock in share mode"
    max_name_characters = 64

    # --- connecting ----------------------------------------------------------------------------

    def driver(self) -> str:
        """Return the driver and its version."""
        return f"PyMySQL {pymysql.__version__}"

    def open(self, settings, *, writing: bool = False):
        """Return a session."""
        return MysqlSession(settings, self, writing=writing)

    def server(self, session) -> str:
        """Return the server's version."""
        return f"{'MariaDB' if session.is_mariadb else 'MySQL'} {session.version.split('-')[0]}"

    def translate(self, error: Exception):
        """Return the contract's error for one of the driver's."""
        return error_for(error)

    # --- what there is -------------------------------------------------------------------------

    def resolve(self, session, parts):
        """Return database and table."""
        if len(parts) > 2:
            raise SettingsError(f"{join_stream(parts)}: a stream is table, or database.table")
        return tuple(parts) if len(parts) == 2 else (session.settings["database"], parts[0])

    def streams(self, session):
        """Return the tables and views of the connection's database."""
        database = session.settings["database"]
        rows = session.rows(
            Statement(
                "select table_name, table_type, table_rows from information_schema.tables "
                "where table_schema = ", Value(database),
                " and table_name not like '\\_pypods\\_%' "
                "and table_type in ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW') order by 1",
            )
        )  # fmt: skip
        return [
            {
                "name": join_stream([database, name]),
                "kind": _KINDS.get(kind, "view"),
                "rows": None if estimate is None else int(estimate),
            }
            for name, kind, estimate in rows
        ]

    def describe(self, session, parts):
        """Return what a table or view has."""
        import pyarrow as pa

        rows = session.rows(of_table(_TABLE, parts))
        if not rows:
            return None
        kind, _, estimate = rows[0]
        json_columns = self._json_columns(session, parts)
        fields, defaults = [], []
        for name, sql_type, nullable, default, extra, comment in session.rows(
            of_table(_COLUMNS, parts)
        ):
            fields.append(
                mysql_types.make_field(
                    name, _text(sql_type), nullable=nullable == "YES", comment=comment,
                    is_bool=session.settings["tinyint1_is_bool"], is_json=name in json_columns,
                )
            )  # fmt: skip
            if default not in (None, "NULL") or re.search(
                "auto_increment|generated", extra, re.IGNORECASE
            ):
                defaults.append(name)
        return Description(
            pa.schema(fields),
            key=[name for (name,) in session.rows(of_table(_KEY, parts))],
            rows=None if estimate is None else int(estimate),
            defaults=defaults,
            kind=_KINDS.get(kind, kind.lower()),
        )

    def _json_columns(self, session, parts):
        if not session.is_mariadb:
            return ()
        clauses = session.rows(of_table(_JSON_CHECKS, parts))
        found = [_JSON_CHECK.fullmatch(_text(clause)) for (clause,) in clauses]
        return {each[1].replace("``", "`") for each in found if each}

    def describe_query(self, session, query: str):
        """Return what a query has, as its result describes it."""
        import pyarrow as pa

        text = f"select * from ({query}\n) as {self.quote('pypods_query')} limit 0"
        with session.connection.cursor(SSCursor) as cursor:
            cursor.execute(text)
            is_bool = session.settings["tinyint1_is_bool"]
            found = cursor._result.fields  # The flags are nowhere else.
            fields = [mysql_types.field_of_result(each, is_bool=is_bool) for each in found]
        return Description(pa.schema(fields), kind="query")

    # --- types and values ----------------------------------------------------------------------

    def stored(self, field):
        """Return the field that a column made for this one is read as."""
        stored = mysql_types.stored_field(field)
        if stored is None:
            raise self.refuse_type(field)
        return stored

    def taken(self, there, given):
        """Return the field that values become on their way into a column, or None."""
        return there if mysql_types.takes(there, given) else super().taken(there, given)

    def type_sql(self, field) -> str:
        """Return the type of a column."""
        sql_type = mysql_types.sql_type_for(field)
        if sql_type is None:
            raise self.refuse_type(field)
        return sql_type

    def key_type_sql(self, field) -> str:
        """Return the type of a column that is part of a table's key."""
        return mysql_types.key_type_for(self.type_sql(field))

    def bind(self, value: Value):
        """Return a value as the driver takes it."""
        if value.field is None:
            return value.value
        return mysql_reading.bound(self.typed(value), value.field)

    def select_item(self, field) -> str:
        """Return what is selected of a column."""
        return mysql_reading.select_item(self.quote(field.name), field)

    def ascending(self, field) -> str:
        """Return the order; NULLs are first."""
        return mysql_reading.ascending(self.quote(field.name), field)

    # --- reading -------------------------------------------------------------------------------

    def batches(self, session, statement, schema, batch_rows: int):
        """Yield the rows of a SELECT as batches."""
        return mysql_reading.read_batches(session, statement, schema, batch_rows)

    def partitions(self, settings, session, parts, count: int):
        """Return ranges of the first column of the key."""
        return mysql_partitions.partitions(session, parts, count)

    def partition_condition(self, partition):
        """Return the condition of a range."""
        return mysql_partitions.condition(self, partition)

    # --- writing -------------------------------------------------------------------------------

    def hold_stream(self, session, target) -> None:
        """Wait until nobody else begins or ends a run of this table."""
        seconds = session.settings["lock_timeout"]
        ((held,),) = session.rows(
            Statement("select get_lock(", Value(_lock_name(target)), f", {seconds:d})")
        )
        if held != 1:
            raise ConflictError(
                f"somebody else has been beginning or ending a run of {join_stream(target)} for "
                f"{seconds} seconds; try again when that is done",
                retry=True,
            )

    def release_stream(self, session, target) -> None:
        """Let others begin and end runs; a connection that is lost has done so."""
        if session.connection.open:
            try:
                session.rows(Statement("select release_lock(", Value(_lock_name(target)), ")"))
            except pymysql.OperationalError:
                session.close()

    def table_options(self, session) -> str:
        """Return what a CREATE TABLE ends with: all characters, each of them another one."""
        collation = "utf8mb4_bin"
        if session.is_mariadb:
            collation = "utf8mb4_nopad_bin"
        elif session.version_numbers >= (8, 0, 17):
            collation = "utf8mb4_0900_bin"
        return f" engine=InnoDB default character set utf8mb4 collate {collation}"

    def create_beside(self, session, text: str) -> None:
        """Make a table on a connection of its own, once: DDL would end the transaction."""
        made = vars(session).setdefault("made", set())
        if text not in made:
            with self.open(session.settings, writing=True) as other:
                other.run(text)
            made.add(text)

    def create_staging(self, session, staging, target, plan, *, mode: str, key) -> None:
        """Make a table like the target, so that what it refuses is refused when it is written."""
        ((_, engine, _),) = session.rows(of_table(_TABLE, target))
        if str(engine).lower() not in _ENGINES:
            raise SettingsError(
                f"{join_stream(target)} is of the engine {engine}, which has no transactions; "
                f"alter table … engine=InnoDB"
            )
        session.run(f"create table {self.table(staging)} like {self.table(target)}")
        try:
            self.evolve(session, staging, plan)
        except Exception:
            self.drop_table(session, staging)
            raise

    def drop_table(self, session, parts) -> None:
        """Remove a table, if it is there: to drop one that is not takes as long."""
        if session.rows(of_table(_TABLE, parts)):
            super().drop_table(session, parts)

    def rename_table(self, session, parts, name: str) -> None:
        """Give a table another name."""
        there, new = self.table(parts), self.table((*parts[:-1], name))
        session.run(f"rename table {there} to {new}")

    def widen_column(self, session, parts, field) -> None:
        """Give a column a type that holds more; all else that it is stays."""
        ((_, made),) = session.rows(f"show create table {self.table(parts)}")
        (now,) = [row[1] for row in session.rows(of_table(_COLUMNS, parts)) if row[0] == field.name]
        start = f"  {self.quote(field.name)} {_text(now)}"
        lines = [line for line in _text(made).splitlines() if line.startswith(start)]
        if len(lines) != 1:
            raise SchemaError(
                f"column {field.name!r} of {join_stream(parts)} cannot be widened from here; "
                f"alter it to {self.type_sql(field)}"
            )
        rest = lines[0][len(start) :].rstrip(",")
        session.run(
            f"alter table {self.table(parts)} modify column {self.quote(field.name)} "
            f"{self.type_sql(field)}{rest}"
        )

    def writer(self, session, staging, schema):
        """Return a function that inserts a batch."""
        return mysql_writing.make_writer(session, staging, schema)

    def can_swap(self, session, staging, target, plan) -> bool:
        """Whether the staging table can take the target's place."""
        return mysql_swap.can_swap(session, staging, target, plan)

    def swap(self, session, staging, target, old) -> None:
        """Put the staging table into the target's place, and the target aside."""
        mysql_swap.swap(session, staging, target, old)

    def upsert_all(self, session, staging, target, names, key) -> None:
        """Change the target's rows that have a staged key, and insert the others."""
        there, new = self.table(target), self.table(staging)
        others = [self.quote(name) for name in names if name not in key]
        columns = ", ".join(map(self.quote, names))
        if others and mysql_swap.key_is_only_unique(session, target, key):
            sets = ", ".join(f"{name} = s.{name}" for name in others)
            listed = ", ".join(f"s.{self.quote(name)}" for name in names)
            session.run(
                f"insert into {there} ({columns}) select {listed} from {new} as s "
                f"on duplicate key update {sets}"
            )
            return
        if others:
            sets = ", ".join(f"t.{name} = s.{name}" for name in others)
            session.run(
                f"update {there} as t join {new} as s on {self.same_key('t', 's', key)} set {sets}"
            )
        session.run(
            f"insert into {there} ({columns}) select {columns} from {new} as s "
            f"where not exists (select 1 from {there} as t where {self.same_key('t', 's', key)})"
        )

    def delete_insert_all(self, session, staging, target, names, key) -> None:
        """Delete the target's rows that have a staged key, and insert all."""
        listed = ", ".join(map(self.quote, key))
        session.run(
            f"delete t from {self.table(target)} as t join (select distinct {listed} "
            f"from {self.table(staging)}) as s on {self.same_key('t', 's', key)}"
        )
        self.insert_all(session, staging, target, names)

    def truncate(self, session, parts) -> None:
        """Remove all rows; one by one where a foreign key of another table refers to them."""
        if mysql_swap.is_referred_to(session, parts):
            session.run(f"delete from {self.table(parts)}")
        else:
            session.run(f"truncate table {self.table(parts)}")


def _lock_name(target) -> str:
    return f"pypods {short_hash(*target)}"


def _text(value) -> str:
    """Return what a catalog says; some versions say it in bytes."""
    return value.decode() if isinstance(value, bytes) else value
