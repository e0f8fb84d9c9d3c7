"""The echo pod on every Python, and the same classes here."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pypods.pods.codec import HostClasses
from pypods.pods.interpreters import list_interpreters
from pypods.pods.session import Session
from pypods.pods.startup import start_session
from pypods.wire.envelopes import call_head

ECHO_FOLDER = Path(__file__).parent / "pods" / "echo"


@pytest.fixture(scope="session")
def echo_pod() -> ModuleType:
    """Return the echo pod's code, loaded here as a module of another name."""
    spec = importlib.util.spec_from_file_location("echo_here", ECHO_FOLDER / "pod.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["echo_here"] = module
    spec.loader.exec_module(module)
    return module


class EchoWorker:
    """The echo pod, running on some Python."""

    def __init__(self, session: Session) -> None:
        self.session = session
        assert session.hello is not None
        self.version = tuple(map(int, session.hello.python.split(".")))
        self.has_zoneinfo = self.version >= (3, 9)

    def call(self, name: str, *args: object) -> object:
        return self.session.call(call_head(name), args, {}, timeout=60)


def start_echo(python: Path, types: tuple[type, ...] = ()) -> EchoWorker:
    return EchoWorker(
        start_session(
            "echo",
            ECHO_FOLDER,
            python,
            timeout=60,
            max_frame_bytes=64 * 2**20,
            classes=HostClasses(types),
        )
    )


@pytest.fixture(scope="session")
def echo(each_python: Path) -> Iterator[EchoWorker]:
    """Return the echo pod on each Python; it knows no class of the host's."""
    worker = start_echo(each_python)
    yield worker
    worker.session.stop()


@pytest.fixture(scope="session")
def echoes() -> Iterator[list[EchoWorker]]:
    """Return the echo pod on all Pythons at once."""
    wanted = os.environ.get("PYPODS_TEST_PYTHONS", "").split()
    pythons: dict[str, Path] = {}
    for found in list_interpreters():
        version = ".".join(map(str, found.version[:2]))
        if found.version >= (3, 8) and (version in wanted or not wanted):
            pythons.setdefault(version, Path(found.path))
    workers = [start_echo(python) for python in pythons.values()]
    assert workers
    yield workers
    for worker in workers:
        worker.session.stop()


@pytest.fixture(scope="session")
def echo_with_classes(echo_pod: ModuleType) -> Iterator[EchoWorker]:
    """Return the echo pod on this Python, its classes named to the host."""
    types = (echo_pod.Color, echo_pod.Level, echo_pod.Access, echo_pod.Point, echo_pod.Frozen)
    worker = start_echo(Path(sys.executable), types)
    yield worker
    worker.session.stop()
