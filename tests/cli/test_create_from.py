"""``pypods create --from``, and shipped connectors on the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pypods.pods import PodLoader, lock, shipped
from pypods.pods.shipped import find_shipped_pod

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


def test_a_shipped_one_that_there_is_not_is_said_as_such(run, connector):
    ran = run("connectors", "show", "lita")
    assert ran.code == 3
    assert (
        f'no pod "lita" in {connector / "pods"}, and no connector of that name came with' in ran.err
    )
    assert 'did you mean "lite"? Else "pypods connectors new lita" writes one' in ran.err


def test_the_copy_is_in_the_cache_with_its_environment_and_goes_when_nobody_uses_it(run, connector):
    with PodLoader("lite") as pod:
        assert pod.describe_connector()["title"] == "Small things"
        lines = run("cache", "list").out.splitlines()
        assert lines[1].startswith("connector lite: nothing  ")
        assert "  in use" in lines[1]
        assert run("cache", "prune", "--all", "--yes").out == "Removed nothing; 1 stays.\n"
        assert pod.describe_connector()["title"] == "Small things"
    (entry,) = run("cache", "list", "--json").json
    assert (entry["connector"], entry["requirements"], entry["in_use"]) == ("lite", [], False)
    assert Path(entry["path"], "pod.py").is_file()
    assert run("cache", "prune", "--yes").out == "Removed nothing; 1 stays.\n"
    assert run("cache", "prune", "--all", "--yes").out.startswith("Removed 1 environment (")
    assert list((connector / "cache" / "pods").iterdir()) == []
    with PodLoader("lite") as pod:
        assert pod.describe_connector()["title"] == "Small things"


def test_a_copy_that_goes_between_two_steps_is_made_again(run, connector, monkeypatch):
    """Found, and pruned by another program before it was in use."""
    place = find_shipped_pod("lite").path
    first = []

    class Use(lock.Use):
        def __init__(self, path):
            if not first:
                first.append(path)
                shutil.rmtree(place)
            super().__init__(path)

    monkeypatch.setattr(lock, "Use", Use)
    with PodLoader("lite") as pod:
        assert pod.describe_connector()["title"] == "Small things"
    assert first
    assert place.is_dir()
