"""The shared half of connectors in this process, over sqlite3 of the standard library."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pypods.connectors.sql.sql_connector import SqlConnector

SHIPPED = Path(__file__).resolve().parent.parent.parent / "pods"


@pytest.fixture(scope="session")
def sqlite_module() -> Iterator[Any]:
    """Return the SQLite connector's module of its Database, as its pod finds it."""
    name = "pypods_test_shipped_sqlite"
    package = ModuleType(name)
    package.__path__ = [str(SHIPPED / "sqlite")]
    sys.modules[name] = package
    yield import_module(f"{name}.sqlite_database")
    for each in [each for each in sys.modules if each.startswith(name)]:
        del sys.modules[each]


@pytest.fixture
def database(sqlite_module: Any) -> Any:
    """Return a Database of SQLite that reads with the standard library."""
    made = sqlite_module.SqliteDatabase()
    made.fast = False
    return made


@pytest.fixture
def connector(database: Any) -> SqlConnector:
    """Return the functions of the contract over it."""
    return SqlConnector(database)


@pytest.fixture
def place(tmp_path: Path) -> dict[str, Any]:
    """Return a connection to a file that is not there yet."""
    return {"database": str(tmp_path / "place.db")}
