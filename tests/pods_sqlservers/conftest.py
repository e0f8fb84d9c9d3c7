"""The connectors of SQL Server and Oracle with a stand-in in their driver's place."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pod_rows import rows_of

from pypods.pods import PodLoader

HERE = Path(__file__).resolve().parent
SHIPPED = HERE.parent.parent / "pods"
#: What is added to a shipped pod: the stand-in, and functions with which tests ask for it.
EXTRA = """
import sys as _sys

_sys.path.insert(0, __file__.rpartition("/")[0])
import standin_place as _place
import standin_{name} as _standin

_standin.install()


def make_place(name):
    script = _place.LOG.with_name("standin_{name}.sql").read_text(encoding="utf-8")
    _place.make_database(name, script)


def drop_place(name):
    _place.drop_database(name)


def recorded():
    return _place.recorded()


def unparsed():
    return _standin.unparsed()


def cut_after(statements):
    _place.Cut.left = statements


def translate(state, number, said):
    error = _{class_}().translate(_standin.error_of(state, number, said))
    return [type(error).__name__, error.retry, str(error)]


def ask(name, text):
    with _place.connect(name, "dbo,public") as connection:
        cursor = connection.execute(text)
        return [list(row) for row in cursor.fetchall()] if cursor.description else []
"""


@dataclass
class StandIn:
    """A connector over a stand-in, and the connection to a database of its own."""

    name: str
    loader: PodLoader
    connection: dict[str, Any]
    database: str
    schema: str

    @property
    def pod(self) -> Any:
        return self.loader.load_pod()

    def make(self, table: str, columns: dict[str, str]) -> str:
        """Make a table, and return its name as it stands in SQL."""
        mark = "[]" if self.name == "mssql" else '""'

        def quoted(name: str) -> str:
            return f"{mark[0]}{name}{mark[1]}"

        made = f"{quoted(self.schema)}.{quoted(table)}"
        listed = ", ".join(f"{quoted(name)} {declared}" for name, declared in columns.items())
        self.execute(f"create table {made} ({listed})")
        return made

    def execute(self, *statements: str) -> None:
        for statement in statements:
            self.pod.execute(self.connection, statement)

    def read(self, stream: str = "t", **options: Any) -> list[dict[str, Any]]:
        return rows_of(self.pod, self.connection, [self.schema, stream], **options)

    def write(self, table: pa.Table, stream: str = "t", **options: Any) -> None:
        self.pod.write_all(
            self.connection, [self.schema, stream], iter(table.to_batches()), **options
        )

    def fields(self, stream: str = "t", **options: Any) -> dict[str, tuple[str, str]]:
        """Return Arrow's type of each column, and what the contract says of it."""
        described = self.pod.schema(self.connection, [self.schema, stream], **options)
        return {
            field.name: (str(field.type), (field.metadata or {}).get(b"pypods.type", b"").decode())
            for field in pa.schema(described["schema"])
        }


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


def mssql_place(database: str) -> dict[str, Any]:
    return {"host": "127.0.0.1", "database": database, "user": "sa", "password": "right"}


def oracle_place(database: str) -> dict[str, Any]:
    return {"service_name": database, "user": "app", "password": "right"}


PLACES = {"mssql": ("dbo", mssql_place), "oracle": ("APP", oracle_place)}


@pytest.fixture
def make_standin(load_standin: Any, postgresql: Any) -> Callable[[str], Any]:
    """Return what makes a stand-in with an empty database, and drops that."""

    @contextmanager
    def make(name: str) -> Iterator[StandIn]:
        loader = load_standin(name, postgresql)
        database = f"pypods_standin_{uuid.uuid4().hex[:12]}"
        loader.load_pod().make_place(database)
        schema, place = PLACES[name]
        yield StandIn(name, loader, place(database), database, schema)
        loader.load_pod().drop_place(database)

    return make


@pytest.fixture
def standin(request: pytest.FixtureRequest, make_standin: Any) -> Iterator[StandIn]:
    """Return the stand-in that the test asks for, or its module in CONNECTOR."""
    with make_standin(getattr(request, "param", None) or request.module.CONNECTOR) as made:
        yield made
