"""Calls that nobody waits for yet: futures, cancelled and timed out; only then are there threads.

One thread reads for them (``Connection``), and one, here, settles them: it makes values of
replies, answers what the pod asks, and keeps the time. A host that only makes blocking calls
starts neither.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from pypods.wire.envelopes import is_reply

if TYPE_CHECKING:
    from pypods.pods.session import Session

__all__ = ["FutureCalls", "PodFuture"]


class PodFuture(Future[Any]):
    """A call on its way. ``cancel()`` keeps it from starting, or interrupts it if it runs."""

    def __init__(
        self,
        calls: FutureCalls,
        number: int,
        timeout: float | None,
        convert: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__()
        self._calls = calls
        self.number = number
        self.call_timeout = timeout
        self.is_settled = False
        self.convert = convert

    def cancel(self) -> bool:
        """Cancel the call; False if it is done already."""
        cancelled = super().cancel()
        if cancelled:
            self._calls.interrupt(self.number)
        return cancelled


class FutureCalls:
    """The futures of one session, and the thread that settles them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._events: SimpleQueue[tuple[PodFuture, bytes | None, BaseException | None]] = (
            SimpleQueue()
        )
        self._deadlines: list[tuple[float, int, PodFuture]] = []
        self._open = 0
        self._lock = Lock()
        self._thread: Thread | None = None

    def open(
        self, number: int, timeout: float | None, convert: Callable[[Any], Any] | None
    ) -> PodFuture:
        """Return a future for a request about to be sent.

        ``convert`` makes what the future gives out of what the pod returns.
        """
        future = PodFuture(self, number, timeout, convert)
        with self._lock:
            self._open += 1
            if timeout is not None:
                heapq.heappush(self._deadlines, (monotonic() + timeout, number, future))
            if self._thread is None:
                self._thread = Thread(target=self._settle_all, name="pypods-futures", daemon=True)
                self._thread.start()
        return future

    def take_in(self, future: PodFuture, frame: bytes | None, error: BaseException | None) -> None:
        """Note what has arrived for a future; called by whoever reads, so it only notes it."""
        self._events.put((future, frame, error))

    def interrupt(self, number: int) -> None:
        """Ask the pod to end a call, or not to begin with it."""
        self._session.send_cancel(number)

    def _settle_all(self) -> None:
        while True:
            try:
                future, frame, error = self._events.get(timeout=self._seconds_left())
            except Empty:
                self._time_out()
                continue
            if future.is_settled:
                continue
            try:
                if frame is not None and not is_reply(frame):
                    self._session.answer_request(future.number, frame)
                    continue
                self._settle(future, frame, error)
            except BaseException as exc:  # noqa: BLE001 - it belongs to the future
                if future.set_running_or_notify_cancel():
                    future.set_exception(exc)
            future.is_settled = True
            with self._lock:
                self._open -= 1
                if not self._open:
                    self._thread = None
                    self._deadlines.clear()
                    return

    def _settle(self, future: PodFuture, frame: bytes | None, error: BaseException | None) -> None:
        if future.done():  # Cancelled, or timed out; the reply or the end came all the same.
            self._session.forget_reply(future.number, frame)
            if future.cancelled():
                future.set_running_or_notify_cancel()
            return
        value = self._session.settle(future.number, frame, error, future.call_timeout)
        if future.convert is not None:
            value = future.convert(value)
        if future.set_running_or_notify_cancel():
            future.set_result(value)

    def _seconds_left(self) -> float | None:
        with self._lock:
            while self._deadlines and self._deadlines[0][2].done():
                heapq.heappop(self._deadlines)
            if not self._deadlines:
                return None
            return max(0.0, self._deadlines[0][0] - monotonic())

    def _time_out(self) -> None:
        with self._lock:
            if not self._deadlines or self._deadlines[0][0] > monotonic():
                return
            _, number, future = heapq.heappop(self._deadlines)
        if not future.done():
            error = self._session.timed_out(number, future.call_timeout)
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
