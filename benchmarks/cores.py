"""Which processor cores processes may use; nothing of what they do there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["pinned", "pinned_apart"]


@contextmanager
def pinned(pids: Iterable[int]) -> Iterator[None]:
    """Hold these processes on one and the same core; afterwards they are as free as before.

    Processes that they start meanwhile are held there too.
    """
    core = max(os.sched_getaffinity(0))
    with _held(dict.fromkeys(pids, core)):
        yield


@contextmanager
def pinned_apart(one: int, others: Iterable[int]) -> Iterator[None]:
    """Hold a process on one core and the others on another one."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise ValueError("this machine has one core only")
    with _held({one: cores[-2], **dict.fromkeys(others, cores[-1])}):
        yield


@contextmanager
def _held(cores: Mapping[int, int]) -> Iterator[None]:
    before = {}
    try:
        for pid, core in cores.items():
            for thread in _list_threads(pid):
                try:
                    before[thread] = os.sched_getaffinity(thread)
                    os.sched_setaffinity(thread, {core})
                except ProcessLookupError:
                    continue
        yield
    finally:
        for thread, free in before.items():
            try:
                os.sched_setaffinity(thread, free)
            except ProcessLookupError:
                continue


def _list_threads(pid: int) -> list[int]:
    try:
        return [int(each.name) for each in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []
