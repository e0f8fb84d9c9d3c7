"""Stubs of pods as files of a project: what they should say, and which of them do not say it.

A type checker takes ``pypods_types`` of the project for that of pypods, and so the project's
PodLoader for the one that ``pypods.pods`` has (docs/decisions/0018-stubs.md).
"""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pypods.errors import PodEnvironmentError, PodError, PodStartError
from pypods.pods.folder import PodFolder
from pypods.pods.stub_functions import doc_lines, indent
from pypods.pods.stub_text import HEADER, POD_BASE, SILENCE, stub_text

__all__ = ["PACKAGE", "StubFile", "StubPlan", "plan_stubs", "plan_surplus", "write_stub"]

#: The folder of the stubs; also that of what type checkers find without any.
PACKAGE = "pypods_types"
READ_TIMEOUT_SECONDS = 60
_READ_BY_ANOTHER = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from pypods.pods.stub_text import main; sys.exit(main())"
)


@dataclass(frozen=True)
class StubFile:
    """A file of stubs and what it should say; `text` is None for one that should not be there.

    `name` is the pod's, None for the file with PodLoader. `status` is how the file stands now:
    current, missing, stale or surplus.
    """

    name: str | None
    path: Path
    text: str | None
    status: str


@dataclass
class StubPlan:
    """The files of stubs that there are to be, and the pods that have none, with the reasons."""

    files: list[StubFile] = field(default_factory=list)
    failures: list[tuple[PodFolder, PodError | OSError]] = field(default_factory=list)


def plan_stubs(
    folders: Iterable[PodFolder], *, all_folders: Sequence[PodFolder], output: Path
) -> StubPlan:
    """Return what the stubs of these pods should say, below `output`; nothing is written.

    The other ones of `all_folders` keep the stubs that they have. A pod whose `pod.py` no Python
    here can read is among the failures, with a PodStartError that names the line, and so is one
    whose stub is somebody else's file. Raises OSError where PodLoader's is.
    """
    plan = StubPlan()
    for folder in folders:
        try:
            plan.files.append(_plan_stub(folder, output))
        except (PodError, OSError) as exc:
            plan.failures.append((folder, exc))
    texts = {each.name: each.text for each in plan.files}
    for folder in all_folders:
        path = output / PACKAGE / f"{folder.name}.pyi"
        if folder.name not in texts and path.is_file() and _is_ours(path.read_bytes()):
            texts[folder.name] = path.read_text(encoding="utf-8")
    if texts or (output / PACKAGE / "__init__.pyi").is_file():
        classes = {str(name): _pod_class(text or "") for name, text in sorted(texts.items())}
        plan.files.append(_plan(None, output, _loader_text(classes)))
    return plan


def plan_surplus(all_folders: Iterable[PodFolder], *, output: Path) -> list[StubFile]:
    """Return the stubs that pypods has written for pods that are not there any more."""
    kept = {"__init__", *(folder.name for folder in all_folders)}
    return [
        StubFile(path.stem, path, None, "surplus")
        for path in sorted((output / PACKAGE).glob("*.pyi"))
        if path.stem not in kept and _is_ours(path.read_bytes())
    ]


def _plan_stub(folder: PodFolder, output: Path) -> StubFile:
    if folder.name == "__init__":
        raise PodStartError('a pod named "__init__" can have no stub; give the pod another name')
    return _plan(folder.name, output, _read_pod(folder))


def _pod_class(text: str) -> str:
    """Return the name of the pod's class in its stub; pod.py may have one of its own named Pod."""
    found = re.findall(rf"(?m)^class (\w+)\({re.escape(POD_BASE)}\):$", text)
    return found[-1] if found else "Pod"


def write_stub(stub: StubFile) -> None:
    """Write what the file should say, or remove it; a reader sees the old file or the new one."""
    if stub.text is None:
        stub.path.unlink(missing_ok=True)
        return
    stub.path.parent.mkdir(parents=True, exist_ok=True)
    beside = stub.path.with_name(f".{stub.path.name}.{os.getpid()}")
    try:
        beside.write_bytes(_encode(stub.text))
        beside.replace(stub.path)
    finally:
        beside.unlink(missing_ok=True)


def _plan(name: str | None, output: Path, text: str) -> StubFile:
    path = output / PACKAGE / f"{name or '__init__'}.pyi"
    try:
        there = path.read_bytes()
    except FileNotFoundError:
        return StubFile(name, path, text, "missing")
    if not _is_ours(there):
        raise FileExistsError(
            f'{path} was not written by "pypods stubs"; move it away, or name another --output'
        )
    return StubFile(name, path, text, "current" if there == _encode(text) else "stale")


def _is_ours(content: bytes) -> bool:
    return content.startswith(HEADER.encode())


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")  # A docstring may hold half a character.


