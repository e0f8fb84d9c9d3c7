"""A connection in oracledb's place, over PostgreSQL; its errors are the driver's own.

As Oracle does: an error undoes its statement, a statement on tables commits (its own transaction,
where it is done in one), and empty text is NULL.
"""

from __future__ import annotations

import re
from functools import cache

import oracledb
import psycopg
import sqlglot
import standin_place as place
from oracledb import errors
from sqlglot import exp

PASSWORD = "right"
READING = re.compile(r"\s*select\b(?!.*\bfor update\b)", re.DOTALL | re.IGNORECASE)
APART = "declare pragma autonomous_transaction; begin execute immediate :1; end;"
#: PostgreSQL's SQLSTATE to Oracle's number and what it says.
ERRORS = {
    "42P01": (942, "table or view {} does not exist"),
    "3F000": (942, "table or view {} does not exist"),
    "42P07": (955, "name is already used by an existing object: {}"),
    "42703": (904, "{}: invalid identifier"),
    "42501": (1031, "insufficient privileges: {}"),
    "23505": (1, "unique constraint ({}) violated"),
    "23502": (1400, "cannot insert NULL into ({})"),
    "23503": (2292, "integrity constraint ({}) violated - child record found"),
    "23514": (2290, "check constraint ({}) violated"),
    "22001": (12899, "value too large for column {}"),
    "22003": (1438, "value {} larger than specified precision allowed for this column"),
    "22P02": (1722, "invalid number: {}"),
    "40P01": (60, "deadlock detected while waiting for resource {}"),
    "55P03": (54, "resource busy and acquire with NOWAIT specified or timeout expired {}"),
    "57P01": (3113, "end-of-file on communication channel {}"),
}
_SIMPLE = {
    "BINARY_DOUBLE": "double precision", "DOUBLE": "double precision", "BINARY_FLOAT": "real",
    "FLOAT": "real", "REAL": "real", "CLOB": "text", "TEXT": "text", "NCLOB": "text",
    "BLOB": "bytea", "RAW": "bytea", "DATE": "timestamp(0)", "BOOLEAN": "boolean",
    "VARBINARY": "bytea",
}  # fmt: skip


def connect(**given):
    """Return a connection, as oracledb.connect does."""
    if given["port"] == 1:
        refuse_with(0, "DPY-6005: cannot connect to database.\n[Errno 111] Connection refused")
    if given.get("password") != PASSWORD:
        said = f"invalid credential or not authorized; logon denied: {given.get('password')}"
        refuse_with(1017, f"ORA-01017: {said}")
    return Connection(given["service_name"])


def install():
    """Have the driver's connect give stand-ins."""
    oracledb.connect = connect


def refuse_with(code, message):
    """Raise the driver's error of that number, or of the driver's own that the message begins."""
    error = errors._Error(message, code=code)
    raise error.exc_type(error)


def refuse(error):
    """Raise what the driver raises where Oracle refuses what PostgreSQL refused."""
    code = error.sqlstate or ("57P01" if "closed" in str(error) else "22P02")
    number, said = ERRORS.get(code, (936, "missing expression: {}"))
    refuse_with(number, f"ORA-{number:05}: " + said.format(" ".join(str(error).split())))


class Connection:
    """What the connector uses of a connection of the driver's."""

    version = "stand-in"

    def __init__(self, database):
        self.database = database
        self.pg = place.connect(database, '"APP",public')
        self.pg.autocommit = False
        #: Whether there is something that an error must not undo; and whether a savepoint is after
        #: all of it.
        self.changed = self.saved = False

    def cursor(self):
        if self.pg.closed:
            refuse_with(3113, "ORA-03113: end-of-file on communication channel")
        return Cursor(self)

    def commit(self):
        self._end(self.pg.commit)

    def rollback(self):
        self._end(self.pg.rollback)

    def _end(self, end):
        place.step(self.pg)
        self.changed = self.saved = False
        try:
            end()
        except psycopg.Error as exc:
            refuse(exc)

    def close(self):
        self.pg.close()

    def do(self, text, run):
        """Do a statement; an error undoes nothing else."""
        try:
            if self.changed and not self.saved:
                self.pg.execute("savepoint standin")
                self.saved = True
            run()
        except psycopg.Error as exc:
            if not self.pg.closed:
                self.pg.execute("rollback to savepoint standin" if self.saved else "rollback")
            refuse(exc)
        if READING.match(text) is None:
            self.changed, self.saved = True, False

    def change_tables(self, text):
        """Do it in a transaction of its own, as PRAGMA AUTONOMOUS_TRANSACTION does."""
        if self.pg.closed:
            refuse_with(3113, "ORA-03113: end-of-file on communication channel")
        place.record(text, [])
        with place.connect(self.database, '"APP",public') as pg:
            pg.autocommit = False
            try:
                pg.execute("set local lock_timeout = '5s'")
                change_tables(pg, text)
                pg.commit()
            except psycopg.Error as exc:
                refuse(exc)

    def fetch_df_batches(self, text, values, size, fetch_decimals, requested_schema):
        import pyarrow as pa

        assert fetch_decimals
        cursor = self.cursor()
        cursor.execute(text, values or [])
        rows = cursor.fetchall()
        for start in range(0, len(rows), size):
            columns = zip(*rows[start : start + size], strict=True)
            arrays = [
                pa.array(column).cast(field.type)
                for column, field in zip(columns, requested_schema, strict=True)
            ]
            yield pa.Table.from_arrays(arrays, schema=requested_schema)


