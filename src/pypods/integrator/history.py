"""Executions and integrations that were, kept in SQLite or any other database; runs nothing."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from time import time
from typing import TYPE_CHECKING, Any

from pypods.errors import OperationError
from pypods.integrator.report import ExecutionReport, IntegrationReport, Verification

if TYPE_CHECKING:
    from pypods.integrator.operation import Operation

__all__ = ["DEFAULT_HISTORY", "History", "StoredExecution"]

DEFAULT_HISTORY = ".pypods/history.db"
BUSY_SECONDS = 30.0

#: Understood by SQLite, PostgreSQL, MariaDB and others alike; MariaDB wants keys of a known length.
TABLES = (
    """create table if not exists pypods_executions (
        id varchar(200) primary key, operation varchar(200) not null, document text not null,
        status varchar(20) not null, started double precision not null,
        seconds double precision not null, host varchar(255) not null, pid integer not null,
        resumable integer not null, error text)""",
    """create table if not exists pypods_integrations (
        execution_id varchar(200) not null, place integer not null, name varchar(200) not null,
        status varchar(20) not null, report text not null, progress text not null,
        primary key (execution_id, place))""",
)


class StoredExecution:
    """An execution as the history has it."""

    def __init__(self, row: Mapping[str, Any], integrations: list[IntegrationReport]) -> None:
        self.document: dict[str, Any] = json.loads(row["document"])
        self.resumable = bool(row["resumable"])
        self.host: str = row["host"]
        self.pid: int = row["pid"]
        self.report = ExecutionReport(
            id=row["id"],
            operation=row["operation"],
            status=row["status"],
            started=row["started"],
            seconds=row["seconds"],
            integrations=integrations,
            error=row["error"],
        )


class History:
    """Where executions are written down: a SQLite file, or a database by its SQLAlchemy URL."""

    def __init__(self, place: str | os.PathLike[str] = DEFAULT_HISTORY) -> None:
        self.place = os.fspath(place)
        self._lock = RLock()
        self._store: SqliteStore | SqlalchemyStore
        if "://" in self.place:
            self._store = SqlalchemyStore(self.place)
        else:
            self._store = SqliteStore(Path(self.place))

    def begin(
        self, report: ExecutionReport, operation: Operation, *, resumable: bool = True
    ) -> None:
        """Write down that an execution begins, or goes on."""
        row = {
            "id": report.id,
            "operation": operation.name,
            "document": json.dumps(operation.document()),
            "status": "running",
            "started": report.started,
            "seconds": 0.0,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "resumable": int(resumable),
            "error": None,
        }
        with self._lock, self._store.transaction() as do:
            there = do("select id from pypods_executions where id = :id", {"id": report.id})
            if there:
                do(
                    "update pypods_executions set status = :status, host = :host, pid = :pid, "
                    "error = :error where id = :id",
                    {name: row[name] for name in ("id", "status", "host", "pid", "error")},
                )
                return
            columns = ", ".join(row)
            marks = ", ".join(f":{name}" for name in row)
            do(f"insert into pypods_executions ({columns}) values ({marks})", row)
            for place, each in enumerate(report.integrations):
                do(
                    "insert into pypods_integrations "
                    "(execution_id, place, name, status, report, progress) "
                    "values (:id, :place, :name, :status, :report, '{}')",
                    {
                        "id": report.id,
                        "place": place,
                        "name": each.name,
                        "status": each.status,
                        "report": json.dumps(each.document()),
                    },
                )

    def update_integration(self, execution_id: str, report: IntegrationReport) -> None:
        """Write down how an integration stands."""
        with self._lock, self._store.transaction() as do:
            do(
                "update pypods_integrations set status = :status, report = :report "
                "where execution_id = :id and name = :name",
                {
                    "id": execution_id,
                    "name": report.name,
                    "status": report.status,
                    "report": json.dumps(report.document()),
                },
            )

    def end(self, report: ExecutionReport) -> None:
        """Write down how an execution ended."""
        with self._lock, self._store.transaction() as do:
            do(
                "update pypods_executions set status = :status, seconds = :seconds, "
                "error = :error where id = :id",
                {
                    "id": report.id,
                    "status": report.status,
                    "seconds": time() - report.started,
                    "error": report.error,
                },
            )

    def keep_progress(self, execution_id: str, name: str, progress: dict[str, Any]) -> None:
        """Keep what a resumed run has to know: its partitions, and where it began to read."""
        with self._lock, self._store.transaction() as do:
            do(
                "update pypods_integrations set progress = :progress "
                "where execution_id = :id and name = :name",
                {"id": execution_id, "name": name, "progress": json.dumps(progress)},
            )

    def progress(self, execution_id: str, name: str) -> dict[str, Any]:
        """Return what was kept of an integration; empty where nothing was."""
        with self._lock, self._store.transaction() as do:
            rows = do(
                "select progress from pypods_integrations "
                "where execution_id = :id and name = :name",
                {"id": execution_id, "name": name},
            )
        return dict(json.loads(rows[0]["progress"])) if rows else {}

    def find(self, execution_id: str) -> StoredExecution | None:
        """Return an execution, or None."""
        found = self._select("where id = :id", {"id": execution_id})
        return found[0] if found else None

    def latest(self, count: int = 20) -> list[StoredExecution]:
        """Return the latest executions, the newest first."""
        return self._select("", {})[:count]

    def _select(self, where: str, values: dict[str, Any]) -> list[StoredExecution]:
        with self._lock, self._store.transaction() as do:
            rows = do(
                f"select * from pypods_executions {where} order by started desc, id",
                values,
            )
            return [
                StoredExecution(
                    row,
                    [
                        report_from(json.loads(each["report"]))
                        for each in do(
                            "select report from pypods_integrations "
                            "where execution_id = :id order by place",
                            {"id": row["id"]},
                        )
                    ],
                )
                for row in rows
            ]

    def close(self) -> None:
        """Let go of the database; the next use opens it again."""
        with self._lock:
            self._store.close()


def report_from(document: dict[str, Any]) -> IntegrationReport:
    """Return a report that was stored as a document; what a newer pypods added is left out."""
    known = IntegrationReport.__dataclass_fields__
    values = {name: value for name, value in document.items() if name in known}
    if values.get("verification"):
        values["verification"] = Verification(**values["verification"])
    values["throughput"] = [(point[0], point[1]) for point in values.get("throughput", ())]
    return IntegrationReport(**values)


class SqliteStore:
    """A SQLite file, made with its folder when it is first used."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """Give a function that runs a statement; commits at the end, or rolls back."""
        connection = self._connection or self._connect()
        connection.execute("begin immediate")
        try:
            yield lambda statement, values: connection.execute(statement, values).fetchall()
        except BaseException:
            connection.rollback()
            raise
        connection.commit()

    def _connect(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Operations are in it, as they were written: for their owner's eyes.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(
                self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.row_factory = sqlite3.Row
            for statement in TABLES:
                connection.execute(statement)
        except (OSError, sqlite3.Error) as exc:
            raise OperationError(
                f"the history {self._path} cannot be used ({exc}); name another file, or remove it"
            ) from exc
        self._connection = connection
        return connection

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class SqlalchemyStore:
    """Any database that SQLAlchemy, which the host must have, can reach."""

    def __init__(self, url: str) -> None:
        try:
            import sqlalchemy
        except ImportError as exc:
            raise OperationError(
                "a history in a database by its URL needs SQLAlchemy here; "
                'run "pip install sqlalchemy", or name a file, which goes to SQLite'
            ) from exc
        self._text = sqlalchemy.text
        try:
            self._engine = sqlalchemy.create_engine(url)
        except (sqlalchemy.exc.SQLAlchemyError, ImportError) as exc:
            raise OperationError(f"the history's URL cannot be used: {exc}") from exc
        self._is_made = False

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """Give a function that runs a statement; commits at the end, or rolls back."""
        with self._engine.begin() as connection:

            def do(statement: str, values: dict[str, Any]) -> list[Any]:
                result = connection.execute(self._text(statement), values)
                return list(result.mappings()) if result.returns_rows else []

            if not self._is_made:
                for statement in TABLES:
                    do(statement, {})
                self._is_made = True
            yield do

    def close(self) -> None:
        """Close the connections that are kept."""
        self._engine.dispose()
