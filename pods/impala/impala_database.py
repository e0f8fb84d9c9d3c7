"""Impala and Hive, by HiveServer2, for the connectors' SQL half: connections, catalog, errors."""

from __future__ import annotations

import re
from importlib.metadata import version

from impala import error as impala_error
from thrift.Thrift import TException

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
from pypods.connectors.sql.statement import Statement
from pypods.connectors.sql.untransacted_database import UntransactedDatabase

from . import impala_placing, impala_types, impala_values
from .impala_sessions import ImpalaSession

#: Characters of one INSERT: servers read statements of some megabytes well.
STATEMENT_CHARACTERS = 4_000_000
MAX_MESSAGE_CHARACTERS = 500
#: Words of the three servers' messages, and what they are for everybody.
_ERRORS = (
    (AuthenticationError, "Error validating the login", "AuthorizationException", "AccessControl",
     "does not have privileges", "Permission denied"),
    (StreamNotFoundError, "TABLE_OR_VIEW_NOT_FOUND", "Table not found", "SCHEMA_NOT_FOUND",
     "Could not resolve path", "Could not resolve table", "Database does not exist",
     "NoSuchTable", "Database not found"),
    (DataError, "CAST_INVALID_INPUT", "CAST_OVERFLOW", "NUMERIC_VALUE_OUT_OF_RANGE",
     "ARITHMETIC_OVERFLOW", "FAILED_SQL_EXPRESSION_EVALUATION"),
    (ConflictError, "TABLE_OR_VIEW_ALREADY_EXISTS", "AlreadyExistsException", "already exists"),
    (SchemaError, "AnalysisException", "ParseException", "SemanticException", "SYNTAX_ERROR",
     "INCOMPATIBLE", "DATATYPE_MISMATCH", "UNRESOLVED"),
)  # fmt: skip


