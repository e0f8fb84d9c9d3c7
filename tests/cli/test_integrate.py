"""``pypods integrate`` and ``pypods connectors``, with the connectors made for tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integrator.conftest import connector_pods, fill, make_trouble, rows_of  # noqa: F401

from pypods.pods import shipped

OPERATION = """\
name: shop
integrations:
  - name: things
    source: {connector: fakelite, connection: {database: a.db, trouble: trouble}, stream: t}
    target: {connector: fakelite, connection: {database: b.db, password: hunter2}, stream: t}
    batch_rows: 100
    retries: {seconds: 0.01}
"""


@pytest.fixture
def folder(here, connector_pods, monkeypatch) -> Path:  # noqa: F811
    """A folder with an operation and its source."""
    monkeypatch.setenv("PYPODS_PODS_DIRECTORY", str(connector_pods))
    monkeypatch.delenv("PYPODS_HISTORY", raising=False)
    (here / "operation.yaml").write_text(OPERATION)
    fill(here / "a.db", 500)
    return here


def test_an_operation(run, folder):
    ran = run("integrate", "operation.yaml", "--verify", "--report", "page.html", "--id", "first")
    assert ran.code == 0, ran.err
    assert rows_of(folder / "b.db") == rows_of(folder / "a.db")
    lines = ran.out.splitlines()
    assert lines[0].split()[:4] == ["INTEGRATION", "STATUS", "ROWS", "TIME"]
    assert re.match(r"things +finished +500 .* 0 +0 +equal$", lines[1])
    assert lines[2:] == ["  things: create table t", lines[-1]]
    assert re.fullmatch(r"Finished in \d+\.\d s: first", lines[-1])
    err = ran.err.splitlines()
    assert "things: started, about 500 rows" in err
    assert any(re.match(r"things: finished: 500 rows in \d+\.\d s$", line) for line in err)
    assert (folder / "page.html").read_text().startswith("<!doctype html>")


def test_quiet_and_json(run, folder):
    ran = run("integrate", "operation.yaml", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["status"] == "finished"
    assert ran.json["integrations"][0]["rows_written"] == 500
    ran = run("integrate", "operation.yaml", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    assert len(ran.out.splitlines()) == 2


def test_a_failure_and_how_to_go_on(run, folder):
    make_trouble(folder / "trouble", {"in": "read", "after": 2, "how": "fail"})
    ran = run("integrate", "operation.yaml", "--id", "broken")
    assert ran.code == 1
    assert re.search(r"things +failed", ran.out)
    assert "To go on: pypods integrate resume broken" in ran.out
    assert ran.err.splitlines()[-1] == (
        "error: things: reading fakelite t: UnreachableError: trouble in read with None"
    )
    assert rows_of(folder / "b.db") == []
    ran = run("integrate", "show", "broken", "--report", "page.html")
    assert ran.code == 0
    assert "trouble in read" in ran.out
    assert "trouble in read" in (folder / "page.html").read_text()
    ran = run("integrate", "resume", "broken")
    assert ran.code == 0, ran.err
    assert "rows were there from before" in ran.out
    assert rows_of(folder / "b.db") == rows_of(folder / "a.db")
    ran = run("integrate", "resume", "broken")
    assert (ran.code, len(rows_of(folder / "b.db"))) == (0, 500)
    assert "broken had finished before; nothing was left to do." in ran.out


def test_a_failure_for_machines(run, folder):
    make_trouble(folder / "trouble", {"in": "read", "how": "fail"})
    ran = run("integrate", "operation.yaml", "--json")
    assert ran.code == 1
    assert ran.json["error"]["type"] == "IntegrationError"
    assert ran.json["error"]["report"]["integrations"][0]["status"] == "failed"


def test_a_dry_run_and_a_limit(run, folder):
    ran = run("integrate", "operation.yaml", "--dry-run", "--limit", "7")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[1].split() == ["things", "planned", "7"]
    assert ran.out.splitlines()[-1] == "Nothing was moved (--dry-run)."
    assert rows_of(folder / "b.db") == []
    assert run("integrate", "operation.yaml", "--limit", "7").code == 0
    assert len(rows_of(folder / "b.db")) == 7


def test_the_history(run, folder):
    assert run("integrate", "history").err == "No executions in .pypods/history.db.\n"
    run("integrate", "operation.yaml", "--id", "one")
    ran = run("integrate", "history")
    assert re.match(
        r"one +shop +finished +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +.* 500$", ran.out.splitlines()[1]
    )
    assert [each["id"] for each in run("integrate", "history", "--json").json] == ["one"]
    ran = run("integrate", "show", "one")
    assert "  things: fakelite t -> fakelite t, append, run one.things" in ran.out
    other = str(folder / "other.db")
    assert run("integrate", "history", "--history", other).err == f"No executions in {other}.\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["show"], 2, 'show needs an ID; "pypods integrate history" lists them'),
        (["history", "x"], 2, "'x': one file at a time, and 'history' takes no ID"),
        (["resume", "x", "--limit", "5"], 2, "resume takes none of --only"),
        (["show", "x"], 2, "no execution 'x' in .pypods/history.db"),
        (["resume", "x"], 2, "no execution 'x' in .pypods/history.db"),
        (["none.yaml"], 2, "none.yaml: no such file"),
        (["operation.yaml", "--only", "x"], 2, "shop has no integration 'x'; it has: things"),
        (["operation.yaml", "--limit", "0"], 2, "a limit is 1 or more, not 0"),
        (["operation.yaml", "--id", "a b"], 2, "'a b' is no execution's id"),
    ],
)
def test_what_cannot_be_done(run, folder, words, code, message):
    ran = run("integrate", *words)
    assert ran.code == code
    assert message in ran.err


def test_an_error_in_the_file_names_its_place(run, folder):
    (folder / "operation.yaml").write_text(OPERATION.replace("batch_rows: 100", "batch_rows: all"))
    ran = run("integrate", "operation.yaml")
    assert ran.code == 2
    assert ran.err.startswith("error: operation.yaml:6:17: integrations.0.batch_rows: ")


def test_no_such_connector(run, folder):
    (folder / "operation.yaml").write_text(OPERATION.replace("fakelite", "nothing", 1))
    ran = run("integrate", "operation.yaml")
    assert ran.code == 3
    assert 'no pod "nothing"' in ran.err


def test_an_execution_that_was_killed_is_interrupted(run, folder):
    """Its own end was never written down."""
    program = (
        "import os, signal; from pypods.integrator import Integrator; one = Integrator("
        "pods_directory=os.environ['PYPODS_PODS_DIRECTORY']); "
        "one.subscribe('batch_written', lambda event: os.kill(os.getpid(), signal.SIGKILL)); "
        "one.integrate('operation.yaml', execution_id='killed')"
    )
    (folder / "operation.yaml").write_text(OPERATION.replace("a.db", "a.db, seconds: 0.2"))
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, timeout=60, check=False)
    assert done.returncode == -9
    assert [each["status"] for each in run("integrate", "history", "--json").json] == [
        "interrupted"
    ]
    ran = run("integrate", "resume", "killed", "--json")
    assert ran.json["integrations"][0]["rows_resumed"] > 0
    assert rows_of(folder / "b.db") == rows_of(folder / "a.db")


def test_ctrl_c_leaves_the_target_and_says_how_to_go_on(folder):
    (folder / "operation.yaml").write_text(OPERATION.replace("a.db", "a.db, seconds: 0.5"))
    command = [sys.executable, "-m", "pypods", "integrate", "operation.yaml", "--id", "stopped"]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("things: started"):
            break
    process.send_signal(2)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert "Traceback" not in err
    assert rows_of(folder / "b.db") == []
    ran = subprocess.run(
        [*command[:3], "integrate", "history", "--json"],
        cwd=folder, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert [each["status"] for each in json.loads(ran.stdout)] == ["interrupted"]


def test_bars_on_a_terminal(folder):
    """Run it with a pseudo-terminal as its stderr."""
    reader, writer = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pypods", "integrate", "operation.yaml"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=writer, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(writer)
    shown = b""
    while True:
        try:
            piece = os.read(reader, 65536)
        except OSError:  # The other end is closed.
            break
        if not piece:
            break
        shown += piece
    os.close(reader)
    assert process.wait(60) == 0
    assert b"things" in shown
    assert b"500" in shown
    assert b"done" in shown


@pytest.fixture
def nothing_shipped(monkeypatch, tmp_path):
    """Let pypods come without connectors."""
    monkeypatch.setattr(shipped, "shipped_directory", lambda: tmp_path / "nothing")


def test_connectors(run, folder, nothing_shipped):
    ran = run("connectors", "list")
    lines = [re.split(r"  +", line) for line in ran.out.splitlines()]
    assert lines[0] == ["CONNECTOR", "FOR", "ENVIRONMENT", "REMARK"]
    assert lines[1] == ["fakelite", "SQLite for tests", "ready"]
    assert lines[2] == ["fakerows", "JSON for tests", "ready", "not verified against a real server"]
    first = run("connectors", "list", "--json").json[0]
    assert (first["name"], first["title"], first["verified"]) == (
        "fakelite",
        "SQLite for tests",
        True,
    )
    ran = run("connectors", "show", "fakelite")
    assert "  modes: append, replace, upsert, delete_insert\n" in ran.out
    assert re.search(r"database +path +required +The file\.", ran.out)
    assert run("connectors", "show", "fakelite", "--json").json["name"] == "fakelite"


def test_a_connector_that_no_real_server_has_seen_says_so(run, folder, nothing_shipped):
    remark = "not verified against a real server"
    assert f"({remark})" in run("connectors", "show", "fakerows").out.splitlines()[0]
    assert remark not in run("connectors", "show", "fakelite").out
    assert run("connectors", "show", "fakerows", "--json").json["verified"] is False
    listed = {each["name"]: each["verified"] for each in run("connectors", "list", "--json").json}
    assert listed == {"fakelite": True, "fakerows": False}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["list", "x"], 2, '"connectors list" takes no name; see "connectors show x"'),
        (["show"], 2, '"connectors show" needs a name'),
        (["show", "nothing"], 3, 'no pod "nothing"'),
    ],
)
def test_connectors_that_cannot_be_shown(run, folder, words, code, message):
    ran = run("connectors", *words)
    assert ran.code == code
    assert message in ran.err


def test_pods_that_are_no_connectors_are_not_listed(run, write_pod, nothing_shipped):
    write_pod("plain", "def hello(): return 1\n")
    write_pod("broken", "def describe_connector(:\n")
    assert "No connectors in pods/" in run("connectors", "list").err
