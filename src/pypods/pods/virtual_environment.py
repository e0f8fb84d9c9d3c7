"""An empty virtual environment, through virtualenv in this process; installs nothing."""

from __future__ import annotations

import os
from pathlib import Path

from pypods.errors import PodEnvironmentError
from pypods.pods.interpreters import Interpreter

__all__ = ["create_virtual_environment", "repoint_scripts"]

_HEAD_BYTES = 4096


def create_virtual_environment(destination: Path, interpreter: Interpreter) -> None:
    """Make an environment with nothing in it but the interpreter.

    Raises `PodEnvironmentError` if virtualenv cannot make one for this interpreter.
    """
    from virtualenv import session_via_cli

    # The user's own virtualenv settings (seeds, site-packages, prompt) are not for pods.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("VIRTUALENV_")}
    if app_data := os.environ.get("VIRTUALENV_OVERRIDE_APP_DATA"):
        environment["VIRTUALENV_OVERRIDE_APP_DATA"] = app_data
    environment["VIRTUALENV_CONFIG_FILE"] = os.devnull
    words = [str(destination), "--python", str(interpreter.path)]
    words += ["--no-seed", "--activators", "", "--no-vcs-ignore", "--quiet"]
    try:
        session = session_via_cli(words, setup_logging=False, env=environment)
        with session:
            session.run()
    # virtualenv ends the program when its arguments do not suit it.
    except (Exception, SystemExit) as exc:
        raise PodEnvironmentError(
            f"virtualenv could not make an environment for Python {interpreter}: {exc}; "
            f"choose another Python"
        ) from exc
    # virtualenv's patch for distutils runs at each start, and is no Python 3.6 or 3.7.
    for leftover in destination.glob("lib/*/site-packages/_virtualenv.*"):
        leftover.unlink()


def repoint_scripts(venv: Path, destination: Path) -> None:
    """Make the environment's scripts name `destination`, where it is about to be moved."""
    old, new = os.fsencode(venv), os.fsencode(destination)
    for path in [venv / "pyvenv.cfg", *(venv / "bin").iterdir()]:
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if old not in content[:_HEAD_BYTES] or not (
            content.startswith(b"#!") or path.name == "pyvenv.cfg"
        ):
            continue
        # A new file: the old one may be a link into the installer's cache.
        replacement = path.with_name(f"{path.name}.new")
        head = content[:_HEAD_BYTES].replace(old, new)
        replacement.write_bytes(head + content[_HEAD_BYTES:])
        replacement.chmod(path.stat().st_mode)
        replacement.replace(path)
