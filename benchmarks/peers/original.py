"""The original PyPods, as it is published: its environment, and its host as a process of its own.

It cannot be imported beside ours, for both are called pypods, and its bson is not pymongo's.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

from processes import run_program

from pypods.pods.lock import hold_lock
from pypods.pods.programs import find_uv

__all__ = ["Original", "prepare_original"]

REQUIREMENTS = Path(__file__).with_name("original.txt")
HOST = Path(__file__).with_name("original_host.py")
POD_NAME = "null_pod"
FUNCTION = "def nothing():\n    return None\n\n\n"


def prepare_original(cache: Path, python: Path) -> Path:
    """Make the original's own environment and a pod, unless the cache has them; return the folder.

    The pod's environment is filled with the same packages, as the original itself would do it;
    only faster, with uv.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with hold_lock(cache / "original.lock", on_wait=lambda: None):
        return _prepare(cache, python)


def _prepare(cache: Path, python: Path) -> Path:
    version = run_program([python, "-I", "-c", "import sys; print(sys.version.split()[0])"]).strip()
    folder = cache / f"original-{version}"
    ready = folder / "ready"
    requirements = REQUIREMENTS.read_text(encoding="utf-8")
    if ready.is_file() and ready.read_text(encoding="utf-8") == f"{folder}\n{requirements}":
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    pod = folder / "pods" / POD_NAME
    for venv in (folder / "venv", pod / "venv"):
        _make_environment(venv, python)
    template = next((folder / "venv").glob("lib/*/site-packages/pypods/template/pod.py"))
    (pod / "pod.py").write_text(FUNCTION + template.read_text("utf-8"), encoding="utf-8")
    # With these there too, the original has nothing to make and nothing to print.
    (pod / ".gitignore").write_text("venv", encoding="utf-8")
    (pod / "requirements.txt").write_text(requirements, encoding="utf-8")
    ready.write_text(f"{folder}\n{requirements}", encoding="utf-8")
    return folder


def _make_environment(venv: Path, python: Path) -> None:
    uv = find_uv()
    if uv is None:
        raise SystemExit("the original's environment is made with uv, which is not here")
    run_program([uv, "venv", "--quiet", "--no-project", "--python", python, venv])
    run_program(
        [uv, "pip", "install", "--quiet", "--python", venv / "bin" / "python", "-r", REQUIREMENTS]
    )


class Original:
    """The original's host: a process that calls its pod when told to, and says how long it took."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [folder / "venv" / "bin" / "python", HOST, POD_NAME, "nothing"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.versions: dict[str, str] = self._receive()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The host's process id; each of its calls is a process below."""
        return self._process.pid

    def call(self, times: int) -> list[float]:
        """Let it call so often; return the seconds of each call."""
        assert self._process.stdin is not None
        print(times, file=self._process.stdin, flush=True)
        seconds: list[float] = self._receive()
        return seconds

    def _receive(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{HOST.name} ended with status {self._process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        """End the host."""
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()

    def __enter__(self) -> Original:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
