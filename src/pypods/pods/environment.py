"""A pod's environment: whether it is what is asked for, and how it becomes so; starts no pod.

An environment is built beside `venv/`, gets its fingerprint last, and is moved into place. One
with a fingerprint is whole, at any moment and wherever it lies; one without is never used.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pypods.errors import PodEnvironmentError
from pypods.pods.fingerprint import (
    FINGERPRINT_NAME,
    Fingerprint,
    hash_requirements,
    hash_settings,
    name_platform,
    read_fingerprint,
    stamp_file,
    write_fingerprint,
)
from pypods.pods.folder import PodFolder, pin_python
from pypods.pods.interpreters import Interpreter, find_interpreter, get_host_interpreter
from pypods.pods.python_request import PythonRequest, Version, format_version
from pypods.pods.requirements import Requirements, read_requirements
from pypods.pods.script_block import read_script_block

if TYPE_CHECKING:
    from pypods.pods.progress import Progress

__all__ = [
    "Environment",
    "EnvironmentStatus",
    "discard_environment",
    "ensure_environment",
    "environment_status",
]

INSTALLERS = ("uv", "pip")

BUILDING_PREFIX = "venv.building-"
PREVIOUS_PREFIX = "venv.previous-"


@dataclass(frozen=True)
class Environment:
    """A whole environment: its interpreter and that one's version."""

    python: Path
    venv: Path
    version: Version


@dataclass(frozen=True)
class EnvironmentStatus:
    """How an environment stands to what is asked for, and why, for people."""

    state: Literal["ready", "missing", "stale", "broken"]
    reason: str


@dataclass(frozen=True)
class _Wanted:
    """What a pod asks for now."""

    python: str | None
    requires_python: str | None
    requirements: Requirements
    requirements_hash: str
    installer: str
    settings: str

    def describe_difference(self, have: Fingerprint, location: Path) -> str | None:
        """Say what differs from what the environment was made from; None if nothing does."""
        if have.requirements != self.requirements_hash:
            return f"{self.requirements.source} has changed"
        if have.installer != self.installer or have.settings != self.settings:
            return f"the installer or its settings have changed ({self.installer or 'none'} now)"
        if have.platform != name_platform():
            return f"it was made on {have.platform}"
        if have.location != str(location):
            return f"it was made in {have.location}"
        return self._describe_python(have)

    def _describe_python(self, have: Fingerprint) -> str | None:
        difference = f"it has Python {format_version(have.version)} ({have.interpreter}), and "
        required, python = self.requires_python, self.python
        if required and not PythonRequest.parse_specifier(required).accepts(have.version):
            return difference + f"pod.py has requires-python = {required!r}"
        if python is None:
            host = get_host_interpreter()
            if required is None and str(host.path.resolve()) != have.interpreter:
                return difference + f"the host has {format_version(host.version)} ({host.path})"
            return None
        request = PythonRequest.parse(python)
        if request.path is None:
            fits = request.accepts(have.version)
        else:
            fits = request.text == have.python or str(request.path.resolve()) == have.interpreter
        return None if fits else difference + f"{python} is asked for"


def ensure_environment(
    folder: PodFolder,
    *,
    python: str | Path | None = None,
    installer: str = "uv",
    progress: Progress | None = None,
    force: bool = False,
) -> Environment:
    """Return the pod's environment, made anew if it is not what is asked for, or if `force`.

    A `python` given here is kept for next time. Where nothing has changed, a few small files are
    read and nothing is started. Raises `PodEnvironmentError`; the environment that was there
    before is then still there.
    """
    wanted = _read_wanted(folder, python, installer)
    if not force:
        status, have = _compare(folder, wanted)
        if status.state == "ready" and have is not None:
            return _describe(folder, have)
    from pypods.pods.progress import choose_progress

    progress = choose_progress(progress, folder.name)
    try:
        return _make(folder, python, installer, progress, force=force)
    except OSError as exc:
        progress.done("failed")
        raise PodEnvironmentError(
            f'pod "{folder.name}": its environment cannot be made in {folder.path}: {exc}; '
            f"see to that, then {folder.retry}"
        ) from exc
    except BaseException:
        progress.done("failed")
        raise


def environment_status(
    folder: PodFolder, *, python: str | Path | None = None, installer: str = "uv"
) -> EnvironmentStatus:
    """Say whether the environment is what is asked for; starts nothing and changes nothing."""
    return _compare(folder, _read_wanted(folder, python, installer))[0]


def _read_wanted(folder: PodFolder, python: str | Path | None, installer: str) -> _Wanted:
    if installer not in INSTALLERS:
        raise ValueError(f"installer {installer!r} is not known; use {' or '.join(INSTALLERS)}")
    block = read_script_block(folder)
    requirements = read_requirements(folder, block)
    asked = folder.pinned_python if python is None else PythonRequest.parse(python).text
    try:
        # Said here, before anything is looked up, with the place it stands in.
        if asked is not None:
            PythonRequest.parse(asked)
        if block.requires_python is not None:
            PythonRequest.parse_specifier(block.requires_python)
    except ValueError as exc:
        raise PodEnvironmentError(f'pod "{folder.name}": {exc}') from exc
    return _Wanted(
        python=asked,
        requires_python=block.requires_python,
        requirements=requirements,
        requirements_hash=hash_requirements(requirements),
        installer=installer if requirements else "",
        settings=hash_settings(requirements, installer),
    )


