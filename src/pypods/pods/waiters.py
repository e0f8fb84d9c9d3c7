"""Those who wait for replies on one connection: how they sleep and are woken; no frames' meaning.

They are kept by their requests' numbers, in the order in which the pod is sent those.
"""

from __future__ import annotations

import contextlib
import copy
from collections import deque
from collections.abc import Callable, Iterator
from threading import Lock
from time import monotonic
from typing import Any

from pypods.pods.pipes import DeadlineError

__all__ = ["Waiter", "acquire", "anew", "first_for_later", "holding", "is_oldest", "promote"]


class Waiter:
    """One caller: its reply or its error, and the lock it sleeps on."""

    __slots__ = ("error", "frame", "on_reply", "requests", "wake_up")

    def __init__(self) -> None:
        self.frame: bytes | None = None
        self.error: BaseException | None = None
        #: What the pod asks, or sends, before it replies: a deque once there is any. Who reads puts
        #: in while another takes out, so nothing may be done to it but what is done in one step.
        self.requests: deque[bytes] | tuple[()] = ()
        #: Called with each frame, or with the error, in place of being waited for.
        self.on_reply: Callable[[bytes | None, BaseException | None], None] | None = None
        self.wake_up: Any = None

    def add_request(self, frame: bytes) -> None:
        """Take in what precedes the reply; only whoever reads for all does so."""
        if type(self.requests) is not deque:
            self.requests = deque()
        self.requests.append(frame)

    def take_requests(self) -> Iterator[bytes]:
        """Take out what nobody has taken; of several who do, each frame goes to one."""
        with contextlib.suppress(IndexError):
            while type(self.requests) is deque:
                yield self.requests.popleft()

    def sleep(self, reading: Any, deadline: float | None) -> None:
        """Wait until answered, or until asked to read for all; ``reading`` is the lock for that."""
        lock = self.wake_up
        if lock is None:
            lock = Lock()
            lock.acquire()
            self.wake_up = lock
            # Whoever read till now may have left before there was a lock to rouse this one by.
            if self.frame is not None or self.error is not None or self.requests:
                return
            if reading.acquire(False):
                reading.release()
                return
        acquire(lock, deadline)

    def rouse(self) -> None:
        """Wake it up, if it sleeps."""
        if self.wake_up is not None:
            with contextlib.suppress(RuntimeError):  # It is awake already.
                self.wake_up.release()


def anew(error: BaseException) -> BaseException:
    """Return an error for one more to raise, or to be kept: without the frames of who met it.

    A connection that has ended is kept by whatever is still held of its pod; what its callers had
    in their hands then is not to stay with it.
    """
    try:
        again = copy.copy(error)
    except Exception:  # noqa: BLE001 - one that cannot be made of its arguments
        return error
    cause = error.__cause__
    again.__cause__ = None if cause is None else anew(cause)
    return again


def promote(waiters: dict[int, Waiter], leaving: int) -> None:
    """Ask one of those who still wait to read for all."""
    for number in list(waiters):
        waiter = waiters.get(number)
        if waiter is None or number == leaving or waiter.frame is not None:
            continue
        if waiter.wake_up is not None:
            waiter.rouse()
            return


def is_oldest(waiters: dict[int, Waiter], number: int) -> bool:
    """Whether no earlier request is unanswered."""
    for each in list(waiters):
        waiter = waiters.get(each)
        if waiter is not None and waiter.frame is None:
            return each == number
    return True


def first_for_later(waiters: dict[int, Waiter]) -> Waiter | None:
    """Return the first of those who do not wait themselves, but are called."""
    for number in list(waiters):
        waiter = waiters.get(number)
        if waiter is not None and waiter.on_reply is not None:
            return waiter
    return None


@contextlib.contextmanager
def holding(lock: Any, deadline: float) -> Iterator[bool]:
    """Hold a lock meanwhile. Gives False if somebody else has it by the deadline."""
    held = lock.acquire(timeout=max(0.0, deadline - monotonic()))
    try:
        yield held
    finally:
        if held:
            lock.release()


def acquire(lock: Lock, deadline: float | None) -> None:
    """Take a lock. Raises DeadlineError."""
    timeout = -1.0 if deadline is None else max(0.0, deadline - monotonic())
    if not lock.acquire(timeout=timeout):
        raise DeadlineError
