"""Replies to those who wait for them, over one channel; nothing of what calls mean.

Any number of threads may exchange frames at once. No thread of its own stands between: one of
those who wait reads for all, and hands on that duty when its own reply is there.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import Condition, Lock, RLock, Thread
from time import monotonic
from typing import Protocol

from pypods.errors import ProtocolError
from pypods.pods.pipes import DeadlineError, EndOfPipeError
from pypods.pods.waiters import (
    Waiter,
    acquire,
    anew,
    first_for_later,
    holding,
    is_oldest,
    promote,
)
from pypods.wire.envelopes import RESULT_HEAD, TAIL_START, frame_id, is_reply

__all__ = ["Connection", "NeverSentError"]


#: How long the thread that reads for nobody in particular outlives its work.
LATER_READER_SECONDS = 10.0
#: How long a sender who cannot go on reads before it tries to.
READ_MEANWHILE_SECONDS = 0.005


class NeverSentError(EndOfPipeError):
    """The connection had ended before the pod could read the request."""


class FrameChannel(Protocol):
    """What a connection needs of a channel: ``PodPipes``, or a fake."""

    #: To be called while a frame cannot be sent; says whether it was of use.
    when_stuck: Callable[[], bool]

    def send(self, frame: bytes, deadline: float | None = None) -> None:
        """Write a whole frame."""

    def post(self, frame: bytes) -> None:
        """Let a frame follow what is being sent."""

    def flush(self, deadline: float) -> None:
        """Write what was posted, as far as that goes by the deadline."""

    def receive_frames(self, deadline: float | None = None) -> list[bytes]:
        """Return the next frames, waiting for the first."""


class Connection:
    """Many callers on one channel.

    ``on_frame`` is given every frame that answers nobody (a log record); it raises ProtocolError
    for one that should not be. ``on_late`` is given the replies that nobody waits for any more.
    """

    def __init__(
        self,
        channel: FrameChannel,
        *,
        on_frame: Callable[[bytes], None],
        on_late: Callable[[bytes], None] | None = None,
    ) -> None:
        self._channel = channel
        channel.when_stuck = self._read_meanwhile
        self._on_frame = on_frame
        self._on_late = on_late
        self._sending = Lock()
        # Knows its owner: a handler of the host's logging, which the reader calls, may call too.
        self._reading = RLock()
        #: Who waits, in the order in which the pod is sent their requests.
        self._waiters: dict[int, Waiter] = {}
        self._abandoned: set[int] = set()
        self._left_over: list[bytes] = []
        #: Frames to go out before the next one, and requests that nobody waits for any more.
        #: Finalizers fill both: they run at any moment, so they may do no more than append.
        self.outbox: deque[bytes] = deque()
        self.dropped: deque[int] = deque()
        self._later = Condition()
        self._later_reader: Thread | None = None
        self._error: BaseException | None = None

    # Requests ----------------------------------------------------------------------------------

    def exchange(self, number: int, frame: bytes, deadline: float | None = None) -> bytes:
        """Send a request and return the reply of the same id, or what the pod asks before it.

        After the latter, ``answer`` and ``wait`` once more. Raises DeadlineError when the deadline
        passes; the reply may then still be waited for with ``wait``, or be given up with
        ``abandon``. Raises NeverSentError, or whatever ended the connection.
        """
        self.begin(number, frame, deadline)
        waiters = self._waiters
        if len(waiters) > 1:
            return self.wait(number, deadline)
        # The short way of a single caller: read once. Nearly always what comes is the result and
        # nothing besides; anything else is left to the long way.
        waiter, reading = waiters[number], self._reading
        frames: list[bytes] = []
        try:
            if (
                reading.acquire(False)
                and waiter.frame is None
                and not (waiter.requests or self._left_over or self._error)
            ):
                frames = self._channel.receive_frames(deadline)
                reply = frames[0]
                if (
                    reply.startswith(RESULT_HEAD, TAIL_START)
                    and frame_id(reply) == number
                    and len(frames) == 1
                ):
                    waiters.pop(number, None)
                    return reply
                self._left_over = frames
        except DeadlineError:
            raise
        except Exception as exc:
            self.fail(exc)
            raise
        except BaseException:
            if number in waiters:
                self._left_over = frames  # Ctrl-C, with the reply at hand.
            raise
        finally:
            self._leave_reading(number)
        return self.wait(number, deadline)

    def begin(
        self,
        number: int,
        frame: bytes,
        deadline: float | None = None,
        on_reply: Callable[[bytes | None, BaseException | None], None] | None = None,
    ) -> None:
        """Send a request, to be waited for later; errors as of ``exchange``.

        With ``on_reply`` nobody waits: it is called with each frame for this request, or with the
        error that ended the connection, by whoever reads. It must be quick and must not raise.
        """
        if self.dropped:
            self._abandon_dropped()
        if deadline is not None and self._sending.locked():
            self._wait_for_senders(deadline)
        with self._sending:
            first: Sequence[bytes] = ()
            if self.outbox:
                first = [*self._take_outbox()]
                frame = b"".join([*first, frame])
            waiter = self._waiters[number] = Waiter()
            if on_reply is not None:
                waiter.on_reply = on_reply
            try:
                if self._error is not None:
                    raise NeverSentError from anew(self._error)
                self._channel.send(frame, deadline)
            except DeadlineError as exc:
                if not exc.begun:
                    self._waiters.pop(number, None)
                    self.outbox.extendleft(reversed(first))
                raise
            except Exception as exc:
                self._waiters.pop(number, None)
                if type(exc) is EndOfPipeError:
                    # Not all of the frame is in the pipe: the pod cannot have begun with it.
                    raise NeverSentError from exc
                raise
        if on_reply is not None:
            self._read_for_later()

    def _take_outbox(self) -> Iterator[bytes]:
        while self.outbox:
            yield self.outbox.popleft()

    def answer(self, frame: bytes, deadline: float | None = None) -> None:
        """Send what the pod asked for; errors as of the channel's ``send``."""
        if deadline is not None and self._sending.locked():
            self._wait_for_senders(deadline)
        with self._sending:
            if self._error is not None:
                raise EndOfPipeError from anew(self._error)
            self._channel.send(frame, deadline)

    def post(self, frame: bytes, deadline: float) -> None:
        """Send a frame that has no reply, by the deadline or before the next one."""
        self._channel.post(frame)
        with contextlib.suppress(DeadlineError):
            self._wait_for_senders(deadline)
            with self._sending:
                if self._error is not None:
                    raise EndOfPipeError from anew(self._error)
                self._channel.flush(deadline)

    def _wait_for_senders(self, deadline: float) -> None:
        # Not held from here on: only "with" takes a lock that Ctrl-C cannot leave locked.
        acquire(self._sending, deadline)
        self._sending.release()

    def wait(self, number: int, deadline: float | None = None) -> bytes:
        """Wait for a reply already asked for, or for what the pod asks before it."""
        waiter = self._waiters[number]
        reading = self._reading
        while True:
            try:
                if (
                    reading.acquire(False)
                    and waiter.frame is None
                    and waiter.error is None
                    and not waiter.requests
                ):
                    self._read_until_answered(waiter, deadline)
            finally:
                self._leave_reading(number)
            # Looked at first: whoever reads may put in requests, and then the reply, at any moment.
            frame = waiter.frame
            if waiter.requests:
                return waiter.requests.popleft()
            if frame is not None:
                self._waiters.pop(number, None)
                return frame
            if waiter.error is not None:
                self._waiters.pop(number, None)
                raise waiter.error
            waiter.sleep(reading, deadline)

    def _leave_reading(self, number: int) -> None:
        """Let go of the lock for reading, if this thread has it, and ask another to read on."""
        # Asking first whether it is held would give Ctrl-C a moment to leave it so.
        try:
            self._reading.release()
        except RuntimeError:
            return
        waiters = self._waiters
        if waiters and (len(waiters) > 1 or number not in waiters):
            promote(self._waiters, number)

    def is_waited_for(self, number: int) -> bool:
        """Whether a request was sent, or begun, and its reply was neither taken nor abandoned."""
        return number in self._waiters

    @property
    def unanswered(self) -> int:
        """How many requests have no reply yet, or one that nobody has taken."""
        return len(self._waiters)

    def is_oldest(self, number: int) -> bool:
        """Whether no earlier request is unanswered: a pod that takes turns is busy with this."""
        return is_oldest(self._waiters, number)

    def abandon(self, number: int) -> None:
        """Stop waiting for a reply; one that still comes is dropped."""
        self._abandoned.add(number)
        waiter = self._waiters.pop(number, None)
        if waiter is None:
            self._abandoned.discard(number)
        else:
            self._drop_requests(waiter)
            if waiter.frame is not None:
                self._drop_if_abandoned(number, waiter.frame)
        promote(self._waiters, number)

    def _drop_requests(self, waiter: Waiter) -> None:
        """Drop what precedes a reply that was given up; two threads may do so at once."""
        for frame in waiter.take_requests():
            if self._on_late is not None:
                self._on_late(frame)

    def _drop_if_abandoned(self, number: int, frame: bytes) -> None:
        """Drop a reply if it was given up; whoever gave it up may be seeing to that just now."""
        try:
            self._abandoned.remove(number)
        except KeyError:
            return
        if self._on_late is not None:
            self._on_late(frame)

    def _abandon_dropped(self) -> None:
        with contextlib.suppress(IndexError):  # Several threads may do so at once.
            while True:
                self.abandon(self.dropped.popleft())

    def _read_meanwhile(self) -> bool:
        """Read for all, if nobody does: the pod may be waiting for that before it reads itself."""
        if not self._reading.acquire(False):
            return False
        try:
            with contextlib.suppress(DeadlineError):
                self._read_until_answered(Waiter(), monotonic() + READ_MEANWHILE_SECONDS)
        finally:
            self._reading.release()
            promote(self._waiters, 0)
        return True

    # Reading for all ---------------------------------------------------------------------------

    def _read_until_answered(self, waiter: Waiter, deadline: float | None) -> None:
        try:
            while True:
                if self._error is not None:
                    raise anew(self._error)
                if self._left_over:
                    frames, self._left_over = self._left_over, []
                else:
                    frames = self._channel.receive_frames(deadline)
                try:
                    for frame in frames:
                        self._deliver(frame)
                except Exception:
                    raise
                except BaseException:
                    # Ctrl-C between two frames, or in a handler of the host's logging.
                    self._keep_undelivered(frames, frame)
                    raise
                if waiter.frame is not None or waiter.requests:
                    return
                if deadline is not None and monotonic() >= deadline:
                    raise DeadlineError  # Also when records come without end.
        except DeadlineError:
            raise
        except Exception as exc:
            self.fail(exc)
            raise

    def _keep_undelivered(self, frames: list[bytes], current: bytes) -> None:
        """Keep the frames for the next who reads, from the one under way if it is a reply."""
        self._left_over = frames[frames.index(current) + 1 :]
        number = frame_id(current)
        waiter = None if number is None else self._waiters.get(number)
        if waiter is not None and waiter.frame is None:
            self._left_over.insert(0, current)
        elif waiter is not None:
            waiter.rouse()

    def _deliver(self, frame: bytes) -> None:
        number = frame_id(frame)
        if number is None:
            self._on_frame(frame)
            return
        waiter = self._waiters.get(number)
        if waiter is None:
            self._deliver_late(number, frame)
            return
        if waiter.frame is not None:
            raise ProtocolError(f"two replies to call {number}")
        if frame.startswith(RESULT_HEAD, TAIL_START) or is_reply(frame):
            waiter.frame = frame
            if self._abandoned:
                self._drop_if_abandoned(number, frame)
        elif waiter.on_reply is None:
            waiter.add_request(frame)
            if number in self._abandoned:
                self._drop_requests(waiter)
        if waiter.on_reply is not None:
            if waiter.frame is not None:
                self._waiters.pop(number, None)
            waiter.on_reply(frame, None)
        if waiter.wake_up is not None:
            waiter.rouse()

    def _deliver_late(self, number: int, frame: bytes) -> None:
        """Take in a reply that nobody waits for."""
        if self._error is not None:
            return  # Another thread has seen the end, and told all who waited.
        if number not in self._abandoned:
            raise ProtocolError(f"a reply to call {number}, which was never made or is answered")
        if is_reply(frame):  # Else it is to come.
            self._abandoned.discard(number)
        if self._on_late is not None:
            self._on_late(frame)

    def _read_for_later(self) -> None:
        """See to it that somebody reads while there are requests that nobody waits for."""
        with self._later:
            if self._later_reader is None:
                self._later_reader = Thread(
                    target=self._read_while_unanswered, name="pypods-reader", daemon=True
                )
                self._later_reader.start()
            self._later.notify()

    def _read_while_unanswered(self) -> None:
        """Be the reader whenever nobody else is, as long as something is to come."""
        while self._error is None:
            with self._later:
                waiter = first_for_later(self._waiters)
                if waiter is None:
                    self._later.wait(LATER_READER_SECONDS)
                    waiter = first_for_later(self._waiters)
                    if waiter is None:
                        self._later_reader = None
                        return
            with contextlib.suppress(Exception), self._reading:  # It has failed all by now.
                if waiter.frame is None and waiter.error is None:
                    self._read_until_answered(waiter, None)
            promote(self._waiters, 0)

    # The end -----------------------------------------------------------------------------------

    def fail(self, error: BaseException) -> None:
        """End every exchange, those under way and those to come, with an error."""
        if self._error is None:
            self._error = anew(error)
        for number in list(self._waiters):
            waiter = self._waiters.get(number)
            if waiter is not None and waiter.frame is None:
                waiter.error = anew(error)
                if waiter.on_reply is not None:
                    self._waiters.pop(number, None)
                    waiter.on_reply(None, waiter.error)
                waiter.rouse()
        with self._later:
            self._later.notify()

    @contextlib.contextmanager
    def no_sender(self, deadline: float) -> Iterator[bool]:
        """Keep every sender out meanwhile. Gives False if one is still inside by the deadline."""
        with holding(self._sending, deadline) as alone:
            yield alone

    @contextlib.contextmanager
    def no_reader(self, deadline: float) -> Iterator[bool]:
        """Keep every reader out meanwhile. Gives False if one is still inside by the deadline."""
        try:
            with holding(self._reading, deadline) as alone:
                yield alone
        finally:
            promote(self._waiters, 0)
