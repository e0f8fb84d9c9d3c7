"""Functions of the host that this pod holds: what stands for them, and when the host is told."""

from __future__ import annotations

import sys
from _thread import RLock
from _weakref import ref

from pypods.wire.context import current
from pypods.wire.envelopes import FORGET, forget_frame
from pypods.worker.host_values import value_of

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

    from pypods.worker.host_values import Ask

__all__ = ["HostFunction", "HostFunctions"]

#: Of a frame that lets go of functions, the bytes that are none of them; and how many it may have.
FORGET_HEAD_BYTES = 64
MAX_FORGOTTEN = 40_000
_count_references = getattr(sys, "getrefcount", lambda _: 0)


def _take(queue: list[Any]) -> tuple[Any, int]:
    """Return the last of a queue, and how many references to it there are."""
    last = queue.pop()
    return last, _count_references(last)


#: How many there are of what nobody else holds.
_ALONE = _take([object()])[1]


class HostFunction:
    """A function of the host: calling it runs it there, on the thread whose call runs here."""

    def __init__(self, ask: Ask, name: str, counts: list[int], let_go: list[Any]) -> None:
        self._ask = ask
        #: Its number, how often it has come, how often it was given back.
        self._counts = counts
        #: The call or question with which it came last.
        self._came_with = 0
        self._let_go = let_go
        self.__name__ = self.__qualname__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it. Raises what it raised, as HostCallError and as the builtin exception it was.

        Raises RuntimeError where no call of the host runs.
        """
        request = {"number": self._counts[0], "args": list(args), "kwargs": kwargs}
        return value_of(self._ask("callback", self._came_with, request))

    def __repr__(self) -> str:
        return f"<function {self.__name__} of the host>"

    def __del__(self) -> None:
        # Runs at any moment, so it may do no more than append. And not yet its end: in a cycle
        # another finalizer may still call this, or keep it.
        self._let_go.append(self)

    def __copy__(self) -> HostFunction:
        return self  # As functions are copied.

    def __deepcopy__(self, _: Any) -> HostFunction:
        return self


class HostFunctions:
    """What stands for functions of the host, each of them once; ``let_go`` is to be looked at."""

    #: Of which class they are.
    kind = HostFunction

    def __init__(self, ask: Ask, let_go: list[Any]) -> None:
        self._ask = ask
        #: Those that nobody held any more when last looked at.
        self._let_go = let_go
        #: Weak references, by number.
        self._alive: dict[int, Any] = {}
        # One may come by a finalizer that runs while another does.
        self._lock = RLock()

    def take(self, content: dict[str, Any]) -> HostFunction:
        """Return what stands for a function that has come."""
        number = content["number"]
        with self._lock:
            known = self._alive.get(number)
            function: HostFunction | None = None if known is None else known()
            if function is None:
                counts = [number, 0, 0]
                function = HostFunction(self._ask, content["name"], counts, self._let_go)
                self._alive[number] = ref(function)
            function._counts[1] += 1
            function._came_with = content["call"]
        return function

    def give_back(self, function: HostFunction) -> tuple[bytes, dict[str, Any]]:
        """Return the kind and content with which the host gets its own function."""
        counts = function._counts
        with self._lock:
            counts[2] += 1
        current.given_back.append(counts)
        return b"k", {"number": counts[0]}

    def take_back(self) -> None:
        """Undo what ``give_back`` has done for a frame that is not sent."""
        with self._lock:
            for counts in current.given_back:
                counts[2] -= 1
        current.given_back.clear()

    def with_forgotten(self, frame: bytes, max_frame_bytes: int) -> bytes:
        """Return a frame behind those that tell the host of functions that are not held here."""
        most = min(MAX_FORGOTTEN, (max_frame_bytes - FORGET_HEAD_BYTES) // FORGET.size)
        if most < 1:
            return frame
        with self._lock:
            packed = self._take_forgotten()
        size = most * FORGET.size
        pieces = [packed[start : start + size] for start in range(0, len(packed), size)]
        return b"".join([*map(forget_frame, pieces), frame])

    def _take_forgotten(self) -> bytes:
        packed = []
        held = []
        for _ in range(len(self._let_go)):
            function, references = _take(self._let_go)
            if references > _ALONE:
                held.append(function)  # It came again meanwhile, or a finalizer uses it.
                continue
            counts = function._counts
            packed.append(FORGET.pack(*counts))
            known = self._alive.get(counts[0])
            if known is not None and known() in (None, function):
                del self._alive[counts[0]]
        self._let_go += held
        return b"".join(packed)

    def __len__(self) -> int:
        return len(self._alive)
