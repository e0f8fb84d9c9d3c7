"""What an encode under way may use besides the value, per thread; nothing of who sets it.

The codec recurses without a context argument. Its rare branches (a large binary, a type that
``reduce`` does not know) look here instead, so that plain values pay nothing.
"""

from __future__ import annotations

from _thread import _local

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["SHARED_MINIMUM_BYTES", "EncodeContext", "current"]

#: From here on a binary leaves the frame, where there is shared memory.
SHARED_MINIMUM_BYTES = 65_536


class EncodeContext(_local):
    """The exporters of the calling thread's encode; None where there are none.

    Whoever encodes for a peer sets them right before and puts None back in a ``finally``: an
    encode never runs inside another one of the same thread.
    """

    #: Where large binaries go instead of into the frame (``pypods.wire.arena.Parcel``, or
    #: ``pypods.wire.shared.SharedMemory`` before there is one).
    arena: Any = None
    #: Asked for a value that ``reduce`` does not know: its kind and content, or None.
    export: Callable[[Any], tuple[bytes, object] | None] | None = None
    #: The same for a value that cannot be copied, after everything else.
    refer: Callable[[Any], tuple[bytes, object] | None] | None = None
    #: What ``refer`` has put into the frame: how often each object, by its number, and, by their
    #: numbers below zero, the classes that it has described.
    journal: dict[int, int]
    #: The counts of the functions of the host that ``refer`` has put into the frame.
    given_back: list[list[int]]


#: The calling thread's own: attributes set by one thread are not seen by another.
current = EncodeContext()
