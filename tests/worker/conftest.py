"""The zoo pod on every Python."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pypods.pods.session import Session
from pypods.pods.startup import start_session
from pypods.wire.context import current as encode_context
from pypods.wire.envelopes import call_head
from pypods.wire.rebuilding import NO_CLASSES

ZOO_FOLDER = Path(__file__).parent / "pods" / "zoo"
PATIENCE_SECONDS = 20.0


class Worker:
    """A pod running on some Python, called by name."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def call(self, name: str, *args: object, timeout: float = 60, **kwargs: object) -> object:
        return self.session.call(call_head(name), args, kwargs, timeout=timeout)

    def wait_for(self, has_come: Callable[[], object]) -> object:
        """Make calls, which take in what was printed, until something has come."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := has_come()) and time.monotonic() < deadline:
            self.call("add", 1)
            time.sleep(0.005)
        return found


@pytest.fixture(autouse=True)
def no_exporters_left() -> Iterator[None]:
    """Leave none of the exporters that a server in this process sets for its thread.

    Else what later tests pass to their pods would be handed on to that server's objects.
    """
    yield
    encode_context.export = encode_context.refer = None


@pytest.fixture(scope="session")
def start_worker() -> Iterator[Callable[..., Worker]]:
    """Return a function that starts a pod's folder on a Python; what it starts is ended."""
    started: list[Session] = []

    def start(python: Path, folder: Path = ZOO_FOLDER, **options: object) -> Worker:
        # What the host shows when the pod starts is what the pod sends.
        logging.getLogger(f"pypods.pod.{folder.name}").setLevel(logging.DEBUG)
        settings = {"timeout": 60, "max_frame_bytes": 2**22, "classes": NO_CLASSES, **options}
        session = start_session(folder.name, folder, python, **settings)
        started.append(session)
        return Worker(session)

    yield start
    for session in started:
        session.stop()


@pytest.fixture(scope="session")
def zoo(each_python: Path, start_worker: Callable[..., Worker]) -> Iterator[Worker]:
    """Return the zoo pod on each Python."""
    worker = start_worker(each_python)
    yield worker
    worker.session.stop()


@pytest.fixture
def make_pod(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a pod's folder with this pod.py."""

    def make(code: str, name: str = "small", **files: str) -> Path:
        folder = tmp_path / "pods" / name
        folder.mkdir(parents=True)
        (folder / "pod.py").write_text(code, encoding="utf-8")
        for file_name, text in files.items():
            (folder / f"{file_name}.py").write_text(text, encoding="utf-8")
        return folder

    return make