class Cursor:
    """What the connector uses of a cursor of the driver's."""

    def __init__(self, connection):
        self.connection = connection
        self.pg = connection.pg.cursor()
        self.sizes = None
        self.rowcount = -1

    def setinputsizes(self, *sizes):
        self.sizes = sizes

    def execute(self, text, values=()):
        place.record(text, values)
        place.step(self.connection.pg)
        assert self.sizes is None or len(self.sizes) == len(values)
        if text == APART:
            self.connection.change_tables(values[0])
        elif special(self.connection.pg, text):
            # A savepoint has to stay.
            self.connection.changed, self.connection.saved = True, False
        else:
            if re.match(r"(create|drop|alter|truncate)\b", text):
                self.connection.pg.commit()
                self.connection.changed = self.connection.saved = False
                self.connection.do(text, lambda: change_tables(self.connection.pg, text))
                self.connection.pg.commit()
                self.connection.changed = self.connection.saved = False
                self.rowcount = 0
                return self
            self.connection.do(
                text,
                lambda: self.pg.execute(translated(text), [each or None if each in ("", b"")
                                        else each for each in values] or None),
            )  # fmt: skip
            self.rowcount = self.pg.rowcount
        return self

    def executemany(self, text, rows):
        place.record(text, rows[:1])
        assert len(self.sizes) == len(rows[0])
        for row in rows:
            assert "" not in row
        self.connection.do(text, lambda: self.pg.executemany(translated(text), rows))
        self.rowcount = len(rows)

    @property
    def description(self):
        return [described(self.pg, at, each) for at, each in enumerate(self.pg.description)]

    def fetchall(self):
        return self.pg.fetchall()

    def close(self):
        self.pg.close()


# --- statements ---------------------------------------------------------------------------------


def special(pg, text):
    """Do what sqlglot does not read; return whether it was such."""
    if text.startswith("alter session set "):
        return True
    if re.fullmatch(r"(rollback to )?savepoint \w+", text):
        pg.execute(text)
        return True
    return False


def _marked(text):
    """Return a statement with :v1 for :1, which sqlglot takes for no mark; and IS JSON a call."""
    text = re.sub(
        r"\"[^\"]*\"|'[^']*'|:(\d+)", lambda found: f":v{found[1]}" if found[1] else found[0], text
    )
    return re.sub(r'("[^"]*") is json', r"is_json(\1)", text)


@cache
def parsed(text):
    tree = sqlglot.parse_one(_marked(text), read="oracle")
    assert not isinstance(tree, exp.Command), text
    return tree


@cache
def translated(text):
    """Return a statement for PostgreSQL."""
    tree = parsed(text).copy()
    for mark in tree.find_all(exp.Placeholder):
        mark.set("this", mark.name.lstrip("v"))
    for node in list(tree.walk()):
        if isinstance(node, exp.DataType):
            node.replace(exp.DataType(this=exp.DataType.Type.USERDEFINED, kind=plain_type(node)))
        elif isinstance(node, exp.Ordered) and isinstance(node.parent, exp.PrimaryKey):
            node.replace(node.this)
        elif isinstance(node, exp.NEQ) and node.this.name == "fine":
            node.replace(exp.true())  # As if there were parts of microseconds.
        elif isinstance(node, exp.Length):
            node.replace(exp.func("hexadecimal_length", node.this, copy=False))
        elif isinstance(node, exp.ToChar):
            if node.args.get("format"):
                node.replace(exp.func("tm9", node.this, copy=False))
            else:
                node.replace(exp.Cast(this=node.this, to=exp.DataType.build("text")))
    made = place.numbered(tree)
    made = re.sub(r"\bTRUNC\(", "DAY_OF(", made)
    return re.sub(r" PURGE$", "", made)


def change_tables(pg, text):
    """Do a statement on tables, and keep what PostgreSQL does not: types and conditions."""
    if found := re.fullmatch(r"(alter table (.+)) modify \((\"(?:[^\"])*\") (.+)\)", text):
        node = parsed(f"create table t (c {found[4]})").find(exp.ColumnDef).args["kind"]
        pg.execute(f"{found[1]} alter column {found[3]} type {plain_type(node)}")
        table, types = found[2], {found[3].strip('"'): node}
    elif found := re.fullmatch(r"(alter table (.+)) add (check \(.+\))", text):
        check = translated(f"select * from t where {found[3][6:]}").partition("WHERE ")[2]
        pg.execute(f"{found[1]} add check ({check.strip('()')})")
        table, types = found[2], {}
    else:
        made = translated(text).replace("ADD COLUMNS (", "ADD COLUMN ")
        pg.execute(made[:-1] if "ADD COLUMN " in made else made)
        tree = parsed(text)
        types = {each.name: each.args["kind"] for each in tree.find_all(exp.ColumnDef)}
        table = tree.find(exp.Table).sql("oracle") if types else None
    if table:
        note_types(pg, table, types)
        note_conditions(pg, table, text)


