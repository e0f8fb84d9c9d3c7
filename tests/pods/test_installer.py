"""uv and pip, asked for packages that lie on this disk."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pypods.errors import PodEnvironmentError
from pypods.pods import installer as installer_module
from pypods.pods.folder import PodFolder, create_pod_folder
from pypods.pods.installer import install
from pypods.pods.interpreters import Interpreter, find_interpreter, get_host_interpreter
from pypods.pods.progress import SilentProgress
from pypods.pods.requirements import Requirements, read_requirements
from pypods.pods.script_block import ScriptBlock
from pypods.pods.virtual_environment import create_virtual_environment


def fill(
    folder: PodFolder, requirements: Requirements, interpreter: Interpreter, installer: str
) -> set[str]:
    """Make an environment, install into it and return what lies in its site-packages."""
    create_virtual_environment(folder.venv, interpreter)
    install(
        folder,
        requirements,
        interpreter,
        venv_python=folder.venv_python,
        installer=installer,
        progress=SilentProgress(),
    )
    (packages,) = folder.venv.glob("lib/*/site-packages")
    return {each.name for each in packages.iterdir() if each.suffix == ".py"}


@pytest.fixture
def folder(tmp_path: Path, only_wheels: Path) -> PodFolder:
    folder = create_pod_folder("hello", pods_directory=tmp_path)
    folder.requirements_file.write_text("podpebble==1.0\n-r more.txt\n")
    (folder.path / "more.txt").write_text("podgrain\n")
    return folder


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_file_is_installed_and_nothing_else(folder: PodFolder, installer: str) -> None:
    requirements = read_requirements(folder, ScriptBlock())
    assert fill(folder, requirements, get_host_interpreter(), installer) == {
        "podpebble.py",
        "podgrain.py",
    }


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_dependencies_of_a_block_are_installed(folder: PodFolder, installer: str) -> None:
    requirements = Requirements(dependencies=("podpebble<2",))
    assert fill(folder, requirements, get_host_interpreter(), installer) == {"podpebble.py"}


def test_an_old_python_gets_the_pip_that_came_with_it(
    folder: PodFolder, find_python: Callable[[str], Path]
) -> None:
    requirements = read_requirements(folder, ScriptBlock())
    interpreter = find_interpreter(find_python("3.8"))
    assert fill(folder, requirements, interpreter, "pip") == {"podpebble.py", "podgrain.py"}


def test_paths_in_requirements_begin_at_the_pods_folder(
    folder: PodFolder, wheels: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    wheel = wheels / "podgrain-1.0-py3-none-any.whl"
    (folder.path / wheel.name).write_bytes(wheel.read_bytes())
    folder.requirements_file.write_text(f"./{wheel.name}\n")
    requirements = read_requirements(folder, ScriptBlock())
    assert fill(folder, requirements, get_host_interpreter(), "uv") == {"podgrain.py"}


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_variables_that_lead_elsewhere_do_not(
    folder: PodFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installer: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "sitecustomize.py").write_text("raise SystemExit('seen')")
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "UV_PYTHON", "PIP_TARGET"):
        monkeypatch.setenv(name, str(elsewhere))
    monkeypatch.setenv("UV_SYSTEM_PYTHON", "1")
    requirements = read_requirements(folder, ScriptBlock())
    assert "podpebble.py" in fill(folder, requirements, get_host_interpreter(), installer)


@pytest.mark.parametrize(
    ("installer", "reason"),
    [("uv", "unsatisfiable"), ("pip", "No matching distribution found for podpebble==9")],
)
def test_a_failure_shows_the_installers_reasons(
    folder: PodFolder, installer: str, reason: str
) -> None:
    folder.requirements_file.write_text("podpebble==9\n")
    requirements = read_requirements(folder, ScriptBlock())
    with pytest.raises(PodEnvironmentError) as caught:
        fill(folder, requirements, get_host_interpreter(), installer)
    text = str(caught.value)
    assert text.startswith(f'pod "hello": {installer} could not install what requirements.txt')
    assert reason in text
    assert 'run "pypods sync hello"' in text
    assert str(folder.requirements_file) in text


def test_without_uv_the_error_says_how_to_get_it(
    folder: PodFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installer_module, "find_uv", lambda: None)
    requirements = Requirements(dependencies=("podpebble",))
    with pytest.raises(PodEnvironmentError, match=r'pip install uv".*installer="pip"') as caught:
        fill(folder, requirements, get_host_interpreter(), "uv")
    assert sys.executable in str(caught.value)


def test_without_any_pip_the_error_says_so(folder: PodFolder) -> None:
    host = get_host_interpreter()
    interpreter = Interpreter(Path("/nowhere/python3.7"), (3, 7, 0), "path")
    create_virtual_environment(folder.venv, host)
    with pytest.raises(PodEnvironmentError, match=r'no pip for Python 3\.7 .*installer="uv"'):
        install(
            folder,
            Requirements(dependencies=("podpebble",)),
            interpreter,
            venv_python=folder.venv_python,
            installer="pip",
            progress=SilentProgress(),
        )
