"""A connector for tests: SQLite by the standard library, trouble made to order; all modes.

``connection``: ``database``; ``trouble``, the path of a JSON list of what goes wrong, each item
``{"in": "read" | "write" | "finish" | ..., "after": batches, "how": "die" | "retry" | "fail" | "hang"}``; what
has happened is taken out of it. As a server that is killed, ``prepare`` may "forget" what it committed,
and ``read`` "lose" the snapshot, once as many "readers" as it says have begun. ``password`` appears in errors. ``seconds`` slows each batch down.
"""

# ruff: noqa: E501, PTH107, PTH110, PTH116, PTH123, RUF005, UP031

import fcntl
import hashlib
import json
import os
import re
import signal
import sqlite3
import time
from datetime import datetime

RUNS = "create table if not exists _pypods_runs (stream text, run text, mode text, key text, cursor text, rows int, finished int, primary key (stream, run))"
CHECKPOINTS = "create table if not exists _pypods_checkpoints (stream text, run text, part text, batches int, rows int, bytes int, bad int, position text, primary key (stream, run, part))"


class ConnectorError(Exception):
    def __init__(self, message, retry=False):
        super().__init__(message)
        self.retry = retry


class SchemaError(ConnectorError):
    pass


class DataError(ConnectorError):
    pass


class StreamNotFoundError(ConnectorError):
    pass


class ConflictError(ConnectorError):
    pass


class UnreachableError(ConnectorError):
    pass


def describe_connector():
    return {
        "name": "fakelite",
        "title": "SQLite for tests",
        "driver": "sqlite3 " + sqlite3.sqlite_version,
        "settings": [
            {
                "name": "database",
                "type": "path",
                "required": True,
                "secret": False,
                "default": None,
                "doc": "The file.",
            },
            {
                "name": "phrase",
                "type": "text",
                "required": False,
                "secret": True,
                "default": None,
                "doc": "Unused.",
            },
        ],
        "capabilities": {
            "read": True,
            "query": True,
            "where": True,
            "order": True,
            "after": True,
            "partition": True,
            "snapshot": True,
            "write": ["append", "replace", "upsert", "delete_insert"],
            "atomic": True,
            "resume": True,
            "schema": True,
            "execute": True,
            "truncate": True,
            "count": True,
            "rows": False,
        },
        "verified": True,
    }


def connect(connection):
    if connection.get("unreachable"):
        raise UnreachableError(
            "no server at %s with %s" % (connection["database"], connection.get("password")), True
        )
    db = sqlite3.connect(connection["database"], timeout=30, isolation_level=None)
    db.execute("pragma synchronous = off")
    return db


