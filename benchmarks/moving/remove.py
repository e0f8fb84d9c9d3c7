"""Drop what a run made in the servers: ``remove.py SETTINGS`` (JSON)."""

from __future__ import annotations

import json
import sys

import psycopg


def remove_table(connection, schema, table):
    """Drop a table, and what dlt keeps beside it: that says the table is there, and dlt fails."""
    found = connection.execute(
        "select tablename from pg_tables where schemaname = %s and tablename like %s",
        (schema, r"\_dlt%"),
    )
    for name in [table, *(name for (name,) in found)]:
        connection.execute(f'drop table if exists "{schema}"."{name}"')
    connection.execute(f"drop schema if exists {schema}_staging cascade")


def main():
    """Drop one table, or everything."""
    settings = json.loads(sys.argv[1])
    table = settings.get("table")
    place = table or settings["postgresql"]
    with psycopg.connect(**place["connection"], autocommit=True) as connection:
        if table:
            remove_table(connection, table["schema"], table["table"])
        else:
            connection.execute(f"drop schema if exists {place['schema']} cascade")
            connection.execute(f"drop schema if exists {place['schema']}_staging cascade")
    if not table and settings["with_mariadb"]:
        import pymysql

        connection = pymysql.connect(**settings["mariadb"]["connection"])
        with connection, connection.cursor() as cursor:
            cursor.execute(f"drop database if exists {settings['mariadb']['schema']}")


main()
