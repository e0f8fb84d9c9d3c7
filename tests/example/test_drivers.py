"""Old and current drivers on real servers: each reads what the other wrote."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from urllib.parse import quote

import pytest

from pypods.errors import PodCallError
from pypods.pods import PodLoader

# The first run makes the pods' environments.
pytestmark = pytest.mark.timeout(600)

KINDS = {
    "mariadb": ("PyMySQL", "0.9.3"),
    "redis": ("redis", "2.10.6"),
    "postgresql": ("psycopg2", "2.8.6"),
}


@pytest.fixture
def example(repository):
    """Return the folder of the example."""
    return repository / "example" / "drivers"


def run(example, *options):
    """Run the example as a user does."""
    return subprocess.run(
        [sys.executable, str(example / "run.py"), *options],
        capture_output=True,
        text=True,
        check=False,
    )


def write_url(server):
    """Return the address as the example takes it."""
    who = quote(server.user) + (f":{quote(server.password)}" if server.password else "")
    return f"{server.kind}://{who}@{server.host}:{server.port}/{server.database}"


def closed_port():
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("kind", KINDS)
def test_each_driver_reads_what_the_other_wrote(kind, request, example):
    server = request.getfixturevalue(kind)
    driver, old_version = KINDS[kind]
    done = run(example, "--json", "--rows", "300", "--only", kind, f"--{kind}", write_url(server))
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    old, new = outcome["drivers"]
    assert old["driver"] == new["driver"] == driver
    assert old["version"] == old_version
    assert new["version"] != old_version
    assert old["pid"] != new["pid"]
    assert old["server"] == new["server"]
    for line in (old, new):
        assert (line["written"], line["read"], line["equal"]) == (300, 300, 300)
    assert (outcome["equal"], outcome["rows"], outcome["is_good"]) == (600, 600, True)
    assert outcome["failures"] == []
    if kind == "postgresql":
        assert old["python"].startswith("3.8.")
    assert_nothing_is_left(example, server, driver, old["place"])


def assert_nothing_is_left(example, server, driver, place):
    address = {
        "host": server.host,
        "port": server.port,
        "user": server.user,
        "password": server.password,
        "database": server.database,
    }
    with PodLoader(f"{driver.lower()}_new", pods_directory=example / "pods") as pod:
        if driver == "redis":
            assert pod.read(address, place, "by_old") == []
        else:
            with pytest.raises(PodCallError, match=r"exist"):
                pod.read(address, place, "by_old")


def test_the_table_for_people(redis, example):
    done = run(example, "--rows", "20", "--only", "redis", "--redis", write_url(redis))
    assert done.returncode == 0, done.stderr
    assert "equal: 40 of 40" in done.stdout
    (heading,) = (line for line in done.stdout.splitlines() if line.startswith("driver"))
    assert heading.split() == [
        *("driver", "version", "Python", "pid", "server"),
        *("written", "read", "equal", "seconds"),
    ]
    assert "2.10.6" in done.stdout


def test_a_missing_server_is_said_and_the_others_are_used(redis, example):
    port = closed_port()
    done = run(
        example,
        *("--json", "--rows", "20", "--only", "postgresql", "--only", "redis"),
        *("--redis", write_url(redis), "--postgresql", f"postgresql://me@127.0.0.1:{port}/x"),
    )
    assert done.returncode == 1
    outcome = json.loads(done.stdout)
    assert outcome["is_good"] is False
    assert [line["driver"] for line in outcome["drivers"]] == ["redis", "redis"]
    assert outcome["equal"] == 40
    (failure,) = outcome["failures"]
    assert f"no PostgreSQL at 127.0.0.1:{port}" in failure
    assert "--postgresql URL" in failure
    assert failure in done.stderr


def test_what_was_written_is_removed_after_a_failure(example, monkeypatch):
    monkeypatch.syspath_prepend(str(example))
    for name in ("run", "rows"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import run as drivers

    done = []

    class Pod:
        def version(self):
            return "1"

        def server_version(self, address):
            return "2"

        def prepare(self, address, place, tables):
            done.append(("prepare", place))

        def write(self, address, place, table, rows):
            raise PodCallError("the disk is full")

        def drop(self, address, place):
            done.append(("drop", place))

    class Loader:
        def __init__(self, name, **settings):
            self.hello = type("Hello", (), {"python": "3.8.18", "pid": 1})

        def __enter__(self):
            return Pod()

        def __exit__(self, *failure):
            pass

    monkeypatch.setattr(drivers, "PodLoader", Loader)
    with pytest.raises(PodCallError, match="the disk is full"):
        drivers.use_both(drivers.SERVERS[0], {}, 10)
    (prepared, place), (dropped, same_place) = done
    assert (prepared, dropped, place) == ("prepare", "drop", same_place)
    for name in ("run", "rows"):
        monkeypatch.delitem(sys.modules, name)
