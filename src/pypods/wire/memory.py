"""The fake channel: two ends joined in memory, for tests that need no process."""

from __future__ import annotations

from collections import deque

from pypods.wire.frames import DEFAULT_MAX_FRAME_BYTES, FrameReader

__all__ = ["MemoryChannel", "memory_channels"]


class MemoryChannel:
    """One end; has the methods of ``Channel`` and of the host's ``PodPipes``.

    What it sends passes through a frame reader, as it would on a pipe. ``receive`` on an empty
    end that was not closed raises BlockingIOError: a fake has nobody to wait for.
    """

    def __init__(self, *, max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES) -> None:
        self.max_frame_bytes = max_frame_bytes
        self.peer: MemoryChannel | None = None
        self.sent: list[bytes] = []
        self.closed = False
        self._reader = FrameReader(max_frame_bytes)
        self.queued: deque[bytes] = deque()

    is_sending = False

    def send(self, frame: bytes, deadline: float | None = None) -> None:  # noqa: ARG002
        """Hand a frame to the other end. Raises BrokenPipeError when either end is closed."""
        if self.closed or self.peer is None or self.peer.closed:
            raise BrokenPipeError("the other end is closed")
        self.sent.append(frame)
        self.peer.feed(frame)

    def feed(self, data: bytes) -> None:
        """Let bytes arrive here, as if the other end had sent them."""
        self.queued += self._reader.feed(data)

    def receive(self) -> bytes | None:
        """Return the next frame, or None when the other end is closed and all is read."""
        if self.queued:
            return self.queued.popleft()
        if self.closed or self.peer is None or self.peer.closed:
            return None
        raise BlockingIOError("no frame has arrived")

    def receive_frames(self, deadline: float | None = None) -> list[bytes]:  # noqa: ARG002
        """Return all frames that have arrived; none when the other end is closed."""
        frame = self.receive()
        if frame is None:
            return []
        frames = [frame, *self.queued]
        self.queued.clear()
        return frames

    def look_ahead(self) -> deque[bytes]:
        """Return the frames that have arrived, to take some out."""
        return self.queued

    def close(self) -> None:
        """End both directions."""
        self.closed = True


def memory_channels(
    *, max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES
) -> tuple[MemoryChannel, MemoryChannel]:
    """Return two ends that are joined: what one sends the other receives."""
    one = MemoryChannel(max_frame_bytes=max_frame_bytes)
    other = MemoryChannel(max_frame_bytes=max_frame_bytes)
    one.peer, other.peer = other, one
    return one, other
