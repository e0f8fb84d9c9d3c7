"""``pypods create --from``, and shipped connectors on the command line."""

from __future__ import annotations

import pytest

from pypods.pods import shipped

SOURCE = """\
def describe_connector():
    return {"title": "Small things", "driver": "none", "capabilities": {"write": []}}
"""


@pytest.fixture
def connector(here, monkeypatch):
    place = here / "shipped"
    (place / "lite").mkdir(parents=True)
    (place / "lite" / "pod.py").write_text(SOURCE)
    (place / "lite" / "requirements.txt").write_text("# nothing\n")
    monkeypatch.setattr(shipped, "shipped_directory", lambda: place)
    monkeypatch.setenv("PYPODS_CACHE_DIR", str(here / "cache"))
    return here


def test_a_copy_is_ones_own(run, connector):
    ran = run("create", "mine", "--from", "lite")
    assert ran.code == 0, ran.err
    assert "Created pod mine in pods/mine, a copy of lite." in ran.out
    assert (connector / "pods" / "mine" / "pod.py").read_text() == SOURCE
    assert (connector / "pods" / "mine" / "requirements.txt").read_text() == "# nothing\n"
    assert run("connectors", "show", "mine").out.startswith("mine: Small things, none\n")


def test_there_is_no_such_connector(run, connector):
    ran = run("create", "mine", "--from", "nothing")
    assert ran.code == 2
    assert "no connector 'nothing' came with pypods; there are: lite" in ran.err
    assert not (connector / "pods").exists()


def test_a_shipped_one_is_listed_and_used(run, connector):
    rows = [line.split() for line in run("connectors", "list").out.splitlines()]
    assert rows[1:] == [["lite", "Small", "things", "shipped"]]
    ran = run("call", "lite", "describe_connector")
    assert ran.code == 0, ran.err
    assert "Small things" in ran.out
    assert not (connector / "pods").exists()
