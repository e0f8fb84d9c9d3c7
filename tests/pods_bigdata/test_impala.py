"""The Impala connector passes the suite against Spark's HiveServer2, and what is its own."""

from __future__ import annotations

import os
import re

import pytest
from tests.conftest import skip_or_fail

from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject

#: What takes minutes: in `make soak`, or with this variable.
ALL = "PYPODS_TEST_HIVE"
SLOW = {"names", "injection", "kill", "types", "drift", "after", "upsert", "failure"}
UNCLAIMED = {
    "snapshot": "not offered", "partitions": "not offered", "parts": "not offered",
    "failure": "not offered", "refused_rows": "not offered", "wrong_password": "not checked",
}  # fmt: skip


@pytest.fixture(scope="module")
def server(load_connector):
    """Return the port of a HiveServer2."""
    try:
        pod = load_connector("server_hiveserver2").load_pod()
    except Exception as exc:
        skip_or_fail(f"no pyspark to be had ({exc})")
    if pod.find_java() is None:
        skip_or_fail("no Java here; set JAVA_HOME to that of a Java 17 or newer")
    yield pod.start()
    pod.stop()


@pytest.fixture(scope="module")
def place(server, load_connector):
    place = {"port": server, "database": "default", "auth_mechanism": "PLAIN", "user": "pypods"}
    load_connector("impala").load_pod().execute(place, "create database scratch")
    return {**place, "database": "scratch"}


def named(table: str) -> str:
    """Return a name that a table can have here."""
    return re.sub(r"\W", lambda found: f"_{ord(found[0]):x}_", table, flags=re.ASCII).lower()


@pytest.fixture
def names(request):
    """Return a function from a check's name of a table to one that no other test has."""
    prefix = re.sub(r"\W", "_", request.node.name)[-20:].lower()
    return lambda table: ["scratch", f"{prefix}_{named(table)}"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", list_checks())
def test_it_passes(load_connector, place, names, name):
    if name in SLOW and not os.environ.get(ALL):
        pytest.skip(f"takes minutes; set {ALL}=1, as make soak does")
    scratch = Scratch(
        connection=place, stream=names, unreachable={**place, "port": 1}, mark="`",
    )  # fmt: skip
    outcome = run_check(Subject(load_connector("impala"), scratch), name)
    assert outcome.status == UNCLAIMED.get(name, "passed"), outcome.detail
