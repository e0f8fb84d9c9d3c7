"""Bytes become whole frames, however they are cut, and never more memory than has arrived."""

from __future__ import annotations

import struct
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypods.errors import ProtocolError
from pypods.wire.documents import encode_document
from pypods.wire.frames import DEFAULT_MAX_FRAME_BYTES, FrameReader

FRAMES = [encode_document({}), encode_document({"a": 1}), encode_document({"b": "x" * 300})]


def feed_all(reader: FrameReader, pieces: list[bytes]) -> list[bytes]:
    return [frame for piece in pieces for frame in reader.feed(piece)]


def test_one_read_of_one_frame_is_that_frame():
    reader = FrameReader()
    assert reader.feed(FRAMES[1]) == [FRAMES[1]]
    assert reader.missing == 0


def test_one_read_of_several_frames_is_those_frames():
    assert FrameReader().feed(b"".join(FRAMES)) == FRAMES


def test_bytes_one_at_a_time_are_the_same_frames():
    joined = b"".join(FRAMES)
    assert feed_all(FrameReader(), [bytes([byte]) for byte in joined]) == FRAMES


@given(cuts=st.lists(st.integers(0, sum(map(len, FRAMES)) * 2), max_size=12))
def test_bytes_cut_anywhere_are_the_same_frames(cuts):
    joined = b"".join(FRAMES * 2)
    edges = [0, *sorted(cuts), len(joined)]
    pieces = [joined[start:end] for start, end in pairwise(edges)]
    reader = FrameReader()
    assert feed_all(reader, pieces) == FRAMES * 2
    assert reader.missing == 0


def test_what_a_frame_still_needs_is_known():
    reader = FrameReader()
    frame = FRAMES[2]
    for fed, missing in [(1, 3), (2, 2), (3, 1), (4, len(frame) - 4), (10, len(frame) - 10)]:
        reader = FrameReader()
        reader.feed(frame[:fed])
        assert reader.missing == missing
    assert reader.feed(frame[10:]) == [frame]
    assert reader.missing == 0


@pytest.mark.parametrize("size", [0, 4, -1, -(2**31)])
def test_a_length_that_no_document_has_is_refused(size):
    with pytest.raises(ProtocolError, match=f"announces {size} bytes, fewer than an empty"):
        FrameReader().feed(struct.pack("<i", size))


@pytest.mark.parametrize("size", [101, 2**31 - 1])
def test_a_length_above_the_limit_is_refused_before_its_bytes_arrive(size):
    reader = FrameReader(100)
    with pytest.raises(ProtocolError, match=f"announces {size} bytes, more than max_frame_bytes=1"):
        reader.feed(struct.pack("<i", size))


def test_a_whole_frame_above_the_limit_is_refused():
    assert FrameReader(len(FRAMES[2])).feed(FRAMES[2]) == [FRAMES[2]]
    with pytest.raises(ProtocolError, match="more than max_frame_bytes"):
        FrameReader(len(FRAMES[2]) - 1).feed(FRAMES[2])


def test_an_announced_length_costs_nothing_by_itself():
    reader = FrameReader()
    tracemalloc.start()
    try:
        assert reader.feed(struct.pack("<i", DEFAULT_MAX_FRAME_BYTES) + b"x" * 100) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000
    assert reader.missing == DEFAULT_MAX_FRAME_BYTES - 104


@given(data=st.binary(max_size=200))
def test_random_bytes_are_frames_or_a_protocol_error(data):
    reader = FrameReader(1000)
    try:
        frames = reader.feed(data)
    except ProtocolError:
        return
    assert b"".join(frames) == data[: sum(map(len, frames))]
    assert all(len(frame) >= 5 for frame in frames)
