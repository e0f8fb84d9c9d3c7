"""Pods that need no environment."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.measured import measuring_variables

from pypods.pods.environment import Environment
from pypods.pods.loader import PodLoader
from pypods.pods.pod import Pod


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
        if measured:  # The worker's own lines count too.
            options["environment_variables"] = measuring_variables()
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


@pytest.fixture(scope="session")
def driver_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where pods with drivers are, so that each environment is made once."""
    return tmp_path_factory.mktemp("drivers")


@pytest.fixture(scope="module")
def pod_of(driver_folder: Path, find_python: Callable[[str], Path]) -> Iterator[Callable[..., Any]]:
    """Return a function from a driver (``tests.pods.sqlalchemy_drivers``) to its pod."""
    from tests.pods.sqlalchemy_drivers import load_pods

    with load_pods(driver_folder, find_python) as load:
        yield load


@pytest.fixture(scope="module")
def place_of(
    tmp_path_factory: pytest.TempPathFactory, pod_of: Callable[..., Any]
) -> Iterator[Callable[..., Any]]:
    """Return a function from a driver and its pod to an empty place, dropped at the end."""
    from tests.pods.sqlalchemy_drivers import make_places

    with make_places(tmp_path_factory.mktemp("sqlite")) as make:
        yield make


@pytest.fixture(scope="module")
def load(
    request: pytest.FixtureRequest,
    outer_or_own_python: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LoadPod]:
    """Return a function that loads a pod of the module's SOURCE, on that Python."""
    with make_loaders(tmp_path_factory.mktemp("pods")) as make:
        yield lambda **options: make(
            request.module.SOURCE, python=str(outer_or_own_python), measured=True, **options
        )
