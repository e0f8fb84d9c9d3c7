"""Servers, interpreters, packages and connectors that tests need; what they leave running.

A test that needs something this machine lacks is skipped aloud, with the reason and the variable
that points elsewhere. With PYPODS_REQUIRE_SERVICES=1, as in CI, the same lack is a failure.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import unquote, urlsplit

import pytest

if TYPE_CHECKING:
    from pypods.pods import PodLoader

CONNECT_TIMEOUT_SECONDS = 2.0
LEFTOVER_GRACE_SECONDS = 5.0
OLDEST_JAVA = 17

SERVERS = {
    "postgresql": ("PYPODS_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres"),
    "mariadb": ("PYPODS_TEST_MARIADB", "mariadb://root@127.0.0.1:3306/"),
    "redis": ("PYPODS_TEST_REDIS", "redis://127.0.0.1:6379/0"),
}

# The Pythons a pod may have, oldest first. The newest is tried only where it is installed.
PYTHONS = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"]
if shutil.which("python3.14"):
    PYTHONS.append("3.14")
PYTHONS = os.environ.get("PYPODS_TEST_PYTHONS", "").split() or PYTHONS
OUTER_PYTHONS = sorted({PYTHONS[0], PYTHONS[-1]})
#: This process's: it need not be on PATH, and has the coverage that a worker is measured with.
OWN_PYTHON = "of_host"


SHIPPED = Path(__file__).resolve().parent.parent / "pods"


def pytest_configure() -> None:
    """Let Ctrl-C be Ctrl-C, also in a run that a shell has put into the background.

    Such a run, and every program that it starts, begins with SIGINT ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Write what a test logged so that the process that gathers the reports can read it.

    A hostile pod's records may hold what is no text in any encoding.
    """
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report


# --- what a test needs --------------------------------------------------------------------------


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test for this reason, or fail it where everything must be there."""
    if os.environ.get("PYPODS_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{reason} (PYPODS_REQUIRE_SERVICES=1: not skipped)", pytrace=False)
    pytest.skip(reason)


@dataclass(frozen=True)
class Server:
    """Where a server listens and who may come in; an empty password means none."""

    kind: str
    host: str
    port: int
    user: str
    password: str
    database: str


def find_server(kind: str) -> Server:
    """Return a server that accepts connections, else skip or fail."""
    variable, default = SERVERS[kind]
    url = urlsplit(os.environ.get(variable) or default)
    server = Server(
        kind=kind,
        host=url.hostname or "127.0.0.1",
        port=url.port or urlsplit(default).port or 0,
        user=unquote(url.username or ""),
        password=unquote(url.password or ""),
        database=url.path.lstrip("/"),
    )
    try:
        socket.create_connection((server.host, server.port), CONNECT_TIMEOUT_SECONDS).close()
    except OSError as exc:
        skip_or_fail(f"no {kind} at {server.host}:{server.port} ({exc}); set {variable}")
    return server


@pytest.fixture(scope="session")
def postgresql() -> Server:
    """Return the PostgreSQL server."""
    return find_server("postgresql")


@pytest.fixture(scope="session")
def mariadb() -> Server:
    """Return the MariaDB server."""
    return find_server("mariadb")


@pytest.fixture(scope="session")
def redis() -> Server:
    """Return the Redis server."""
    return find_server("redis")


