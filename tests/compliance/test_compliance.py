"""Drivers in pods pass the DB-API compliance suite as they do in their own interpreter."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dbapi20
import pytest
from tests.compliance import server_programs, suite
from tests.pods.conftest import make_loaders

from pypods.pods import PodLoader, find_pod_folder

# The first run makes the pods' environments.
pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Line:
    """A driver, its cursors, and where it is."""

    title: str
    driver: str
    pod: str
    server: str = ""
    #: Where connect() takes a class of cursors, the module that has it, and its name.
    cursor_class: tuple[str, str, str] | None = None


SS = ("cursorclass", "cursors", "SSCursor")
DICTS = ("cursor_factory", "extras", "DictCursor")
NAMED_TUPLES = ("cursor_factory", "extras", "NamedTupleCursor")
LINES = {
    "sqlite3 on Python 3.8": Line("sqlite3 on Python 3.8", "sqlite3", "3.8"),
    "sqlite3 on Python 3.13": Line("sqlite3 on Python 3.13", "sqlite3", "3.13"),
}
for _pod, _version in (("psycopg2_old", "2.8.6"), ("psycopg2_new", "2.9.13")):
    for _name, _class in (
        ("", None),
        (", DictCursor", DICTS),
        (", NamedTupleCursor", NAMED_TUPLES),
    ):
        _title = f"psycopg2 {_version}{_name}"
        LINES[_title] = Line(_title, "psycopg2", _pod, "postgresql", _class)
for _pod, _version in (("pymysql_old", "0.9.3"), ("pymysql_new", "1.2.4")):
    for _name, _class in (("", None), (", SSCursor", SS)):
        _title = f"PyMySQL {_version}{_name}"
        LINES[_title] = Line(_title, "pymysql", _pod, "mariadb", _class)

#: What the page has for each line: passed in the pod's own interpreter, passed from the host.
PAGE_ROW = re.compile(r"^\| ([^|]+?) \| (\d+) of (\d+) \| (\d+) of (\d+) \|$", re.MULTILINE)


@pytest.fixture
def make_spec(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Line], dict[str, Any]]:
    """Return a function from a line to what the suite is told of it."""

    def make(line: Line) -> dict[str, Any]:
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        if line.server:
            server = request.getfixturevalue(line.server)
            kwargs = {"host": server.host, "port": server.port, "user": server.user}
            kwargs["dbname" if line.driver == "psycopg2" else "database"] = (
                server.database or "test"
            )
            if server.password:
                kwargs["password"] = server.password
        else:
            args = [str(tmp_path / "database")]
        return {
            "driver": line.driver,
            "args": args,
            "kwargs": kwargs,
            "prefix": f"compliance_{os.getpid()}_",
            "lower_func": "lower" if line.driver == "psycopg2" else None,
            "nextset": line.driver == "pymysql",
            "cursors": line.cursor_class[1] if line.cursor_class else "",
            "cursor_class": [line.cursor_class[0], line.cursor_class[2]]
            if line.cursor_class
            else None,
        }

    return make


@pytest.fixture
def load(
    repository: Path, tmp_path: Path, find_python: Callable[[str], Path], request: Any
) -> Callable[..., tuple[Any, Path]]:
    """Return a function from a line to the pod with its driver, and the pod's interpreter."""

    def load_pod(line: Line, **options: Any) -> tuple[Any, Path]:
        if not line.server:
            python = find_python(line.pod)
            loaders = make_loaders(tmp_path / "pods")
            loader = loaders.__enter__()("import sqlite3", python=str(python), **options)
            request.addfinalizer(lambda: loaders.__exit__(None, None, None))
            return loader.load_pod(), python
        pods = repository / "example" / "drivers" / "pods"
        loaded = PodLoader(line.pod, pods_directory=pods, **options)
        request.addfinalizer(loaded.unload_pod)
        return loaded.load_pod(), find_pod_folder(line.pod, pods_directory=pods).venv_python

    return load_pod


def run_there(python: Path, spec: dict[str, Any]) -> dict[str, str]:
    """Run the suite in the pod's own interpreter, without pypods."""
    done = subprocess.run(
        [python, "-W", "ignore", suite.__file__, dbapi20.__file__, json.dumps(spec)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("title", LINES)
@pytest.mark.parametrize("prefetch_rows", [1024, 0], ids=["ahead", "plain"])
def test_a_driver_does_from_the_host_what_it_does_in_its_interpreter(
    title, prefetch_rows, load, make_spec, repository
):
    line = LINES[title]
    if line.driver != "sqlite3":
        assert importlib.util.find_spec(line.driver) is None, "the host can import it itself"
    spec = make_spec(line)
    pod, python = load(line, prefetch_rows=prefetch_rows)
    there = run_there(python, spec)
    driver = pod.import_module(line.driver)
    if spec["cursors"]:
        pod.import_module(f"{line.driver}.{spec['cursors']}")
    here = suite.run(dbapi20, driver, spec)
    assert here == there
    page = (repository / "docs" / "databases.md").read_text(encoding="utf-8")
    rows = {row[0]: tuple(map(int, row[1:])) for row in PAGE_ROW.findall(page)}
    assert rows[title] == (*count(there), *count(here)), "docs/databases.md says otherwise"


def count(found: dict[str, str]) -> tuple[int, int]:
    return sum(each == "passed" for each in found.values()), len(found)


def test_the_page_has_a_row_for_each_of_them(repository):
    page = (repository / "docs" / "databases.md").read_text(encoding="utf-8")
    assert {row[0] for row in PAGE_ROW.findall(page)} == set(LINES)


# --- cursors of servers, used in ways that the suite does not know -------------------------------


@pytest.mark.parametrize("kind", server_programs.KINDS)
@pytest.mark.parametrize("old_or_new", ["old", "new"])
@pytest.mark.parametrize("prefetch_rows", [1024, 0], ids=["ahead", "plain"])
def test_programs_see_what_they_see_in_the_pod(kind, old_or_new, prefetch_rows, load, make_spec):
    pod_name = kind.partition(",")[0].lower() + "_" + old_or_new
    line = next(line for line in LINES.values() if line.pod == pod_name and not line.cursor_class)
    pod, python = load(line, prefetch_rows=prefetch_rows)
    spec = {**make_spec(line), "kind": kind}
    if line.driver == "pymysql":
        spec["cursors"] = "cursors"
        pod.import_module("pymysql.cursors")
    here = server_programs.run_all(pod.import_module(line.driver), spec)
    assert all(here.values())
    there = run_there(python, spec)
    if "SS" in kind and prefetch_rows:
        # The driver drops what is unread without an error; what was read ahead still comes.
        for program in ("committed", "rolled back"):
            noted, dropped = here.pop(program), there.pop(program)
            assert dropped[-3:-1] == ["None", "None"]
            assert noted[:10] == dropped[:10]
            # As many as were read ahead in the time that there was.
            assert "10" in noted[10] or noted[10] == "None"
            assert "11" in noted[11] or noted[11] == "None"
    assert here == there
