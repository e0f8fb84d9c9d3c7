"""Database servers of a test's own, in folders of their own: started, killed, started again.

They are installed programs, found as their users find them; never the machine's own servers.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from victims import children_of, is_running, kill, wait_until_gone

__all__ = ["MissingServerError", "PrivateMariadb", "PrivatePostgresql", "PrivateServer"]

#: How long a server may take to begin, and to end.
SERVER_SECONDS = 60.0
LOOK_SECONDS = 0.02
#: Below those that systems give to whoever asks for any: nobody takes one while its server is down.
PORTS = range(20000, 32000)


class MissingServerError(Exception):
    """A program that a server needs is not on this machine."""


def find_program(name: str, *folders: Path) -> str:
    """Return the path of a program: in one of the folders, the last first, or where a shell looks.

    Raises MissingServerError.
    """
    for folder in reversed(folders):
        if os.access(folder / name, os.X_OK):
            return str(folder / name)
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin")
    if path is None:
        raise MissingServerError(f"no {name} here")
    return path


def free_port() -> int:
    """Return a port on which nobody listens."""
    ports = list(PORTS)
    random.SystemRandom().shuffle(ports)
    for port in ports:
        with contextlib.suppress(OSError), socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", port))
            return port
    raise MissingServerError("no free port")


class PrivateServer(ABC):
    """A server in a temporary folder: ``with`` it, it runs, and nothing of it is left."""

    #: The connector that speaks to it.
    connector: str
    #: With which signal it is asked to end.
    goodbye = signal.SIGTERM

    def __init__(self) -> None:
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._temporary = tempfile.TemporaryDirectory(prefix=f"pypods-{self.connector}-")
        self.folder = Path(self._temporary.name)
        try:
            self.create()
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    @abstractmethod
    def create(self) -> None:
        """Make its data, where nothing is yet."""

    @abstractmethod
    def words(self) -> list[str]:
        """Return the command that starts the server."""

    @abstractmethod
    def accepts(self) -> bool:
        """Tell whether it takes connections."""

    @abstractmethod
    def place(self, database: str) -> dict[str, object]:
        """Return the connection to a database, for the connector."""

    def run(self, *words: str) -> None:
        """Run a program to its end. Raises RuntimeError with what it said."""
        done = subprocess.run(
            words, cwd=self.folder, capture_output=True, text=True, timeout=SERVER_SECONDS,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{words[0]} failed: {done.stdout}{done.stderr}")

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        log_file = self.folder / "log"
        with log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self.words(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                process_group=0,
            )  # fmt: skip
        deadline = time.monotonic() + SERVER_SECONDS
        while not self.accepts():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                lines = log_file.read_text("utf-8", "replace").splitlines()
                raise RuntimeError("the server did not start:\n" + "\n".join(lines[-20:]))
            time.sleep(LOOK_SECONDS)

    def processes(self) -> list[int]:
        """Return all its processes."""
        if self.process is None or self.process.returncode is not None:
            return []
        found = [self.process.pid]
        for pid in found:
            found += children_of(pid)
        return found

    def kill(self) -> None:
        """Kill all its processes at once, and wait until they are gone."""
        if self.process is None:
            return
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGSTOP)  # It would start others meanwhile.
        family = self.processes()
        for pid in reversed(family):
            kill(pid)
        self.process.wait()
        left = wait_until_gone(family)
        if left:
            raise RuntimeError(f"killed, and not gone: {left}")
        self.process = None

    def stop(self) -> int:
        """Ask it to end, and return its exit status."""
        family = self.processes()
        if self.process is None or not is_running(self.process.pid):
            raise RuntimeError("the server does not run")
        self.process.send_signal(self.goodbye)
        try:
            status = self.process.wait(SERVER_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        left = wait_until_gone(family)
        if left:
            raise RuntimeError(f"stopped, and not gone: {left}")
        self.process = None
        return status

    def remove(self) -> None:
        """Kill it, if it runs, and remove its folder."""
        self.kill()
        self._temporary.cleanup()


class PrivatePostgresql(PrivateServer):
    """PostgreSQL, which root starts as another user, as it refuses to be root's."""

    connector = "postgresql"
    goodbye = signal.SIGINT  # SIGTERM would wait for whoever is connected.

    def __init__(self) -> None:
        super().__init__()
        folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version)
        if config := shutil.which("pg_config"):
            said = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True)
            folders.append(Path(said.stdout.strip()))
        self.initdb, self.server, self.asks = (
            find_program(name, *folders) for name in ("initdb", "postgres", "pg_isready")
        )
        self.user = _somebody("postgres", "nobody") if os.geteuid() == 0 else None
        self.as_user: list[str] = []
        if self.user is not None:
            ids = (f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}", "--clear-groups")
            self.as_user = [find_program("setpriv"), *ids]

    def create(self) -> None:
        """Make its data, where nothing is yet."""
        if self.user is not None:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.run(
            *self.as_user, self.initdb, "-D", str(self.folder / "data"), "-U", "postgres",
            "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip

    def words(self) -> list[str]:
        """Return the command that starts the server."""
        return [
            *self.as_user, self.server, "-D", str(self.folder / "data"), "-p", str(self.port),
            "-k", str(self.folder), "-c", "listen_addresses=127.0.0.1",
        ]  # fmt: skip

    def accepts(self) -> bool:
        """Tell whether it takes connections."""
        words = [self.asks, "-q", "-h", "127.0.0.1", "-p", str(self.port), "-d", "postgres"]
        return subprocess.run(words, check=False, timeout=SERVER_SECONDS).returncode == 0

    def place(self, database: str) -> dict[str, object]:
        """Return the connection to a database, for the connector."""
        return {"host": "127.0.0.1", "port": self.port, "user": "postgres", "database": database}


class PrivateMariadb(PrivateServer):
    """MariaDB, with the user root, who has no password."""

    connector = "mysql"

    def __init__(self) -> None:
        super().__init__()
        self.install = find_program("mariadb-install-db")
        self.server = find_program("mariadbd")
        self.user = pwd.getpwuid(os.geteuid()).pw_name

    def create(self) -> None:
        """Make its data, where nothing is yet."""
        self.run(
            self.install, "--no-defaults", f"--datadir={self.folder / 'data'}",
            f"--user={self.user}", "--auth-root-authentication-method=normal", "--skip-test-db",
        )  # fmt: skip

    def words(self) -> list[str]:
        """Return the command that starts the server."""
        return [
            self.server, "--no-defaults", f"--datadir={self.folder / 'data'}",
            f"--user={self.user}", f"--port={self.port}", "--bind-address=127.0.0.1",
            f"--socket={self.folder / 'socket'}", f"--pid-file={self.folder / 'pid'}",
        ]  # fmt: skip

    def accepts(self) -> bool:
        """Tell whether it takes connections: it speaks first."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), SERVER_SECONDS) as caller:
                return bool(caller.recv(1))
        except OSError:
            return False

    def place(self, database: str) -> dict[str, object]:
        """Return the connection to a database, for the connector."""
        return {"host": "127.0.0.1", "port": self.port, "user": "root", "database": database}


def _version(folder: Path) -> list[int]:
    return [int(each) for each in folder.parent.name.split(".") if each.isdigit()]


def _somebody(*names: str) -> pwd.struct_passwd:
    """Return the first user that there is of these. Raises MissingServerError."""
    for name in names:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise MissingServerError(f"no user {' or '.join(names)}, whose PostgreSQL could be")
