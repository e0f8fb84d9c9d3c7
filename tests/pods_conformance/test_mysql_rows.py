"""Rows from the bytes that MySQL sends, however those are cut; no server."""

from __future__ import annotations

import runpy
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypods.connectors.errors import DataError

ROWS = runpy.run_path(str(Path(__file__).parents[2] / "pods" / "mysql" / "mysql_rows.py"))
END, ERROR = b"\xfe\x00\x00\x02\x00", b"\xff\x15\x04#28000no"


def as_value(value):
    """Return a value as the text protocol has it."""
    if value is None:
        return b"\xfb"
    for first, count in ((b"", 1), (b"\xfc", 2), (b"\xfd", 3)):
        if len(value) < (251 if count == 1 else 256**count):
            return first + len(value).to_bytes(count, "little") + value
    return b"\xfe" + len(value).to_bytes(8, "little") + value


def as_packets(payloads, number=0):
    return b"".join(
        len(each).to_bytes(3, "little") + bytes([(number + at) % 256]) + each
        for at, each in enumerate(payloads)
    )


def as_packet_of(row):
    return b"".join(map(as_value, row))


class Result:
    """What PyMySQL's result and connection do, over bytes that arrive in pieces."""

    def __init__(self, data, cuts, number):
        edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
        self.pieces = [data[a:b] for a, b in pairwise(edges)]
        self.buffer = b""
        self.fields = [None] * 3
        self.connection = self._rfile = self
        self._next_seq_id = number
        self.by_driver = 0
        self.ended = False

    def peek(self):
        if not self.buffer and self.pieces:
            self.buffer = self.pieces.pop(0)
        return self.buffer

    def read(self, count):
        while len(self.buffer) < count:
            self.buffer += self.pieces.pop(0)
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def get_all_data(self):
        return self.packet

    def _read_rowdata_packet_unbuffered(self):
        if self.ended:
            return None
        header = self.read(4)
        assert header[3] == self._next_seq_id
        self._next_seq_id = (self._next_seq_id + 1) % 256
        packet = self.read(int.from_bytes(header[:3], "little"))
        if packet in (END, ERROR):
            self.ended = True
            return None
        self.by_driver += 1
        self.packet = packet
        return self._read_row_from_packet(self)


def rows_of(batch):
    assert all(pa.types.is_binary(each) for each in batch.schema.types)
    batch.validate(full=True)
    return list(zip(*(column.to_pylist() for column in batch.columns), strict=True))


values = st.none() | st.binary(max_size=5) | st.integers(249, 70_000).map(bytes)


@settings(deadline=None)
@given(
    st.lists(st.tuples(values, values, values), max_size=20),
    st.lists(st.integers(0, 10**6), max_size=8),
    st.integers(0, 255),
    st.integers(1, 7),
    st.sampled_from([END, ERROR]),
)
def test_rows_are_those_that_were_sent(sent, cuts, number, count, end):
    data = as_packets([*map(as_packet_of, sent), end], number)
    result = Result(data, cuts, number)
    rows, found = ROWS["ResultRows"](result), []
    while (fetched := rows.fetch(count)) is not None:
        assert 0 < fetched.num_rows <= count
        found += rows_of(fetched)
    assert found == sent
    assert (result.buffer, result.pieces) == (b"", [])


def test_what_has_arrived_is_not_left_to_the_driver():
    sent = [(b"a", None, b"%d" % number) for number in range(1000)]
    result = Result(as_packets([*map(as_packet_of, sent), END]), [], 0)
    assert rows_of(ROWS["ResultRows"](result).fetch(2000)) == sent
    assert result.by_driver == 1


def test_a_batch_ends_where_it_is_heavy():
    sent = [(b"x" * 5_000_000, None, b"")] * 8
    result = Result(as_packets([*map(as_packet_of, sent), END]), range(0, 40_000_000, 70_000), 0)
    rows, counts = ROWS["ResultRows"](result), []
    while (batch := rows.fetch(256)) is not None:
        counts.append(batch.num_rows)
    assert sum(counts) == 8
    assert max(counts) == 4


def test_a_value_of_more_than_a_packet_is_one():
    value = bytes(2**24 + 5)
    packet = as_packet_of((b"1", value, None))
    header = bytes(ROWS["HEADER_BYTES"])
    batch = ROWS["split_packets"]([header, packet], [len(packet)], 3)
    assert rows_of(batch) == [(b"1", value, None)]


@pytest.mark.parametrize(
    "packet",
    [END, ERROR, b"", b"\xfe" + (2**24).to_bytes(8, "little")],
    ids=repr,
)
def test_what_is_no_row_is_left_to_the_driver(packet):
    sizes = []
    data = as_packets([as_packet_of((b"1", b"2", b"3")), packet, as_packet_of((b"4", b"5", b"6"))])
    assert ROWS["take_packets"](data, sizes, 10, 0) == 10
    assert sizes == [6]


@pytest.mark.parametrize(
    "packet",
    [
        b"\x01", b"\x05ab", b"\x01a\x01b\x01c\x01d", b"\x01a\x01b\xfe", b"\x01a\xfc\x01",
        b"\x01a\x01b\xff\x01\x00", b"\x01a\x01b", b"\x01a\xfe\xff\xff\xff\xff\x00\x00\x00\x00",
        b"\x01a\xfe\xff\xff\xff\x7f\x00\x00\x00\x00", b"\x01a\xfd\xff\xff\xff\x01", b"",
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_row_of_more_or_fewer_values_is_refused(packet, at):
    good = as_packet_of((b"1", None, b"3"))
    payloads = [good, good]
    payloads.insert(at, packet)
    with pytest.raises(DataError, match=r"of the rows 7 to 9 \(from 0\), one has not .*: 3$"):
        ROWS["split_packets"]([as_packets(payloads)], [*map(len, payloads)], 3, 7)


def test_a_packet_out_of_its_turn_is_left_to_the_driver():
    first, second = as_packets([as_packet_of((b"1",))], 255), as_packets([as_packet_of((b"2",))], 1)
    sizes = []
    assert ROWS["take_packets"](first + second, sizes, 10, 255) == len(first)
    assert sizes == [2]
