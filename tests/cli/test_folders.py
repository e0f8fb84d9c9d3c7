"""create, list, sync, remove and doctor: folders and environments, no pod started."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pypods.pods.fingerprint import read_fingerprint
from pypods.pods.interpreters import list_interpreters

HERE_VERSION = ".".join(map(str, sys.version_info[:3]))
BROKEN_BLOCK = "# /// script\n# requires-python = 3\n# ///\n"
NEEDS_NOTHING_THERE = "./nothing-here-0.whl\n"


@pytest.fixture
def other_python() -> str:
    """Return a version of another Python on this machine."""
    for interpreter in list_interpreters():
        if (3, 8) <= interpreter.version[:2] != sys.version_info[:2]:
            return ".".join(map(str, interpreter.version))
    pytest.skip("no second Python is found on this machine")


# --- create -------------------------------------------------------------------------------------


def test_create_makes_a_pod_and_says_what_to_do_next(run, here):
    ran = run("create", "mydb")
    assert ran.code == 0
    assert ran.err == ""
    assert ran.out == (
        "Created pod mydb in pods/mydb.\n"
        "  write its functions   pods/mydb/pod.py\n"
        "  see what it offers    pypods inspect mydb\n"
        "  call one              pypods call mydb hello\n"
    )
    assert read_fingerprint(here / "pods" / "mydb" / "venv") is not None


def test_create_tells_machines_what_it_made(run, here):
    assert run("create", "mydb", "--json").json == {
        "name": "mydb",
        "path": str(here / "pods" / "mydb"),
        "python": HERE_VERSION,
        "requirements": [],
    }


def test_quiet_create_says_nothing(run):
    ran = run("create", "mydb", "-q")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_create_keeps_what_the_pod_needs_when_it_cannot_be_had(run, here):
    ran = run("create", "mydb", "--with", NEEDS_NOTHING_THERE.strip(), "--with", "six==1.16.0")
    assert ran.code == 4
    assert 'run "pypods sync mydb"' in ran.err
    lines = (here / "pods" / "mydb" / "requirements.txt").read_text().splitlines()
    assert lines[-2:] == [NEEDS_NOTHING_THERE.strip(), "six==1.16.0"]
    assert run("list", "--json").json[0]["status"] == "missing"


def test_create_keeps_the_python_asked_for(run, other_python):
    assert run("create", "mydb", "--python", other_python, "--json").json["python"] == other_python
    assert run("sync", "mydb", "--json").json[0]["changed"] is False
    assert run("list", "--json").json[0]["python"] == other_python


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("1st",), 2, "cannot name a pod"),
        (("class",), 2, "keyword"),
        (("../up",), 2, "cannot name a pod"),
        (("mydb", "--python", "new"), 2, "error: --python: python 'new' is no version"),
        (("mydb", "--python", "3.99"), 4, 'error: no Python "3.99" was found'),
        (("mydb", "--python", "/no/python"), 4, "/no/python is not there"),
    ],
)
def test_a_wrong_create_writes_nothing(run, here, words, code, message):
    ran = run("create", *words)
    assert ran.code == code
    assert message in ran.err
    assert list(here.iterdir()) == []


def test_create_leaves_a_pod_that_is_there_alone(run, write_pod):
    folder = write_pod("mydb", "x = 1\n")
    ran = run("create", "mydb", "--with", "six")
    assert ran.code == 2
    assert ran.err.startswith('error: pod "mydb" is there already, in pods/mydb; ')
    assert [path.name for path in folder.iterdir()] == ["pod.py"]


# --- list ---------------------------------------------------------------------------------------


def test_list_shows_each_pod_with_its_state(run, write_pod):
    write_pod("fresh")
    (write_pod("half") / "venv").mkdir()
    write_pod("unclear", BROKEN_BLOCK)
    assert [line.split() for line in run("list").out.splitlines()] == [
        ["NAME", "ENVIRONMENT", "PYTHON", "FOLDER"],
        ["fresh", "missing", "pods/fresh"],
        ["half", "broken", "pods/half"],
        ["unclear", "broken", "pods/unclear"],
    ]


def test_list_shows_the_python_and_what_is_stale(run, here):
    run("create", "mydb")
    assert run("list").out.splitlines()[1].split() == ["mydb", "ready", HERE_VERSION, "pods/mydb"]
    (here / "pods" / "mydb" / "requirements.txt").write_text("six==1.16.0\n")
    (state,) = run("list", "--json").json
    assert (state["status"], state["reason"]) == ("stale", "requirements.txt has changed")


def test_an_empty_list_says_how_to_begin(run):
    ran = run("list")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == 'No pods in pods/; run "pypods create NAME" to make one.\n'
    assert run("list", "-q").err == ""
    assert run("list", "--json").json == []


def test_a_folder_elsewhere_is_shown_in_full(run, write_pod, here, monkeypatch):
    folder = write_pod("mydb")
    (here / "below").mkdir()
    monkeypatch.chdir(here / "below")
    ran = run("list", "--pods-directory", str(here / "pods"))
    assert ran.out.splitlines()[1].split()[-1] == str(folder)


# --- sync ---------------------------------------------------------------------------------------


def test_sync_makes_what_is_missing_and_leaves_the_rest(run, write_pod):
    write_pod("one")
    write_pod("two")
    assert run("sync", "two").out == f"two: brought up to date, Python {HERE_VERSION}\n"
    ran = run("sync")
    assert ran.code == 0
    assert ran.out == (
        f"one: brought up to date, Python {HERE_VERSION}\n"
        f"two: up to date already, Python {HERE_VERSION}\n"
    )
    (state,) = run("sync", "one", "--force", "--json").json
    assert (state["name"], state["status"], state["changed"]) == ("one", "ready", True)


def test_sync_goes_on_after_a_failure(run, write_pod):
    write_pod("bad", BROKEN_BLOCK)
    write_pod("good")
    ran = run("sync")
    assert ran.code == 4
    assert ran.err.startswith('error: pod "bad": ')
    assert ran.out == f"good: brought up to date, Python {HERE_VERSION}\n"
    bad, good = run("sync", "--json").json
    assert bad["error"]["type"] == "PodEnvironmentError"
    assert good["changed"] is False


def test_sync_gives_a_pod_another_python(run, write_pod, other_python):
    write_pod("mydb")
    ran = run("sync", "mydb", "--python", other_python)
    assert ran.out == f"mydb: brought up to date, Python {other_python}\n"
    assert run("sync").out == f"mydb: up to date already, Python {other_python}\n"


def test_sync_with_a_python_wants_names(run, write_pod):
    write_pod("mydb")
    ran = run("sync", "--python", "3.11")
    assert ran.code == 2
    assert ran.err == "error: --python: name the pods that it is for\n"


def test_sync_of_what_is_not_there(run, write_pod):
    assert run("sync").err == 'No pods here; run "pypods create NAME" to make one.\n'
    write_pod("mydb")
    ran = run("sync", "mydb", "mydc")
    assert ran.code == 3
    assert "there are: mydb" in ran.err


# --- remove -------------------------------------------------------------------------------------


def let_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that stdin is a person."""
    monkeypatch.setattr("pypods.cli.commands.remove.can_ask", lambda: True)


