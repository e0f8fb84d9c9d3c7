"""Calls that nobody waits for yet: futures, cancelled and timed out; only then are there threads.

One thread reads for them (``Connection``), and one, here, settles them: it makes values of
replies, answers what the pod asks, and keeps the time. A host that only makes blocking calls
starts neither.
"""

from __future__ import annotations

import contextlib
import heapq
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread, get_ident
from time import monotonic
from typing import TYPE_CHECKING, Any

from pypods.wire.envelopes import is_part, is_reply

if TYPE_CHECKING:
    import asyncio

    from pypods.pods.session import Session

__all__ = ["FutureCalls", "LoopInbox", "PodFuture", "await_future", "inbox_of"]

#: How long the thread stays when there is nothing to do.
THREAD_SECONDS = 10.0


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
        self.calls = calls
        self.number = number
        self.call_timeout = timeout
        self.is_settled = False
        self.convert = convert
        #: Where its reply is to be settled: an event loop's, or None for the thread in here.
        self.inbox: LoopInbox | None = None
        #: Objects of the pod that the call uses: until it has, nobody is to let go of them there.
        self.uses: Any = None

    def keep(self, *uses: Any) -> None:
        """Keep objects of the pod until the reply is there, or the end."""
        self.uses = uses
        if self.is_settled:
            self.uses = None

    def cancel(self) -> bool:
        """Cancel the call; False if it is done already."""
        cancelled = super().cancel()
        if cancelled:
            self.calls.interrupt(self.number)
        return cancelled


#: A future, and the frame or the error that has arrived for it.
Event = tuple[PodFuture, bytes | None, BaseException | None]


