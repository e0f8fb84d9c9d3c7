"""The host's ends of a pod's pipes: frames and output, with deadlines; no calls."""

from __future__ import annotations

import contextlib
import os
import select
from time import monotonic

from pypods.pods.output import PodOutput
from pypods.wire.frames import DEFAULT_MAX_FRAME_BYTES, FrameReader

__all__ = ["DeadlineError", "EndOfPipeError", "PodPipes"]

READ_BYTES = 65_536
#: How long a pod's last output is waited for once its process has ended.
DRAIN_READS = 256


class DeadlineError(Exception):
    """The deadline passed. ``broken`` says that half a frame is out, so that no other can be."""

    broken = False


class EndOfPipeError(Exception):
    """The pod's process has ended, or has closed its side."""


class PodPipes:
    """Three descriptors of a pod's process and, where the system has one, its pidfd.

    One thread may send while another receives; who that is, is the caller's business. Whoever
    waits for a frame also takes in what the pod prints meanwhile, so no thread is needed for that.
    """

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
        self._poll = select.poll()
        for fd in (stdin_fd, stdout_fd, stderr_fd):
            os.set_blocking(fd, False)
        for fd in (stdout_fd, stderr_fd, pid_fd):
            if fd >= 0:
                self._poll.register(fd, select.POLLIN)

    def send(self, frame: bytes, deadline: float | None = None) -> None:
        """Write a whole frame.

        Raises EndOfPipeError when nobody reads any more, and DeadlineError when the pod does not
        read by the deadline (seconds of the monotonic clock).
        """
        try:
            written = os.write(self._stdin_fd, frame)
        except BlockingIOError:
            written = 0
        except OSError as exc:
            raise EndOfPipeError from exc
        if written < len(frame):
            self._send_rest(memoryview(frame)[written:], deadline, started=written > 0)

    def _send_rest(self, rest: memoryview, deadline: float | None, *, started: bool) -> None:
        poll = select.poll()
        poll.register(self._stdin_fd, select.POLLOUT)
        while rest:
            if not poll.poll(_milliseconds_until(deadline)):
                error = DeadlineError()
                error.broken = started
                raise error
            try:
                written = os.write(self._stdin_fd, rest)
            except BlockingIOError:
                continue
            except OSError as exc:
                raise EndOfPipeError from exc
            rest = rest[written:]
            started = True

    def receive_frames(self, deadline: float | None = None) -> list[bytes]:
        """Return the next frames, at least one; takes in printed output on the way.

        Raises EndOfPipeError when no frame can come any more, DeadlineError when none has come by
        the deadline, and ProtocolError for bytes that are no frame.
        """
        while True:
            milliseconds = None if deadline is None else _milliseconds_until(deadline)
            events = self._poll.poll(milliseconds)
            if not events and milliseconds is not None:
                raise DeadlineError
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
                    data = os.read(self._stdout_fd, max(READ_BYTES, self._reader.missing))
                except BlockingIOError:
                    continue
                if not data:
                    raise EndOfPipeError
                frames = self._reader.feed(data)
                if frames:
                    return frames
            elif ended:
                # A child of the pod may hold its end open; the pod itself will send no more.
                raise EndOfPipeError

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

    def drain(self, seconds: float) -> bool:
        """Take in and drop everything until the process ends; say whether it did in time."""
        deadline = monotonic() + seconds
        with contextlib.suppress(KeyError):
            self._poll.unregister(self._stdout_fd)
            self._poll.register(self._stdout_fd, select.POLLIN)
        while monotonic() < deadline:
            for fd, _ in self._poll.poll(min(_milliseconds_until(deadline) or 0, 50)):
                if fd == self._stderr_fd:
                    self._read_output()
                elif fd == self._pid_fd:
                    return True
                else:
                    try:
                        if not os.read(self._stdout_fd, READ_BYTES):
                            self._poll.unregister(self._stdout_fd)
                    except BlockingIOError:
                        pass
            if self._pid_fd < 0:
                return False
        return False

    def drain_output(self) -> None:
        """Take in what the pod had printed by the time it ended."""
        with contextlib.suppress(OSError, KeyError):
            for _ in range(DRAIN_READS):
                if not self._read_output():
                    break
        self._output.finish()

    def close_stdin(self) -> None:
        """Tell the worker that no more calls come."""
        if self._stdin_fd >= 0:
            os.close(self._stdin_fd)
            self._stdin_fd = -1

    def close(self) -> None:
        """Close every descriptor; once."""
        self.close_stdin()
        for fd in (self._stdout_fd, self._stderr_fd, self._pid_fd):
            if fd >= 0:
                os.close(fd)
        self._stdout_fd = self._stderr_fd = self._pid_fd = -1


def _milliseconds_until(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, (deadline - monotonic()) * 1000)
