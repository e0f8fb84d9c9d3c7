"""Impala, Hive and Spark for the connectors' SQL half: connections, catalog, tables."""

from __future__ import annotations

import re
from contextlib import suppress
from importlib.metadata import version

from impala.error import Error

from pypods.connectors.errors import ConflictError, DataError, SchemaError, SettingsError
from pypods.connectors.names import join_stream
from pypods.connectors.settings import Settings, setting
from pypods.connectors.sql.database import CAPABILITIES, Description
from pypods.connectors.sql.key_ranges import range_condition
from pypods.connectors.sql.statement import Value
from pypods.connectors.sql.untransacted.database import UntransactedDatabase
from pypods.connectors.types import kind_of

from . import impala_swap, impala_tables, impala_types, impala_values, impala_writing
from .impala_dialects import DIALECTS
from .impala_errors import error_for
from .impala_sessions import ImpalaSession

_WORD = re.compile(r"\w+", re.ASCII)
#: Of what STORED AS says, by what is in the name of a table's InputFormat.
_FORMATS = {"Parquet": "parquet", "Orc": "orc", "Avro": "avro", "Text": "textfile"}
FIRST_ROWS = 256
#: What a fetch brings, about: a server sends what it is asked for at once.
FETCH_BYTES = 4 * 2**20


