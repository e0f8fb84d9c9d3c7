"""Environments without a pod's folder: found by what they ask for, in a cache, shared and pruned.

Beside them are the copies of the connectors that come with pypods, each with its environment.

How an environment is made and recognised is `environment.py`'s business, for these as for others.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pypods.errors import PodEnvironmentError
from pypods.pods.folder import PodFolder
from pypods.pods.lock import Use, hold_unused

if TYPE_CHECKING:
    from pypods.pods.environment import Environment
    from pypods.pods.progress import Progress

__all__ = [
    "AskedEnvironment",
    "CacheEntry",
    "cache_directory",
    "list_cache",
    "prune_entry",
    "use_environment",
]

CACHE_VARIABLE = "PYPODS_CACHE_DIR"
LOCK_SUFFIX = ".lock"
#: The folders in the cache: of environments by what they ask for, and of copies of connectors.
ENVIRONMENTS, CONNECTORS = "environments", "pods"
MAX_LABEL_CHARACTERS = 40
#: Of the hash; two that ask for different things and share these are as unlikely as a broken disk.
KEY_CHARACTERS = 20

# The name with which a requirement begins; an address has none.
_PROJECT = r"[A-Za-z0-9][\w.-]*(?=\s*(?:$|[\[(<>=!~;@,]))"


def cache_directory() -> Path:
    """Return where the cache is: $PYPODS_CACHE_DIR, else a folder in the user's own cache."""
    if own := os.environ.get(CACHE_VARIABLE):
        return Path(own).expanduser().absolute()
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if shared.is_absolute():  # The standard has the others ignored.
        return shared / "pypods"
    try:
        home = Path.home()
    except RuntimeError as exc:
        raise PodEnvironmentError(
            f"there is no home folder for the cache of environments; set {CACHE_VARIABLE}"
        ) from exc
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "pypods"


@dataclass(frozen=True)
class AskedEnvironment:
    """What an environment is found by: requirements as pip writes them, a Python, an installer."""

    requirements: tuple[str, ...] = ()
    python: str | None = None
    installer: str = "uv"

    @classmethod
    def read(
        cls,
        requirements: Iterable[str] = (),
        *,
        python: str | os.PathLike[str] | None = None,
        installer: str = "uv",
    ) -> AskedEnvironment:
        """Take over what a user asked for; order and doubles make no difference.

        Raises `ValueError` for what cannot be asked for here.
        """
        from pypods.pods.environment import INSTALLERS
        from pypods.pods.python_request import PythonRequest

        if isinstance(requirements, str):
            raise ValueError(f"requirements is a list of texts: requirements=[{requirements!r}]")
        texts = {_check_requirement(each) for each in requirements}
        if installer not in INSTALLERS:
            raise ValueError(f"installer {installer!r} is not known; use {' or '.join(INSTALLERS)}")
        # A path is one to PythonRequest by its type, or by its separator.
        given = Path(python) if isinstance(python, os.PathLike) else python
        text = None if given is None else PythonRequest.parse(given).text
        return cls(tuple(sorted(texts)), text, installer)

    @property
    def label(self) -> str:
        """What it is, in a few characters for people; nothing is found by it."""
        found = [re.match(_PROJECT, each) for each in self.requirements]
        names = [re.sub(r"\W", "_", each[0]).strip("_") for each in found if each is not None]
        return "_".join(names)[:MAX_LABEL_CHARACTERS].rstrip("_")

    def folder(self, pod_name: str) -> CachedFolder:
        """Return its folder in the cache, there or not."""
        name = f"{self.label or 'python'}-{self._key()}"
        return CachedFolder(pod_name, cache_directory() / ENVIRONMENTS / name)

    def _key(self) -> str:
        """Return a hash of all that an environment is compared with; the same finds the same.

        So two programs never take turns in making one environment what each of them wants.
        """
        import hashlib

        from pypods.pods.fingerprint import hash_settings, name_platform
        from pypods.pods.interpreters import get_host_interpreter
        from pypods.pods.requirements import Requirements

        python = self.python
        if python is None:
            python = str(get_host_interpreter().path.resolve())
        parts = [*self.requirements, "", python, name_platform()]
        if self.requirements:
            asked = Requirements(dependencies=self.requirements)
            parts += [self.installer, hash_settings(asked, self.installer)]
        # A requirement holds no line break, so these cannot be mistaken for each other.
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:KEY_CHARACTERS]


class CachedFolder(PodFolder):
    """An environment's folder in the cache; a `pod.py` is in that of a connector's copy only."""

    @property
    def use_file(self) -> Path:
        """The lock that whoever uses the environment holds, beside the folder."""
        return self.path.with_name(self.path.name + LOCK_SUFFIX)

    @property
    def retry(self) -> str:
        """What to do once what kept the environment from being made is put right."""
        return "try again"

    def wish(self, source: str) -> str:  # noqa: ARG002 - nobody wrote that file
        """Say what is asked for, in an error's or a progress's line."""
        return "what is asked for"

    def correct(self, source: str) -> str:  # noqa: ARG002 - whatever it is, it is made from that
        """Say how what is asked for is put right."""
        return "Correct the requirements"


