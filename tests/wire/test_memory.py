"""The fake's two ends do what pipes do, and never wait."""

from __future__ import annotations

import pytest

from pypods.errors import ProtocolError
from pypods.wire.documents import encode_document
from pypods.wire.memory import MemoryChannel, memory_channels

ONE, TWO = encode_document({"n": 1}), encode_document({"n": 2})


def test_what_one_end_sends_the_other_receives_in_order():
    host, pod = memory_channels()
    host.send(ONE)
    host.send(TWO)
    assert (pod.receive(), pod.receive()) == (ONE, TWO)
    pod.send(ONE)
    assert host.receive() == ONE
    assert (host.sent, pod.sent) == ([ONE, TWO], [ONE])


def test_all_that_has_arrived_comes_at_once():
    host, pod = memory_channels()
    host.send(ONE)
    host.send(TWO)
    assert pod.receive_frames() == [ONE, TWO]


def test_an_empty_end_has_nobody_to_wait_for():
    _, pod = memory_channels()
    with pytest.raises(BlockingIOError):
        pod.receive()


def test_an_end_without_another_is_closed():
    alone = MemoryChannel()
    assert alone.receive() is None
    with pytest.raises(BrokenPipeError):
        alone.send(ONE)


def test_after_the_close_what_had_arrived_is_still_read():
    host, pod = memory_channels()
    host.send(ONE)
    host.close()
    assert pod.receive() == ONE
    assert pod.receive() is None
    assert pod.receive_frames() == []
    with pytest.raises(BrokenPipeError):
        pod.send(TWO)


def test_bytes_pass_through_a_frame_reader():
    _, pod = memory_channels(max_frame_bytes=20)
    pod.feed(ONE[:3])
    with pytest.raises(BlockingIOError):
        pod.receive()
    pod.feed(ONE[3:])
    assert pod.receive() == ONE
    with pytest.raises(ProtocolError):
        pod.feed(b"\xff\xff\xff\x7f")


def test_frames_can_be_taken_out_ahead():
    host, pod = memory_channels()
    host.send(ONE)
    host.send(TWO)
    pod.look_ahead().remove(ONE)
    assert pod.receive() == TWO
    assert not pod.is_sending
