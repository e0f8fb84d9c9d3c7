"""Bytes to frames; no processes, no descriptors, and nothing of what is inside a frame.

A frame is one BSON document: its first four bytes are its length, little-endian and signed,
those four included (https://bsonspec.org/spec.html).
"""

from __future__ import annotations

from struct import Struct

from pypods.errors import ProtocolError

__all__ = ["DEFAULT_MAX_FRAME_BYTES", "MINIMUM_FRAME_BYTES", "PROTOCOL_VERSION", "FrameReader"]

PROTOCOL_VERSION = 1
DEFAULT_MAX_FRAME_BYTES = 256 * 2**20
#: The empty document: a length and the closing zero.
MINIMUM_FRAME_BYTES = 5
HEADER_BYTES = 4

_read_length = Struct("<i").unpack_from


class FrameReader:
    """Turn what arrives, in pieces of any size, into whole frames.

    Nothing is set aside for a frame before its bytes arrive, so an announced length costs
    nothing by itself.
    """

    __slots__ = ("_chunks", "max_frame_bytes", "missing")

    def __init__(self, max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES) -> None:
        self.max_frame_bytes = max_frame_bytes
        self._chunks: list[bytes] = []
        #: How many bytes the frame under way still needs; 0 between frames. While fewer than four
        #: bytes of a frame are here, it is what the header needs.
        self.missing = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take in bytes and return the frames they complete, in order.

        Raises ProtocolError for a length below five or above ``max_frame_bytes``.
        """
        if not self._chunks:
            # The usual case: one read brought exactly one frame.
            size = len(data)
            if (
                size >= HEADER_BYTES
                and _read_length(data)[0] == size
                and (MINIMUM_FRAME_BYTES <= size <= self.max_frame_bytes)
            ):
                return [data]
        elif len(data) < self.missing:
            self._chunks.append(data)
            self.missing -= len(data)
            return []
        else:
            self._chunks.append(data)
            data = b"".join(self._chunks)
            self._chunks.clear()
        frames = []
        position, end = 0, len(data)
        while end - position >= HEADER_BYTES:
            size = _read_length(data, position)[0]
            self._check(size)
            if end - position < size:
                self.missing = size - (end - position)
                break
            frames.append(data[position : position + size])
            position += size
        else:
            self.missing = HEADER_BYTES - (end - position) if position < end else 0
        if position < end:
            self._chunks.append(data[position:])
        return frames

    def _check(self, size: int) -> None:
        if size < MINIMUM_FRAME_BYTES:
            raise ProtocolError(
                f"a frame announces {size} bytes, fewer than an empty document has; "
                "this is no pypods frame"
            )
        if size > self.max_frame_bytes:
            raise ProtocolError(
                f"a frame announces {size} bytes, more than "
                f"max_frame_bytes={self.max_frame_bytes}; "
                "send less at once or raise max_frame_bytes"
            )
