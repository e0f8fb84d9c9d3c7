"""Which processor cores processes may use; nothing of what they do there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

__all__ = ["pinned"]


@contextmanager
def pinned(pids: Iterable[int]) -> Iterator[None]:
    """Hold these processes on one and the same core; afterwards they are as free as before.

    Processes that they start meanwhile are held there too.
    """
    before = {pid: os.sched_getaffinity(pid) for pid in pids}
    core = max(os.sched_getaffinity(0))
    try:
        for pid in before:
            os.sched_setaffinity(pid, {core})
        yield
    finally:
        for pid, cores in before.items():
            os.sched_setaffinity(pid, cores)
