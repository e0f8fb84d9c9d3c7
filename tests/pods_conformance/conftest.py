"""Places on servers where the connectors' tests may do what they like."""

from __future__ import annotations

import uuid

import pytest


@pytest.fixture
def mariadb_place(load_connector, mariadb):
    """Return a connection to a new database on MariaDB, which is dropped again."""
    server = {"host": mariadb.host, "port": mariadb.port, "user": mariadb.user,
              "database": "information_schema"}  # fmt: skip
    if mariadb.password:
        server["password"] = mariadb.password
    name = f"pypods_{uuid.uuid4().hex[:12]}"
    loader = load_connector("mysql")
    loader.load_pod().execute(server, f"create database {name}")
    yield {**server, "database": name}
    loader.load_pod().execute(server, f"drop database {name}")
