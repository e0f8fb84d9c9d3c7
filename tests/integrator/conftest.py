"""Connectors for tests, their environments made once a session, and databases to move."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pypods.integrator import Event, Integration, Integrator, Operation
from pypods.pods import ensure_environment, find_pod_folder

PODS = Path(__file__).parent / "pods"


@pytest.fixture(scope="session")
def connector_pods(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a pods directory with the connectors of these tests, ready to start."""
    directory = tmp_path_factory.mktemp("connectors") / "pods"
    shutil.copytree(PODS, directory, ignore=shutil.ignore_patterns("venv", "__pycache__"))
    for name in ("fakelite", "fakerows"):
        ensure_environment(find_pod_folder(name, pods_directory=directory))
    return directory


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def integrator(here: Path, connector_pods: Path) -> Iterator[Integrator]:
    """An integrator with its history in the current directory."""
    one = Integrator(pods_directory=connector_pods)
    yield one
    one.history.close()


@pytest.fixture
def events(integrator: Integrator) -> list[Event]:
    """What the integrator tells, in order."""
    seen: list[Event] = []
    integrator.subscribe("*", seen.append)
    return seen


def fill(
    path: Path, rows: int, *, first: int = 1, key: str = "primary key", table: str = "t"
) -> None:
    """Make a table of (id, name, price, at), or add rows to it."""
    db = sqlite3.connect(path)
    db.execute(
        f'create table if not exists "{table}" '
        f"(id integer {key}, name text, price real, at timestamp)"
    )
    db.executemany(
        f'insert into "{table}" values (?, ?, ?, ?)',
        (
            (
                i,
                f"näme {i}" if i % 7 else None,
                i / 8,
                f"2024-01-01 00:{i // 60 % 60:02}:{i % 60:02}",
            )
            for i in range(first, first + rows)
        ),
    )
    db.commit()
    db.close()


def rows_of(path: Path, table: str = "t", order: str = "1, 2") -> list[tuple[Any, ...]]:
    """Return a table's rows; none where there is no table."""
    db = sqlite3.connect(path)
    try:
        if not db.execute("select 1 from sqlite_master where name = ?", [table]).fetchone():
            return []
        return db.execute(f'select * from "{table}" order by {order}').fetchall()
    finally:
        db.close()


def leftovers(path: Path) -> list[str]:
    """Return the staging tables in a database."""
    db = sqlite3.connect(path)
    try:
        return [
            n for (n,) in db.execute("select name from sqlite_master where name like '_stage%'")
        ]
    finally:
        db.close()


def make_trouble(path: Path, *items: dict[str, Any]) -> str:
    """Write down what is to go wrong in a connector, and return its setting."""
    path.write_text(json.dumps(items))
    return str(path)


Operate = Callable[..., Operation]


@pytest.fixture
def operation(here: Path) -> Operate:
    """Return an operation from a.db to b.db in the current directory, with a few settings."""

    def make(
        *, source: Any = None, target: Any = None, name: str = "copy", **settings: Any
    ) -> Operation:
        both: list[dict[str, Any]] = [
            {"connector": "fakelite", "connection": {"database": str(here / file)}, "stream": "t"}
            for file in ("a.db", "b.db")
        ]
        for side, more in zip(both, (source or {}, target or {}), strict=True):
            side["connection"] |= more.pop("connection", {})
            side.update(more)
        settings.setdefault("retries", {"seconds": 0.01})
        one = Integration.model_validate(
            {"name": name, "source": both[0], "target": both[1], **settings}
        )
        return Operation(name="test", integrations=[one])

    return make
