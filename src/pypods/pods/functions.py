"""Functions of the host that a pod may call: by number, for as long as the pod holds them.

Both sides count, for a function may be on its way to the pod while the pod lets go of it, or on
its way back while the host hears of that.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import count
from threading import RLock
from types import BuiltinMethodType, MethodType, MethodWrapperType
from typing import Any

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.envelopes import FORGET, FORGET_HEAD

__all__ = ["HostFunctions"]

#: Where the counts begin: after the frame's length, the names, the binary's length and subtype.
_COUNTS_START = 4 + len(FORGET_HEAD) + 5


class _Lent:
    """A function, and what is known of the pod's hold on it."""

    __slots__ = ("expected", "function", "given_back", "key", "sent")

    def __init__(self, function: Any, key: object) -> None:
        self.function = function
        self.key = key
        #: How often it was sent and not yet let go of.
        self.sent = 0
        #: How often the pod has sent it back, as far as that has arrived, and as far as it says.
        self.given_back = self.expected = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is in the pod, or on its way in either direction."""
        return self.sent <= 0 and self.given_back >= self.expected


class HostFunctions:
    """The functions that one worker holds."""

    def __init__(self) -> None:
        self._lent: dict[int, _Lent] = {}
        self._numbers: dict[object, int] = {}
        self._next_number = count(1).__next__
        self._is_closed = False
        # One may be lent by a finalizer that runs while another is.
        self._lock = RLock()

    def __len__(self) -> int:
        return len(self._lent)

    # To the pod --------------------------------------------------------------------------------

    def lend(
        self, value: Any, call: int, journal: list[int]
    ) -> tuple[bytes, dict[str, Any]] | None:
        """Return the kind and content of a function; None for anything else.

        A class is no function here: it is a value that cannot cross. ``call`` is the call, or the
        question, with which it goes out; ``journal`` is given its number, for ``take_back``.
        """
        if isinstance(value, type | Iterator) or not callable(value):
            return None
        key = _identity_of(value)
        with self._lock:
            number = self._numbers.get(key)
            if number is None:
                number = self._next_number()
                self._lent[number] = _Lent(value, key)
                self._numbers[key] = number
            self._lent[number].sent += 1
        journal.append(number)
        name = getattr(value, "__qualname__", None) or type(value).__qualname__
        return b"k", {"number": number, "call": call, "name": str(name)}

    def take_back(self, numbers: Iterable[int]) -> None:
        """Undo the sending of functions in a frame that never went out."""
        self._settle((number, 1, 0) for number in numbers)

    # From the pod ------------------------------------------------------------------------------

    def find(self, number: object) -> Any:
        """Return the function that the pod calls. Raises LookupError for one that it has not."""
        lent = self._lent.get(number) if type(number) is int else None
        if lent is None:
            raise LookupError(f"the pod holds no function of number {number!r:.40}")
        return lent.function

    def take(self, content: dict[str, Any]) -> Any:
        """Return the function that the pod gives back. Raises ProtocolError for none it has."""
        number = content.get("number")
        with self._lock:
            lent = self._lent.get(number) if type(number) is int else None
            if lent is None or type(number) is not int:
                if self._is_closed:
                    raise ValueTransferError("a function of the host came back from a dead pod")
                raise ProtocolError("a function of the host that the pod does not hold")
            lent.given_back += 1
            self._end_if_over(number, lent)
        return lent.function

    def take_forget(self, frame: bytes) -> bool:
        """Take a frame in if it is a ``forget`` in its usual form; say whether it was."""
        end = len(frame) - 1
        if not frame.startswith(FORGET_HEAD, 4) or end < _COUNTS_START:
            return False
        if int.from_bytes(frame[_COUNTS_START - 5 : _COUNTS_START - 1], "little") != (
            end - _COUNTS_START
        ):
            return False
        self.forget(frame[_COUNTS_START:end])
        return True

    def forget(self, packed: bytes) -> None:
        """Let go of what the pod holds no more. Raises ProtocolError."""
        try:
            self._settle(FORGET.iter_unpack(packed))
        except struct.error as exc:
            raise ProtocolError(f"the counts of functions are none: {exc}") from None

    def close(self) -> None:
        """Let go of everything: the pod has ended."""
        with self._lock:
            self._is_closed = True
            lent, self._lent, self._numbers = self._lent, {}, {}
        lent.clear()  # Out of the lock: the functions' own finalizers may do anything.

    def _settle(self, counts: Iterable[tuple[int, int, int]]) -> None:
        """Subtract what came to the pod and is gone from there: number, received, given back."""
        ended: list[Any] = []
        with self._lock:
            for number, received, given_back in counts:
                lent = self._lent.get(number)
                if lent is None:
                    continue
                lent.sent -= received
                lent.expected += given_back
                if self._end_if_over(number, lent):
                    ended.append(lent)
        ended.clear()  # As in ``close``.

    def _end_if_over(self, number: int, lent: _Lent) -> bool:
        if not lent.is_over:
            return False
        self._lent.pop(number, None)
        if self._numbers.get(lent.key) == number:
            del self._numbers[lent.key]
        return True


def _identity_of(function: Any) -> object:
    """Return what is the same whenever the same function is passed.

    A bound method is made anew each time that it is asked for; what it binds is not.
    """
    if type(function) is MethodType:
        return id(function.__self__), id(function.__func__)
    if type(function) in (BuiltinMethodType, MethodWrapperType):
        return function  # Equal if it is of the very same object; runs no code to find out.
    return id(function)
