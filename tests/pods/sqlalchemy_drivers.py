"""Drivers in pods, tables for them, and places on servers; for the tests of SQLAlchemy."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from tests.conftest import find_server

from pypods.pods import PodLoader


@dataclass(frozen=True)
class Driver:
    """A driver in a pod of its own, and what it talks to."""

    module: str
    version: str
    python: str
    server: str = ""
    package: str = ""

    def __str__(self) -> str:
        return f"{self.module}-{self.version or 'of'}-python{self.python}"

    @property
    def pod(self) -> str:
        return str(self).replace(".", "_").replace("-", "_")


PSYCOPG2_OLD = Driver("psycopg2", "2.8.6", "3.8", "postgresql", "psycopg2-binary")
PSYCOPG2_NEW = Driver("psycopg2", "2.9.13", "3.13", "postgresql", "psycopg2-binary")
PYMYSQL_OLD = Driver("pymysql", "0.9.3", "3.8", "mariadb", "PyMySQL")
PYMYSQL_NEW = Driver("pymysql", "1.2.4", "3.13", "mariadb", "PyMySQL")
SQLITE_OLD = Driver("sqlite3", "", "3.8")
SQLITE_NEW = Driver("sqlite3", "", "3.13")
PSYCOPG = Driver("psycopg", "3.3.2", "3.13", "postgresql", "psycopg[binary]")
DRIVERS = [
    *(PSYCOPG2_OLD, PSYCOPG2_NEW, PSYCOPG, PYMYSQL_OLD, PYMYSQL_NEW, SQLITE_OLD, SQLITE_NEW),
]


class Base(orm.DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(50), unique=True)
    books: orm.Mapped[list[Book]] = orm.relationship(back_populates="author")


class Book(Base):
    __tablename__ = "book"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    author_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("author.id"))
    title: orm.Mapped[str] = orm.mapped_column(sa.String(50))
    price: orm.Mapped[Decimal] = orm.mapped_column(sa.Numeric(10, 2))
    author: orm.Mapped[Author] = orm.relationship(back_populates="books")


PodOf = Callable[..., Any]
PlaceOf = Callable[[Driver, Any], "Place"]


@contextmanager
def load_pods(pods_directory: Path, find_python: Callable[[str], Path]) -> Iterator[PodOf]:
    """Give a function from a driver to its pod; each environment is made once."""
    loaders: dict[object, PodLoader] = {}

    def load(driver: Driver, **options: Any) -> Any:
        folder = pods_directory / driver.pod
        if not folder.exists():
            folder.mkdir()
            (folder / "pod.py").write_text(f"import {driver.module}\n", encoding="utf-8")
            needs = f"{driver.package}=={driver.version}\n" if driver.package else ""
            (folder / "requirements.txt").write_text(needs, encoding="utf-8")
        key = (driver, *options.items())
        if key not in loaders:
            loaders[key] = PodLoader(
                driver.pod,
                pods_directory=pods_directory,
                python=find_python(driver.python),
                **options,
            )
        return loaders[key].load_pod()

    yield load
    for loader in loaders.values():
        loader.unload_pod()


@dataclass
class Place:
    """A database or schema of a test's own: its address, and what creates and drops it."""

    url: sa.URL
    connect_args: dict[str, Any]


@contextmanager
def make_places(folder: Path) -> Iterator[PlaceOf]:
    """Give a function from a driver and its pod to an empty place, dropped at the end."""
    drops: list[Callable[[], None]] = []

    def make(driver: Driver, pod: Any) -> Place:
        if not driver.server:
            path = folder / f"{uuid.uuid4().hex}.db"
            return Place(sa.URL.create("sqlite", database=str(path)), {})
        server = find_server(driver.server)
        name = f"pypods_{uuid.uuid4().hex[:12]}"
        is_postgresql = driver.server == "postgresql"
        url = sa.URL.create(
            f"{'postgresql' if is_postgresql else 'mysql'}+{driver.module}",
            server.user,
            server.password or None,
            server.host,
            server.port,
            server.database if is_postgresql else "",
        )

        def run(sql: str) -> None:
            with pod.imports(driver.module):
                engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
                with engine.connect() as connection:
                    connection.execute(sa.text(sql))
                engine.dispose()

        kind, cascade = ("SCHEMA", " CASCADE") if is_postgresql else ("DATABASE", "")
        run(f"CREATE {kind} {name}")
        drops.append(lambda: run(f"DROP {kind} {name}{cascade}"))
        if is_postgresql:
            return Place(url, {"options": f"-c search_path={name}"})
        return Place(url.set(database=name), {})

    yield make
    for drop in drops:
        drop()


def fill(engine: sa.Engine, name: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE IF NOT EXISTS moved (name VARCHAR(20))"))
        connection.execute(sa.text("INSERT INTO moved VALUES (:name)"), {"name": name})
