"""Two versions of psycopg2 under one SQLAlchemy: the example, run as a user runs it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from urllib.parse import quote

import pytest

from pypods.pods import PodLoader

# The first run makes the pods' environments.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def example(repository):
    """Return the folder of the example."""
    return repository / "example" / "sqlalchemy_two_drivers"


def run(example, *options, python=(sys.executable,)):
    return subprocess.run(
        [*python, str(example / "run.py"), *options], capture_output=True, text=True, check=False
    )


def write_url(server):
    who = quote(server.user) + (f":{quote(server.password)}" if server.password else "")
    return f"postgresql://{who}@{server.host}:{server.port}/{server.database}"


def list_schemas(example, server):
    with PodLoader("psycopg2_new", pods_directory=example / "pods") as pod:
        connection = pod.psycopg2.connect(
            host=server.host,
            port=server.port,
            user=server.user,
            password=server.password or None,
            dbname=server.database,
        )
        cursor = connection.cursor()
        cursor.execute("SELECT nspname FROM pg_namespace")
        rows = cursor.fetchall()
        connection.close()
    return {name for (name,) in rows}


def test_each_driver_loads_what_the_other_stored(postgresql, example):
    done = run(example, "--json", "--objects", "50", "--url", write_url(postgresql))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    outcome = json.loads(done.stdout)
    old, new = outcome["drivers"]
    assert (old["driver"], new["driver"]) == ("psycopg2 2.8.6", "psycopg2 2.9.13")
    assert old["python"].startswith("3.8.")
    assert old["pid"] != new["pid"]
    for line in (old, new):
        assert (line["stored"], line["loaded"], line["equal"]) == (50, 50, 50)
        assert line["error"] == "UniqueViolation, its own"
    assert outcome["is_good"] is True
    assert outcome["place"].startswith("pypods_")
    assert outcome["place"] not in list_schemas(example, postgresql)


def test_the_table_for_people(postgresql, example):
    done = run(example, "--objects", "5", "--url", write_url(postgresql))
    assert done.returncode == 0, done.stderr
    heading, _, old, new = done.stdout.splitlines()
    assert heading.split()[:3] == ["driver", "python", "pid"]
    assert old.startswith("psycopg2 2.8.6 ")
    assert new.startswith("psycopg2 2.9.13 ")


def test_where_there_is_no_server_it_says_so(example):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        done = run(example, "--url", f"postgresql://me@127.0.0.1:{port}/x")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"no PostgreSQL at 127.0.0.1:{port} ")
    assert "--url URL" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_where_there_is_no_sqlalchemy_it_says_so(example):
    hidden = "import runpy, sys; sys.modules['sqlalchemy'] = None; sys.argv = sys.argv[1:]; "
    program = hidden + "sys.path.insert(0, sys.argv[0].rpartition('/')[0]); "
    program += "runpy.run_path(sys.argv[0], run_name='__main__')"
    done = run(example, python=(sys.executable, "-c", program))
    assert done.returncode == 1
    assert done.stderr.startswith("this program needs SQLAlchemy 2 ")
    assert "pip install sqlalchemy" in done.stderr


def test_a_difference_is_found(example, monkeypatch):
    monkeypatch.syspath_prepend(str(example))
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    import shop

    made, again = shop.make_shops("x", 3), shop.make_shops("x", 3)
    assert shop.find_differences(made, again) == 0
    assert shop.find_differences(made[:2], again) == 1
    again[1].turnover = int(again[1].turnover)
    again[2].items.pop()
    assert shop.find_differences(made, again) == 2
    monkeypatch.delitem(sys.modules, "shop")
