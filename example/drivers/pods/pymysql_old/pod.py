"""PyMySQL 0.9.3, of 2018: a table of MariaDB or MySQL, written and read."""

from contextlib import closing
from importlib.metadata import version as _installed

import pymysql
from pymysql.converters import conversions as _conversions

# This version writes a float with 15 digits, which loses some; repr has all that are needed.
_lossless = {**_conversions, float: lambda value, _=None: repr(value)}


def version():
    """Return the driver's version."""
    return _installed("PyMySQL")


def server_version(address):
    """Return the server's version."""
    ((name,),) = _run(address, "SELECT version()")
    return name


def prepare(address, place, tables):
    """Make a database with these empty tables: {name: [(column, type)]}."""
    _run(address, f"CREATE DATABASE `{place}`")
    for table, columns in tables.items():
        definitions = ", ".join(f"`{name}` {column_type}" for name, column_type in columns)
        _run(address, f"CREATE TABLE `{place}`.`{table}` ({definitions}) CHARACTER SET utf8mb4")


def write(address, place, table, rows):
    """Add the rows to the table; return how many there are in it then."""
    markers = ", ".join(["%s"] * len(rows[0]))
    with closing(_connect(address)) as connection:
        cursor = connection.cursor()
        cursor.executemany(f"INSERT INTO `{place}`.`{table}` VALUES ({markers})", rows)
        connection.commit()
    ((count,),) = _run(address, f"SELECT count(*) FROM `{place}`.`{table}`")
    return count


def read(address, place, table):
    """Return the rows of the table."""
    return list(_run(address, f"SELECT * FROM `{place}`.`{table}` ORDER BY id"))


def drop(address, place):
    """Remove the database."""
    _run(address, f"DROP DATABASE IF EXISTS `{place}`")


def _connect(address):
    return pymysql.connect(
        host=address["host"],
        port=address["port"],
        user=address["user"],
        password=address["password"],
        charset="utf8mb4",
        conv=_lossless,
    )


def _run(address, sql):
    # Not "with connection": in this version that gives a cursor and leaves the connection open.
    with closing(_connect(address)) as connection:
        cursor = connection.cursor()
        cursor.execute(sql)
        return cursor.fetchall()