class ImpalaDatabase(UntransactedDatabase):
    """Impala, Hive, and Spark's Thrift server, by impyla."""

    name = "impala"
    title = "Impala"
    settings = Settings(
        "impala",
        setting("host", "text", "name or address of the server", default="127.0.0.1"),
        setting("port", "integer", "its port: 21050 of Impala, 10000 of Hive", default=21050),
        setting("database", "text", "the database", required=True),
        setting("auth_mechanism", "text", "NOSASL, PLAIN (Hive's usual), LDAP or GSSAPI",
                default="NOSASL"),
        setting("user", "text", "who comes in"),
        setting("password", "text", "with which password", secret=True),
        setting("use_ssl", "boolean", "whether to speak TLS", default=False),
        setting("ca_cert", "path", "a file with the authority's certificate"),
        setting("verify_cert", "boolean", "whether the certificate has to be good", default=True),
        setting("timeout", "integer", "seconds to wait for the server", default=300),
        setting("stored_as", "text", "the format of new tables", default="parquet"),
    )  # fmt: skip
    capabilities = {
        **CAPABILITIES, "atomic": False, "constraints": False, "partition": False,
        "parallel_write": False,
    }  # fmt: skip
    verified = "with the HiveServer2 of Spark 4; not with Impala and Hive themselves"
    mark = "`"
    folds_case = True
    #: Of a folder whose name begins with _ Hadoop says that it is not there.
    own_prefix = "pypods_own_"

    def __init__(self) -> None:
        self._stored_as = "parquet"

    # --- connecting ----------------------------------------------------------------------------

    def driver(self) -> str:
        """Return the driver and its version."""
        return f"impyla {version('impyla')}"

    def open(self, settings, *, writing: bool = False):
        """Return a session."""
        if not re.fullmatch(r"\w+", settings["stored_as"]):
            raise SettingsError("stored_as is the name of a format, as parquet")
        self._stored_as = settings["stored_as"]
        return ImpalaSession(settings, self)

    def server(self, session) -> str:
        """Return the server's version."""
        ((number,),) = session.rows("select version()")
        return f"{session.kind.capitalize()} {number}"

    def translate(self, error: Exception) -> ConnectorError | None:
        """Return the contract's error for one of the driver's."""
        if not isinstance(error, (impala_error.Error, TException, OSError)):
            return None
        text = " ".join(re.split(r"\n\s*at |\tat ", str(error))[0].split())
        message = f"Impala: {text[:MAX_MESSAGE_CHARACTERS]}"
        for kind, *words in _ERRORS:
            if any(each in text for each in words):
                return kind(message)
        if isinstance(error, impala_error.OperationalError):
            return ConnectorError(message)
        return UnreachableError(message)

    # --- names ---------------------------------------------------------------------------------

    def resolve(self, session, parts):
        """Return database and table, in small letters, as servers keep them."""
        if len(parts) > 2:
            raise SettingsError("a stream of Impala is table, or database.table")
        full = parts if len(parts) == 2 else [session.default, parts[0]]
        for part in full:
            if not re.fullmatch(r"[A-Za-z0-9_]+", part):
                raise SettingsError(f"{part!r} is no name here: letters, digits and _ make one")
        return tuple(part.lower() for part in full)

    # --- what there is -------------------------------------------------------------------------

    def streams(self, session):
        """Return the tables and views of all databases."""
        found = []
        for row in session.rows("show databases"):
            place = self.quote(row[0])
            views = set()
            if session.kind != "impala":
                views = {_name_of(row) for row in session.rows(f"show views in {place}")}
            names = {_name_of(row) for row in session.rows(f"show tables in {place}")} | views
            found += [
                {
                    "name": join_stream([row[0], name]),
                    "kind": "view" if name in views else "table",
                    "rows": None,
                }
                for name in sorted(names)
                if not name.startswith(self.own_prefix)
            ]
        return found

    def is_there(self, session, parts) -> bool:
        """Whether there is a table of that name."""
        rows = session.rows(f"show tables in {self.quote(parts[0])} like '{parts[1]}'")
        return any(_name_of(row) == parts[1] for row in rows)

    def describe(self, session, parts):
        """Return what a table or view has."""
        import pyarrow as pa

        try:
            rows = session.rows(f"describe formatted {self.table(parts)}")
        except Exception as exc:
            if isinstance(self.translate(exc), StreamNotFoundError):
                return None
            raise
        columns, rest = impala_placing.split_description(rows)
        is_view = "VIEW" in rest.get("type", rest.get("table type", "")).upper()
        if not is_view:
            session.refresh(parts)
        return Description(
            pa.schema([impala_types.field_of(*column) for column in columns]),
            kind="view" if is_view else "table",
        )

    def describe_query(self, session, query: str):
        """Return what a query has."""
        import pyarrow as pa

        cursor = session.execute(f"select * from ({query}\n) as pypods_query limit 0")
        columns = []
        for each in cursor.description:
            sql_type = each[1].lower()
            if sql_type == "decimal":
                sql_type = f"decimal({each[4]},{each[5]})"
            columns.append((re.sub(r"^pypods_query\.", "", each[0]), sql_type, ""))
        names = [name for name, *_ in columns]
        if len(set(names)) < len(names):
            raise SchemaError(f"the query has a column twice ({', '.join(names)}); name each once")
        return Description(
            pa.schema([impala_types.field_of(*column) for column in columns]), kind="query"
        )

    # --- types and values ----------------------------------------------------------------------

    def stored(self, field):
        """Return the field that a column made for this one is read as."""
        return impala_types.stored_field(field)

    def type_sql(self, field) -> str:
        """Return the type of a column."""
        sql_type = impala_types.sql_type_of(field) or impala_types.sql_type_for(field)
        if sql_type is None:
            raise self.refuse_type(field)
        return sql_type

    def select_item(self, field) -> str:
        """Return the column, as text where the protocol would round."""
        return impala_types.select_item(field, self.quote(field.name))

    def ascending(self, field) -> str:
        """Return the order with NULLs first."""
        return f"{self.quote(field.name)} asc nulls first"

    # --- reading -------------------------------------------------------------------------------

    def batches(self, session, statement, schema, batch_rows: int):
        """Yield the rows of a SELECT as batches."""
        import pyarrow as pa

        cursor = session.execute(statement)
        seen = 0
        while True:
            rows = cursor.fetchmany(min(batch_rows, 1024))
            if not rows:
                return
            columns = [
                impala_values.column_from(values, field, seen)
                for values, field in zip(zip(*rows), schema)
            ]
            yield pa.record_batch(columns, schema=schema)
            seen += len(rows)

    # --- writing -------------------------------------------------------------------------------

    def _declared(self, field) -> str:
        """Return a column as it stands in CREATE TABLE, or ADD COLUMNS."""
        comment = impala_types.comment_of(field)
        remark = f" comment '{comment}'" if comment else ""
        return f"{self.quote(field.name)} {self.type_sql(field)}{remark}"

    def create_table(self, session, parts, schema, key=()) -> None:
        """Make a table; there are no keys."""
        columns = ", ".join(map(self._declared, schema))
        session.run(f"create table {self.table(parts)} ({columns}) stored as {self._stored_as}")

    def create_staged(self, session, parts, schema) -> None:
        """Make the table that a run's rows wait in."""
        import pyarrow as pa

        self.create_table(session, parts, schema.append(pa.field(self.token_column, pa.int64())))

    def create_log(self, session, parts, columns) -> None:
        """Make a table that rows are only added to."""
        types = {"text": "string", "number": "bigint"}
        listed = ", ".join(f"{self.quote(name)} {types[kind]}" for name, kind in columns.items())
        # Of a text file no session remembers which ones there are; what is not ours may have lines.
        stored = "textfile" if parts[-1].startswith(self.own_prefix) else self._stored_as
        session.run(f"create table if not exists {self.table(parts)} ({listed}) stored as {stored}")

    def insert_rows(self, session, parts, columns, rows) -> None:
        """Add rows with one statement."""
        texts = [f"({', '.join(map(impala_values.literal, row))})" for row in rows]
        session.insert_values(parts, columns, texts, 2**62)

    def writer(self, session, staging, schema):
        """Return a function that inserts a batch."""
        types = [self.type_sql(field) for field in schema]

        def insert(batch) -> None:
            rows = impala_values.row_values(batch, types)
            session.insert_values(staging, schema.names, rows, STATEMENT_CHARACTERS)

        return insert

    def add_column(self, session, parts, field) -> None:
        """Add a column, unless an earlier attempt did."""
        names = self.describe(session, parts).schema.names
        if self.fold(field.name) not in map(self.fold, names):
            session.run(f"alter table {self.table(parts)} add columns ({self._declared(field)})")

    def check_writable(self, session, parts) -> None:
        """Raise SettingsError for a table that cannot be written in steps."""
        impala_placing.check_writable(session, parts)

    def create_like(self, session, parts, target, plan) -> None:
        """Make an empty table like another one; with wider columns, one of the same columns."""
        import pyarrow as pa

        if plan is None or not plan.widen:
            session.run(f"create table {self.table(parts)} like {self.table(target)}")
            for field in () if plan is None else plan.add:
                self.add_column(session, parts, field)
            return
        wider = {field.name: field for field in plan.widen}
        schema = self.describe(session, target).schema
        fields = [wider.get(field.name, field) for field in schema]
        self.create_table(session, parts, pa.schema([*fields, *plan.add]))

    def can_move(self, session, target, plan) -> bool:
        """Whether files can be moved: a column's type stays, and the server lets them."""
        provider = session.properties(target).get("provider", "hive")
        return not plan.widen and provider == "hive"

    def way_to_replace(self, plan) -> str:
        """Return how a new table gets into the place of one: as files, or by its name."""
        return "swap" if plan.widen else "overwrite"

    def names_for(self, how: str, name: str):
        """Return what the target is called once a new table has its name."""
        return [name + impala_placing.OLD] if how == "swap" else []

    def put_in_place(self, session, ready, target, own) -> None:
        """Make the new table, or its rows, the target's."""
        impala_placing.put_in_place(session, ready, target)

    def truncate(self, session, parts) -> None:
        """Remove all rows of a table."""
        session.run(Statement(f"truncate table {self.table(parts)}"))


def _name_of(row) -> str:
    """Return the name in a row of SHOW TABLES, which Spark puts second."""
    return row[1] if len(row) > 1 else row[0]
