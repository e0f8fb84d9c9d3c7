"""Replies to those who wait for them, over one channel; nothing of what calls mean.

Any number of threads may exchange frames at once. No thread of its own stands between: one of
those who wait reads for all, and hands on that duty when its own reply is there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Any, Protocol

from pypods.errors import ProtocolError
from pypods.pods.pipes import DeadlineError
from pypods.wire.envelopes import frame_id

__all__ = ["Connection"]


class FrameChannel(Protocol):
    """What a connection needs of a channel: ``PodPipes``, or the fake."""

    def send(self, frame: bytes, deadline: float | None = None) -> None:
        """Write a whole frame."""

    def receive_frames(self, deadline: float | None = None) -> list[bytes]:
        """Return the next frames, waiting for the first."""


class _Waiter:
    """One caller: its reply or its error, and the lock it sleeps on."""

    __slots__ = ("error", "frame", "wake_up")

    def __init__(self) -> None:
        self.frame: bytes | None = None
        self.error: BaseException | None = None
        self.wake_up: Any = None


class Connection:
    """Many callers on one channel.

    ``on_frame`` is given every frame that answers nobody (a log record); it raises ProtocolError
    for one that should not be.
    """

    def __init__(self, channel: FrameChannel, *, on_frame: Callable[[bytes], None]) -> None:
        self._channel = channel
        self._on_frame = on_frame
        self._sending = Lock()
        self._reading = Lock()
        self._waiters: dict[int, _Waiter] = {}
        self._abandoned: set[int] = set()
        self._error: BaseException | None = None

    def exchange(self, number: int, frame: bytes, deadline: float | None = None) -> bytes:
        """Send a request and return the reply of the same id.

        Raises DeadlineError when the deadline passes; the reply may then still be waited for with
        ``wait``, or be given up with ``abandon``. Raises whatever ended the connection.
        """
        self._waiters[number] = _Waiter()
        try:
            with self._sending:
                if self._error is not None:
                    raise self._error
                self._channel.send(frame, deadline)
        except BaseException:
            self._waiters.pop(number, None)
            raise
        return self.wait(number, deadline)

    def post(self, frame: bytes, deadline: float | None = None) -> None:
        """Send a frame that has no reply."""
        with self._sending:
            self._channel.send(frame, deadline)

    def wait(self, number: int, deadline: float | None = None) -> bytes:
        """Wait for a reply already asked for."""
        waiter = self._waiters[number]
        while True:
            if self._reading.acquire(blocking=False):
                try:
                    if waiter.frame is None and waiter.error is None:
                        self._read_until_answered(waiter, deadline)
                finally:
                    self._reading.release()
                    self._promote(number)
            if waiter.frame is not None:
                self._waiters.pop(number, None)
                return waiter.frame
            if waiter.error is not None:
                self._waiters.pop(number, None)
                raise waiter.error
            self._sleep(waiter, deadline)

    def _read_until_answered(self, waiter: _Waiter, deadline: float | None) -> None:
        channel = self._channel
        try:
            while waiter.frame is None:
                if self._error is not None:
                    raise self._error
                for frame in channel.receive_frames(deadline):
                    self._deliver(frame)
        except DeadlineError:
            raise
        except Exception as exc:
            self.fail(exc)
            raise

    def _deliver(self, frame: bytes) -> None:
        number = frame_id(frame)
        if number is None:
            self._on_frame(frame)
            return
        waiter = self._waiters.get(number)
        if waiter is None:
            if number not in self._abandoned:
                raise ProtocolError(
                    f"a reply to call {number}, which was never made or is answered"
                )
            self._abandoned.discard(number)
            return
        if waiter.frame is not None:
            raise ProtocolError(f"two replies to call {number}")
        waiter.frame = frame
        self._rouse(waiter)

    def _sleep(self, waiter: _Waiter, deadline: float | None) -> None:
        """Wait until answered, or until asked to read for all."""
        lock = waiter.wake_up
        if lock is None:
            lock = Lock()
            lock.acquire()
            waiter.wake_up = lock
            # Whoever read till now may have left before there was a lock to rouse this one by.
            if waiter.frame is not None or waiter.error is not None or not self._reading.locked():
                return
        timeout = -1.0 if deadline is None else max(0.0, deadline - monotonic())
        if not lock.acquire(timeout=timeout):
            raise DeadlineError

    @staticmethod
    def _rouse(waiter: _Waiter) -> None:
        if waiter.wake_up is not None:
            with contextlib.suppress(RuntimeError):  # It is awake already.
                waiter.wake_up.release()

    def _promote(self, leaving: int) -> None:
        """Ask one of those who still wait to read for all."""
        if len(self._waiters) <= 1:
            return
        for number, waiter in list(self._waiters.items()):
            if number != leaving and waiter.frame is None and waiter.wake_up is not None:
                self._rouse(waiter)
                return

    def is_oldest(self, number: int) -> bool:
        """Whether no earlier call is unanswered: a pod that takes turns is busy with this one."""
        return number <= min(self._waiters, default=number)

    def abandon(self, number: int) -> None:
        """Stop waiting for a reply; one that still comes is dropped."""
        waiter = self._waiters.pop(number, None)
        if waiter is not None and waiter.frame is None:
            self._abandoned.add(number)
        self._promote(number)

    def fail(self, error: BaseException) -> None:
        """End every exchange, those under way and those to come, with an error."""
        self._error = error
        for waiter in list(self._waiters.values()):
            if waiter.frame is None:
                waiter.error = error
                self._rouse(waiter)