class FutureCalls:
    """The futures of one session, and the thread that settles them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        # Not the futures themselves: they have results, which may be large. While a call is under
        # way its future is the connection's.
        self._deadlines: list[tuple[float, int, weakref.ref[PodFuture]]] = []
        self._lock = Lock()
        self._thread: Thread | None = None

    def open(
        self, number: int, timeout: float | None, convert: Callable[[Any], Any] | None
    ) -> PodFuture:
        """Return a future for a request about to be sent.

        ``convert`` makes what the future gives out of what the pod returns.
        """
        future = PodFuture(self, number, timeout, convert)
        if timeout is not None:
            with self._lock:
                entry = monotonic() + timeout, number, weakref.ref(future)
                heapq.heappush(self._deadlines, entry)
            self.note(None)
        return future

    def take_in(self, future: PodFuture, frame: bytes | None, error: BaseException | None) -> None:
        """Note what has arrived for a future; called by whoever reads, so it only notes it."""
        event = future, frame, error
        if frame is not None and is_part(frame):
            future.inbox = None  # What follows is not to overtake it.
        inbox = future.inbox
        if inbox is None or (frame is not None and not is_reply(frame)) or not inbox.put(event):
            self.note(event)

    def end(self) -> None:
        """Let the thread end once it has settled what there is: the session has ended."""
        with self._lock:
            if self._thread is not None:
                self._events.put(None)

    def note(self, event: Event | None) -> None:
        """Leave something to the thread; None wakes it up to look at the time."""
        with self._lock:
            self._events.put(event)
            if self._thread is None:
                self._thread = Thread(target=self._settle_all, name="pypods-futures", daemon=True)
                self._thread.start()

    def interrupt(self, number: int) -> None:
        """Ask the pod to end a call, or not to begin with it."""
        self._session.send_cancel(number)

    def _settle_all(self) -> None:
        #: Of what had come when a call's time was found to be up, how much is still to be seen to.
        left = 0
        while True:
            seconds = self._seconds_left()
            if seconds == 0.0:
                left = left - 1 if left else self._events.qsize()
                if not left:  # More may come without end, parts of a long result say.
                    self._time_out()
                    continue
            else:
                left = 0
            if seconds is None:
                # No longer than its session: that keeps what its callers had when it ended.
                seconds = THREAD_SECONDS if self._session.is_alive else 0.0
            try:
                event = self._events.get(timeout=seconds)
            except Empty:
                self._time_out()
                with self._lock:
                    if not self._deadlines and self._events.empty():
                        self._thread = None
                        return
                continue
            if event is not None:
                self.settle(*event)
                del event  # With what the call returned.

    def settle(self, future: PodFuture, frame: bytes | None, error: BaseException | None) -> None:
        """Do what is to be done about what has arrived."""
        if future.is_settled:
            return
        try:
            if frame is not None and future.done() and is_part(frame):
                self._session.forget_reply(future.number, frame)  # Nobody will have it.
                return
            if frame is not None and not is_reply(frame):
                self._session.answer_request(future.number, frame, future.call_timeout)
                return
            self._settle(future, frame, error)
        except BaseException as exc:  # noqa: BLE001 - it belongs to the future
            if future.set_running_or_notify_cancel():
                future.set_exception(exc)
        future.is_settled = True
        future.uses = None

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
            while self._deadlines:
                future = self._deadlines[0][2]()
                if future is not None and not future.done():
                    break
                heapq.heappop(self._deadlines)
            if not self._deadlines:
                return None
            return max(0.0, self._deadlines[0][0] - monotonic())

    def _time_out(self) -> None:
        with self._lock:
            if not self._deadlines or self._deadlines[0][0] > monotonic():
                return
            _, number, entry = heapq.heappop(self._deadlines)
            future = entry()
        if future is not None and not future.done():
            error = self._session.timed_out(number, future.call_timeout)
            if future.set_running_or_notify_cancel():
                future.set_exception(error)


class LoopInbox:
    """Where replies wait for an event loop: it is woken up once for all that have come."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._events: deque[Event] = deque()
        self._is_awake = False
        # What a loop left behind when it was closed is still to be let go of.
        weakref.finalize(loop, leave_to_threads, self._events).atexit = False

    def put(self, event: Event) -> bool:
        """Leave what has arrived to the loop; False if that has ended."""
        loop = self._loop()
        if loop is None or loop.is_closed():
            leave_to_threads(self._events)
            return False
        self._events.append(event)
        if not self._is_awake:
            self._is_awake = True
            try:
                loop.call_soon_threadsafe(self._settle_all)
            except RuntimeError:  # Closed since.
                leave_to_threads(self._events)
        return True

    def _settle_all(self) -> None:
        # Before the first look: what comes later wakes the loop up anew.
        self._is_awake = False
        for _ in range(len(self._events)):
            future, frame, error = self._events.popleft()
            future.calls.settle(future, frame, error)


def leave_to_threads(events: deque[Event]) -> None:
    """Let the sessions' own threads settle what an event loop did not."""
    while events:
        event = events.popleft()
        event[0].calls.note(event)


_inboxes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopInbox] = (
    weakref.WeakKeyDictionary()
)


def inbox_of(loop: asyncio.AbstractEventLoop) -> LoopInbox:
    """Return the inbox of an event loop."""
    inbox = _inboxes.get(loop)
    if inbox is None:
        inbox = _inboxes[loop] = LoopInbox(loop)
    return inbox


async def await_future(future: PodFuture, loop: asyncio.AbstractEventLoop) -> Any:
    """Return a future's result under asyncio; cancelling this cancels it."""
    waiter = loop.create_future()
    # The future keeps its callbacks, and must not keep the loop, whose end would go unnoticed.
    find_waiter, find_loop = weakref.ref(waiter), weakref.ref(loop)
    thread = get_ident()

    def wake_up() -> None:
        found = find_waiter()
        if found is not None and not found.done():
            found.set_result(None)

    def settled(_: object) -> None:
        if get_ident() == thread:
            wake_up()
            return
        found = find_loop()
        if found is not None:
            with contextlib.suppress(RuntimeError):  # It is closed.
                found.call_soon_threadsafe(wake_up)

    future.add_done_callback(settled)
    try:
        await waiter
    except BaseException:  # Nearly always CancelledError.
        future.cancel()
        raise
    return future.result()
