"""A connection in mssql-python's place, over PostgreSQL; its errors are the driver's own.

Types, transactions and errors are SQL Server's as its documentation has them: an error under
XACT_ABORT undoes the transaction, without it the statement.
"""

from __future__ import annotations

import re
from functools import cache

import mssql_python
import psycopg
import sqlglot
import standin_place as place
from mssql_python.connection_string_parser import _ConnectionStringParser
from mssql_python.exceptions import raise_exception
from sqlglot import exp

PASSWORD = "right"
SERVER = "[Microsoft][ODBC Driver 18 for SQL Server][SQL Server]"
#: PostgreSQL's SQLSTATE to SQL Server's, its number and what it says.
ERRORS = {
    "42P01": ("42S02", 208, "Invalid object name '{}'."),
    "3F000": ("42S02", 208, "Invalid object name '{}'."),
    "42P07": ("42S01", 2714, "There is already an object named '{}' in the database."),
    "42703": ("42S22", 207, "Invalid column name '{}'."),
    "42501": ("42000", 229, "The SELECT permission was denied on the object '{}'."),
    "23505": ("23000", 2627, "Violation of PRIMARY KEY constraint. The duplicate value is ({})."),
    "23502": ("23000", 515, "Cannot insert the value NULL into column '{}'. INSERT fails."),
    "23503": ("23000", 547, "The DELETE statement conflicted with the REFERENCE constraint. {}"),
    "23514": ("23000", 547, "The INSERT statement conflicted with the CHECK constraint. {}"),
    "22001": ("22001", 2628, "String or binary data would be truncated in table, column '{}'."),
    "22003": ("22003", 8115, "Arithmetic overflow error converting {}."),
    "22P02": ("22018", 245, "Conversion failed when converting {}."),
    "40P01": ("40001", 1205, "Transaction (Process ID 51) was deadlocked on lock resources. {}"),
    "57P01": ("08S01", 10054, "TCP Provider: Error code 0x68. {}"),
}  # fmt: skip
_SIMPLE = {
    "BIT": "boolean", "TINYINT": "smallint", "UTINYINT": "smallint", "SMALLINT": "smallint",
    "INT": "integer", "BIGINT": "bigint", "FLOAT": "double precision", "DOUBLE": "double precision",
    "REAL": "real", "MONEY": "numeric(19,4)", "SMALLMONEY": "numeric(10,4)", "XML": "text",
    "UNIQUEIDENTIFIER": "uuid", "UUID": "uuid", "DATE": "date", "ROWVERSION": "bytea",
    "VARBINARY": "bytea", "BINARY": "bytea", "IMAGE": "bytea",
    "DATETIME": "timestamp(3)", "SMALLDATETIME": "timestamp(0)", "BOOLEAN": "boolean",
}  # fmt: skip
_SCALED = {"DATETIME2": "timestamp", "TIMESTAMP": "timestamp", "TIMESTAMPTZ": "timestamptz",
           "DATETIMEOFFSET": "timestamptz", "TIME": "time"}  # fmt: skip


def connect(text, autocommit=False, timeout=0, **_):
    """Return a connection, as mssql_python.connect does."""
    given = _ConnectionStringParser(validate_keywords=True)._parse(text)
    if given["server"].endswith(",1"):
        raise_exception("08001", SERVER[:-12] + "TCP Provider: Error code 0x2749")
    if given.get("pwd") != PASSWORD:
        said = f"Login failed for user '{given.get('uid')}', whose password is {given.get('pwd')}."
        raise_exception("28000", SERVER + said)
    return Connection(place.connect(given["database"], "dbo,public"), autocommit)


def install():
    """Have the driver's connect give stand-ins."""
    mssql_python.connect = connect


class Connection:
    """What the connector uses of a connection of the driver's."""

    def __init__(self, pg, autocommit):
        self.pg = pg
        self.pg.autocommit = autocommit
        self.xact_abort = False

    def cursor(self):
        self._refuse_lost()
        return Cursor(self)

    def setautocommit(self, value):
        self._refuse_lost()
        self.pg.autocommit = value

    def _refuse_lost(self):
        if self.pg.closed:
            raise_exception("08S01", f"{SERVER[:-12]}TCP Provider: Error code 0x68")

    def commit(self):
        self._end(self.pg.commit)

    def rollback(self):
        self._end(self.pg.rollback)

    def _end(self, end):
        place.step(self.pg)
        try:
            end()
        except psycopg.Error as exc:
            refuse(exc)

    def close(self):
        self.pg.close()

    def do(self, run):
        """Do it; what an error undoes depends on XACT_ABORT."""
        guarded = not self.xact_abort and not self.pg.autocommit
        try:
            if guarded:
                self.pg.execute("savepoint standin")
            run()
            if guarded:
                self.pg.execute("release savepoint standin")
        except psycopg.Error as exc:
            if guarded and not self.pg.closed:
                self.pg.execute("rollback to savepoint standin")
            elif not self.pg.closed:
                self.pg.rollback()
            refuse(exc)


