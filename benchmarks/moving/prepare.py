"""Make the sources, all with the same rows: ``prepare.py SETTINGS`` (JSON)."""

from __future__ import annotations

import json
import sqlite3
import sys
from itertools import islice

from rows import DECLARED, make_rows


def make_sqlite(path, rows):
    """Make the SQLite file; a number in its text is as exact as the declared type."""
    connection = sqlite3.connect(path)
    connection.execute(f"create table source ({DECLARED['sqlite']})")
    values = (
        (a, b, c, str(d), e, int(f), g.isoformat(" ", "microseconds"), h)
        for a, b, c, d, e, f, g, h in make_rows(rows)
    )
    connection.executemany("insert into source values (?, ?, ?, ?, ?, ?, ?, ?)", values)
    connection.commit()
    connection.close()


def make_postgresql(place, rows):
    """Make the schema and its table."""
    import psycopg

    with psycopg.connect(**place["connection"]) as connection, connection.cursor() as cursor:
        cursor.execute(f"create schema {place['schema']}")
        cursor.execute(f"create table {place['schema']}.source ({DECLARED['postgresql']})")
        with cursor.copy(f"copy {place['schema']}.source from stdin") as copy:
            for row in make_rows(rows):
                copy.write_row(row)
    with psycopg.connect(**place["connection"], autocommit=True) as connection:
        connection.execute(f"vacuum analyze {place['schema']}.source")


def make_mariadb(place, rows):
    """Make the database and its table."""
    import pymysql

    connection = pymysql.connect(**place["connection"])
    with connection, connection.cursor() as cursor:
        cursor.execute(f"create database {place['schema']} character set utf8mb4")
        cursor.execute(f"create table {place['schema']}.source ({DECLARED['mariadb']})")
        statement = f"insert into {place['schema']}.source values (" + "%s, " * 7 + "%s)"
        left = make_rows(rows)
        while values := list(islice(left, 5000)):
            cursor.executemany(statement, values)
        connection.commit()


def main():
    """Make what the settings name."""
    settings = json.loads(sys.argv[1])
    make_sqlite(settings["sqlite"], settings["rows"])
    make_postgresql(settings["postgresql"], settings["rows"])
    if settings["mariadb"]:
        make_mariadb(settings["mariadb"], settings["rows"])


main()