def _compare(folder: PodFolder, wanted: _Wanted) -> tuple[EnvironmentStatus, Fingerprint | None]:
    have = read_fingerprint(folder.venv)
    if have is None:
        if folder.venv.exists():
            return EnvironmentStatus("broken", "it was not completed"), None
        return EnvironmentStatus("missing", "it has not been made yet"), None
    if stamp_file(folder.venv_python) is None:
        return EnvironmentStatus("broken", f"its interpreter {have.interpreter} is gone"), have
    if stamp_file(have.interpreter) != have.stamp:
        return EnvironmentStatus("stale", f"its interpreter {have.interpreter} has changed"), have
    if difference := wanted.describe_difference(have, folder.venv.resolve()):
        return EnvironmentStatus("stale", difference), have
    return EnvironmentStatus("ready", f"Python {format_version(have.version)}"), have


def _describe(folder: PodFolder, have: Fingerprint) -> Environment:
    return Environment(python=folder.venv_python, venv=folder.venv, version=have.version)


# --- making one ---------------------------------------------------------------------------------


def _make(
    folder: PodFolder, python: str | Path | None, installer: str, progress: Progress, *, force: bool
) -> Environment:
    from pypods.pods.lock import hold_lock

    def tell_of_wait() -> None:
        progress.step("waiting for another process that makes this environment")

    with hold_lock(folder.path / "venv.lock", on_wait=tell_of_wait):
        _clean_up_after_the_killed(folder)
        # Read again: what we waited for may be what we want.
        wanted = _read_wanted(folder, python, installer)
        status, have = _compare(folder, wanted)
        if force or status.state != "ready" or have is None:
            have = _build(folder, wanted, installer, progress)
        if python is not None and folder.pinned_python != wanted.python:
            pin_python(folder, python)
    progress.done(f"ready with Python {format_version(have.version)}")
    return _describe(folder, have)


def _build(folder: PodFolder, wanted: _Wanted, installer: str, progress: Progress) -> Fingerprint:
    """Build an environment beside the one there is, and put it into its place."""
    from pypods.pods.installer import install
    from pypods.pods.virtual_environment import create_virtual_environment, repoint_scripts

    # Through no link: scripts name this path. And a name of its own: an installer whose starter
    # was killed may still be writing into the last one.
    parent = folder.path.resolve()
    building = parent / f"{BUILDING_PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
    try:
        try:
            progress.step("looking for its Python")
            interpreter = find_interpreter(wanted.python, requires_python=wanted.requires_python)
            version = format_version(interpreter.version)
            progress.step(f"making an environment with Python {version}")
            create_virtual_environment(building, interpreter)
        except PodEnvironmentError as exc:
            raise type(exc)(f'pod "{folder.name}": {exc}') from exc
        if wanted.requirements:
            progress.step(f"installing {folder.wish(wanted.requirements.source)}")
            install(
                folder,
                wanted.requirements,
                interpreter,
                venv_python=building / "bin" / "python",
                installer=installer,
                progress=progress,
            )
        repoint_scripts(building, parent / "venv")
        fingerprint = _take_fingerprint(wanted, interpreter, parent / "venv")
        write_fingerprint(building, fingerprint)
        _put_in_place(folder, building)
    except BaseException:
        discard_environment(building)
        raise
    return fingerprint


def _take_fingerprint(wanted: _Wanted, interpreter: Interpreter, location: Path) -> Fingerprint:
    executable = interpreter.path.resolve()
    return Fingerprint(
        requirements=wanted.requirements_hash,
        installer=wanted.installer,
        settings=wanted.settings,
        platform=name_platform(),
        location=str(location),
        interpreter=str(executable),
        version=interpreter.version,
        stamp=stamp_file(executable) or (),
        python=wanted.python,
    )


def _put_in_place(folder: PodFolder, building: Path) -> None:
    """Swap the new environment for the old; running pods keep the old one's open files."""
    previous = building.with_name(building.name.replace(BUILDING_PREFIX, PREVIOUS_PREFIX))
    if folder.venv.is_symlink():
        folder.venv.unlink()
    elif folder.venv.exists():
        folder.venv.rename(previous)
    try:
        building.rename(folder.venv)
    except BaseException:
        if previous.exists():
            previous.rename(folder.venv)
        raise
    discard_environment(previous)


def _clean_up_after_the_killed(folder: PodFolder) -> None:
    """Finish or undo what a process left that was killed here; the lock is ours."""
    new = sorted(folder.path.glob(f"{BUILDING_PREFIX}*"))
    old = sorted(folder.path.glob(f"{PREVIOUS_PREFIX}*"))
    if not folder.venv.exists():
        for candidate in [*new, *old]:
            if read_fingerprint(candidate) is not None:
                candidate.rename(folder.venv)
                break
    for leftover in [*new, *old]:
        discard_environment(leftover)


def discard_environment(tree: Path) -> None:
    """Remove an environment; the fingerprint first, so that half of one is never taken for one."""
    import shutil

    (tree / FINGERPRINT_NAME).unlink(missing_ok=True)
    shutil.rmtree(tree, ignore_errors=True)