class Cursor:
    """What the connector uses of a cursor of the driver's."""

    def __init__(self, connection):
        self.connection = connection
        self.pg = connection.pg.cursor()
        self.messages = []
        self.sizes = None
        self.answer = None
        self.rowcount = -1

    def execute(self, text, *values):
        values = list(values[0]) if len(values) == 1 and isinstance(values[0], list) else values
        place.record(text, values)
        place.step(self.connection.pg)
        try:
            self.answer = special(self.connection, text, values)
        except psycopg.Error as exc:
            refuse(exc)
        if self.answer is None:
            made, table, declared = translated(text)
            self.connection.do(lambda: self._run(made, values, table, declared))
        return self

    def _run(self, made, values, table, declared):
        self.pg.execute(made, list(values) or None)
        self.rowcount = self.pg.rowcount
        if declared:
            note_types(self.connection.pg, table, declared)

    def setinputsizes(self, sizes):
        for size in sizes:
            assert len(size) == 3, size
        self.sizes = sizes

    def executemany(self, text, rows):
        place.record(text, rows[:1])
        assert self.sizes is not None
        assert len(self.sizes) == len(rows[0])
        made = translated(text)[0]
        self.connection.do(lambda: self.pg.executemany(made, rows))
        self.rowcount = len(rows)

    def fetchall(self):
        return self.answer if self.answer is not None else self.pg.fetchall()

    def arrow_reader(self, batch_size):
        return place.as_arrow(self.pg, arrow_type, batch_size)

    def close(self):
        self.pg.close()


def refuse(error):
    """Raise what the driver raises where SQL Server refuses what PostgreSQL refused."""
    code = error.sqlstate or ("57P01" if "closed" in str(error) else "22P02")
    state, _, said = ERRORS.get(code, ("42000", 102, "Incorrect syntax near '{}'."))
    raise_exception(state, SERVER + said.format(" ".join(str(error).split())))


# --- statements ---------------------------------------------------------------------------------


def special(connection, text, values):
    """Do what sqlglot does not read, or PostgreSQL has not; return its rows, or None."""
    if found := re.fullmatch(r"set xact_abort (on|off)", text):
        connection.xact_abort = found[1] == "on"
        return []
    if found := re.fullmatch(r"(save|rollback) transaction (\w+)", text):
        back = "rollback to " if found[1] == "rollback" else ""
        connection.pg.execute(f"{back}savepoint {found[2]}")
        return []
    if text == "select @@trancount":
        idle = connection.pg.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        return [(0 if idle else 1,)]
    if text.startswith("set identity_insert"):
        return []
    if text.startswith("exec sp_rename "):
        old = sqlglot.parse_one(f"select * from {values[0]}", read="tsql").find(exp.Table)
        new = exp.to_identifier(values[1], quoted=True).sql("postgres")
        rename = f"alter table {old.sql('postgres')} rename to {new}"
        connection.do(lambda: connection.pg.execute(rename))
        return []
    if "dm_exec_describe_first_result_set" in text:
        return describe(connection, values[0])
    return None


@cache
def translated(text):
    """Return a statement for PostgreSQL, its table, and the types that it declares there."""
    locks = "(repeatableread" in text
    # Which sqlglot reads where a constraint has a name only.
    tree = sqlglot.parse_one(
        text.replace("primary key nonclustered (", "primary key ("), read="tsql"
    )
    assert not isinstance(tree, exp.Command), text
    declared = {}
    for column in tree.find_all(exp.ColumnDef):
        declared[column.name] = column.args["kind"].copy()
    for change in tree.find_all(exp.AlterColumn):
        declared[change.name] = change.args["dtype"].copy()
    for node in list(tree.walk()):
        if isinstance(node, exp.DataType):
            node.replace(exp.DataType(this=exp.DataType.Type.USERDEFINED, kind=plain_type(node)))
        elif isinstance(node, (exp.CollateColumnConstraint,)):
            node.parent.pop()
        elif isinstance(node, exp.Ordered) and isinstance(node.parent, exp.PrimaryKey):
            node.replace(node.this)
        elif isinstance(node, exp.Mod) and node.find(exp.Extract, exp.Anonymous):
            # PostgreSQL keeps nothing below a microsecond; a column of that name seems to.
            fine = node.find(exp.Column).name == "fine"
            node.replace(exp.Literal.number(100 if fine else 0))
    if isinstance(tree, exp.Alter):
        for change in tree.find_all(exp.AlterColumn):
            change.set("allow_null", None)
    if locks:
        tree = tree.lock(update=False)
    table = tree.find(exp.Table)
    names = [table.db or "dbo", table.name] if table else []
    return place.numbered(tree), names, declared


