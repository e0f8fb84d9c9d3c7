"""Frames over a real pipe: whole, in order, from any thread, and from inside one another."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from pypods.errors import ProtocolError
from pypods.wire import channel as channel_module
from pypods.wire.channel import Channel
from pypods.wire.documents import encode_document

ONE, TWO, THREE = (encode_document({"n": n}) for n in (1, 2, 3))


class Pipes:
    """A channel and the other ends of its two pipes."""

    def __init__(self) -> None:
        read_fd, self.to_channel = os.pipe()
        self.from_channel, write_fd = os.pipe()
        self.channel = Channel(read_fd, write_fd, max_frame_bytes=2**20)

    def close(self) -> None:
        self.channel.close()
        for fd in (self.to_channel, self.from_channel):
            if fd >= 0:
                os.close(fd)


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    ends = Pipes()
    yield ends
    ends.close()


def test_frames_are_received_one_by_one(pipes):
    os.write(pipes.to_channel, ONE + TWO + THREE[:5])
    assert pipes.channel.receive() == ONE
    assert pipes.channel.queued == [TWO]
    assert pipes.channel.receive() == TWO
    os.write(pipes.to_channel, THREE[5:])
    assert pipes.channel.receive() == THREE


def test_the_end_of_the_pipe_is_none(pipes):
    os.write(pipes.to_channel, ONE)
    os.close(pipes.to_channel)
    pipes.to_channel = -1
    assert pipes.channel.receive() == ONE
    assert pipes.channel.receive() is None
    assert pipes.channel.look_ahead() == []


def test_a_frame_that_cannot_be_one_is_refused(pipes):
    os.write(pipes.to_channel, b"\0\0\0\0")
    with pytest.raises(ProtocolError):
        pipes.channel.receive()


def test_looking_ahead_reads_what_has_arrived_and_does_not_wait(pipes):
    assert pipes.channel.look_ahead() == []
    os.write(pipes.to_channel, ONE + TWO)
    assert pipes.channel.look_ahead() == [ONE, TWO]
    pipes.channel.look_ahead().remove(ONE)
    assert pipes.channel.receive() == TWO


def test_a_frame_larger_than_the_pipe_is_sent_whole(pipes):
    frame = encode_document({"b": bytes(900_000)})
    received = bytearray()

    def read_all() -> None:
        while len(received) < len(frame):
            received.extend(os.read(pipes.from_channel, 65_536))

    reader = threading.Thread(target=read_all)
    reader.start()
    pipes.channel.send(frame)
    reader.join()
    assert bytes(received) == frame


def test_frames_of_many_threads_do_not_mix(pipes):
    frames = [encode_document({"n": n, "b": bytes([n]) * 30_000}) for n in range(8)]
    received = bytearray()

    def read_all() -> None:
        while len(received) < sum(map(len, frames)):
            received.extend(os.read(pipes.from_channel, 65_536))

    threads = [threading.Thread(target=pipes.channel.send, args=(frame,)) for frame in frames]
    threads.append(threading.Thread(target=read_all))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reader = channel_module.FrameReader()
    assert sorted(reader.feed(bytes(received))) == sorted(frames)


def test_a_frame_sent_from_inside_a_send_follows_the_one_under_way(pipes, monkeypatch):
    real_write = os.write
    inside = []

    def write_some(fd: int, data: bytes) -> int:
        if not inside:
            inside.append(pipes.channel.is_sending)
            pipes.channel.send(TWO)
            return real_write(fd, bytes(data)[:4])  # As a full pipe does.
        return real_write(fd, data)

    monkeypatch.setattr(channel_module.os, "write", write_some)
    pipes.channel.send(ONE)
    monkeypatch.undo()
    assert inside == [True]
    assert not pipes.channel.is_sending
    assert os.read(pipes.from_channel, 1000) == ONE + TWO


def test_a_frame_sent_from_inside_at_the_very_end_is_not_left_behind(pipes):
    class LockThatIsAskedOnce:
        """Lets a frame in after the last look and before the lock is free."""

        def __init__(self) -> None:
            self.lock = threading.RLock()
            self.entered = 0

        def _is_owned(self) -> bool:
            return self.lock._is_owned()

        def __enter__(self) -> None:
            self.entered += 1
            self.lock.acquire()

        def __exit__(self, *_: object) -> None:
            if self.entered == 1:
                pipes.channel.send(TWO)
            self.lock.release()

    pipes.channel._write_lock = LockThatIsAskedOnce()
    pipes.channel.send(ONE)
    assert os.read(pipes.from_channel, 1000) == ONE + TWO


def test_another_threads_send_is_not_ours(pipes, monkeypatch):
    seen = []
    real_write = os.write

    def write(fd: int, data: bytes) -> int:
        thread = threading.Thread(target=lambda: seen.append(pipes.channel.is_sending))
        thread.start()
        thread.join()
        return real_write(fd, data)

    monkeypatch.setattr(channel_module.os, "write", write)
    pipes.channel.send(ONE)
    assert seen == [False]


def test_a_send_without_a_reader_is_an_error_and_frees_the_lock(pipes):
    os.close(pipes.from_channel)
    pipes.from_channel = -1
    for _ in range(2):
        with pytest.raises(BrokenPipeError):
            pipes.channel.send(ONE)
    assert not pipes.channel.is_sending


def test_a_closed_channel_sends_nothing_whatever_its_lock_was(pipes):
    """As in a child that was forked while another thread was sending."""
    held = threading.Event()
    release = threading.Event()

    def hold() -> None:
        with pipes.channel._write_lock:
            held.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    assert not pipes.channel.is_closed
    pipes.channel.close()
    pipes.channel.close()
    assert pipes.channel.is_closed
    with pytest.raises(OSError, match="Bad file descriptor"):
        pipes.channel.send(ONE)
    release.set()
    thread.join()
