"""Where Pythons are found, with scripts in their place; two tests ask real ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pypods.errors import InterpreterNotFoundError, PodEnvironmentError
from pypods.pods import interpreters, programs
from pypods.pods.interpreters import (
    Interpreter,
    find_interpreter,
    get_host_interpreter,
    list_interpreters,
)

HOST = tuple(sys.version_info[:3])


def write_program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a machine with no Python but the host's: empty PATH, pyenv root and uv."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setattr(programs, "find_uv", lambda: None)
    return tmp_path


@pytest.fixture
def add_python() -> Callable[[Path, str], Path]:
    def add(path: Path, version: str) -> Path:
        answer = json.dumps([list(map(int, version.split("."))), str(path)])
        return write_program(path, f"echo '{answer}'")

    return add


def test_the_host_is_the_default(machine: Path) -> None:
    found = find_interpreter()
    assert found == get_host_interpreter()
    assert found.version == HOST
    assert found.source == "host"


def test_the_host_is_the_python_below_its_environment() -> None:
    code = "import sys; print(sys.prefix == sys.base_prefix)"
    path = get_host_interpreter().path
    assert subprocess.check_output([path, "-I", "-c", code], text=True).strip() == "True"


def test_the_host_is_preferred_where_it_will_do(machine, add_python) -> None:
    add_python(machine / "bin" / "python3.99", "3.99.0")
    assert find_interpreter(">=3.8").source == "host"
    assert find_interpreter(".".join(map(str, HOST[:2]))).source == "host"


def test_path_is_searched(machine, add_python) -> None:
    path = add_python(machine / "bin" / "python3.97", "3.97.1")
    (machine / "bin" / "python3").symlink_to(path)
    add_python(machine / "bin" / "python3.97-config", "3.97.9")
    assert find_interpreter("3.97") == Interpreter(path, (3, 97, 1), "PATH")
    assert [each.path for each in list_interpreters()[1:]] == [path]


def test_a_broken_program_on_path_is_passed_over(machine, add_python) -> None:
    write_program(machine / "bin" / "python3.97", "echo 'pyenv: not found' >&2; exit 127")
    write_program(machine / "bin" / "python3.96", "echo no json")
    add_python(machine / "bin" / "python3.98", "3.98.0")
    assert [each.version for each in list_interpreters()[1:]] == [(3, 98, 0)]


def test_pyenvs_shims_are_not_run(machine, monkeypatch) -> None:
    ran = machine / "ran"
    shims = write_program(machine / "pyenv" / "shims" / "python3.97", f"touch {ran}").parent
    monkeypatch.setenv("PATH", f"{shims}{os.pathsep}{os.pathsep}{machine / 'nowhere'}")
    assert len(list_interpreters()) == 1
    assert not ran.exists()


def test_pyenvs_versions_are_found_by_name_without_running_them(machine) -> None:
    versions = machine / "pyenv" / "versions"
    for name in ("3.97.2", "3.97.11", "2.7.18", "pypy3.10-7.3", "3.95-dev"):
        write_program(versions / name / "bin" / "python", f"touch {machine / 'ran'}")
    (versions / "3.96.0" / "bin").mkdir(parents=True)
    found = find_interpreter("3.97")
    assert found == Interpreter(versions / "3.97.11" / "bin" / "python", (3, 97, 11), "pyenv")
    assert {each.version for each in list_interpreters()[1:]} == {(3, 97, 2), (3, 97, 11)}
    assert not (machine / "ran").exists()


def test_pyenvs_root_is_in_the_home_by_default(machine, monkeypatch) -> None:
    monkeypatch.delenv("PYENV_ROOT")
    monkeypatch.setenv("HOME", str(machine))
    python = write_program(machine / ".pyenv" / "versions" / "3.97.2" / "bin" / "python", "exit 1")
    assert find_interpreter("3.97").path == python


def test_uvs_own_installations_are_found(machine, monkeypatch, add_python) -> None:
    path = add_python(machine / "uv" / "python3.97", "3.97.5")
    entries = [
        {"implementation": "cpython", "path": str(path)},
        {"implementation": "cpython", "path": str(machine / "gone")},
        {"implementation": "pypy", "path": str(machine / "pypy")},
    ]
    uv = write_program(
        machine / "bin" / "uv",
        f"test \"$UV_PYTHON_PREFERENCE\" = only-managed && echo '{json.dumps(entries)}'",
    )
    monkeypatch.setattr(programs, "find_uv", lambda: str(uv))
    assert find_interpreter("3.97") == Interpreter(path, (3, 97, 5), "uv")


@pytest.mark.parametrize("script", ["exit 2", "echo '[{}]'", "echo nothing", "echo '{\"a\": 1}'"])
def test_a_uv_that_answers_otherwise_is_passed_over(machine, monkeypatch, script) -> None:
    uv = write_program(machine / "bin" / "uv", script)
    monkeypatch.setattr(programs, "find_uv", lambda: str(uv))
    assert len(list_interpreters()) == 1


def test_an_interpreter_is_asked_once(machine, add_python) -> None:
    asked = machine / "asked"
    path = machine / "bin" / "python3.97"
    write_program(path, f"echo x >> {asked}; echo '[[3, 97, 0], \"{path}\"]'")
    for _ in range(3):
        find_interpreter("3.97")
    assert asked.read_text() == "x\n"


def test_a_path_is_taken_as_it_is(machine, add_python) -> None:
    path = add_python(machine / "elsewhere" / "python", "3.97.0")
    assert find_interpreter(path) == Interpreter(path, (3, 97, 0), "path")
    assert find_interpreter(str(path), requires_python=">=3.9").version == (3, 97, 0)


def test_an_environment_is_not_built_upon_another() -> None:
    """The path of an environment's interpreter stands for the Python below."""
    found = find_interpreter(Path(sys.executable))
    assert found.version == HOST
    assert found.path.resolve() == get_host_interpreter().path.resolve()


