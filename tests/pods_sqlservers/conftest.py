"""The connectors of SQL Server and Oracle with a stand-in in their driver's place."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pypods.pods import PodLoader

HERE = Path(__file__).resolve().parent
SHIPPED = HERE.parent.parent / "pods"
#: What is added to a shipped pod: the stand-in, and functions with which tests ask for it.
EXTRA = """

from . import standin_place, standin_{name} as _standin
from .{name}_database import {class_}

_standin.install()


def make_place(name):
    script = _standin.place.LOG.with_name("standin_{name}.sql").read_text(encoding="utf-8")
    standin_place.make_database(name, script)


def drop_place(name):
    standin_place.drop_database(name)


def recorded():
    return standin_place.recorded()


def unparsed():
    return _standin.unparsed()


def ask(name, text):
    with standin_place.connect(name, "dbo,public") as connection:
        cursor = connection.execute(text)
        return [list(row) for row in cursor.fetchall()] if cursor.description else []


__all__ += ["make_place", "drop_place", "recorded", "unparsed", "ask"]
"""


@dataclass
class StandIn:
    """A connector over a stand-in, and the connection to a database of its own."""

    loader: PodLoader
    connection: dict[str, Any]
    database: str

    @property
    def pod(self) -> Any:
        return self.loader.load_pod()


@pytest.fixture(scope="session")
def load_standin(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str, Any], PodLoader]]:
    """Return a function from a connector's name to its loader, with a stand-in for its driver."""
    folder = tmp_path_factory.mktemp("sqlservers")
    loaders: dict[str, PodLoader] = {}

    def load(name: str, server: Any) -> PodLoader:
        if name not in loaders:
            unwanted = shutil.ignore_patterns("venv", "__pycache__", "venv.lock")
            made = folder / name
            shutil.copytree(SHIPPED / name, made, ignore=unwanted)
            for each in (HERE / "standin").glob("*"):
                if each.name.startswith((f"standin_{name}", "standin_place")):
                    shutil.copy(each, made)
            class_ = f"{name.capitalize()}Database"
            extra = EXTRA.replace("{name}", name).replace("{class_}", class_)
            (made / "pod.py").write_text((made / "pod.py").read_text() + extra)
            with (made / "requirements.txt").open("a") as requirements:
                requirements.write("psycopg[binary]>=3.2\nsqlglot>=25\n")
            for what in ("host", "port", "user", "password"):
                os.environ[f"PYPODS_STANDIN_{what.upper()}"] = str(getattr(server, what) or "")
            loaders[name] = PodLoader(name, pods_directory=folder)
            loaders[name].load_pod()
        return loaders[name]

    yield load
    for loader in loaders.values():
        loader.unload_pod()


@pytest.fixture
def standin(request: pytest.FixtureRequest, load_standin: Any, postgresql: Any) -> Any:
    """Return the stand-in that the test's module names in CONNECTOR, with an empty database."""
    loader = load_standin(request.module.CONNECTOR, postgresql)
    database = f"pypods_standin_{uuid.uuid4().hex[:12]}"
    pod = loader.load_pod()
    pod.make_place(database)
    yield StandIn(loader, request.module.place_of(database), database)
    loader.load_pod().drop_place(database)
