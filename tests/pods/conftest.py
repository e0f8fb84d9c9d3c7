"""Packages to install without a network, and pods that need no environment."""

from __future__ import annotations

import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import coverage
import pytest

from pypods.pods.environment import Environment
from pypods.pods.loader import PodLoader
from pypods.pods.pod import Pod

COVERAGE_SETTINGS = Path(__file__).resolve().parents[2] / "pyproject.toml"


def write_wheel(directory: Path, name: str, version: str) -> Path:
    """Write a wheel with one module that knows its version and one command that prints it."""
    path = directory / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    code = f"VERSION = {version!r}\n\ndef main():\n    print({name!r}, VERSION)\n"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}={name}:main\n",
    }
    record = "".join(f"{each},,\n" for each in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(each, content)
    return path


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the wheels podpebble 1.0, podpebble 2.0 and podgrain 1.0."""
    directory = tmp_path_factory.mktemp("wheels")
    write_wheel(directory, "podpebble", "1.0")
    write_wheel(directory, "podpebble", "2.0")
    write_wheel(directory, "podgrain", "1.0")
    return directory


@pytest.fixture
def only_wheels(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let uv and pip see nothing but the wheels."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return wheels


class BareLoader(PodLoader):
    """A loader whose pods run on an interpreter as it is: where an environment is not the point."""

    def _prepare(self) -> Environment:
        python = Path(self._python or sys.executable)
        return Environment(python=python, venv=python.parent.parent, version=sys.version_info[:3])


LoadPod = Callable[..., BareLoader]


@contextmanager
def make_loaders(pods_directory: Path) -> Iterator[LoadPod]:
    """Give a function from the source of a pod.py to its loader; all are unloaded at the end."""
    loaders: list[BareLoader] = []

    def make(
        source: str, name: str = "subject", *, measured: bool = False, **options: Any
    ) -> BareLoader:
        if measured and coverage.Coverage.current() is not None:
            # The worker's own lines count too; coverage starts in it by a file of its own.
            options["environment_variables"] = {"COVERAGE_PROCESS_START": str(COVERAGE_SETTINGS)}
        folder = pods_directory / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pod.py").write_text(textwrap.dedent(source), encoding="utf-8")
        loaders.append(BareLoader(name, pods_directory=pods_directory, **options))
        return loaders[-1]

    yield make
    for loader in loaders:
        loader.unload_pod()


@pytest.fixture
def bare_loader(tmp_path: Path) -> Iterator[LoadPod]:
    """Return a function from the source of a pod.py to its loader."""
    with make_loaders(tmp_path / "pods") as make:
        yield make


@pytest.fixture
def bare_pod(bare_loader: LoadPod) -> Callable[..., Pod]:
    """Return a function from the source of a pod.py to the loaded pod."""
    return lambda source, name="subject", **options: bare_loader(source, name, **options).load_pod()


@pytest.fixture(scope="module")
def module_loader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadPod]:
    """Return the same as ``bare_loader``, for pods that the tests of a module share."""
    with make_loaders(tmp_path_factory.mktemp("pods")) as make:
        yield make
