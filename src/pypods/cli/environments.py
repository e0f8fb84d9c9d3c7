"""A pod's environment as commands show it: built with progress, and its state in a word."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypods.cli.exits import UsageError
from pypods.cli.settings import Settings
from pypods.errors import PodEnvironmentError

if TYPE_CHECKING:
    from pypods.pods.environment import Environment
    from pypods.pods.folder import PodFolder
    from pypods.pods.progress import Progress


@dataclass(frozen=True)
class PodState:
    """How a pod's environment is; ``python`` is the version it has, None where it has none."""

    name: str
    path: Path
    status: str
    reason: str
    python: str | None

    def document(self) -> dict[str, Any]:
        """Return the state as a JSON object."""
        return {
            "name": self.name,
            "path": str(self.path),
            "status": self.status,
            "reason": self.reason,
            "python": self.python,
        }


def examine(settings: Settings, folder: PodFolder) -> PodState:
    """Return how a pod's environment is; what cannot even be read is broken."""
    from pypods.pods.environment import environment_status
    from pypods.pods.fingerprint import read_fingerprint
    from pypods.pods.python_request import format_version

    try:
        status = environment_status(folder, installer=settings.installer)
    except PodEnvironmentError as exc:
        reason = str(exc).removeprefix(f'pod "{folder.name}": ')
        return PodState(folder.name, folder.path, "broken", f"{reason} (correct this first)", None)
    have = read_fingerprint(folder.venv)
    python = format_version(have.version) if have is not None else None
    return PodState(folder.name, folder.path, status.state, status.reason, python)


def build_environment(
    settings: Settings, folder: PodFolder, *, python: str | None = None, force: bool = False
) -> Environment:
    """Bring a pod's environment up to date; on a terminal, with progress."""
    from pypods.pods.environment import ensure_environment

    return ensure_environment(
        folder,
        python=python,
        installer=settings.installer,
        progress=choose_progress(settings),
        force=force,
    )


def choose_progress(settings: Settings) -> Progress | None:
    """Return a progress that shows nothing where nothing shall be shown; else leave the choice."""
    from pypods.pods.progress import SilentProgress

    return SilentProgress() if settings.quiet or settings.json else None


def check_python(python: str | None) -> None:
    """Make sure that there is such a Python, before anything is written.

    Raises InterpreterNotFoundError, and UsageError for what is no version and no path.
    """
    if python is None:
        return
    from pypods.pods.interpreters import find_interpreter

    try:
        find_interpreter(python)
    except ValueError as exc:
        raise UsageError(f"--python: {exc}") from exc
