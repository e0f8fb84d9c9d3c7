"""Arenas that the host shares with other pods, found among its descriptors; for a worker only."""

from __future__ import annotations

import os
from weakref import WeakValueDictionary

from pypods.errors import ValueTransferError
from pypods.wire.arena import Arena

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["ForeignArenas"]

MAP_NORESERVE = 0x4000


def descriptors_of_the_host() -> str:
    """Return the folder in which the host's descriptors are."""
    return f"/proc/{os.getppid()}/fd"


class ForeignArena(Arena):
    """An arena of the host's that it shares with another pod: nothing in it can be changed."""

    def _map(self, fd: int) -> Any:
        from mmap import MAP_PRIVATE, PROT_READ, PROT_WRITE, mmap

        # Written to it would be this side's own copy; ctypes asks for memory that can be.
        return mmap(fd, self.size, flags=MAP_PRIVATE | MAP_NORESERVE, prot=PROT_READ | PROT_WRITE)


class ForeignArenas:
    """Those that were met, by the host's numbers: kept while something looks into them.

    The last one is kept beyond that, for what comes next most likely lies there too: to find its
    pages again would cost more than to read them.
    """

    def __init__(self) -> None:
        self._known: WeakValueDictionary[int, Arena] = WeakValueDictionary()
        self._last: Any = None

    def find(self, fd: int, number: int, size: int) -> Arena:
        """Return the arena behind a descriptor of the host's. Raises ValueTransferError."""
        arena = self._known.get(number)
        if arena is None:
            try:
                path = f"{descriptors_of_the_host()}/{fd}"
                arena = ForeignArena(os.open(path, os.O_RDONLY | os.O_CLOEXEC), size)
            except OSError as exc:
                raise ValueTransferError(
                    f"memory of another pod cannot be had here ({exc})"
                ) from None
            self._known[number] = arena
        self._last = arena
        return arena
