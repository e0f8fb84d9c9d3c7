"""The contestants of one run: opened when first needed, asked, pinned to cores, and closed."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from cores import pinned, pinned_apart
from host_program import AbsentError, HostProgram
from installs import Installed, InstallError, install_all
from roster import OURS, Contestant

import pypods
from pypods.pods.programs import find_uv

__all__ = ["FREE", "ONE_CORE", "TWO_CORES", "Field"]

FREE, ONE_CORE, TWO_CORES = "free", "one core", "two cores"
OPEN_SECONDS = 120.0


class Field:
    """Who takes part, each with its program; a context that leaves no process behind."""

    def __init__(
        self, contestants: Iterable[Contestant], cache: Path, python: Path, *, limit: float
    ) -> None:
        self.contestants = tuple(contestants)
        self._cache = cache
        self._python = python
        self._limit = limit
        self._installed: dict[str, Installed | InstallError] = {}
        self._programs: dict[str, HostProgram] = {}
        self._folders: list[tempfile.TemporaryDirectory[str]] = []
        #: Whose program could not be opened at all, and why.
        self._out: dict[str, str] = {}

    def install(self, contestants: Iterable[Contestant]) -> None:
        """Make the environments that are missing."""
        missing = [each for each in contestants if each.module not in self._installed]
        self._installed |= install_all(missing, self._cache, self._python)

    def ask(
        self, contestant: Contestant, request: Mapping[str, Any], *, pin: str = FREE
    ) -> dict[str, Any]:
        """Let a contestant measure, its processes on these cores. Raises AbsentError."""
        program = self._open(contestant)
        try:
            with self._pinned(program, pin):
                return program.ask(request, limit=self._limit)
        except AbsentError as exc:
            if exc.is_gone:
                del self._programs[contestant.module]
            raise

    def _open(self, contestant: Contestant) -> HostProgram:
        name = contestant.module
        if name in self._programs:
            return self._programs[name]
        if name in self._out:
            raise AbsentError(self._out[name])
        self.install([contestant])
        installed = self._installed[name]
        if isinstance(installed, InstallError):
            raise AbsentError(str(installed))
        program = self._start(contestant, installed)
        try:
            program.ask({"measure": "ready"}, limit=OPEN_SECONDS)
        except AbsentError as exc:
            self._out[name] = f"does not start: {exc}"
            program.close()
            raise AbsentError(self._out[name]) from exc
        self._programs[name] = program
        return program

    def _start(self, contestant: Contestant, installed: Installed) -> HostProgram:
        folder = tempfile.TemporaryDirectory(prefix="pb_", ignore_cleanup_errors=True)
        self._folders.append(folder)
        tools = self._cache / "tools"
        tools.mkdir(exist_ok=True)
        uv = find_uv()
        if uv is not None and not (tools / "uv").exists():
            (tools / "uv").symlink_to(uv)
        place = {
            "folder": folder.name,
            "keep": str(installed.folder),
            "python": str(self._python),
            "worker_python": str(installed.worker_python),
            "worker_environment": str(installed.worker_environment),
            "worker_requirements": str(contestant.worker_requirements),
            "uv": str(uv),
            "version": f"{sys.version_info[0]}.{sys.version_info[1]}",
        }
        variables = {"PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
        if contestant.kind == OURS:
            assert pypods.__file__ is not None
            variables["PYTHONPATH"] = str(Path(pypods.__file__).parent.parent)
        log = self._cache / f"{contestant.module}.log"
        return HostProgram(contestant.path, installed.host_python, place, variables, log)

    def _pinned(self, program: HostProgram, pin: str) -> Any:
        if pin == FREE:
            return pinned(())
        pids = list(program.find_processes())
        if pin == ONE_CORE:
            return pinned(pids)
        return pinned_apart(program.pid, [pid for pid in pids if pid != program.pid])

    def __enter__(self) -> Field:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for program in self._programs.values():
            program.release()
        for program in self._programs.values():
            program.close()
        for folder in self._folders:
            folder.cleanup()