def test_remove_asks_and_removes(run, write_pod, monkeypatch):
    folder = write_pod("mydb")
    let_answer(monkeypatch)
    ran = run("remove", "mydb", typed="y\n")
    assert ran.code == 0
    assert "Remove pods/mydb with all that is in it? [y/N]" in ran.out + ran.err
    assert "Removed pod mydb.\n" in ran.out
    assert not folder.exists()


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_remove_asks_and_leaves_it(run, write_pod, monkeypatch, answer):
    folder = write_pod("mydb")
    let_answer(monkeypatch)
    ran = run("remove", "mydb", typed=answer)
    assert ran.code == 1
    assert "Nothing removed.\n" in ran.err
    assert folder.exists()


def test_an_end_of_input_is_no_answer(run, write_pod, monkeypatch):
    folder = write_pod("mydb")
    let_answer(monkeypatch)
    assert run("remove", "mydb", typed="").code == 130
    assert folder.exists()


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_where_nobody_can_be_asked_yes_has_to_be_given(run, write_pod, words):
    folder = write_pod("mydb")
    ran = run("remove", "mydb", *words, typed="y\n")
    assert ran.code == 2
    assert "pypods remove mydb --yes" in ran.out + ran.err
    assert folder.exists()


@pytest.mark.parametrize(("word", "out"), [("--yes", "Removed pod mydb.\n"), ("-yq", "")])
def test_remove_unasked(run, write_pod, word, out):
    folder = write_pod("mydb")
    assert run("remove", "mydb", word).out == out
    assert not folder.exists()


