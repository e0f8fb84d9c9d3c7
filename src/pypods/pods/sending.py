"""Whose turn it is to write to one channel, and small frames written along with another's.

Who finds another writing need not wait for its turn: it leaves its frame with the one who writes,
and goes to sleep until its reply is there. Such a frame is written whole, at once, or given back
to its owner, who then sends it by itself; it is always known which of the two.
"""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from threading import Lock
from time import monotonic, sleep
from typing import Protocol

from pypods.pods.pipes import DeadlineError

__all__ = ["LeftFrame", "Sending", "acquire_by"]

#: How many frames are written at once; so many of the largest are what a pipe takes as a whole.
MOST_AT_ONCE = 8
MAX_LEFT_BYTES = select.PIPE_BUF // MOST_AT_ONCE
#: How long to look away while a frame is just being written.
MOMENT_SECONDS = 0.0005


class WritesAtOnce(Protocol):
    """What is needed of a channel."""

    def send_at_once(self, frames: bytes, written: list[int]) -> None:
        """Write all and append its length to ``written``, or do neither; without waiting."""


class LeftFrame:
    """A frame left with whoever writes, and what became of it."""

    __slots__ = ("frame", "give_back", "is_given_back", "written")

    def __init__(self, frame: bytes, give_back: Callable[[], None]) -> None:
        self.frame = frame
        #: Wakes its owner.
        self.give_back = give_back
        self.is_given_back = False
        #: Shared by all that are written at once; empty until they are.
        self.written: list[int] = []


class Sending:
    """One writer at a time, who also writes what others left meanwhile."""

    def __init__(self, channel: WritesAtOnce) -> None:
        #: Held by whoever writes. Only "with" takes a lock that Ctrl-C cannot leave locked.
        self.lock = Lock()
        self.left: deque[LeftFrame] = deque()
        #: Whether frames of others were written since somebody last asked.
        self.has_sent_along = False
        self._channel = channel
        self._take = iter(self.left.popleft, None)

    def leave(self, left: LeftFrame) -> None:
        """Leave a frame with whoever writes; its owner may then sleep."""
        self.left.append(left)
        self.write_left()  # For whoever wrote may be done by now.

    def write_left(self) -> None:
        """Write what was left, unless somebody writes who will.

        To be called by everybody who wrote, after letting go of the lock.
        """
        try:
            self._write_while_free()
        except BaseException:
            self._write_while_free()  # Ctrl-C is this thread's own; the frames are others'.
            raise

    def _write_while_free(self) -> None:
        while self.left and not self.lock.locked():
            with self.lock:
                self.write_left_first()

    def write_left_first(self) -> None:
        """Write what was left so far; for who holds the lock."""
        taken: list[LeftFrame] = []
        written: list[int] = []
        try:
            with suppress(IndexError):  # Of one whose owner has taken it back.
                # No bytecode between taking and noting, at which Ctrl-C could strike.
                taken.extend(islice(self._take, min(len(self.left), MOST_AT_ONCE)))
            for each in taken:
                each.written = written
            if taken:
                self.has_sent_along = True
                self._channel.send_at_once(b"".join([each.frame for each in taken]), written)
            if not written:
                _give_back(taken)
        except BaseException:
            if not written:
                _give_back(taken)
            raise

    def take_back(self, left: LeftFrame) -> bool:
        """Keep a frame from being written; False if it was written already."""
        while not left.written:
            try:
                self.left.remove(left)
                left.is_given_back = True
            except ValueError:
                if not left.is_given_back and self.lock.locked():
                    sleep(MOMENT_SECONDS)  # It is just being written, which waits for nobody.
                    continue
            return not left.written
        return False

    def wait_for_turn(self, deadline: float) -> None:
        """Wait until nobody writes. Raises DeadlineError."""
        # Not held from here on: see above.
        acquire_by(self.lock, deadline)
        self.lock.release()


def _give_back(taken: list[LeftFrame]) -> None:
    for each in taken:
        each.is_given_back = True
        each.give_back()


def acquire_by(lock: Lock, deadline: float | None) -> None:
    """Take a lock. Raises DeadlineError if it is still held at the deadline."""
    timeout = -1.0 if deadline is None else max(0.0, deadline - monotonic())
    if not lock.acquire(timeout=timeout):
        raise DeadlineError