def error_of(state, number, said):
    """Return the driver's own error for a SQLSTATE; nothing of it is the server's number."""
    try:
        raise_exception(state, f"{SERVER}{said}")
    except Exception as exc:
        return exc


def unparsed():
    """Return what was asked and is read by sqlglot as no statement that it knows."""
    odd = []
    for text in place.recorded():
        if not text.startswith(
            ("set ", "save transaction", "rollback transaction", "exec sp_rename")
        ):
            try:
                translated(text)
            except (sqlglot.errors.ParseError, AssertionError):
                odd.append(text)
    return odd


def plain_type(node):
    """Return PostgreSQL's name for a type."""
    name = name_of(node)
    sizes = [each.name for each in node.expressions]
    if name in ("DECIMAL", "NUMERIC"):
        return f"numeric({','.join(sizes) or '18,0'})"
    if name in _SCALED:
        return f"{_SCALED[name]}({min(int(sizes[0] if sizes else 7), 6)})"
    if name.endswith("CHAR") and sizes and sizes[0].upper() != "MAX":
        return f"varchar({sizes[0]})"
    return _SIMPLE.get(name, "text")


def name_of(node):
    """Return the name of a parsed type, as SQL Server has it."""
    kind = node.this
    name = (node.args.get("kind") or getattr(kind, "value", str(kind))).upper()
    # sqlglot reads REAL as FLOAT; FLOAT is never without its digits here.
    return "REAL" if name == "FLOAT" and not node.expressions else name


def note_types(pg, names, declared):
    """Keep the declared types of a table, which PostgreSQL has not."""
    ((number,),) = pg.execute(
        "select c.oid::bigint from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = $1 and c.relname = $2", names,
    ).fetchall()  # fmt: skip
    renamed = {"TIMESTAMP": "datetime2", "TIMESTAMPTZ": "datetimeoffset",
               "UUID": "uniqueidentifier", "BOOLEAN": "bit", "DOUBLE": "float",
               "ROWVERSION": "timestamp", "UTINYINT": "tinyint",
               "VARIANT": "sql_variant"}  # fmt: skip
    for column, type_ in declared.items():
        name = renamed.get(name_of(type_), name_of(type_).lower())
        sizes = [each.name for each in type_.expressions]
        length, precision, scale = -1, 0, 0
        if name in ("decimal", "numeric"):
            precision, scale = [*map(int, sizes), 0][:2]
        elif name in ("datetime2", "datetimeoffset", "time"):
            scale = int(sizes[0]) if sizes else 7
        elif name == "float":
            precision = int(sizes[0]) if sizes else 53
        elif sizes and sizes[0].isdigit():
            length = int(sizes[0]) * (2 if name.startswith("n") else 1)
        pg.execute(
            "insert into sys.declared select $1, attnum, $3, $4, $5, $6 from pg_attribute "
            "where attrelid = $1::bigint::oid and attname = $2 on conflict (object_id, column_id) "
            "do update set type = $3, max_length = $4, precision = $5, scale = $6",
            [number, column, name, length, precision, scale],
        )


# --- types of results ---------------------------------------------------------------------------

_NAMES = {16: "bit", 21: "smallint", 23: "int", 20: "bigint", 700: "real", 701: "float",
          17: "varbinary(max)", 1082: "date", 1083: "time(6)", 1114: "datetime2(6)",
          1184: "datetimeoffset(6)", 2950: "uniqueidentifier"}  # fmt: skip


def describe(connection, query):
    """Return what sys.dm_exec_describe_first_result_set does."""
    try:
        made = translated(f"select * from ({query}\n) as q")[0]
        cursor = connection.pg.execute(made + " limit 0")
    except (psycopg.Error, sqlglot.errors.ParseError) as exc:
        return [(None, None, None, None, str(exc))]
    rows = []
    for at, column in enumerate(cursor.description):
        name = _NAMES.get(column.type_code, "nvarchar(max)")
        if column.type_code == 1700:
            precision, scale = place.digits_of(cursor.pgresult.fmod(at))
            name = f"decimal({precision},{scale})"
        rows.append((column.name, name, None, 1, None))
    return rows


def arrow_type(oid, modifier):
    """Return the Arrow type in which the driver gives a column."""
    import pyarrow as pa

    if oid == 1700:
        precision, scale = place.digits_of(modifier)
        return pa.decimal128(precision, scale) if modifier > 0 else pa.decimal128(38, 10)
    return {
        16: pa.bool_(), 21: pa.int16(), 23: pa.int32(), 20: pa.int64(), 700: pa.float32(),
        701: pa.float64(), 17: pa.large_binary(), 1082: pa.date32(), 1083: pa.time64("ns"),
        1114: pa.timestamp("us"), 1184: pa.timestamp("us", "+00:00"),
    }.get(oid, pa.large_string())  # fmt: skip
