"""Frames over two descriptors, blocking; nothing of what is inside a frame.

The worker's end. Any thread may send; one thread receives. The host's end, which must also heed
deadlines and the pod's death, is ``pypods.pods.pipes``; the fake is ``pypods.wire.memory``.
"""

from __future__ import annotations

import os
from _thread import RLock

from pypods.wire.frames import DEFAULT_MAX_FRAME_BYTES, FrameReader

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Channel"]

READ_BYTES = 65_536


class Channel:
    """Two descriptors that carry frames and nothing else."""

    def __init__(
        self, read_fd: int, write_fd: int, *, max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES
    ) -> None:
        self.max_frame_bytes = max_frame_bytes
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._reader = FrameReader(max_frame_bytes)
        #: Frames that have arrived and were not yet received, for those who look ahead.
        self.queued: list[bytes] = []
        # Asked whether it is this thread's own, never taken twice. A lock and a note of who holds
        # it would leave a moment between the two in which a signal handler could lock itself out.
        self._write_lock: Any = RLock()
        self._held_back: list[bytes] = []

    @property
    def is_sending(self) -> bool:
        """Whether the calling thread is inside ``send``, as a signal handler may find it."""
        return bool(self._write_lock._is_owned())

    @property
    def is_closed(self) -> bool:
        """Whether this side has closed its descriptors."""
        return self._write_fd < 0

    def send(self, frame: bytes) -> None:
        """Write a whole frame. Raises OSError when the other end is gone.

        A frame sent from inside ``send`` by the same thread (a finalizer or a signal handler that
        logs) follows the one under way.
        """
        if self._write_lock._is_owned():
            self._held_back.append(frame)
            return
        with self._write_lock:
            written = os.write(self._write_fd, frame)
            if written < len(frame):
                self._write_rest(frame, written)
            while self._held_back:
                self._write_rest(self._held_back.pop(0))
        if self._held_back:  # Since the last look, before the lock was free.
            self.send(self._held_back.pop(0))

    def _write_rest(self, frame: bytes, written: int = 0) -> None:
        view = memoryview(frame)
        while written < len(frame):
            written += os.write(self._write_fd, view[written:])

    def receive(self) -> bytes | None:
        """Return the next frame, or None when the other end has closed its side.

        Raises ProtocolError for a frame that cannot be one.
        """
        queued = self.queued
        reader = self._reader
        while not queued:
            missing = reader.missing
            data = os.read(self._read_fd, max(READ_BYTES, missing) if missing else READ_BYTES)
            if not data:
                return None
            frames = reader.feed(data)
            if len(frames) == 1:
                return frames[0]
            queued += frames
        return queued.pop(0)

    def look_ahead(self) -> list[bytes]:
        """Read what has arrived, without waiting, and return ``queued``, to take frames out of.

        For the signal handler that finds the receiving thread busy with a call.
        """
        from select import select

        while select([self._read_fd], [], [], 0)[0]:
            data = os.read(self._read_fd, READ_BYTES)
            if not data:
                break
            self.queued += self._reader.feed(data)
        return self.queued

    def close(self) -> None:
        """Close both descriptors; once."""
        for fd in (self._read_fd, self._write_fd):
            if fd >= 0:
                os.close(fd)
        self._read_fd = self._write_fd = -1
        # In a forked child the lock may be a thread's that is not here.
        self._write_lock = RLock()
