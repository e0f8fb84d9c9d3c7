"""Environments found by what they ask for, kept while they are used."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from pypods.errors import PodEnvironmentError
from pypods.pods.cache import (
    AskedEnvironment,
    cache_directory,
    list_cache,
    prune_entry,
    use_environment,
)
from pypods.pods.environment import environment_status
from pypods.pods.fingerprint import read_fingerprint
from pypods.pods.interpreters import get_host_interpreter, list_interpreters

HOST = get_host_interpreter()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache of this test's own."""
    monkeypatch.setenv("PYPODS_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


# --- where it is --------------------------------------------------------------------------------


def test_the_cache_is_where_the_variable_says(monkeypatch, tmp_path):
    assert cache_directory() == tmp_path / "cache"
    monkeypatch.setenv("PYPODS_CACHE_DIR", "here")
    assert cache_directory() == Path.cwd() / "here"


def test_else_it_is_in_the_users_own_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("PYPODS_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "pypods"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for ignored in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        monkeypatch.setattr(sys, "platform", "linux")
        assert cache_directory() == tmp_path / "home" / ".cache" / "pypods"
        monkeypatch.setattr(sys, "platform", "darwin")
        assert cache_directory() == tmp_path / "home" / "Library" / "Caches" / "pypods"


def test_without_a_home_the_variable_is_asked_for(monkeypatch):
    def no_home() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("PYPODS_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(PodEnvironmentError, match=r"no home folder.*; set PYPODS_CACHE_DIR"):
        cache_directory()


def test_a_cache_that_cannot_be_written_is_said(cache):
    cache.write_text("no folder")
    with pytest.raises(PodEnvironmentError, match=r"cache of environments cannot be written"):
        use_environment(AskedEnvironment(), "subject")
    assert list_cache() == []


# --- what is the same ---------------------------------------------------------------------------


def key_of(*requirements: str, **options: str) -> str:
    return AskedEnvironment.read(requirements, **options).folder("subject").path.name


def test_order_doubles_and_spaces_make_no_difference():
    assert key_of("six", "idna") == key_of("idna", " six", "six ")
    assert key_of(python="3.9") == key_of(python="python3.9")


def test_whatever_else_is_asked_for_is_another(monkeypatch):
    keys = [
        key_of(),
        key_of("six"),
        key_of("six==1.16"),
        key_of("six", "idna"),
        key_of("six", python="3.9"),
        key_of("six", python="3.10"),
        key_of("six", python=">=3.9"),
        key_of("six", installer="pip"),
    ]
    assert len(set(keys)) == len(keys)
    monkeypatch.setenv("UV_EXCLUDE_NEWER", "2024-01-01")
    assert key_of("six") not in keys
    assert key_of() == keys[0]


def test_a_host_with_another_python_has_another(monkeypatch):
    mine = key_of("six"), key_of("six", python="3.9")
    monkeypatch.setattr(sys, "_base_executable", "/opt/other/python")
    assert key_of("six") != mine[0]
    assert key_of("six", python="3.9") == mine[1]


@pytest.mark.parametrize(
    ("requirements", "label"),
    [
        ((), ""),
        (("pandas<2",), "pandas"),
        (("scikit-learn[extra]>=1", "a.b ; python_version>'3'"), "a_b_scikit_learn"),
        (("mine @ https://example.org/mine.whl",), "mine"),
        (("https://example.org/mine.whl",), ""),
        (tuple(f"package{i}" for i in range(9)), "package0_package1_package2_package3_pack"),
    ],
)
def test_a_label_is_made_of_the_names(requirements, label):
    assert AskedEnvironment.read(requirements).label == label


# --- made, used, removed ------------------------------------------------------------------------


def test_an_environment_is_made_once(cache, only_wheels):
    asked = AskedEnvironment.read(["podpebble==1.0", "podgrain"])
    environment, use = use_environment(asked, "subject")
    made = read_fingerprint(environment.venv)
    again, second = use_environment(asked, "another")
    assert again == environment
    assert read_fingerprint(again.venv) == made
    assert environment.venv.stat().st_ino == again.venv.stat().st_ino
    assert (
        environment.venv.parent / "requirements.txt"
    ).read_text() == "podgrain\npodpebble==1.0\n"
    assert environment_status(asked.folder("subject")).state == "ready"
    use.end()
    second.end()


def test_the_list_says_what_each_was_made_for(cache, only_wheels):
    assert list_cache() == []
    before = time.time()
    _, use = use_environment(AskedEnvironment.read(["podpebble==1.0"], python=HOST.path), "a")
    _, other = use_environment(AskedEnvironment(), "b")
    other.end()
    bare, pebble = sorted(list_cache(), key=lambda each: len(each.requirements))
    version = ".".join(map(str, HOST.version))
    assert (bare.requirements, bare.asked_python, bare.python) == ((), None, version)
    assert (pebble.requirements, pebble.python) == (("podpebble==1.0",), version)
    assert pebble.asked_python == str(HOST.path)
    assert pebble.folder.path.name.startswith("podpebble-")
    assert bare.folder.path.name.startswith("python-")
    assert (pebble.in_use, bare.in_use) == (True, False)
    module = next(pebble.folder.venv.glob("lib/*/site-packages/podpebble.py"))
    assert pebble.size > bare.size > module.stat().st_size
    assert before - 2 < bare.last_used <= time.time() + 2
    use.end()


def test_one_that_could_not_be_made_is_listed_and_can_go(cache, only_wheels):
    with pytest.raises(
        PodEnvironmentError, match="uv could not install what is asked for"
    ) as caught:
        use_environment(AskedEnvironment.read(["podpebble==9"]), "subject")
    assert str(caught.value).endswith("Correct the requirements, then try again")
    (entry,) = list_cache()
    assert (entry.python, entry.in_use) == (None, False)
    assert prune_entry(entry)
    assert list((cache / "environments").iterdir()) == []


def test_one_in_use_is_never_removed(cache):
    environment, use = use_environment(AskedEnvironment(), "subject")
    (entry,) = list_cache()
    assert not prune_entry(entry)
    assert environment.python.exists()
    use.end()
    assert prune_entry(entry)
    assert list((cache / "environments").iterdir()) == []
    again, use = use_environment(AskedEnvironment(), "subject")
    assert again.python.exists()
    use.end()


def test_one_used_since_it_was_listed_is_kept(cache):
    _, use = use_environment(AskedEnvironment(), "subject")
    use.end()
    (entry,) = list_cache()
    os.utime(entry.folder.use_file, (1, 1))
    (old,) = list_cache()
    assert old.last_used == 1
    _, use = use_environment(AskedEnvironment(), "subject")
    use.end()
    assert not prune_entry(old, unused_seconds=3600)
    os.utime(entry.folder.use_file, (1, 1))
    assert prune_entry(old, unused_seconds=3600)


def test_half_of_one_that_lost_its_lock_file_is_listed_by_its_folder(cache):
    folder = cache / "environments" / "left-over"
    folder.mkdir(parents=True)
    os.utime(folder, (5, 5))
    (entry,) = list_cache()
    assert (entry.requirements, entry.python, entry.size) == ((), None, 0)
    assert (entry.last_used, entry.in_use) == (5, False)
    assert prune_entry(entry)
    assert not folder.exists()


def test_a_python_that_has_changed_makes_it_anew(cache):
    asked = AskedEnvironment()
    environment, use = use_environment(asked, "subject")
    use.end()
    (environment.venv / "pypods-fingerprint.json").unlink()
    again, use = use_environment(asked, "subject")
    use.end()
    assert read_fingerprint(again.venv) is not None


def test_another_python_is_asked_for_by_version(cache):
    others = [each for each in list_interpreters() if each.version[:2] != HOST.version[:2]]
    if not others:
        pytest.skip("no second Python here")
    wanted = next(each for each in others if each.version >= (3, 8))
    minor = ".".join(map(str, wanted.version[:2]))
    environment, use = use_environment(AskedEnvironment.read(python=minor), "subject")
    use.end()
    assert environment.version[:2] == wanted.version[:2]