def test_remove_tells_machines_what_it_removed(run, write_pod):
    folder = write_pod("mydb")
    document = {"name": "mydb", "path": str(folder), "removed": True}
    assert run("remove", "mydb", "--yes", "--json").json == document


def test_of_a_link_only_the_link_goes(run, write_pod, here):
    target = write_pod("real", directory="elsewhere")
    (here / "pods").mkdir()
    link = here / "pods" / "mydb"
    link.symlink_to(target)
    assert run("remove", "mydb", "--yes").code == 0
    assert not link.is_symlink()
    assert (target / "pod.py").exists()


def test_remove_of_what_is_not_there(run):
    ran = run("remove", "mydb", "--yes")
    assert ran.code == 3
    assert ran.err.startswith('error: no pod "mydb" in ')


# --- doctor -------------------------------------------------------------------------------------


def test_doctor_finds_everything_well(run, write_pod):
    write_pod("fresh")
    ran = run("doctor")
    assert ran.code == 0
    assert ran.err == ""
    for word in ("pypods", "uv", "virtualenv", HERE_VERSION, "it has not been made yet"):
        assert word in ran.out
    assert ran.out.endswith("\n\nNothing is broken.\n")
    assert run("doctor", "-q").out == "Nothing is broken.\n"


def test_doctor_without_pods_says_how_to_begin(run):
    assert 'No pods in pods/; "pypods create NAME" makes one.' in run("doctor").out


def test_doctor_says_what_is_broken_and_what_to_type(run, write_pod):
    (write_pod("half") / "venv").mkdir()
    write_pod("unclear", BROKEN_BLOCK)
    ran = run("doctor", "-q")
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[:2] == ["broken: pod half: it was not completed", "  type: pypods sync half"]
    assert lines[2].startswith('broken: pod unclear: the "# /// script" block in ')
    assert lines[2].endswith(" (correct this first)")
    assert lines[3:] == ["  type: pypods sync unclear"]


def test_what_doctor_says_to_type_mends_it(run, write_pod):
    (write_pod("half") / "venv").mkdir()
    (problem,) = run("doctor", "--json").json["problems"]
    assert run(*problem["type"].split()[1:]).code == 0
    assert run("doctor").code == 0


def test_doctor_misses_what_is_not_installed(run, monkeypatch):
    from importlib import metadata

    version = metadata.version

    def find_version(name: str) -> str:
        if name == "virtualenv":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", find_version)
    monkeypatch.setattr("pypods.pods.programs.find_uv", lambda: None)
    ran = run("doctor", "--json")
    assert ran.code == 1
    assert ran.json["installed"]["virtualenv"] is None
    assert ran.json["problems"] == [
        {
            "what": "virtualenv",
            "reason": "is not installed",
            "type": f"{sys.executable} -m pip install virtualenv",
        },
        {
            "what": "uv",
            "reason": "its program is not there",
            "type": f"{sys.executable} -m pip install --force-reinstall uv",
        },
    ]


def test_doctor_tells_machines_everything(run, write_pod):
    folder = write_pod("fresh")
    document = run("doctor", "--json").json
    assert document["python"] == HERE_VERSION
    assert {"version", "source", "path"} == set(document["interpreters"][0])
    assert Path(document["interpreters"][0]["path"]).exists()
    assert document["pods"] == [
        {
            "name": "fresh",
            "path": str(folder),
            "status": "missing",
            "reason": "it has not been made yet",
            "python": None,
        }
    ]
    assert document["problems"] == []
