"""pypods cache: what is there, what goes, and what never goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pypods.cli.commands.cache import shown_age, shown_size
from pypods.pods.cache import AskedEnvironment, list_cache, use_environment
from pypods.pods.lock import Use


@pytest.fixture(autouse=True)
def cache(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache."""
    monkeypatch.setenv("PYPODS_CACHE_DIR", str(here / "cache"))
    return here / "cache"


@pytest.fixture
def make(only_wheels: Path):
    """Make an environment that was used so many days ago."""

    def make_one(*requirements: str, days: float = 0.0) -> Use:
        asked = AskedEnvironment.read(requirements)
        _, use = use_environment(asked, "subject")
        if days:
            use.end()
            path = asked.folder("subject").use_file
            then = path.stat().st_mtime - days * 86_400
            os.utime(path, (then, then))
        return use

    return make_one


def names() -> list[str]:
    return sorted(each.folder.path.name.partition("-")[0] for each in list_cache())


def test_dir_says_where_it_is_there_or_not(run, cache):
    assert run("cache", "dir").out == f"{cache}\n"
    assert run("cache", "dir", "--json").json == {"path": str(cache)}
    assert not cache.exists()


def test_an_empty_cache_is_said_on_stderr(run, cache):
    ran = run("cache", "list")
    assert (ran.code, ran.out, ran.err) == (0, "", f"The cache in {cache} is empty.\n")
    assert run("cache", "list", "--quiet").err == ""
    assert run("cache", "list", "--json").json == []


def test_the_list_has_a_row_for_each(run, make):
    use = make("podpebble==1.0", "podgrain")
    make(days=3)
    lines = run("cache", "list").out.splitlines()
    assert lines[0].split("  ")[0] == "ASKED FOR"
    assert lines[1].startswith("podgrain, podpebble==1.0  ")
    assert "  in use" in lines[1]
    assert lines[2].startswith("nothing  ")
    assert "  3 days ago  " in lines[2]
    first, second = run("cache", "list", "--json").json
    assert set(first) == {
        *("name", "path", "connector", "requirements", "asked_python"),
        *("python", "size", "last_used", "in_use"),
    }
    assert (first["requirements"], first["in_use"]) == (["podgrain", "podpebble==1.0"], True)
    assert (second["requirements"], second["in_use"]) == ([], False)
    use.end()


def test_prune_removes_what_is_old_and_not_in_use(run, make):
    make("podpebble==1.0", days=40)
    make("podgrain", days=20)
    ran = run("cache", "prune", "--yes")
    assert ran.code == 0
    assert ran.out.startswith("Removed 1 environment (")
    assert ran.out.endswith("; 1 stays.\n")
    assert names() == ["podgrain"]
    assert run("cache", "prune", "--older-than", "21", "-y").out == "Removed nothing; 1 stays.\n"
    document = run("cache", "prune", "--older-than", "19.5", "-y", "--json").json
    assert ([each["requirements"] for each in document["removed"]], document["kept"]) == (
        [["podgrain"]],
        0,
    )
    assert names() == []


def test_prune_all_leaves_what_is_in_use(run, make):
    use = make("podpebble==1.0")
    make("podgrain", days=0.001)
    ran = run("cache", "prune", "--all", "--yes")
    assert ran.out.startswith("Removed 1 environment (")
    assert names() == ["podpebble"]
    use.end()
    assert run("cache", "prune", "--all", "--yes", "--quiet").out == ""
    assert names() == []


def test_a_dry_run_shows_and_leaves(run, make):
    make("podpebble==1.0", days=40)
    make("podgrain", days=41)
    ran = run("cache", "prune", "--dry-run")
    assert "podpebble==1.0" in ran.out
    assert ran.out.splitlines()[-1].startswith("Would remove 2 environments (")
    document = run("cache", "prune", "--all", "--dry-run", "--json").json
    assert (len(document["removed"]), document["kept"], document["dry_run"]) == (2, 0, True)
    assert names() == ["podgrain", "podpebble"]


def test_where_nobody_can_be_asked_nothing_goes(run, make):
    make(days=40)
    for words in ((), ("--json",)):
        ran = run("cache", "prune", *words)
        assert ran.code == 2
        assert "nobody to ask whether to remove 1 environment (" in ran.err + ran.out
    assert names() == ["python"]


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, []), ("n\n", 1, ["python"])])
def test_it_asks_first(run, make, monkeypatch, answer, code, left):
    make(days=40)
    monkeypatch.setattr("pypods.cli.commands.cache.can_ask", lambda: True)
    ran = run("cache", "prune", typed=answer)
    assert ran.code == code
    assert "Remove 1 environment (" in ran.err
    assert ("Nothing removed." in ran.err) == bool(left)
    assert names() == left


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("cache", "list", "--all"), '"cache list" takes none of --older-than, --all'),
        (("cache", "dir", "--yes"), '"cache dir" takes none of'),
        (("cache", "prune", "--all", "--older-than", "3"), "--all and --older-than contradict"),
        (("cache", "prune", "--older-than", "-1"), "--older-than is a number of days, not -1"),
        (("cache", "prune", "--older-than", "nan"), "--older-than is a number of days, not nan"),
        (("cache", "clean"), "clean"),
    ],
)
def test_a_wrong_command_line_is_one_line(run, words, message):
    ran = run(*words)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_345, "12 kB"),
        (1_500_000, "1.5 MB"),
        (2e12, "2000 GB"),
    ],
)
def test_sizes_are_read_by_people(size, text):
    assert shown_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "now"),
        (59, "now"),
        (60, "1 minute ago"),
        (7300, "2 hours ago"),
        (864_000, "10 days ago"),
    ],
)
def test_ages_are_read_by_people(seconds, text):
    assert shown_age(seconds) == text