# --- none found ---------------------------------------------------------------------------------


def test_none_found_lists_what_was_found_where_and_what_to_do(machine, add_python) -> None:
    add_python(machine / "bin" / "python3.97", "3.97.0")
    with pytest.raises(InterpreterNotFoundError) as caught:
        find_interpreter("3.42")
    text = str(caught.value)
    for part in (
        'no Python "3.42" was found',
        f"3.97.0 (PATH: {machine / 'bin' / 'python3.97'})",
        f"(host: {get_host_interpreter().path})",
        str(machine / "pyenv" / "versions"),
        "uv's own installations",
        "uv python install 3.42",
    ):
        assert part in text


def test_a_specifier_nobody_meets_is_named(machine) -> None:
    with pytest.raises(InterpreterNotFoundError, match=r'no Python ">=9"'):
        find_interpreter(requires_python=">=9")
    with pytest.raises(InterpreterNotFoundError, match=r'no Python "9.1" and ">=9"'):
        find_interpreter("9.1", requires_python=">=9")


@pytest.mark.parametrize("version", ["2.7.18", "3.5.0"])
def test_a_python_too_old_is_refused(machine, add_python, version) -> None:
    path = add_python(machine / "python", version)
    with pytest.raises(InterpreterNotFoundError, match="does not run as a Python"):
        find_interpreter(path)


def test_a_path_that_is_not_there_is_named(machine) -> None:
    with pytest.raises(InterpreterNotFoundError, match="gone is not there"):
        find_interpreter(machine / "gone")


def test_a_request_that_contradicts_pod_py_is_an_error_naming_both(machine, add_python) -> None:
    path = add_python(machine / "bin" / "python3.97", "3.97.0")
    for request in ("3.97", path):
        with pytest.raises(PodEnvironmentError, match=r'3\.97.*requires-python = "<3\.97"') as info:
            find_interpreter(request, requires_python="<3.97")
        assert not isinstance(info.value, InterpreterNotFoundError)
        assert "change one of the two" in str(info.value)


def test_both_must_be_met(machine, monkeypatch, add_python) -> None:
    add_python(machine / "a" / "python3.97", "3.97.0")
    later = add_python(machine / "b" / "python3.97", "3.97.5")
    monkeypatch.setenv("PATH", f"{machine / 'a'}{os.pathsep}{machine / 'b'}")
    assert find_interpreter("3.97", requires_python=">=3.97.3").path == later


# --- asking in vain -----------------------------------------------------------------------------


def test_what_hangs_is_left_alone(machine, monkeypatch) -> None:
    write_program(machine / "bin" / "python3.97", "exec /bin/sleep 60")
    monkeypatch.setattr(interpreters, "QUERY_TIMEOUT_SECONDS", 0.2)
    assert len(list_interpreters()) == 1