def use_environment(
    asked: AskedEnvironment, pod_name: str, *, progress: Progress | None = None
) -> tuple[Environment, Use]:
    """Return the environment, made where it is not there yet, and its use, which keeps it there.

    Raises `PodEnvironmentError`.
    """
    from pypods.pods.environment import ensure_environment

    folder = asked.folder(pod_name)
    try:
        folder.path.parent.mkdir(parents=True, exist_ok=True)
        use = Use(folder.use_file)
    except OSError as exc:
        raise _no_cache(exc) from exc
    try:
        try:
            folder.path.mkdir(exist_ok=True)
            _write_requirements(folder, asked)
        except OSError as exc:
            raise _no_cache(exc) from exc
        environment = ensure_environment(
            folder, python=asked.python, installer=asked.installer, progress=progress
        )
    except BaseException:
        use.end()
        raise
    return environment, use


def _no_cache(exc: OSError) -> PodEnvironmentError:
    return PodEnvironmentError(
        f"the cache of environments cannot be written: {exc}; "
        f"see to that, or set {CACHE_VARIABLE} to another folder"
    )


def _write_requirements(folder: CachedFolder, asked: AskedEnvironment) -> None:
    text = "".join(f"{each}\n" for each in asked.requirements)
    try:
        if folder.requirements_file.read_text(encoding="utf-8") == text:
            return
    except FileNotFoundError:
        pass
    new = folder.path / f"requirements.txt.{os.getpid()}-{os.urandom(4).hex()}"
    new.write_text(text, encoding="utf-8")
    new.replace(folder.requirements_file)


def _check_requirement(text: str) -> str:
    """Return one requirement; `ValueError` for an option, several, or what lies beside a file."""
    if not isinstance(text, str):
        raise ValueError(f"a requirement is a text such as 'pandas<2', not {text!r}")
    text = text.strip()
    if not text or "\n" in text or "\r" in text or text.startswith("#"):
        raise ValueError(f"{text!r} is no requirement; write one, such as 'pandas<2'")
    if text.startswith("-"):
        raise ValueError(f"{text!r} is an option; only requirements such as 'pandas<2' go here")
    if text.startswith("."):
        raise ValueError(f"{text!r} is no requirement; write a path from the root on, or a name")
    return text


# --- what there is ------------------------------------------------------------------------------


@dataclass(frozen=True)
class CacheEntry:
    """One environment of the cache; `python` is the version it has, None while it is not whole.

    `connector` is the name of the one that came with pypods and has it, if it is of one. `size` in
    bytes, `last_used` in seconds since 1970.
    """

    folder: CachedFolder
    connector: str | None
    requirements: tuple[str, ...]
    asked_python: str | None
    python: str | None
    size: int
    last_used: float
    in_use: bool


def list_cache() -> list[CacheEntry]:
    """Return every environment of the cache, the one used last first."""
    entries = [_describe(CachedFolder(each.name, each)) for each in _folders_in(ENVIRONMENTS)]
    for each in _folders_in(CONNECTORS):
        name = each.name.rpartition("-")[0]
        entries.append(_describe(CachedFolder(name, each), connector=name))
    return sorted(entries, key=lambda each: (-each.last_used, each.folder.name))


def _folders_in(part: str) -> list[Path]:
    """Return the folders of a part of the cache; those with a dot in front are being made."""
    try:
        paths = list((cache_directory() / part).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [each for each in paths if each.is_dir() and not each.name.startswith(".")]


def prune_entry(entry: CacheEntry, *, unused_seconds: float = 0.0) -> bool:
    """Remove an environment; leave it, and say so, if it is in use or has been meanwhile.

    Raises `OSError` where something cannot be removed; what is left is then no environment.
    """
    import shutil

    from pypods.pods.environment import discard_environment

    folder = entry.folder
    with hold_unused(folder.use_file) as is_unused:
        if not is_unused or time.time() - _last_used(folder) < unused_seconds:
            return False
        discard_environment(folder.venv)
        if folder.path.exists():
            shutil.rmtree(folder.path)
        folder.use_file.unlink(missing_ok=True)
    return True


def _describe(folder: CachedFolder, *, connector: str | None = None) -> CacheEntry:
    from pypods.pods.fingerprint import read_fingerprint
    from pypods.pods.python_request import format_version

    last_used = _last_used(folder)
    fingerprint = read_fingerprint(folder.venv)
    try:
        lines = folder.requirements_file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        lines = []
    in_use = False
    if folder.use_file.exists():
        with hold_unused(folder.use_file) as is_unused:
            in_use = not is_unused
    return CacheEntry(
        folder=folder,
        connector=connector,
        requirements=tuple(line for line in lines if not line.startswith("#")),
        asked_python=None if fingerprint is None else fingerprint.python,
        python=None if fingerprint is None else format_version(fingerprint.version),
        size=_measure(folder.path),
        last_used=last_used,
        in_use=in_use,
    )


def _last_used(folder: CachedFolder) -> float:
    for path in (folder.use_file, folder.path):
        try:
            return path.stat().st_mtime
        except FileNotFoundError:
            continue
    return 0.0


def _measure(path: Path) -> int:
    """Return the bytes of the files below a folder, each counted once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                status = Path(folder, name).lstat()
            except FileNotFoundError:  # Somebody else is at it.
                continue
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                total += status.st_size
    return total
