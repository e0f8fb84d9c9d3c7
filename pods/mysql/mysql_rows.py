"""Rows of a result as columns of bytes, a batch at a time; what is no row is the driver's.

The driver reads each packet by itself and makes an object of each value, which takes longer than
all else that is done with a row. Here packets are taken as they have arrived, and Arrow finds and
copies the values of a column in all rows at once. The format: MySQL's "Protocol::ResultsetRow", in
packets of its wire protocol.
"""

from __future__ import annotations

import struct
import sys

from pypods.connectors.batches import MAX_BATCH_BYTES
from pypods.connectors.errors import DataError

HEADER_BYTES = 4
#: A packet's header, its number in the highest byte, and the first byte that it holds.
_HEADER = struct.Struct("<IB")
ONE_PACKET = 2**24
#: A packet that begins so is an error or the end, or has a value of 16 MiB: the driver's work.
NO_ROW = 254
#: A packet of this length goes on in the next one.
CONTINUED = ONE_PACKET - 1
#: What a value's length is if its first byte is smaller; else it is NULL, or a length follows.
NULL = 251
#: By that first byte: of how many bytes the length is that follows.
LENGTHS = {252: 2, 253: 3, 254: 8}


class ResultRows:
    """The rows of an unbuffered result of PyMySQL's."""

    def __init__(self, result) -> None:
        self._result = result
        self._width = len(result.fields)
        # A row that the driver reads stays what its packets hold.
        result._read_row_from_packet = lambda packet: packet.get_all_data()

    def fetch(self, count: int, first_row: int = 0):
        """Return the next rows as a batch of columns of bytes, so many at most; None at the end.

        Raises DataError, to which ``first_row`` is the number of the first.
        """
        result, sizes = self._result, []
        packets, weight = [], 0
        while len(sizes) < count and weight < MAX_BATCH_BYTES:
            # Waits for a packet, and knows what else than a row it may be.
            row = result._read_rowdata_packet_unbuffered()
            if row is None:
                break
            packets += [bytes(HEADER_BYTES), row]
            sizes.append(len(row))
            weight += len(row)
            connection = result.connection
            number, before = connection._next_seq_id, len(sizes)
            taken = take_packets(_arrived(connection._rfile), sizes, count, number)
            if taken:
                packets.append(connection._rfile.read(taken))
                connection._next_seq_id = (number + len(sizes) - before) % 256
                weight += taken
        return split_packets(packets, sizes, self._width, first_row) if sizes else None


def _arrived(file) -> bytes:
    """Return what can be read now, without reading it; nothing if that fails: so will reading."""
    try:
        return file.peek()
    except OSError:
        return b""


def take_packets(data: bytes, sizes, most: int, number: int) -> int:
    """Add the sizes of the rows whose packets are whole in the data, up to ``most`` rows.

    ``number`` is the first packet's. Return how many bytes were taken.
    """
    at, limit, number = 0, len(data), number * ONE_PACKET
    unpack = _HEADER.unpack_from
    room = most - len(sizes)
    while room > 0 and at + HEADER_BYTES < limit:
        head, first = unpack(data, at)
        size = head - number  # Of a packet that is not the next one, it is none.
        end = at + HEADER_BYTES + size
        if not 0 < size < CONTINUED or end > limit or first >= NO_ROW:
            break
        sizes.append(size)
        at = end
        number = (number + ONE_PACKET) % 2**32
        room -= 1
    return at


def split_packets(packets, sizes, width: int, first_row: int = 0):
    """Return rows as a batch of columns of bytes; the packets lie one behind the other.

    Raises DataError for a row of more or fewer values.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    # What follows a value's first byte can be looked at behind the last one too.
    data = pa.py_buffer(b"".join([*packets, bytes(max(LENGTHS.values()))]))
    data = pa.Array.from_buffers(pa.uint8(), data.size, [None, data])
    sizes = pa.array(sizes, pa.int32())
    ends = pc.cumulative_sum(pc.add(sizes, pa.scalar(HEADER_BYTES, pa.int32())))
    place = pc.subtract(ends, sizes)
    found = []
    try:
        for _ in range(width):
            column = place, lengths, _ = _find_values(data, place)
            if pc.min(lengths).as_py() < 0:
                break
            found.append(column)
            place = pc.add(place, lengths)
    except pa.ArrowIndexError:
        pass
    if len(found) < width or not place.equals(ends):
        raise DataError(
            f"of the rows {first_row} to {first_row + len(sizes) - 1} (from 0), one has not as "
            f"many values as there are columns: {width}"
        )
    columns = [_gather(data, *column) for column in found]
    return pa.record_batch(columns, names=[str(at) for at in range(width)])


def _find_values(data, place):
    """Return of the values at those places where their bytes begin, how many, and which are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def number(value):
        return pa.scalar(value, pa.int32())

    first = data.take(place)
    lengths = first.cast(pa.int32())
    place = pc.add(place, number(1))
    if pc.max(first).as_py() < NULL:
        return place, lengths, None
    is_there = pc.not_equal(lengths, number(NULL))
    lengths = pc.if_else(is_there, lengths, number(0))
    for byte, count in LENGTHS.items():
        has_more = pc.equal(first, pa.scalar(byte, pa.uint8()))
        if not pc.any(has_more).as_py():
            continue
        at, length = place.filter(has_more), None
        for byte_at in range(min(count, 4)):  # No row has more than 2**31.
            part = data.take(pc.add(at, number(byte_at))).cast(pa.int32())
            part = pc.shift_left(part, number(8 * byte_at))
            length = part if length is None else pc.add(length, part)
        lengths = pc.replace_with_mask(lengths, has_more, length)
        place = pc.replace_with_mask(place, has_more, pc.add(at, number(count)))
    return place, lengths, is_there


def _gather(data, starts, lengths, is_there):
    """Return an array of the bytes that begin there, each of its length."""
    import pyarrow as pa
    import pyarrow.compute as pc

    count = len(starts)
    offsets = pc.cumulative_sum(pa.concat_arrays([pa.array([0], pa.int32()), lengths]))
    has_some = pc.greater(lengths, pa.scalar(0, pa.int32()))
    ends = pc.add(starts, lengths).filter(has_some)
    edges = [each.cast(pa.int64()) for each in (starts.filter(has_some), ends)]
    low, high = edges if sys.byteorder == "little" else reversed(edges)
    # One by one: where a value begins, and where it ends. Between them lies what is taken.
    pairs = pc.bit_wise_or(low, pc.shift_left(high, pa.scalar(32, pa.int64())))
    turns = pa.Array.from_buffers(pa.int32(), 2 * len(pairs), [None, pairs.buffers()[1]])
    is_taken = pa.py_buffer(b"\xaa" * (len(turns) // 8 + 1))
    is_taken = pa.Array.from_buffers(pa.bool_(), len(turns), [None, is_taken])
    chosen = pa.RunEndEncodedArray.from_arrays(turns, is_taken)
    taken = data.slice(0, len(chosen)).filter(chosen)
    valid = None if is_there is None else is_there.buffers()[1]
    return pa.Array.from_buffers(
        pa.binary(), count, [valid, offsets.buffers()[1], taken.buffers()[1]]
    )
