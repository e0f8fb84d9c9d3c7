"""The shipped connectors in their own environments, each built once in a session."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pypods.pods import PodLoader

SHIPPED = Path(__file__).resolve().parent.parent.parent / "pods"


@pytest.fixture(scope="session")
def load_connector(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], PodLoader]]:
    """Return a function from a shipped connector's name to its loader, loaded."""
    folder = tmp_path_factory.mktemp("connectors")
    loaders: dict[str, PodLoader] = {}

    def load(name: str) -> PodLoader:
        if name not in loaders:
            unwanted = shutil.ignore_patterns("venv", "__pycache__", "venv.lock")
            shutil.copytree(SHIPPED / name, folder / name, ignore=unwanted)
            loaders[name] = PodLoader(name, pods_directory=folder)
            loaders[name].load_pod()
        return loaders[name]

    yield load
    for loader in loaders.values():
        loader.unload_pod()


@pytest.fixture
def mariadb_place(load_connector, mariadb):
    """Return a connection to a new database on MariaDB, which is dropped again."""
    server = {"host": mariadb.host, "port": mariadb.port, "user": mariadb.user,
              "database": "information_schema"}  # fmt: skip
    if mariadb.password:
        server["password"] = mariadb.password
    name = f"pypods_{uuid.uuid4().hex[:12]}"
    loader = load_connector("mysql")
    loader.load_pod().execute(server, f"create database {name}")
    yield {**server, "database": name}
    loader.load_pod().execute(server, f"drop database {name}")
