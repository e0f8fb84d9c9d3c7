"""Environments, made with uv from pinned requirements and kept in a cache; runs nothing in them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, STDOUT, TimeoutExpired, run

from roster import OURS, Contestant

from pypods.pods.interpreters import get_host_interpreter
from pypods.pods.lock import hold_lock
from pypods.pods.programs import find_uv

__all__ = ["InstallError", "Installed", "install", "install_all", "make_environment"]

INSIDE = Path(__file__).with_name("inside")
RUN_REQUIREMENTS = Path(__file__).parent.parent / "requirements" / "run.txt"
INSTALL_SECONDS = 900


class InstallError(Exception):
    """An environment could not be made; the text says why, in one line."""


@dataclass(frozen=True)
class Installed:
    """Where a contestant's things are."""

    folder: Path
    host_python: Path
    worker_environment: Path

    @property
    def worker_python(self) -> Path:
        """The interpreter that its worker is to run on."""
        return self.worker_environment / "bin" / "python"


def install_all(
    contestants: Iterable[Contestant], cache: Path, python: Path
) -> dict[str, Installed | InstallError]:
    """Make what is missing, a few at a time."""

    def attempt(contestant: Contestant) -> Installed | InstallError:
        try:
            return install(contestant, cache, python)
        except InstallError as exc:
            return exc

    contestants = list(contestants)
    cache.mkdir(parents=True, exist_ok=True)
    find_uv()  # Before the threads: what sysconfig sets up at first is not safe for them.
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(attempt, contestants)
        return {each.module: one for each, one in zip(contestants, found, strict=True)}


def install(contestant: Contestant, cache: Path, python: Path) -> Installed:
    """Make a contestant's environments, unless the cache has them.

    Who asks for the same packages shares them; a worker's is never its host's, unless it has to be.
    """
    folder = cache / f"{contestant.module}-{python.name}"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [contestant.requirements]
    if contestant.kind == OURS:
        wanted.append(RUN_REQUIREMENTS)
    name = "-".join(each.stem for each in wanted)
    host = cache / "hosts" / name
    make_environment(host, get_host_interpreter().path, wanted)
    worker = host
    if contestant.worker in ("data", "same"):
        wanted = [contestant.worker_requirements]
        worker = cache / "workers" / f"{wanted[0].stem}-{python.name}"
        make_environment(worker, python, wanted)
    return Installed(folder, host / "bin" / "python", worker)


def make_environment(venv: Path, python: Path, requirements: list[Path]) -> None:
    """Make an environment of these, unless it is there. Raises InstallError."""
    venv.parent.mkdir(parents=True, exist_ok=True)
    with hold_lock(venv.with_name(f"{venv.name}.lock"), on_wait=lambda: None):
        _make_environment(venv, python, requirements)


def _make_environment(venv: Path, python: Path, requirements: list[Path]) -> None:
    paths = (str(venv), str(python), str(INSIDE))
    wanted = "\n".join([*paths, *(each.read_text("utf-8") for each in requirements)])
    ready = venv / "ready"
    if ready.is_file() and ready.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(venv, ignore_errors=True)
    uv = find_uv()
    if uv is None:
        raise InstallError("uv is not here")
    _run([uv, "venv", "--quiet", "--no-project", "--python", python, venv])
    files = [word for each in requirements for word in ("-r", each)]
    _run([uv, "pip", "install", "--quiet", "--python", venv / "bin" / "python", *files])
    # What is called in a worker can then be imported in every one of them.
    (packages,) = venv.glob("lib/*/site-packages")
    (packages / "bench.pth").write_text(f"{INSIDE}\n", encoding="utf-8")
    ready.write_text(wanted, encoding="utf-8")


def _run(words: list[str | Path]) -> None:
    try:
        done = run(
            words, stdout=PIPE, stderr=STDOUT, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except TimeoutExpired as exc:
        raise InstallError(f"was not installed in {INSTALL_SECONDS} s") from exc
    if done.returncode != 0:
        lines = done.stdout.strip().splitlines() or ["uv failed"]
        raise InstallError(f"cannot be installed: {lines[0].strip()}"[:300])
