"""Frames over two descriptors, blocking; nothing of what is inside a frame.

The worker's end. Any thread may send; one thread receives. The host's end, which must also heed
deadlines and the pod's death, is ``pypods.pods.pipes``; the fake is ``pypods.wire.memory``.
"""

from __future__ import annotations

import os
from _thread import allocate_lock, get_ident

from pypods.wire.frames import DEFAULT_MAX_FRAME_BYTES, FrameReader

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
        self._received: list[bytes] = []
        self._write_lock = allocate_lock()
        self._writer = 0
        self._held_back: list[bytes] = []

    @property
    def is_sending(self) -> bool:
        """Whether the calling thread is inside ``send``, as a signal handler may find it."""
        return self._writer == get_ident()

    @property
    def is_closed(self) -> bool:
        """Whether this side has closed its descriptors."""
        return self._write_fd < 0

    def send(self, frame: bytes) -> None:
        """Write a whole frame. Raises OSError when the other end is gone.

        A frame sent from inside ``send`` by the same thread (a finalizer or a signal handler that
        logs) follows the one under way.
        """
        if self.is_sending:
            self._held_back.append(frame)
            return
        with self._write_lock:
            self._writer = get_ident()
            try:
                self._write(frame)
                while self._held_back:
                    self._write(self._held_back.pop(0))
            finally:
                self._writer = 0

    def _write(self, frame: bytes) -> None:
        written = os.write(self._write_fd, frame)
        if written < len(frame):
            view = memoryview(frame)
            while written < len(frame):
                written += os.write(self._write_fd, view[written:])

    def receive(self) -> bytes | None:
        """Return the next frame, or None when the other end has closed its side.

        Raises ProtocolError for a frame that cannot be one.
        """
        received = self._received
        while not received:
            data = os.read(self._read_fd, max(READ_BYTES, self._reader.missing))
            if not data:
                return None
            received += self._reader.feed(data)
        return received.pop(0)

    def look_ahead(self, is_wanted: object) -> bool:
        """Read what has arrived, without waiting, and say whether a frame is the one wanted.

        ``is_wanted`` is called with each frame not yet received; the wanted one is taken out.
        For the signal handler that finds the receiving thread busy with a call.
        """
        from select import select

        while select([self._read_fd], [], [], 0)[0]:
            data = os.read(self._read_fd, READ_BYTES)
            if not data:
                break
            self._received += self._reader.feed(data)
        for index, frame in enumerate(self._received):
            if is_wanted(frame):  # type: ignore[operator]
                del self._received[index]
                return True
        return False

    def close(self) -> None:
        """Close both descriptors; once."""
        for fd in (self._read_fd, self._write_fd):
            if fd >= 0:
                os.close(fd)
        self._read_fd = self._write_fd = -1
