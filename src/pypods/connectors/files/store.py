"""A folder of this machine, in which files lie: listed, opened, written at once; no rows.

``S3Store`` offers the same of a bucket. Paths are relative to the folder, with ``/`` between parts.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from pypods.connectors.errors import (
    AuthenticationError,
    ConnectorError,
    SettingsError,
    StreamNotFoundError,
    UnreachableError,
)

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

__all__ = ["FileFacts", "LocalStore"]

TEMPORARY_SUFFIX = ".pypods-new"


class FileFacts:
    """A file: its path, its size in bytes, and what changes when its content does."""

    def __init__(self, path: str, size: int, changed: int) -> None:
        self.path = path
        self.size = size
        self.changed = changed

    @property
    def mark(self) -> list[int]:
        """What another content of the file does not have: size and time of change."""
        return [self.size, self.changed]


class LocalStore:
    """A folder. Every method raises OSError, which ``translate`` makes an error of ours."""

    #: Whether a file can take another's place in one step, and a lock be held.
    can_rename = True

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(folder)
        self.shown = self.folder

    def check(self) -> None:
        """Raise an error if the folder is not there."""
        if not os.path.isdir(self.folder):
            raise UnreachableError(
                f"there is no folder {self.folder}; make it, or correct the setting 'folder'",
                retry=False,
            )

    def resolve(self, path: str) -> str:
        """Return where a file lies. Raises SettingsError for one outside of the folder."""
        full = os.path.join(self.folder, path)
        real, root = os.path.realpath(full), os.path.realpath(self.folder)
        if real != root and not real.startswith(root.rstrip(os.sep) + os.sep):
            raise SettingsError(f"{path} leads out of the folder {self.folder}, by a link")
        return full

    # --- looking -------------------------------------------------------------------------------

    def look(self, path: str) -> FileFacts | None:
        """Return a file's facts, or None if there is no such file."""
        try:
            facts = os.stat(self.resolve(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not os.path.isfile(self.resolve(path)):
            return None
        return FileFacts(path, facts.st_size, facts.st_mtime_ns)

    def is_folder(self, path: str) -> bool:
        """Whether there is a folder of that path."""
        return os.path.isdir(self.resolve(path))

    def files(self, path: str = "") -> list[FileFacts]:
        """Return all files below a folder, by their paths; those with a dot in front are hidden."""
        found = []
        top = self.resolve(path)
        for folder, folders, names in os.walk(top):
            folders[:] = [name for name in folders if not name.startswith(".")]
            below = os.path.relpath(folder, self.folder)
            for name in names:
                if name.startswith(".") or name.endswith(TEMPORARY_SUFFIX):
                    continue
                file = name if below == "." else f"{below}/{name}".replace(os.sep, "/")
                try:
                    facts = self.look(file)
                except SettingsError:
                    continue  # A link that leads out of the folder.
                if facts is not None:
                    found.append(facts)
        return sorted(found, key=lambda each: each.path)

    def names(self, path: str) -> list[str]:
        """Return the names of the files in a folder, hidden ones too."""
        try:
            return sorted(os.listdir(self.resolve(path)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    # --- reading -------------------------------------------------------------------------------

    def open(self, path: str) -> Any:
        """Open a file for reading, as pyarrow does."""
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        return pa.OSFile(self.resolve(path))

    def read_text(self, path: str) -> str | None:
        """Return a small file's text, or None if it is not there."""
        try:
            with open(self.resolve(path), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return None

    # --- writing -------------------------------------------------------------------------------

    def make_folder(self, path: str) -> None:
        """Make a folder, and those above it."""
        os.makedirs(self.resolve(path), exist_ok=True)

    @contextmanager
    def create(self, path: str) -> Iterator[Any]:
        """Write a file, synced to the disk at the end; nothing is left of one that fails."""
        full = self.resolve(path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        try:
            with open(full, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            self.remove(path)
            raise

    def stage(self, path: str) -> Any:
        """Write a file that ``publish`` gives its name."""
        return self.create(path)

    def publish(self, path: str, final: str) -> None:
        """Give a staged file its name, in one step; a file that has that name is replaced."""
        full = self.resolve(final)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        os.replace(self.resolve(path), full)
        sync_folder(os.path.dirname(full))

    def write_text(self, path: str, text: str) -> None:
        """Write a small file: after a crash it is the old one or the new one."""
        temporary = f"{path}.{os.getpid()}-{os.urandom(4).hex()}{TEMPORARY_SUFFIX}"
        full = self.resolve(temporary)
        try:
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            self.publish(temporary, path)
        except BaseException:
            self.remove(temporary)
            raise

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        try:
            os.remove(self.resolve(path))
        except FileNotFoundError:
            return
        sync_folder(os.path.dirname(self.resolve(path)))

    def discard_staged(self) -> None:
        """Do nothing: what is staged lies where ``remove_tree`` finds it."""

    def remove_tree(self, path: str) -> None:
        """Remove a folder and all that is in it, if it is there."""
        import shutil

        shutil.rmtree(self.resolve(path), ignore_errors=True)

    @contextmanager
    def lock(self, path: str) -> Iterator[None]:
        """Hold a lock that ends with its holder."""
        import fcntl

        full = self.resolve(path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def translate(self, error: Exception) -> ConnectorError | None:
        """Return what an error of the system is for everybody; None for what is none of it."""
        if not isinstance(error, OSError):
            return None
        if isinstance(error, FileNotFoundError):
            return StreamNotFoundError(f"{error}; it was there a moment ago, or its folder is gone")
        if isinstance(error, PermissionError):
            return AuthenticationError(f"{error}; allow this user to read or write it")
        return UnreachableError(f"{self.shown}: {error}")


def sync_folder(folder: str) -> None:
    """Bring to the disk which files a folder has."""
    try:
        descriptor = os.open(folder or ".", os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
