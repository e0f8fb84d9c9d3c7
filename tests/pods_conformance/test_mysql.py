"""The MySQL connector passes the suite on MariaDB, and what is MySQL's own."""

from __future__ import annotations

import uuid

import pyarrow as pa
import pytest

from pypods import PodCallError
from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject

DATABASE = f"pypods_{uuid.uuid4().hex[:12]}"
SECRET = "swordfish of the conformance suite"
UNCLAIMED = {"snapshot": "not offered"}


@pytest.fixture
def server(mariadb):
    server = {"host": mariadb.host, "port": mariadb.port, "user": mariadb.user,
              "database": "information_schema"}  # fmt: skip
    return {**server, "password": mariadb.password} if mariadb.password else server


@pytest.fixture
def pod(load_connector, server):
    pod = load_connector("mysql").load_pod()
    pod.execute(server, f"drop database if exists {DATABASE}")
    pod.execute(server, f"create database {DATABASE}")
    yield pod
    pod.execute(server, f"drop database if exists {DATABASE}")


@pytest.fixture
def place(pod, server):
    return {**server, "database": DATABASE}


@pytest.mark.parametrize("name", list_checks())
def test_it_passes(load_connector, place, name):
    scratch = Scratch(
        connection=place,
        stream=lambda table: [DATABASE, table],
        unreachable={**place, "port": 1},
        wrong_password={**place, "user": "pypods_nobody", "password": SECRET},
        secret=SECRET,
        mark="`",
    )
    outcome = run_check(Subject(load_connector("mysql"), scratch), name)
    assert outcome.status == UNCLAIMED.get(name, "passed"), outcome.detail
