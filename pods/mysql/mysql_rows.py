"""Rows of a result as bytes, many from what has arrived already; what is no row is the driver's.

The driver reads each packet by itself and decodes each value, which takes longer than all else that
is done with a row. The format: MySQL's "Protocol::ResultsetRow", in packets of its wire protocol.
"""

from __future__ import annotations

from contextlib import suppress

HEADER_BYTES = 4
#: What a value's length is if its first byte is smaller; else it is NULL, or a length follows.
NULL = 251
BYTES_OF_LENGTH = {252: 2, 253: 3}
#: A packet that begins so is an error or the end, or has a value of 16 MiB: the driver's work.
NO_ROW = 254
#: A packet of this length goes on in the next one.
CONTINUED = 2**24 - 1


class ResultRows:
    """The rows of an unbuffered result of PyMySQL's."""

    def __init__(self, result) -> None:
        self._result = result
        self._width = len(result.fields)
        # Values of every type stay bytes.
        result.converters = [(None, None)] * self._width

    def fetch(self, count: int):
        """Return the next rows, so many at the most; none at the end."""
        result, rows = self._result, []
        while len(rows) < count:
            # Waits for a packet, and knows what else than a row it may be.
            row = result._read_rowdata_packet_unbuffered()
            if row is None:
                break
            rows.append(row)
            connection = result.connection
            number = connection._next_seq_id
            taken, packets = take_rows(
                _arrived(connection._rfile), self._width, rows, count, number
            )
            if packets:
                connection._rfile.read(taken)
                connection._next_seq_id = (number + packets) % 256
        return rows


def _arrived(file) -> bytes:
    """Return what can be read now, without reading it; nothing if that fails: so will reading."""
    try:
        return file.peek()
    except OSError:
        return b""


def take_rows(data: bytes, width: int, rows, most: int, number: int):
    """Add the rows whose packets are whole in the data, up to ``most`` rows.

    ``number`` is the first packet's. Return how many bytes, and how many packets, were taken.
    """
    at, packets, size = 0, 0, len(data)
    with suppress(IndexError, KeyError):  # Of a packet that is none of a row.
        while len(rows) < most and at + HEADER_BYTES < size:
            length = data[at] | data[at + 1] << 8 | data[at + 2] << 16
            place = at + HEADER_BYTES
            end = place + length
            if end > size or length in (0, CONTINUED) or data[place] >= NO_ROW:
                break
            if data[at + 3] != (number + packets) % 256:
                break
            row = []
            for _ in range(width):
                length = data[place]
                place += 1
                if length == NULL:
                    row.append(None)
                    continue
                if length > NULL:
                    start = place + BYTES_OF_LENGTH[length]
                    length = int.from_bytes(data[place:start], "little")
                    place = start
                row.append(data[place : place + length])
                place += length
            if place != end:
                break
            rows.append(tuple(row))
            at = end
            packets += 1
    return at, packets
