r"""psql's ``\copy``, fed by or feeding Python's csv module: ``with_psql.py SPEC``."""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys

from rows import COLUMNS, DECLARED


def psql(connection, *words, **options):
    """Start psql."""
    environment = {
        **os.environ, "PGHOST": connection["host"], "PGPORT": str(connection["port"]),
        "PGUSER": connection["user"], "PGDATABASE": connection["dbname"],
    }  # fmt: skip
    words = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *words]
    return subprocess.Popen(words, env=environment, **options)


def read(source):
    """Yield lists of rows of SQLite or MariaDB."""
    names = ", ".join(COLUMNS)
    if source["kind"] == "sqlite":
        cursor = sqlite3.connect(source["path"]).execute(f"select {names} from source")
    else:
        import pymysql
        import pymysql.cursors

        connection = pymysql.connect(**source["connection"], database=source["schema"])
        cursor = connection.cursor(pymysql.cursors.SSCursor)
        cursor.execute(f"select {names} from source")
    while rows := cursor.fetchmany(10_000):
        yield rows


def main():
    """Move the rows."""
    spec = json.loads(sys.argv[1])
    source, target = spec["source"], spec["target"]
    if target["kind"] == "postgresql":
        table = f"{target['schema']}.{target['table']}"
        create = f"create table {table} ({DECLARED['postgresql']})"
        copy = f"\\copy {table} from stdin with (format csv)"
        with psql(target["connection"], "-c", create, "-c", copy, stdin=subprocess.PIPE) as program:
            text = io.TextIOWrapper(program.stdin, encoding="utf-8", newline="", write_through=True)
            for rows in read(source):
                buffer = io.StringIO()
                csv.writer(buffer).writerows(rows)
                text.write(buffer.getvalue())
            text.close()
        sys.exit(program.returncode)
    names = ", ".join(COLUMNS)
    copy = f"\\copy {source['schema']}.source ({names}) to stdout with (format csv)"
    connection = sqlite3.connect(target["path"])
    connection.execute(f"create table {target['table']} ({DECLARED['sqlite']})")
    with psql(source["connection"], "-c", copy, stdout=subprocess.PIPE) as program:
        lines = io.TextIOWrapper(program.stdout, encoding="utf-8", newline="")
        values = (
            (a, b, c, d, e, f == "t", g, h or None) for a, b, c, d, e, f, g, h in csv.reader(lines)
        )
        statement = f"insert into {target['table']} values (?, ?, ?, ?, ?, ?, ?, ?)"
        connection.executemany(statement, values)
        connection.commit()
    sys.exit(program.returncode)


main()
