"""Locks between processes: of one holder, or of many users; they end with whoever holds them."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Use", "hold_lock", "hold_unused"]


@contextmanager
def hold_lock(path: Path, *, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of this file; call `on_wait` once if another process or thread has it.

    The file stays: whoever removed it would take the lock from those who wait for it.
    """
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Use:
    """One use among many of what a lock file stands for, from now to ``end`` or to this process's.

    The file's time of change says when it was used last.
    """

    def __init__(self, path: Path) -> None:
        import fcntl

        descriptor = _open_and_lock(path, fcntl.LOCK_SH)
        assert descriptor is not None  # It waited for the lock.
        os.utime(descriptor)
        self._descriptor = descriptor
        self._finalizer = weakref.finalize(self, os.close, descriptor)

    def end(self) -> None:
        """Let go; nothing happens the second time."""
        if self._finalizer.alive:
            os.utime(self._descriptor)
            self._finalizer()


@contextmanager
def hold_unused(path: Path) -> Iterator[bool]:
    """Keep everybody from what a lock file stands for; gives False, at once, if it is in use.

    Whoever holds it may remove the file: those who wait for it open the next one.
    """
    import fcntl

    descriptor = _open_and_lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _open_and_lock(path: Path, operation: int) -> int | None:
    """Return a descriptor of the file with its lock; None if the lock is another's."""
    import fcntl

    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, operation)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:  # Removed while we waited.
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
