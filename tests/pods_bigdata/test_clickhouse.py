"""The ClickHouse connector passes the suite, and what is ClickHouse's own."""

from __future__ import annotations

import pytest

from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject

SECRET = "swordfish of the conformance suite"
UNCLAIMED = {"snapshot": "not offered"}


@pytest.fixture(scope="module")
def server(load_connector):
    """Return the port of ClickHouse's HTTP interface."""
    pod = load_connector("server_clickhouse").load_pod()
    yield pod.start({"default": "", "keeper": "sesame"})
    pod.stop()


@pytest.fixture
def place(server):
    return {"port": server, "database": "scratch"}


@pytest.fixture
def pod(load_connector, place):
    pod = load_connector("clickhouse").load_pod()
    default = {**place, "database": "default"}
    pod.execute(default, "create database scratch engine = Atomic")
    yield pod
    load_connector("clickhouse").load_pod().execute(default, "drop database scratch sync")


@pytest.mark.parametrize("name", list_checks())
def test_it_passes(load_connector, pod, place, name):
    scratch = Scratch(
        connection=place,
        stream=lambda table: ["scratch", table],
        unreachable={**place, "port": 1},
        wrong_password={**place, "password": SECRET},
        secret=SECRET,
    )
    outcome = run_check(Subject(load_connector("clickhouse"), scratch), name)
    assert outcome.status == UNCLAIMED.get(name, "passed"), outcome.detail
