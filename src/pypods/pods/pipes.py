"""The host's ends of a pod's pipes: frames and output, with deadlines; no calls."""

from __future__ import annotations

import contextlib
import os
import select
from collections import deque
from collections.abc import Callable
from time import monotonic

from pypods.pods.output import PodOutput
from pypods.wire.frames import DEFAULT_MAX_FRAME_BYTES, FrameReader

__all__ = ["DeadlineError", "EndOfPipeError", "PodPipes"]

READ_BYTES = 65_536
#: More than a pipe holds by default, so that a larger pipe is used; little enough to set aside.
MAX_READ_BYTES = 2**20
#: How much of a dead pod's output is read: it is bounded, for a child may go on printing.
DRAIN_READS = 256
#: How long a pod may read nothing before its sender looks whether it has something to say itself.
STUCK_MILLISECONDS = 20.0
#: How often to look whether the process has ended, where the system cannot tell by itself.
LOOK_MILLISECONDS = 20


class DeadlineError(Exception):
    """The deadline passed.

    ``begun`` says that part of the frame is out; the rest of it precedes whatever is sent next.
    """

    begun = False


class EndOfPipeError(Exception):
    """The pod's process has ended, or has closed its side."""


class PodPipes:
    """Three descriptors of a pod's process and, where the system has one, its pidfd.

    One thread may send while another receives; who that is, is the caller's business. Whoever
    waits for a frame also takes in what the pod prints meanwhile, so no thread is needed for that.
    What is printed while nobody waits (by a thread or a child of the pod, between calls) stays in
    the pipe until the next call; once the pipe is full (64 KiB), whoever prints waits for that.
    """

    #: Called by a sender whom the pod keeps waiting; says whether it was of use.
    when_stuck: Callable[[], bool] = staticmethod(bool)
    #: Ctrl-C struck while bytes were on their way: what follows them cannot be made sense of.
    torn = False

    def __init__(
        self,
        stdin_fd: int,
        stdout_fd: int,
        stderr_fd: int,
        *,
        output: PodOutput,
        pid_fd: int = -1,
        max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES,
    ) -> None:
        self.max_frame_bytes = max_frame_bytes
        self._stdin_fd = stdin_fd
        self._stdout_fd = stdout_fd
        self._stderr_fd = stderr_fd
        self._pid_fd = pid_fd
        self._output = output
        self._reader = FrameReader(max_frame_bytes)
        self._unsent: deque[memoryview] = deque()
        self._poll = select.poll()
        for fd in (stdin_fd, stdout_fd, stderr_fd):
            os.set_blocking(fd, False)
        for fd in (stdout_fd, stderr_fd, pid_fd):
            if fd >= 0:
                self._poll.register(fd, select.POLLIN)

    # Sending -----------------------------------------------------------------------------------

    def send(self, frame: bytes, deadline: float | None = None) -> None:
        """Write a whole frame.

        Raises EndOfPipeError when nobody reads any more, and DeadlineError when the pod does not
        read by the deadline (seconds of the monotonic clock).
        """
        if self._unsent:
            self._send_rest(deadline)
        try:
            written = os.write(self._stdin_fd, frame)
        except BlockingIOError:
            written = 0
        except OSError as exc:
            raise EndOfPipeError from exc
        except BaseException:
            # A frame that fits is written whole or not at all; of a longer one nobody knows.
            self.torn = len(frame) > select.PIPE_BUF
            raise
        if written < len(frame):
            # Before what was posted meanwhile.
            self._unsent.appendleft(memoryview(frame)[written:])
            try:
                self._send_rest(deadline)
            except DeadlineError as exc:
                rest = self._unsent[0]
                if rest.obj is frame:
                    exc.begun = len(rest) < len(frame)
                    if not exc.begun:
                        self._unsent.popleft()
                    raise

    def post(self, frame: bytes) -> None:
        """Let a frame follow what is being sent; any thread may do so, and none waits."""
        self._unsent.append(memoryview(frame))

    def flush(self, deadline: float) -> None:
        """Write what was posted, as far as the pod reads it by the deadline."""
        with contextlib.suppress(DeadlineError):
            self._send_rest(deadline)

    def _send_rest(self, deadline: float | None) -> None:
        if self._stdin_fd < 0:  # Closed, to tell the worker that no more calls come.
            raise EndOfPipeError
        poll = select.poll()
        poll.register(self._stdin_fd, select.POLLOUT)
        unsent = self._unsent
        patience = STUCK_MILLISECONDS
        while unsent:
            left = _milliseconds_until(deadline)
            if not poll.poll(patience if left is None else min(left, patience)):
                if left is not None and left <= patience:
                    raise DeadlineError
                patience = 0.0 if self.when_stuck() else STUCK_MILLISECONDS
                continue
            patience = STUCK_MILLISECONDS
            try:
                written = os.write(self._stdin_fd, unsent[0])
                unsent[0] = unsent[0][written:]
                if not unsent[0]:
                    unsent.popleft()
            except BlockingIOError:
                continue
            except OSError as exc:
                raise EndOfPipeError from exc
            except BaseException:
                self.torn = True
                raise

    # Receiving ---------------------------------------------------------------------------------

    def receive_frames(self, deadline: float | None = None) -> list[bytes]:
        """Return the next frames, at least one; takes in printed output on the way.

        Raises EndOfPipeError when no frame can come any more, DeadlineError when none has come by
        the deadline, and ProtocolError for bytes that are no frame.
        """
        while True:
            milliseconds = None if deadline is None else _milliseconds_until(deadline)
            events = self._poll.poll(milliseconds)
            readable = ended = False
            for fd, _ in events:
                if fd == self._stdout_fd:
                    readable = True
                elif fd == self._stderr_fd:
                    self._read_output()
                else:
                    ended = True
            if readable:
                try:
                    missing = self._reader.missing
                    wanted = (
                        min(max(READ_BYTES, missing), MAX_READ_BYTES) if missing else READ_BYTES
                    )
                    data = os.read(self._stdout_fd, wanted)
                    frames = self._reader.feed(data)
                except BlockingIOError:
                    continue
                except OSError as exc:
                    raise EndOfPipeError from exc
                except Exception:
                    raise
                except BaseException:
                    self.torn = True
                    raise
                if not data:
                    raise EndOfPipeError
                if frames:
                    return frames
            elif ended:
                # A child of the pod may hold its end open; the pod itself will send no more.
                raise EndOfPipeError
            if milliseconds == 0.0:
                # Also when there is always something to read: half a frame, endless output.
                raise DeadlineError

    def _read_output(self) -> bool:
        """Take in some of what the pod printed; say whether there may be more."""
        try:
            data = os.read(self._stderr_fd, READ_BYTES)
        except BlockingIOError:
            return False
        if data:
            self._output.feed(data)
            return True
        self._poll.unregister(self._stderr_fd)
        return False

    # The end -----------------------------------------------------------------------------------

    def drain(self, deadline: float, has_ended: Callable[[], bool]) -> None:
        """Take in and drop everything until the process ends or the deadline passes."""
        while self._stdout_fd >= 0 and not has_ended():
            milliseconds = (deadline - monotonic()) * 1000
            if milliseconds <= 0:
                return
            for fd, _ in self._poll.poll(min(milliseconds, LOOK_MILLISECONDS)):
                if fd == self._stderr_fd:
                    self._read_output()
                elif fd == self._stdout_fd:
                    with contextlib.suppress(BlockingIOError):
                        if not os.read(fd, READ_BYTES):
                            self._poll.unregister(fd)

    def drain_output(self) -> None:
        """Take in what the pod had printed by the time it ended."""
        with contextlib.suppress(OSError, KeyError):
            for _ in range(DRAIN_READS):
                if not self._read_output():
                    break
        self._output.finish()

    def close_stdin(self) -> None:
        """Tell the worker that no more calls come."""
        fd, self._stdin_fd = self._stdin_fd, -1
        if fd >= 0:
            os.close(fd)

    def close(self) -> None:
        """Close every descriptor; once."""
        self.close_stdin()
        fds = self._stdout_fd, self._stderr_fd, self._pid_fd
        self._stdout_fd = self._stderr_fd = self._pid_fd = -1
        for fd in fds:
            if fd >= 0:
                os.close(fd)


def _milliseconds_until(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, (deadline - monotonic()) * 1000)