def oid_of(pg, table):
    ((number,),) = pg.execute("select $1::regclass::oid::bigint", [table]).fetchall()
    return number


def note_types(pg, table, types):
    number = oid_of(pg, table)
    for column, node in types.items():
        name, sizes = name_of(node), [each.name for each in node.expressions]
        length, precision, scale = 4000, None, None
        if name in ("VARCHAR2", "RAW", "CHAR"):
            length = int(sizes[0].split()[0])
        elif name == "NUMBER" and sizes:
            precision, scale = [*map(int, sizes), 0][:2]
        elif name.startswith("TIMESTAMP"):
            name = name.replace("TIMESTAMP", f"TIMESTAMP({sizes[0] if sizes else 6})")
            scale = int(sizes[0]) if sizes else 6
        pg.execute(
            "insert into declared select $1, attnum, $3, $4, $5, $6 from pg_attribute "
            "where attrelid = $1::bigint::oid and attname = $2 on conflict (object_id, column_id) "
            "do update set type = $3, length = $4, precision = $5, scale = $6",
            [number, column, name, length, precision, scale],
        )


def note_conditions(pg, table, text):
    """Keep the CHECK constraints as they were written, by the names that PostgreSQL gave them."""
    number = oid_of(pg, table)
    written = [inside(text, found.end()) for found in re.finditer(r"check \(", text)]
    made = pg.execute(
        "select k.conname::text, k.conkey[1], a.attname::text from pg_constraint k "
        "join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1] "
        "where k.contype = 'c' and k.conrelid = $1::bigint::oid and not exists "
        "(select 1 from conditions c where c.object_id = $1 and c.name = k.conname)", [number],
    ).fetchall()  # fmt: skip
    for name, column_id, column in made:
        condition = next(each for each in written if f'"{column}"' in each)
        pg.execute(
            "insert into conditions values ($1, $2, $3, $4)", [number, column_id, name, condition]
        )


def inside(text, start):
    """Return what stands in the brackets that were opened before a place."""
    depth, at = 1, start
    while depth:
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return text[start : at - 1]


def name_of(node):
    """Return the name of a parsed type, as Oracle has it."""
    kind = node.this
    name = (node.args.get("kind") or getattr(kind, "value", str(kind))).upper()
    name = name.partition("(")[0]
    return {
        "DECIMAL": "NUMBER", "TEXT": "CLOB", "VARBINARY": "BLOB", "DOUBLE": "BINARY_DOUBLE",
        "FLOAT": "BINARY_FLOAT", "VARCHAR": "VARCHAR2", "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE",
        "TIMESTAMPLTZ": "TIMESTAMP WITH LOCAL TIME ZONE", "BIGDECIMAL": "NUMBER",
    }.get(name, name)  # fmt: skip


def plain_type(node):
    """Return PostgreSQL's name for a type."""
    name, sizes = name_of(node), [each.name for each in node.expressions]
    if name == "NUMBER":
        return f"numeric({','.join(sizes)})" if sizes else "numeric"
    if name.startswith("TIMESTAMP"):
        digits = min(int(sizes[0] if sizes else 6), 6)
        return f"timestamptz({digits})" if "ZONE" in name else f"timestamp({digits})"
    if name in ("VARCHAR2", "CHAR", "NVARCHAR2"):
        return f"varchar({sizes[0].split()[0]})"
    return _SIMPLE.get(name, "text")


def error_of(_, number, said):
    """Return the driver's own error for a number, or for one of its own that the text begins."""
    try:
        refuse_with(number, said)
    except Exception as exc:
        return exc


def unparsed():
    """Return what was asked and is read by sqlglot as no statement that it knows."""
    odd = []
    known = r"alter session|(rollback to )?savepoint|declare |alter table .+ (modify|add check) \("
    for text in place.recorded():
        if not re.match(known, text):
            try:
                parsed(text)
            except (sqlglot.errors.ParseError, AssertionError):
                odd.append(text)
    return odd


# --- types of results ---------------------------------------------------------------------------


def described(cursor, at, column):
    """Return what the driver's description says of a column of a result."""
    types = {16: "BOOLEAN", 20: "NUMBER", 21: "NUMBER", 23: "NUMBER", 1700: "NUMBER",
             700: "BINARY_FLOAT", 701: "BINARY_DOUBLE", 17: "BLOB", 1082: "DATE",
             1114: "TIMESTAMP", 1184: "TIMESTAMP_TZ", 1043: "VARCHAR"}  # fmt: skip
    name = types.get(column.type_code, "CLOB")
    precision, scale = 0, -127 if name == "NUMBER" else 6
    modifier = cursor.pgresult.fmod(at)
    if column.type_code == 1700 and modifier > 0:
        precision, scale = place.digits_of(modifier)
    return (column.name, getattr(oracledb, f"DB_TYPE_{name}"), None, 4000, precision, scale, True)
