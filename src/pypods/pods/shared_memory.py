"""Shared memory of a pod and its host: made before the pod starts; nothing of what it holds.

Two arenas, one for each direction, are anonymous files (memfd_create(2)) that the worker inherits.
They are sealed against any change of their size, so no pod can make the host's mapping end early,
which would kill the host (SIGBUS). Where the system has no such files, there is no shared memory
and everything crosses in frames.
"""

from __future__ import annotations

import os
from itertools import count

from pypods.wire.arena import BLOCK_BYTES, Arena
from pypods.wire.shared import SharedMemory

__all__ = ["MINIMUM_USEFUL_FRAME_BYTES", "SharedPair", "share_memory"]

#: Set to 1, it lets everything cross in frames, as on a system without shared memory.
OFF_VARIABLE = "PYPODS_NO_SHARED_MEMORY"
#: Where frames are shorter, blocks could not be given back in them.
MINIMUM_USEFUL_FRAME_BYTES = 4096
#: Two mappings that lie a whole number of gigabytes apart share the processor's page-walk caches:
#: a copy from one to the other then takes half as long again. So large arenas are a bit smaller.
#: Not by a whole megabyte either: that is what Python maps for its own objects in between.
SKEW_BYTES = 129 * BLOCK_BYTES
MINIMUM_SKEWED_BYTES = 2**26

#: By which pods know the arenas of one another.
_numbers = count(1)


class SharedPair:
    """The host's shared memory for one worker, and what the worker must be told of it."""

    def __init__(self, memory: SharedMemory, fds: tuple[int, ...], argument: str) -> None:
        self.memory = memory
        #: What the worker inherits.
        self.fds = fds
        #: The worker's argument, see ``pypods.worker.serve.join_shared_memory``.
        self.argument = argument


def share_memory(
    max_shared_bytes: int, *, max_frame_bytes: int, writable: bool = False
) -> SharedPair | None:
    """Make the arenas of one worker, each of ``max_shared_bytes``; None where that cannot be."""
    if (
        max_shared_bytes < BLOCK_BYTES
        or max_frame_bytes < MINIMUM_USEFUL_FRAME_BYTES
        or os.environ.get(OFF_VARIABLE) == "1"
    ):
        return None
    size = max_shared_bytes // BLOCK_BYTES * BLOCK_BYTES
    if size >= MINIMUM_SKEWED_BYTES:
        size -= SKEW_BYTES
    to_pod = _make_sealed_file("to-pod", size)
    if to_pod is None:
        return None
    from_pod = _make_sealed_file("from-pod", size)
    if from_pod is None:
        os.close(to_pod)
        return None
    memory = SharedMemory(
        Arena(to_pod, size, number=next(_numbers)),
        Arena(from_pod, size, number=next(_numbers)),
        max_frame_bytes=max_frame_bytes,
        writable=writable,
    )
    return SharedPair(memory, (to_pod, from_pod), f"{to_pod},{from_pod},{size},{int(writable)}")


def _make_sealed_file(name: str, size: int) -> int | None:
    """Return the descriptor of an anonymous file of a size that nobody can change, or None."""
    try:
        import fcntl

        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fd = os.memfd_create(f"pypods-{name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except (ImportError, AttributeError, OSError):  # Another system, or one that forbids it.
        return None
    try:
        os.ftruncate(fd, size)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    except OSError:
        os.close(fd)
        return None
    return fd
