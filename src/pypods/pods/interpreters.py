"""Pythons on this machine: the host's, on PATH, under pyenv and uv; makes no environment."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pypods.errors import InterpreterNotFoundError, PodEnvironmentError
from pypods.pods.python_request import PythonRequest, Version, format_version

__all__ = ["Interpreter", "find_interpreter", "get_host_interpreter", "list_interpreters"]

#: The oldest Python that an environment can be made for.
OLDEST_VERSION = (3, 6)
QUERY_TIMEOUT_SECONDS = 20

_NAME_ON_PATH = r"python(3(\.\d+)?)?$"
_PYENV_VERSION = r"(\d+)\.(\d+)\.(\d+)$"
_QUERY = (
    "import sys, json; print(json.dumps([list(sys.version_info[:3]),"
    " getattr(sys, '_base_executable', None) or sys.executable]))"
)
_Source = Callable[[], Iterator["Interpreter"]]
# What running an interpreter told, by path and time of change: (version, base executable).
_told: dict[tuple[str, int], tuple[Version, Path] | None] = {}


@dataclass(frozen=True)
class Interpreter:
    """A Python that runs; `source` says where it was found: host, PATH, pyenv, uv or path."""

    path: Path
    version: Version
    source: str

    def __str__(self) -> str:
        return f"{format_version(self.version)} ({self.source}: {self.path})"


def get_host_interpreter() -> Interpreter:
    """Return the host's own Python: the one below, if the host runs in an environment."""
    executable = getattr(sys, "_base_executable", None) or sys.executable
    return Interpreter(Path(executable), tuple(sys.version_info[:3]), "host")


def list_interpreters() -> list[Interpreter]:
    """Return every Python found, each once, the host's first."""
    found: dict[Path, Interpreter] = {}
    for source in _SOURCES.values():
        for interpreter in source():
            found.setdefault(interpreter.path.resolve(), interpreter)
    return list(found.values())


def find_interpreter(
    python: str | Path | None = None, *, requires_python: str | None = None
) -> Interpreter:
    """Return a Python that is what `python` asks for and meets `requires_python` too.

    The host's if it will do, else the newest of the first source that has one: PATH, pyenv, uv.
    Raises `InterpreterNotFoundError` with what was found and where, `PodEnvironmentError` if the
    two contradict each other.
    """
    request = None if python is None else PythonRequest.parse(python)
    required = None if requires_python is None else PythonRequest.parse_specifier(requires_python)
    if request is not None and request.path is not None:
        interpreter = _find_path(request.path)
        if required is not None and not required.accepts(interpreter.version):
            raise _contradict(request, required, format_version(interpreter.version))
        return interpreter
    requests = [each for each in (request, required) if each is not None]
    for source in _SOURCES.values():
        if fitting := [each for each in source() if _fits(each, requests)]:
            return max(fitting, key=lambda each: each.version)
    found = list_interpreters()
    if request is not None and required is not None:
        for interpreter in found:
            if request.accepts(interpreter.version):
                raise _contradict(request, required, format_version(interpreter.version))
    raise _not_found(requests, found)


def _fits(interpreter: Interpreter, requests: Iterable[PythonRequest]) -> bool:
    return all(request.accepts(interpreter.version) for request in requests)


# --- where they may be --------------------------------------------------------------------------


def _find_host() -> Iterator[Interpreter]:
    yield get_host_interpreter()


def _find_on_path() -> Iterator[Interpreter]:
    # pyenv's shims stand for its versions, which are looked up themselves, and fail for most.
    shims = _get_pyenv_root() / "shims"
    for directory in dict.fromkeys(os.get_exec_path()):
        folder = Path(directory)
        if not directory or folder == shims:
            continue
        try:
            names = sorted(
                each.name for each in folder.iterdir() if re.match(_NAME_ON_PATH, each.name)
            )
        except OSError:
            continue
        seen = set()
        for name in reversed(names):  # python3.11 before python3 and python: they are the same
            executable = (folder / name).resolve()
            if executable not in seen and (interpreter := _inspect(folder / name, "PATH")):
                yield interpreter
            seen.add(executable)


def _find_under_pyenv() -> Iterator[Interpreter]:
    try:
        entries = sorted((_get_pyenv_root() / "versions").iterdir())
    except OSError:
        return
    for entry in entries:
        executable = entry / "bin" / "python"
        match = re.match(_PYENV_VERSION, entry.name)
        # The folder's name tells the version of a CPython; only other kinds have to be asked.
        if match is None or not os.access(executable, os.X_OK):
            continue
        version = tuple(map(int, match.groups()))
        if version >= OLDEST_VERSION:
            yield Interpreter(executable, version, "pyenv")


def _find_through_uv() -> Iterator[Interpreter]:
    import json

    from pypods.pods.programs import find_uv, run_quietly

    uv = find_uv()
    if uv is None:
        return
    # Only those uv itself installed: the others are found above, and without a PATH uv tries none.
    environment = {**os.environ, "UV_PYTHON_PREFERENCE": "only-managed", "PATH": ""}
    words = [uv, "python", "list", "--only-installed", "--output-format", "json", "--offline"]
    output = run_quietly(words, environment=environment, timeout=QUERY_TIMEOUT_SECONDS)
    try:
        entries = json.loads(output or "[]")
        paths = [Path(entry["path"]) for entry in entries if entry["implementation"] == "cpython"]
    except (ValueError, LookupError, TypeError):
        return
    for path in paths:
        if interpreter := _inspect(path, "uv"):
            yield interpreter


_SOURCES: dict[str, _Source] = {
    "the Python that runs this program": _find_host,
    "PATH": _find_on_path,
    "pyenv's versions": _find_under_pyenv,
    "uv's own installations": _find_through_uv,
}


def _get_pyenv_root() -> Path:
    root = os.environ.get("PYENV_ROOT")
    return Path(root) if root else Path.home() / ".pyenv"


# --- asking one ---------------------------------------------------------------------------------


def _find_path(path: Path) -> Interpreter:
    interpreter = _inspect(path, "path")
    if interpreter is None:
        what = "does not run as a Python" if path.exists() else "is not there"
        oldest = format_version(OLDEST_VERSION)
        raise InterpreterNotFoundError(
            f"{path} {what} (of version {oldest} or later); name another, or a version "
            f'such as "3.11"'
        )
    return interpreter


def _inspect(path: Path, source: str) -> Interpreter | None:
    """Run the interpreter once to learn its version and, in an environment, what is below."""
    import json

    from pypods.pods.programs import run_quietly

    try:
        key = (str(path), path.stat().st_mtime_ns)
    except OSError:
        return None
    if key not in _told:
        output = run_quietly([str(path), "-I", "-c", _QUERY], timeout=QUERY_TIMEOUT_SECONDS)
        try:
            version, executable = json.loads(output or "null")
            _told[key] = (tuple(version), Path(executable))
        except (ValueError, TypeError):
            _told[key] = None
    told = _told[key]
    if told is None or told[0] < OLDEST_VERSION:
        return None
    return Interpreter(told[1], told[0], source)


# --- what went wrong ----------------------------------------------------------------------------


def _contradict(
    request: PythonRequest, required: PythonRequest, version: str
) -> PodEnvironmentError:
    return PodEnvironmentError(
        f'Python "{request}" is asked for, found as {version}, but pod.py has '
        f'requires-python = "{required}"; change one of the two'
    )


def _not_found(requests: list[PythonRequest], found: list[Interpreter]) -> InterpreterNotFoundError:
    asked = '" and "'.join(map(str, requests))
    found_lines = "".join(f"\n  {interpreter}" for interpreter in found)
    places = "".join(f"\n  {place}" for place in _SOURCES).replace(
        "pyenv's versions", f"pyenv's versions in {_get_pyenv_root() / 'versions'}"
    )
    version = next((str(each) for each in requests if each.version), "3.11")
    return InterpreterNotFoundError(
        f'no Python "{asked}" was found. Found:{found_lines}\nLooked in:{places}\n'
        f'Install one, for example with "uv python install {version}", or give a path'
    )