@pytest.fixture(scope="session")
def java() -> str:
    """Return the Java that Spark would find, where it is new enough."""
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home, "bin", "java")) if home else shutil.which("java") or "java"
    try:
        said = subprocess.run([found, "-version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as exc:
        skip_or_fail(f"no Java at {found} ({exc}); set JAVA_HOME")
    version = re.search(r'version "(\d+)', said.stderr)
    if version is None or int(version[1]) < OLDEST_JAVA:
        skip_or_fail(f"no Java {OLDEST_JAVA} or newer at {found}; set JAVA_HOME")
    return found


@pytest.fixture(scope="session")
def find_python() -> Callable[[str], Path]:
    """Return a function from "3.8" to that interpreter's path, found as pypods finds it."""
    paths: dict[str, Path] = {}

    def find(version: str) -> Path:
        if not paths:
            from pypods.pods.interpreters import list_interpreters

            for found in list_interpreters():
                paths.setdefault(".".join(map(str, found.version[:2])), Path(found.path))
            paths[OWN_PYTHON] = Path(sys.executable)
        if version not in paths:
            skip_or_fail(f"no Python {version} here; set PYPODS_TEST_PYTHONS to those there are")
        return paths[version]

    return find


@pytest.fixture(scope="session", params=PYTHONS, ids=lambda version: f"python{version}")
def each_python(request: pytest.FixtureRequest, find_python: Callable[[str], Path]) -> Path:
    """Run the test once with each Python a pod may have."""
    return find_python(request.param)


@pytest.fixture(scope="session", params=OUTER_PYTHONS, ids=lambda each: f"python{each}")
def outer_python(request: pytest.FixtureRequest, find_python: Callable[[str], Path]) -> Path:
    """Run the test with the oldest and with the newest Python a pod may have."""
    return find_python(request.param)


@pytest.fixture(
    scope="session", params=[*OUTER_PYTHONS, OWN_PYTHON], ids=lambda each: f"python{each}"
)
def outer_or_own_python(request: pytest.FixtureRequest, find_python: Callable[[str], Path]) -> Path:
    """Run the test with those two and with the host's own, which can be measured."""
    return find_python(request.param)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the folder of the repository."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture
def benchmarks(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a test import the benchmark's modules, which are no package; return their folder."""
    folder = repository / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture(scope="session")
def load_connector(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], PodLoader]]:
    """Return a function from a shipped connector's name to its loader, loaded.

    Each has an environment of its own, built once in a session.
    """
    from pypods.pods import PodLoader

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


# --- packages to install without a network -------------------------------------------------------


def write_wheel(directory: Path, name: str, version: str) -> Path:
    """Write a wheel with one module that knows its version and one command that prints it."""
    path = directory / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    code = f"VERSION = {version!r}\n\ndef main():\n    print({name!r}, VERSION)\n"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}={name}:main\n",
    }
    record = "".join(f"{each},,\n" for each in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(each, content)
    return path


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the wheels podpebble 1.0, podpebble 2.0 and podgrain 1.0."""
    directory = tmp_path_factory.mktemp("wheels")
    write_wheel(directory, "podpebble", "1.0")
    write_wheel(directory, "podpebble", "2.0")
    write_wheel(directory, "podgrain", "1.0")
    return directory


@pytest.fixture
def only_wheels(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let uv and pip see nothing but the wheels."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return wheels


# --- what a test leaves behind ------------------------------------------------------------------


def list_leftovers(marker: str) -> list[str]:
    """Name the processes below this one, and those anywhere with `marker` in their arguments."""
    parents: dict[int, int] = {}
    arguments: dict[int, str] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # After the name, which may hold spaces and brackets: state, parent.
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (OSError, ValueError, IndexError):
            continue  # It ended while we looked.
        parents[int(entry.name)] = parent
        arguments[int(entry.name)] = words.strip() or "(ended, but nobody waited for it)"

    def is_ours(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == os.getpid():
                return True
        return False

    return [
        f"{pid}: {arguments[pid][:200]}"
        for pid in sorted(parents)
        if pid != os.getpid()
        and (is_ours(pid) or marker in arguments[pid])
        and "multiprocessing.resource_tracker" not in arguments[pid]
    ]


@pytest.fixture(scope="session", autouse=True)
def nothing_left_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail the session if a process that a test started is still there at its end."""
    yield
    if not sys.platform.startswith("linux"):
        return
    # Orphans are nobody's children, but a pod's interpreter lies in the session's own folder.
    marker = f"{tmp_path_factory.getbasetemp()}{os.sep}"
    deadline = time.monotonic() + LEFTOVER_GRACE_SECONDS
    while (left := list_leftovers(marker)) and time.monotonic() < deadline:
        time.sleep(0.05)
    if left:
        pytest.fail("left running by the tests:\n" + "\n".join(left), pytrace=False)
