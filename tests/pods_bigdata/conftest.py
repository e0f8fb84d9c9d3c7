"""Connectors and servers of this folder, each in an environment built once in a session."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pypods.pods import PodLoader

SHIPPED = Path(__file__).resolve().parent.parent.parent / "pods"
SERVERS = Path(__file__).resolve().parent / "servers"


@pytest.fixture(scope="session")
def load_connector(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], PodLoader]]:
    """Return a function from the name of a connector, or of a server, to its loader, loaded."""
    folder = tmp_path_factory.mktemp("connectors")
    loaders: dict[str, PodLoader] = {}

    def load(name: str) -> PodLoader:
        if name not in loaders:
            unwanted = shutil.ignore_patterns("venv", "__pycache__", "venv.lock")
            where = SERVERS if name.startswith("server_") else SHIPPED
            shutil.copytree(where / name, folder / name, ignore=unwanted)
            loaders[name] = PodLoader(name, pods_directory=folder)
            loaders[name].load_pod()
        return loaders[name]

    yield load
    for loader in loaders.values():
        loader.unload_pod()