def trouble(connection, where, batches=0):
    path = connection.get("trouble")
    if not path or not os.path.exists(path):
        return False
    with open(path, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # Pods that read side by side take an item once.
        items = json.load(file)
        due = [i for i in items if i["in"] == where and i.get("after", 0) <= batches]
        if due:
            items.remove(due[0])
            file.seek(0)
            file.truncate()
            json.dump(items, file)
    if not due:
        return False
    how = due[0]["how"]
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "hang":  # Deaf to being told to end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while True:
            time.sleep(3600)
    if how == "forget":
        return True
    if how == "lose":  # Once all read under it.
        until = time.monotonic() + 60
        while os.stat(path + ".readers").st_size < due[0]["readers"] and time.monotonic() < until:
            time.sleep(0.01)
        open(path + ".lost", "w").close()
    if how == "sleep":
        time.sleep(due[0]["seconds"])
        return False
    raise UnreachableError(
        "trouble in %s with %s" % (where, connection.get("password")), how in ("retry", "lose")
    )


def name_of(stream):
    return stream if isinstance(stream, str) else ".".join(stream)


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def columns_of(db, table):
    return [
        (row[1], row[2].upper(), row[5])
        for row in db.execute("pragma table_info(%s)" % quoted(table))
    ]


def arrow_type(declared):
    import pyarrow as pa

    kinds = {
        "INTEGER": pa.int64(),
        "REAL": pa.float64(),
        "TEXT": pa.utf8(),
        "BLOB": pa.binary(),
        "TIMESTAMP": pa.timestamp("us"),
    }
    return kinds.get(declared, pa.utf8())


def declared_type(kind):
    if isinstance(kind, str):
        return {
            "int64": "INTEGER",
            "float64": "REAL",
            "utf8": "TEXT",
            "binary": "BLOB",
            "timestamp(us)": "TIMESTAMP",
        }[kind]
    text = str(kind)
    kinds = {
        "int64": "INTEGER",
        "double": "REAL",
        "string": "TEXT",
        "binary": "BLOB",
        "timestamp[us]": "TIMESTAMP",
    }
    if text not in kinds:
        raise SchemaError("there is no type for %s" % text)
    return kinds[text]


def fields_of(schema):
    """Return names and declared types of an Arrow schema, or of a list of a rows connector."""
    if isinstance(schema, list):
        return [(each[0], declared_type(each[1])) for each in schema]
    return [(field.name, declared_type(field.type)) for field in schema]


def check(connection):
    connect(connection).close()
    return {"server": "SQLite " + sqlite3.sqlite_version, "driver": "sqlite3"}


def streams(connection):
    db = connect(connection)
    return [
        {"name": name, "kind": "table", "rows": None}
        for (name,) in db.execute(
            "select name from sqlite_master where type = 'table' order by name"
        )
    ]


def table_schema(db, stream, query):
    import pyarrow as pa

    if query is not None:
        cursor = db.execute(query)
        row = cursor.fetchone() or [None] * len(cursor.description)
        kinds = {int: pa.int64(), float: pa.float64(), bytes: pa.binary()}
        return pa.schema(
            [
                (each[0], kinds.get(type(value), pa.utf8()))
                for each, value in zip(cursor.description, row)
            ]
        ), []
    columns = columns_of(db, name_of(stream))
    if not columns:
        raise StreamNotFoundError("there is no table %s" % name_of(stream))
    key = [name for name, _, place in sorted(columns, key=lambda each: each[2]) if place]
    return pa.schema([(name, arrow_type(declared)) for name, declared, _ in columns]), key


def chosen_schema(schema, columns, names):
    import pyarrow as pa

    fields = list(schema) if columns is None else [schema.field(name) for name in columns]
    return pa.schema(
        [field.with_name((names or {}).get(field.name, field.name)) for field in fields]
    )


def schema(connection, stream, *, query=None, columns=None, names=None):
    trouble(connection, "schema")
    db = connect(connection)
    found, key = table_schema(db, stream, query)
    rows = (
        None
        if query
        else db.execute("select count(*) from %s" % quoted(name_of(stream))).fetchone()[0]
    )
    return {"schema": chosen_schema(found, columns, names), "key": key, "rows": rows}


def bound(value):
    return value.isoformat(" ") if isinstance(value, datetime) else value


def conditions(where, after, order_by, partition):
    parts, values = [], []
    for name, operator, value in where or ():
        if operator in ("is null", "is not null"):
            parts.append("%s %s" % (quoted(name), operator))
        elif operator == "in":
            parts.append("%s in (%s)" % (quoted(name), ", ".join("?" * len(value))))
            values += [bound(each) for each in value]
        else:
            parts.append("%s %s ?" % (quoted(name), operator))
            values.append(bound(value))
    if after is not None:
        choices = []
        for i, (name, value) in enumerate(zip(order_by, after)):
            same = " and ".join("%s is ?" % quoted(each) for each in order_by[:i])
            more = "%s is not null" % quoted(name) if value is None else "%s > ?" % quoted(name)
            choices.append("(%s)" % " and ".join(filter(None, [same, more])))
            values += [bound(each) for each in after[:i]] + (
                [] if value is None else [bound(value)]
            )
        parts.append("(%s)" % " or ".join(choices))
    if partition is not None:
        low, high = partition["range"]
        if low is not None:
            parts.append("rowid >= ?")
            values.append(low)
        if high is not None:
            parts.append("rowid < ?")
            values.append(high)
    return (" where " + " and ".join(parts) if parts else ""), values


def read(
    connection,
    stream,
    *,
    columns=None,
    where=None,
    order_by=None,
    after=None,
    partition=None,
    limit=None,
    query=None,
    batch_rows=65536,
    names=None,
):
    import pyarrow as pa

    db = connect(connection)
    if connection.get("trouble") and (partition or {}).get("snapshot"):
        if os.path.exists(connection["trouble"] + ".lost"):
            raise ConflictError("there is no snapshot any more", True)
        with open(connection["trouble"] + ".readers", "a") as file:
            file.write(".")
    found, _ = table_schema(db, stream, query)
    chosen = chosen_schema(found, columns, None)
    result = chosen_schema(found, columns, names)
    origin = "(%s)" % query if query else quoted(name_of(stream))
    text, values = conditions(where, after, order_by, partition)
    statement = "select %s from %s%s" % (
        ", ".join(quoted(name) for name in chosen.names),
        origin,
        text,
    )
    if order_by:
        statement += " order by " + ", ".join(quoted(name) for name in order_by)
    if limit is not None:
        statement += " limit %d" % limit
    cursor = db.execute(statement, values)
    batches = 0
    while True:
        rows = cursor.fetchmany(batch_rows)
        if not rows:
            break
        trouble(connection, "read", batches)
        time.sleep(connection.get("seconds", 0))
        arrays = []
        for i, field in enumerate(chosen):
            column = [row[i] for row in rows]
            if pa.types.is_timestamp(field.type):
                column = [None if each is None else datetime.fromisoformat(each) for each in column]
            arrays.append(pa.array(column, field.type))
        yield pa.RecordBatch.from_arrays(arrays, schema=result)
        batches += 1


def partitions(connection, stream, count, *, where=None, query=None, columns=None):
    if os.path.exists(connection.get("trouble", "") + ".lost"):
        os.remove(connection["trouble"] + ".lost")
    db = connect(connection)
    low, high = db.execute(
        "select min(rowid), max(rowid) from %s" % quoted(name_of(stream))
    ).fetchone()
    if low is None:
        return []
    bounds = [low + (high + 1 - low) * i // count for i in range(1, count)]
    ranges = list(zip([None] + bounds, bounds + [None]))
    return [
        {"range": list(each), "snapshot": "s%d" % os.getpid(), **connection.get("partition", {})}
        for each in ranges
    ]


def release_partitions(connection, partitions):
    db = connect(connection)
    db.execute("create table if not exists released (snapshot text)")
    db.execute("insert into released values (?)", [partitions[0]["snapshot"]])


def count(connection, stream, *, where=None, query=None):
    text, values = conditions(where, None, None, None)
    return (
        connect(connection)
        .execute("select count(*) from %s%s" % (quoted(name_of(stream)), text), values)
        .fetchone()[0]
    )


def checksum(connection, stream, *, schema, columns=None, where=None, query=None):
    total = rows = 0
    for batch in read(connection, stream, columns=columns, where=where, query=query):
        for row in zip(*(column.to_pylist() for column in batch.columns)):
            total += int.from_bytes(
                hashlib.blake2b(repr(row).encode(), digest_size=8).digest(), "big"
            )
            rows += 1
    return {"rows": rows, "sum": "%016x" % (total % 2**64)}


def execute(connection, statement):
    return {"rows": connect(connection).execute(statement).rowcount}


# Writing ---------------------------------------------------------------------------------------


def staging_of(stream, run):
    return (
        "_stage_"
        + hashlib.blake2b((name_of(stream) + "\0" + run).encode(), digest_size=6).hexdigest()
    )


def begin(connection):
    db = connect(connection)
    db.execute("begin immediate")
    db.execute(RUNS)
    db.execute(CHECKPOINTS)
    return db


def create(db, table, fields, key=()):
    parts = ["%s %s" % (quoted(name), kind) for name, kind in fields]
    if key:
        parts.append("primary key (%s)" % ", ".join(map(quoted, key)))
    db.execute("create table %s (%s)" % (quoted(table), ", ".join(parts)))


def prepare(connection, stream, schema, *, mode, key, run, drift="evolve", exists=None):
    forgets = trouble(connection, "prepare")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", run):
        raise ConnectorError("%r is no run" % run)
    name, stage = name_of(stream), staging_of(stream, run)
    db = begin(connection)
    fields = fields_of(schema)
    missing = [each for each in key if each not in [field for field, _ in fields]]
    if missing:
        raise SchemaError("the source has no column %r, which the key needs" % missing[0])
    there = columns_of(db, name)
    changes = [] if there else ["create table %s" % name]
    new = (
        [each for each in fields if each[0] not in [column for column, _, _ in there]]
        if there and mode != "replace"
        else []
    )
    for each in new:
        if drift == "freeze":
            raise SchemaError("the target has no column %r, and drift is freeze" % each[0])
        changes.append(
            ("add column %s" if drift == "evolve" else "column %s is left out") % each[0]
        )
    if drift == "discard":
        fields = [each for each in fields if each not in new]
    row = db.execute(
        "select finished, rows from _pypods_runs where stream = ? and run = ?", [name, run]
    ).fetchone()
    if row is None:
        db.execute(
            "insert into _pypods_runs values (?, ?, ?, ?, null, null, 0)",
            [name, run, mode, json.dumps(list(key))],
        )
        row = (0, None)
    if forgets and columns_of(db, stage):
        db.execute("delete from %s" % quoted(stage))
        db.execute(
            "update _pypods_checkpoints set batches = 0, rows = 0, bytes = 0, bad = 0, position = '[]' where stream = ? and run = ?",
            [name, run],
        )
    if not row[0] and not columns_of(db, stage):
        create(db, stage, fields)
    parts = {
        part: {
            "batches": batches,
            "rows": rows,
            "bytes": nbytes,
            "bad": bad,
            "position": decoded(position),
        }
        for part, batches, rows, nbytes, bad, position in db.execute(
            "select part, batches, rows, bytes, bad, position from _pypods_checkpoints where stream = ? and run = ?",
            [name, run],
        )
    }
    db.execute("commit")
    db.close()
    return {
        "finished": bool(row[0]),
        "parts": parts,
        "cursor": None,
        "changes": changes,
        "schema": schema,
    }


def encoded(position):
    return json.dumps(
        [{"at": each.isoformat()} if isinstance(each, datetime) else each for each in position]
    )


def decoded(position):
    return [
        datetime.fromisoformat(each["at"]) if isinstance(each, dict) else each
        for each in json.loads(position)
    ]


def write(
    connection,
    stream,
    batches,
    *,
    run,
    part="0",
    position=(),
    bad_rows="fail",
    max_bad_rows=0,
    committed=None,
):
    name, stage = name_of(stream), staging_of(stream, run)
    db = begin(connection)
    fields = [column for column, _, _ in columns_of(db, stage)]
    # A part is begun before its first batch, as other connectors do it.
    db.execute(
        "insert or ignore into _pypods_checkpoints values (?, ?, ?, 0, 0, 0, 0, '[]')",
        [name, run, part],
    )
    (known,) = db.execute(
        "select batches from _pypods_checkpoints where stream = ? and run = ? and part = ?",
        [name, run, part],
    ).fetchone()
    db.execute("commit")
    done = {"rows": 0, "bytes": 0, "batches": 0, "bad": 0}
    for batch in batches:
        if isinstance(batch, list):
            rows, names, nbytes = batch, fields, 0
        else:
            rows, names, nbytes = (
                list(zip(*(column.to_pylist() for column in batch.columns))),
                batch.schema.names,
                batch.nbytes,
            )
        trouble(connection, "write", done["batches"])
        db.execute("begin immediate")
        good, bad = [], []
        for row in rows:
            values = dict(zip(names, row))
            (bad if "bad!" in values.values() else good).append(values)
        if bad and bad_rows == "fail":
            raise DataError("row %d of part %s is bad" % (done["rows"], part))
        before = db.execute(
            "select coalesce(sum(bad), 0) from _pypods_checkpoints where stream = ? and run = ?",
            [name, run],
        ).fetchone()[0]
        if max_bad_rows is not None and before + len(bad) > max_bad_rows and bad:
            raise DataError("more than %d bad rows" % max_bad_rows)
        marks = ", ".join("?" * len(fields))
        db.executemany(
            "insert into %s values (%s)" % (quoted(stage), marks),
            [[bound(row[field]) for field in fields] for row in good],
        )
        if bad:
            db.execute(
                "create table if not exists %s (run text, part text, position integer, reason text, row text)"
                % quoted(name + "__bad_rows")
            )
            db.executemany(
                "insert into %s values (?, ?, ?, ?, ?)" % quoted(name + "__bad_rows"),
                [
                    [run, part, i, "it is bad", json.dumps(row, default=str)]
                    for i, row in enumerate(bad)
                ],
            )
        last = dict(zip(names, rows[-1]))
        where = encoded([last[each] for each in position])
        changed = db.execute(
            "update _pypods_checkpoints set batches = batches + 1, rows = rows + ?, bytes = bytes + ?, bad = bad + ?, position = ? where stream = ? and run = ? and part = ? and batches = ?",
            [len(good), nbytes, len(bad), where, name, run, part, known],
        ).rowcount
        if changed != 1:
            raise ConnectorError("another write of part %s is under way" % part, True)
        db.execute("commit")
        trouble(connection, "committed", done["batches"])
        known += 1
        for count, more in (
            ("rows", len(good)),
            ("bytes", nbytes),
            ("batches", 1),
            ("bad", len(bad)),
        ):
            done[count] += more
        if committed is not None:
            committed(len(good), nbytes, len(bad))
    db.close()
    return done


def finish(connection, stream, *, run, cursor=None, rows=None):
    name, stage = name_of(stream), staging_of(stream, run)
    trouble(connection, "finish")
    db = begin(connection)
    mode, key, finished, before = db.execute(
        "select mode, key, finished, rows from _pypods_runs where stream = ? and run = ?",
        [name, run],
    ).fetchone()
    key = json.loads(key)
    if not finished:
        staged = db.execute("select count(*) from %s" % quoted(stage)).fetchone()[0]
        if rows is not None and rows != staged:
            raise ConnectorError("%d rows are staged, not %d" % (staged, rows))
        before = staged
        fields = [(column, kind) for column, kind, _ in columns_of(db, stage)]
        there = columns_of(db, name)
        if there and mode == "replace":
            db.execute("drop table %s" % quoted(name))
        if not there or mode == "replace":
            create(db, name, fields, key)
        else:
            known = [column for column, _, _ in there]
            for column, kind in fields:
                if column not in known:
                    db.execute(
                        "alter table %s add column %s %s" % (quoted(name), quoted(column), kind)
                    )
        names = ", ".join(quoted(column) for column, _ in fields)
        if mode in ("upsert", "delete_insert") and there:
            same = " and ".join("s.%s is t.%s" % (quoted(each), quoted(each)) for each in key)
            db.execute(
                "delete from %s as t where exists (select 1 from %s s where %s)"
                % (quoted(name), quoted(stage), same)
            )
        db.execute(
            "insert into %s (%s) select %s from %s" % (quoted(name), names, names, quoted(stage))
        )
        db.execute("drop table %s" % quoted(stage))
        db.execute(
            "update _pypods_runs set finished = coalesce((select max(finished) from _pypods_runs), 0) + 1, rows = ?, cursor = ? where stream = ? and run = ?",
            [staged, json.dumps(cursor), name, run],
        )
        db.execute("delete from _pypods_checkpoints where stream = ? and run = ?", [name, run])
    total = db.execute("select count(*) from %s" % quoted(name)).fetchone()[0]
    db.execute("commit")
    trouble(connection, "finished")
    return {"rows": before, "rows_in_target": total}


def abandon(connection, stream, *, run):
    name = name_of(stream)
    db = begin(connection)
    db.execute("drop table if exists %s" % quoted(staging_of(stream, run)))
    db.execute("delete from _pypods_checkpoints where stream = ? and run = ?", [name, run])
    db.execute(
        "delete from _pypods_runs where stream = ? and run = ? and not finished", [name, run]
    )
    db.execute("commit")


def state(connection, stream):
    db = begin(connection)
    row = db.execute(
        "select run, cursor from _pypods_runs where stream = ? and finished order by finished desc limit 1",
        [name_of(stream)],
    ).fetchone()
    db.execute("commit")
    return {"run": row and row[0], "cursor": row and json.loads(row[1])}
