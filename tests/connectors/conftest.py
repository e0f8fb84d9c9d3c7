"""The shared half of connectors in this process, over sqlite3 of the standard library."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from shipped import shipped_module

from pypods.connectors.sql.sql_connector import SqlConnector


@pytest.fixture(scope="session")
def sqlite_module() -> ModuleType:
    """Return the SQLite connector's module of its Database, as its pod finds it."""
    return shipped_module("sqlite", "sqlite_database")


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