# --- a pod --------------------------------------------------------------------------------------


def _read_pod(folder: PodFolder) -> str:
    source = folder.pod_file.read_bytes()
    siblings = frozenset(
        entry.stem
        for entry in folder.path.iterdir()
        if entry.stem.isidentifier()
        and entry != folder.venv
        and (entry.suffix == ".py" or entry.is_dir())
    )
    try:
        return stub_text(folder.name, source, siblings)
    except SyntaxError as exc:
        newer = _find_newer_python(folder)
        if newer is None:
            raise _unreadable(folder, exc.lineno, exc.msg) from exc
        return _ask(newer, folder, source, siblings)
    except (ValueError, RecursionError, MemoryError) as exc:
        raise _unreadable(folder, None, str(exc)) from exc


def _find_newer_python(folder: PodFolder) -> Path | None:
    """Return a Python newer than this one, whose syntax may be that of the pod: its own, or any."""
    from pypods.pods.interpreters import find_interpreter, list_interpreters

    here = sys.version_info[:2]
    try:
        own = find_interpreter(folder.venv_python)
    except PodEnvironmentError:  # It has none yet.
        pass
    else:
        if own.version[:2] > here:
            return own.path
    newest = max(list_interpreters(), key=lambda each: each.version)
    return newest.path if newest.version[:2] > here else None


def _ask(python: Path, folder: PodFolder, source: bytes, siblings: frozenset[str]) -> str:
    """Let another Python read the source, which it does not run either."""
    root = str(Path(__file__).parents[2])
    # Without site (-S): it may have a pypods of its own.
    words = [str(python), "-I", "-S", "-B", "-c", _READ_BY_ANOTHER, root, folder.name, *siblings]
    try:
        done = subprocess.run(
            words, input=source, capture_output=True, check=False, timeout=READ_TIMEOUT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise _unreadable(folder, None, f"{python} cannot read it: {exc}") from exc
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace")
        line, _, message = said.partition(" ")
        if not line.isdecimal():
            raise _unreadable(folder, None, f"{python} cannot read it: {said.strip()}")
        raise _unreadable(folder, int(line), message)
    return done.stdout.decode("utf-8")


def _unreadable(folder: PodFolder, line: int | None, message: str) -> PodStartError:
    place = f"{folder.pod_file}:{line}" if line else str(folder.pod_file)
    return PodStartError(
        f'pod "{folder.name}" has no stub: {place}: {message}; correct it there '
        f'(or install the Python it is written for), then run "pypods stubs" again'
    )


# --- PodLoader ----------------------------------------------------------------------------------

_LOADER_HEAD = """\
import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Generic, Literal, TypedDict, overload

from typing_extensions import TypeVar, Unpack

from pypods.pods.loader import PodLoader as _PodLoader
from pypods.pods.pod import Pod
from pypods.pods.progress import Progress
"""
_LOADER_TAIL = """\
    @property
    def pod(self) -> _Pod | None: ...
    def load_pod(self) -> _Pod:
        \"\"\"Launch the pod and return it, creating its folder and environment where needed.\"\"\"
    def __enter__(self) -> _Pod: ...
    def sticky(self) -> AbstractContextManager[_Pod]:
        \"\"\"Give the pod, with every call going to one of its workers: the least busy now.\"\"\"
"""


def _loader_text(classes: Mapping[str, str]) -> str:
    """Return the stub in which PodLoader knows these pods; every other has Any."""
    from pypods.pods.loader import PodLoader

    parameters = inspect.signature(PodLoader.__init__).parameters.values()
    options = [
        f"    {each.name}: {each.annotation}"
        for each in parameters
        if each.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    taken = "namespace: dict[str, Any] | None = None, **options: Unpack[_Options]"
    doc = inspect.getdoc(PodLoader) or ""
    ways = [(f"_{name}_stub.{cls}", f"Literal[{name!r}]") for name, cls in classes.items()]
    lines = [
        f"{HEADER} for PodLoader; what it says comes from the pods there are.",
        *SILENCE.splitlines(),
        *_LOADER_HEAD.splitlines(),
        *(f"from . import {name} as _{name}_stub" for name in classes),
        "",
        '_Pod = TypeVar("_Pod", bound=Pod, default=Pod)',
        "",
        "class _Options(TypedDict, total=False):",
        *options,
        "",
        "class PodLoader(_PodLoader, Generic[_Pod]):",
        *indent(doc_lines(doc)),
    ]
    for pod, literal in [*ways, ("Pod", "str")]:
        lines += ["    @overload"] * bool(classes)
        given = f"self: PodLoader[{pod}], pod_name: {literal}, {taken}"
        lines.append(f"    def __init__({given}) -> None: ...")
    return "\n".join([*lines, _LOADER_TAIL])
