"""Places on servers where the connectors' tests may do what they like."""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest
from private_servers import MissingServerError, PrivateMariadb, PrivatePostgresql
from server_ends import SOURCE_ROWS, ServerEnd
from tests.conftest import skip_or_fail


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


@pytest.fixture(scope="module")
def ends(load_connector):
    """Return a function from "postgresql", "postgresql 2" or "mysql" to a server of the test's."""
    kinds = {"postgresql": PrivatePostgresql, "mysql": PrivateMariadb}
    made = {}
    with ExitStack() as stack:

        def end(name):
            if name not in made:
                kind = name.split()[0]
                try:
                    server = kinds[kind]()
                except MissingServerError as exc:
                    skip_or_fail(f"{exc}: install {kind}'s server")
                made[name] = ServerEnd(stack.enter_context(server), load_connector(kind).load_pod())
                made[name].make("origin", SOURCE_ROWS)
            elif not made[name].server.processes():
                made[name].server.start()  # A test failed while it was away.
            return made[name]

        yield end
        for each in made.values():
            assert each.server.stop() == 0


@pytest.fixture
def connectors_folder(load_connector) -> Path:
    """Return the directory with the connectors' pods."""
    folders = {load_connector(name).folder.path.parent for name in ("postgresql", "mysql")}
    return folders.pop()
