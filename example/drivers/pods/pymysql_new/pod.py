"""PyMySQL 1.2.4: a table of MariaDB or MySQL, written and read."""

from importlib.metadata import version as _installed

import pymysql


def version():
    """Return the driver's version."""
    # Not pymysql.__version__, in which this version poses as mysqlclient 2.
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
    with _connect(address) as connection, connection.cursor() as cursor:
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
    )


def _run(address, sql):
    with _connect(address) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()
