"""``pod.py`` run as a script in its own interpreter, for files written for the original's block."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pypods.pods.environment import ensure_environment
from pypods.pods.folder import PodFolder
from pypods.pods.process import pod_environment_variables, worker_command

if TYPE_CHECKING:
    import subprocess

__all__ = ["run_script", "script_command"]


def script_command(
    folder: PodFolder, arguments: Iterable[str] = (), *, installer: str = "uv"
) -> tuple[list[str], dict[str, str]]:
    """Return the command and the environment variables that run a pod's ``pod.py`` as a script.

    Makes the environment where needed. Raises PodEnvironmentError.
    """
    environment = ensure_environment(folder, installer=installer)
    command = worker_command(
        environment.python, "--script", folder.name, os.fspath(folder.path), *arguments
    )
    return command, pod_environment_variables(folder.name, environment.venv)


def run_script(
    folder: PodFolder,
    document: bytes | None = None,
    *,
    arguments: Iterable[str] = (),
    installer: str = "uv",
) -> subprocess.CompletedProcess[bytes]:
    """Run a pod's ``pod.py`` as ``__main__``, with a BSON document on stdin.

    Returns the completed process, with its stdout and stderr as bytes: one BSON document each
    from a ``PodListener``. With no document, all three streams are passed through. Raises
    PodEnvironmentError.
    """
    import subprocess

    command, variables = script_command(folder, arguments, installer=installer)
    if document is None:
        return subprocess.run(command, env=variables, check=False)
    return subprocess.run(command, input=document, capture_output=True, env=variables, check=False)
