"""One who waits for a reply: what came for it, how it sleeps, and who rouses it."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any

from pypods.pods.sending import acquire_by

if TYPE_CHECKING:
    from pypods.pods.sending import LeftFrame

__all__ = ["Sleepers", "Waiter"]


class Waiter:
    """One caller: its reply or its error, and the lock it sleeps on."""

    __slots__ = ("error", "frame", "is_asleep", "left", "on_reply", "requests", "wake_up")

    def __init__(self) -> None:
        self.frame: bytes | None = None
        self.error: BaseException | None = None
        #: What the pod asks before it replies.
        self.requests: tuple[bytes, ...] = ()
        #: Called with each frame, or with the error, in place of being waited for.
        self.on_reply: Callable[[bytes | None, BaseException | None], None] | None = None
        self.wake_up: Any = None
        self.is_asleep = False
        #: The request, if it was left with another to send.
        self.left: LeftFrame | None = None

    @property
    def is_unsent(self) -> bool:
        """Whether the request is not in the pipe yet."""
        return self.left is not None and not self.left.written

    @property
    def has_news(self) -> bool:
        """Whether there is something to return or to raise."""
        return self.frame is not None or self.error is not None or bool(self.requests)

    def prepare_to_sleep(self) -> None:
        """Make the lock: from here on it can be roused."""
        self.wake_up = Lock()
        self.wake_up.acquire()

    def sleep(self, deadline: float | None, is_needless: Callable[[], bool]) -> None:
        """Wait until roused. Raises DeadlineError.

        ``is_needless`` is asked the first time: whoever would rouse this one may have looked for
        it before there was a lock.
        """
        is_new = self.wake_up is None
        if is_new:
            self.prepare_to_sleep()
        self.is_asleep = True
        try:
            # Looked at after the mark is set, which is looked at after the news are put down.
            if not (self.has_news or (is_new and is_needless())):
                acquire_by(self.wake_up, deadline)
        finally:
            self.is_asleep = False

    def rouse(self) -> None:
        """Wake it up, if it ever slept; more than once does no harm."""
        if self.wake_up is not None:
            with contextlib.suppress(RuntimeError):  # It is awake already.
                self.wake_up.release()


class Sleepers:
    """Those who sleep with their replies at hand, each roused by the one before as it leaves.

    All at once they would only crowd before Python's own lock. Everybody who was roused and leaves
    must rouse the next, or all if anything went wrong.
    """

    def __init__(self) -> None:
        self._waiters: deque[Waiter] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiters)

    def tell(self, waiter: Waiter) -> None:
        """Note that there is news for one, or rouse it where none would wait for its turn."""
        if waiter.frame is not None and waiter.is_asleep:
            self._waiters.append(waiter)
        else:
            waiter.rouse()

    def rouse_next(self) -> None:
        """Rouse one of them; it will rouse the next."""
        with contextlib.suppress(IndexError):
            waiter = self._waiters.popleft()
            while not waiter.is_asleep:  # It has seen its reply by itself.
                waiter = self._waiters.popleft()
            waiter.rouse()