class ImpalaDatabase(UntransactedDatabase):
    """Impala, Hive and Spark, through HiveServer2."""

    name = "impala"
    title = "Impala"
    settings = Settings(
        "impala",
        setting("host", "text", "name or address of the server", default="127.0.0.1"),
        setting("port", "integer", "its port for HiveServer2; Hive's is 10000", default=21050),
        setting("database", "text", "the database", required=True),
        setting("user", "text", "who comes in"),
        setting("password", "text", "with which password", secret=True),
        setting("auth_mechanism", "text", "NOSASL, PLAIN (Hive, if it asks for none), LDAP or "
                "GSSAPI", default="NOSASL"),
        setting("kerberos_service_name", "text", "the service, for GSSAPI", default="impala"),
        setting("use_ssl", "boolean", "whether to speak TLS", default=False),
        setting("verify", "boolean", "whether the certificate has to be good", default=True),
        setting("ca_cert", "path", "a file with the authority's certificate, instead of those that "
                "the system trusts"),
        setting("http_transport", "boolean", "whether to speak through HTTP", default=False),
        setting("http_path", "text", "the path there", default=""),
        setting("timeout", "integer", "seconds to wait for an answer", default=300),
    )  # fmt: skip
    capabilities = {
        **CAPABILITIES,
        "constraints": False,
        "plain_stream_names": True,
        "refused_in_names": list(impala_types.REFUSED_IN_NAMES),
    }
    verified = "with Spark's HiveServer2; not with Impala or Hive"
    mark = "`"
    folds_case = True
    max_name_characters = 128
    #: What begins with an underscore is hidden from Hive.
    own_prefix = "pypods__"
    token_column = "pypods__batch"
    most_listed_tokens = 200

    # --- connecting ----------------------------------------------------------------------------

    def driver(self) -> str:
        """Return the driver and its version."""
        return f"impyla {version('impyla')}"

    def open(self, settings, *, writing: bool = False):
        """Return a session."""
        return ImpalaSession(settings, self)

    def server(self, session) -> str:
        """Return the server's version."""
        number = re.search(r"\d[\w.-]*", session.version)
        return f"{session.dialect.title} {number[0] if number else session.version}"

    def translate(self, error: Exception):
        """Return the contract's error for one of the driver's."""
        return error_for(error)

    # --- names ---------------------------------------------------------------------------------

    def quote(self, name: str) -> str:
        """Return a name as it stands in SQL."""
        if "${" in name:
            raise SettingsError(f"{name!r} cannot be a name: ${{ begins a variable")
        return super().quote(name)

    def resolve(self, session, parts):
        """Return database and table, which are in small letters in the metastore."""
        if len(parts) > 2:
            raise SettingsError(f"{join_stream(parts)}: a stream is table, or database.table")
        schema = parts[0] if len(parts) == 2 else session.default
        return schema.lower(), parts[-1].lower()

    # --- what there is -------------------------------------------------------------------------

    def streams(self, session):
        """Return the tables and views of the connection's database."""
        schema = session.default
        views = set()
        with suppress(Error):  # Some versions have no statement for it.
            views.update(impala_tables.names_like(session, schema, "", "views"))
        return [
            {
                "name": join_stream([schema, name]),
                "kind": "view" if name in views else "table",
                "rows": None,
            }
            for name in sorted({*impala_tables.names_like(session, schema, ""), *views})
            if not name.startswith(self.own_prefix)
        ]

    def describe(self, session, parts):
        """Return what a table or view has."""
        found = impala_tables.find_table(session, parts)
        if found is not None:
            return Description(found.schema(session.dialect), kind=found.kind)
        if tuple(parts) not in session.settled and impala_swap.find_aside(session, parts):
            raise ConflictError(
                f"{join_stream(parts)} is being replaced at this moment, or a run that did so was "
                f"cut off; try again, or finish that run",
                retry=True,
            )
        return None

    def describe_query(self, session, query: str):
        """Return what a query has, as its result describes it."""
        import pyarrow as pa

        alias = "pypods_query"
        text = f"select * from ({query}\n) as {self.quote(alias)} limit 0"
        fields = []
        for name, kind, _, _, precision, scale, _ in session.execute(text).description:
            sql_type = kind.lower()
            if sql_type == "decimal":
                sql_type = f"decimal({precision},{scale})"
            # Hive puts the query's name before those of its columns.
            name = name[len(alias) + 1 :] if name.startswith(f"{alias}.") else name
            fields.append(impala_types.field_of(name, sql_type, "", session.dialect))
        names = [field.name for field in fields]
        if len(set(names)) < len(names):
            raise SchemaError(f"the query has a column twice ({', '.join(names)}); name each once")
        return Description(pa.schema(fields), kind="query")

    # --- types and values ----------------------------------------------------------------------

    def stored(self, field):
        """Return the field that a column made for this one is read as."""
        stored = impala_types.stored_field(field)
        impala_types.storage_of(stored)
        return stored

    def taken(self, there, given):
        """Return the field that values become on their way into a column, or None."""
        sql_type = impala_types.sql_type_of(there)
        if impala_types.base_of(sql_type) in impala_types.NESTED:
            raise SchemaError(
                f"column {there.name!r} is {sql_type}: it is read as JSON, and cannot be written; "
                f"leave it out"
            )
        return super().taken(there, given)

    def type_sql(self, field) -> str:
        """Return the type of a column."""
        return impala_types.sql_type_of(field) or impala_types.storage_of(field)

    def typed(self, value: Value):
        """Return a condition's value in its column's type."""
        if not isinstance(value.value, str) or kind_of(value.field) != "uuid":
            return super().typed(value)
        from uuid import UUID

        try:
            return UUID(value.value)
        except ValueError:
            name = value.field.name
            raise DataError(
                f"{value.value!r} is no UUID for column {name!r}", column=name
            ) from None

    def select_item(self, field) -> str:
        """Return what is selected of a column."""
        quoted = self.quote(field.name)
        base = impala_types.base_of(impala_types.sql_type_of(field))
        dialect = DIALECTS[field.metadata[impala_types.DIALECT].decode()]
        item = quoted
        if base in impala_types.NESTED:
            item = dialect.as_json(quoted)
        elif base == "binary":
            item = dialect.as_hex(quoted)
        elif base in ("float", "real"):
            # As a FLOAT it is sent as the DOUBLE with the same few digits.
            item = f"cast({quoted} as double)"
        return item if item == quoted else f"{item} as {quoted}"

    def ascending(self, field) -> str:
        """Return the order with NULLs first."""
        return f"{self.quote(field.name)} asc nulls first"

    # --- reading -------------------------------------------------------------------------------

    def batches(self, session, statement, schema, batch_rows: int):
        """Yield the rows of a SELECT as batches."""
        import pyarrow as pa

        if session.dialect.before_many:
            session.run(session.dialect.before_many)
        cursor = session.execute(statement)
        seen, cursor.arraysize = 0, min(FIRST_ROWS, batch_rows)
        while True:
            given = cursor.fetchcbatch()
            if given is None:
                return
            if len(schema):
                columns = [
                    impala_values.read_column(column, field, seen)
                    for column, field in zip(given.columns, schema)
                ]
                batch = pa.record_batch(columns, schema=schema)
            else:
                batch = pa.record_batch([pa.nulls(len(given))], names=["none"]).select([])
            seen += batch.num_rows
            yield batch
            weight = max(batch.nbytes // max(batch.num_rows, 1), 1)
            most = min(batch_rows, cursor.arraysize * 16, FETCH_BYTES // weight)
            cursor.arraysize = max(most, 1)

    def partitions(self, settings, session, parts, count: int):
        """Return ranges of the first column of whole numbers, equally wide."""
        import pyarrow.types as is_

        schema = self.describe(session, parts).schema
        whole = [field.name for field in schema if is_.is_integer(field.type)]
        if not whole:
            return [{}]
        quoted = self.quote(whole[0])
        ((low, high),) = session.rows(
            f"select min({quoted}), max({quoted}) from {self.table(parts)}"
        )
        if low is None or int(high) - int(low) < count:
            return [{}]
        low, width = int(low), int(high) - int(low) + 1
        edges = [None, *(low + width * each // count for each in range(1, count)), None]
        return [
            {"column": whole[0], "from": start, "to": end} for start, end in zip(edges, edges[1:])
        ]

    def partition_condition(self, partition):
        """Return the condition of a range; the first one has the NULLs too."""
        condition = range_condition(self, partition)
        if condition is None or partition["from"] is not None:
            return condition
        return condition + f" or {self.quote(partition['column'])} is null"

    # --- writing -------------------------------------------------------------------------------

    def staging(self, session, target):
        """Return the steps of writing into a table."""
        for name in target:
            if not _WORD.fullmatch(name):
                raise SettingsError(
                    f"{join_stream(target)}: names of tables that are written have letters, digits "
                    f"and underscores only"
                )
        return super().staging(session, target)

    def create_table(self, session, parts, schema, key=()) -> None:
        """Make a table."""
        self._create(
            session, parts,
            [(each.name, self.type_sql(each), impala_types.comment_of(each)) for each in schema],
        )  # fmt: skip

    def _create(self, session, parts, columns, stored_as: str = "parquet") -> None:
        listed = ", ".join(self._declared(*each) for each in columns)
        session.run(f"create table {self.table(parts)} ({listed}) stored as {stored_as}")
        session.seen[tuple(parts)] = impala_tables.Table(columns=columns)

    def _declared(self, name: str, sql_type: str, comment: str) -> str:
        """Return a column as it stands in CREATE TABLE."""
        remark = f" comment {impala_values.text_literal(comment)}" if comment else ""
        return f"{self.quote(name)} {sql_type}{remark}"

    def create_staged(self, session, parts, schema) -> None:
        """Make the table that a run's rows wait in."""
        import pyarrow as pa

        self.create_table(session, parts, schema.append(pa.field(self.token_column, pa.int64())))

    def is_there(self, session, parts) -> bool:
        """Whether there is a table of that name."""
        return parts[-1] in impala_tables.names_like(session, parts[0], parts[-1])

    def create_log(self, session, parts, columns) -> None:
        """Make a table that rows are only added to.

        Spark remembers which Parquet files a table has, and not which files of text. In our own
        tables nothing is in a text that has to be escaped there.
        """
        types = {"text": "string", "number": "bigint"}
        listed = ", ".join(f"{self.quote(name)} {types[kind]}" for name, kind in columns.items())
        stored_as = "textfile" if parts[-1].startswith(self.own_prefix) else "parquet"
        session.run(
            f"create table if not exists {self.table(parts)} ({listed}) stored as {stored_as}"
        )

    def insert_rows(self, session, parts, columns, rows) -> None:
        """Add rows, in one file."""
        session.run(impala_writing.log_statement(self.table(parts), rows, session.dialect))

    def writer(self, session, staging, schema):
        """Return a function that inserts a batch."""
        return impala_writing.make_writer(session, staging, schema)

    def fill(self, session, parts, names, select: str) -> None:
        """Insert what a SELECT returns into columns of a table; the others are NULL."""
        given = {self.fold(name): f"q.{self.quote(name)}" for name in names}
        items = [
            given.get(self.fold(name)) or f"cast(null as {sql_type})"
            for name, sql_type, _ in impala_tables.seen_table(session, parts).columns
        ]
        session.run(
            f"insert into table {self.table(parts)} select {', '.join(items)} from ({select}) as q"
        )

    def can_move(self, session, target, plan) -> bool:
        """Return no: an INSERT moves one file after the other."""
        return False

    def check_writable(self, session, parts) -> None:
        """Raise SettingsError for a table that cannot be written in steps."""
        impala_swap.check_writable(session, parts)

    def create_like(self, session, parts, target, plan) -> None:
        """Make an empty table like another one, with what a plan adds and widens."""
        found = impala_tables.seen_table(session, target)
        columns = list(found.columns)
        widened = {self.fold(each.name): each for each in plan.widen}
        for at, (name, _, _) in enumerate(columns):
            if self.fold(name) in widened:
                field = widened[self.fold(name)]
                columns[at] = (name, self.type_sql(field), impala_types.comment_of(field))
        added = [
            (each.name, self.type_sql(each), impala_types.comment_of(each)) for each in plan.add
        ]
        if widened:
            # Not all of them can change a column's type; a table that is empty may as well be new.
            stored = [name for part, name in _FORMATS.items() if part in found.format]
            self._create(session, parts, columns + added, *stored[:1])
            return
        session.run(f"create table {self.table(parts)} like {self.table(target)}")
        if added:
            listed = ", ".join(self._declared(*each) for each in added)
            session.run(f"alter table {self.table(parts)} add columns ({listed})")
        session.seen[tuple(parts)] = impala_tables.Table(columns=columns + added)

    def mark_state(self, session, parts):
        """Return what is another once a table has changed."""
        return impala_swap.mark_state(session, parts)

    def note_ready(self, session, new, target):
        """Return the new table's token, and how the target was."""
        return impala_swap.note_ready(session, new, target)

    def settle(self, session, target) -> None:
        """Let a target be in its place again."""
        impala_swap.settle(session, target)

    def is_stale(self, session, ready, target) -> bool:
        """Whether the target is not what it was when the new table was made."""
        return impala_swap.is_stale(session, ready, target)

    def put_in_place(self, session, ready, target, own) -> None:
        """Make the new table the target."""
        impala_swap.put_in_place(session, ready, target, own)
