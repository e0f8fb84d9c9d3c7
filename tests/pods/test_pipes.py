"""The host's ends of a pod's pipes, with a test at the other ends."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from pypods.errors import ProtocolError
from pypods.pods.output import PodOutput
from pypods.pods.pipes import DeadlineError, EndOfPipeError, PodPipes
from pypods.wire.documents import encode_document
from pypods.wire.frames import FrameReader

FRAME = encode_document({"a": 1})
LARGE = encode_document({"a": b"x" * 300_000})


@dataclass
class Ends:
    """Our side, and the descriptors of the pod's."""

    pipes: PodPipes
    output: PodOutput
    stdin: int
    stdout: int
    stderr: int
    ended: int

    def read(self, size: int = 2**20) -> bytes:
        return os.read(self.stdin, size)

    def read_frames(self, count: int) -> list[bytes]:
        reader, frames = FrameReader(), []
        while len(frames) < count:
            frames += reader.feed(self.read())
        return frames

    def close(self, name: str) -> None:
        fd = getattr(self, name)
        if fd >= 0:
            os.close(fd)
            setattr(self, name, -1)


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Return both sides; a fourth pipe stands for the pidfd, readable once it is closed."""
    stdin, our_stdin = os.pipe()
    our_stdout, stdout = os.pipe()
    our_stderr, stderr = os.pipe()
    our_ended, ended = os.pipe()
    output = PodOutput("piped")
    pipes = PodPipes(
        our_stdin, our_stdout, our_stderr, output=output, pid_fd=our_ended, max_frame_bytes=2**20
    )
    both = Ends(pipes, output, stdin, stdout, stderr, ended)
    yield both
    for name in ("stdin", "stdout", "stderr", "ended"):
        both.close(name)
    pipes.close()


def soon(seconds: float = 0.05) -> float:
    return time.monotonic() + seconds


# Sending ---------------------------------------------------------------------------------------


def test_a_frame_is_written_whole(ends: Ends) -> None:
    ends.pipes.send(FRAME)
    assert ends.read() == FRAME


def test_a_frame_larger_than_the_pipe_is_written_as_it_is_read(ends: Ends) -> None:
    thread = threading.Thread(target=ends.pipes.send, args=(LARGE, soon(20)))
    thread.start()
    assert ends.read_frames(1) == [LARGE]
    thread.join()


def test_a_deadline_before_the_frame_has_begun_leaves_nothing_of_it(ends: Ends) -> None:
    ends.pipes.send(bytes(65_536))
    with pytest.raises(DeadlineError) as caught:
        ends.pipes.send(FRAME, soon())
    assert not caught.value.begun
    assert ends.read() == bytes(65_536)
    ends.pipes.send(b"next")
    assert ends.read() == b"next"


def test_a_deadline_within_a_frame_leaves_its_rest_to_go_first(ends: Ends) -> None:
    with pytest.raises(DeadlineError) as caught:
        ends.pipes.send(LARGE, soon())
    assert caught.value.begun
    with pytest.raises(DeadlineError) as caught:
        ends.pipes.send(FRAME, soon())
    assert not caught.value.begun
    thread = threading.Thread(target=ends.pipes.send, args=(FRAME, soon(20)))
    thread.start()
    assert ends.read_frames(2) == [LARGE, FRAME]
    thread.join()


def test_what_is_posted_follows_what_is_being_sent(ends: Ends) -> None:
    """Also when its sender gives up in the middle."""
    with pytest.raises(DeadlineError):
        ends.pipes.send(LARGE, soon())
    ends.pipes.post(FRAME)
    ends.pipes.flush(soon())
    reading: list[bytes] = []
    thread = threading.Thread(target=lambda: reading.extend(ends.read_frames(2)))
    thread.start()
    ends.pipes.flush(soon(20))
    thread.join()
    assert reading == [LARGE, FRAME]


def test_what_is_posted_while_a_frame_is_underway_does_not_get_into_it(ends: Ends) -> None:
    sending = threading.Thread(target=ends.pipes.send, args=(LARGE, soon(20)))
    sending.start()
    time.sleep(0.05)
    ends.pipes.post(FRAME)
    assert ends.read_frames(2) == [LARGE, FRAME]
    sending.join()


def test_a_frame_that_is_out_is_sent_though_what_was_posted_is_not(ends: Ends) -> None:
    """The deadline is then the posted one's misfortune."""
    sending: list[BaseException | None] = []

    def send() -> None:
        try:
            ends.pipes.send(LARGE, soon(0.5))
            sending.append(None)
        except DeadlineError as exc:
            sending.append(exc)

    thread = threading.Thread(target=send)
    thread.start()
    time.sleep(0.05)
    ends.pipes.post(bytes(200_000))
    taken = 0
    while taken < len(LARGE):
        taken += len(ends.read(len(LARGE) - taken))
    thread.join()
    assert sending == [None]


def test_nobody_who_reads_is_the_end(ends: Ends) -> None:
    ends.close("stdin")
    with pytest.raises(EndOfPipeError):
        ends.pipes.send(FRAME)


def test_nobody_who_reads_on_is_the_end(ends: Ends) -> None:
    thread = threading.Thread(target=lambda: (ends.read(10), ends.close("stdin")))
    thread.start()
    with pytest.raises(EndOfPipeError):
        ends.pipes.send(LARGE, soon(20))
    thread.join()


def test_sending_on_a_closed_side_is_the_end(ends: Ends) -> None:
    ends.pipes.close_stdin()
    ends.pipes.close_stdin()
    with pytest.raises(EndOfPipeError):
        ends.pipes.send(FRAME)
    ends.pipes.post(FRAME)
    with pytest.raises(EndOfPipeError):
        ends.pipes.flush(soon())
    assert ends.read() == b""


@pytest.mark.parametrize(("frame", "torn"), [(FRAME, False), (LARGE, True)])
def test_ctrl_c_as_a_frame_is_written_tears_a_large_one(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, frame: bytes, torn: bool
) -> None:
    """A small one is written whole or not at all."""

    def interrupt(fd: int, data: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ends.pipes.send(frame)
    assert ends.pipes.torn is torn
    ends.pipes.torn = False
    ends.pipes.post(frame)
    with pytest.raises(KeyboardInterrupt):
        ends.pipes.flush(soon())
    assert ends.pipes.torn


# Receiving -------------------------------------------------------------------------------------


def test_frames_arrive_one_by_one_or_together(ends: Ends) -> None:
    os.write(ends.stdout, FRAME)
    assert ends.pipes.receive_frames() == [FRAME]
    os.write(ends.stdout, FRAME + FRAME + FRAME[:5])
    assert ends.pipes.receive_frames() == [FRAME, FRAME]
    os.write(ends.stdout, FRAME[5:])
    assert ends.pipes.receive_frames() == [FRAME]


def test_a_large_frame_arrives_in_pieces(ends: Ends) -> None:
    def write() -> None:
        data = LARGE
        while data:
            data = data[os.write(ends.stdout, data) :]

    thread = threading.Thread(target=write)
    thread.start()
    assert ends.pipes.receive_frames(soon(20)) == [LARGE]
    thread.join()


def test_a_deadline_passes_whatever_arrives_meanwhile(ends: Ends) -> None:
    with pytest.raises(DeadlineError):
        ends.pipes.receive_frames(soon())
    os.write(ends.stdout, LARGE[:100])
    with pytest.raises(DeadlineError):
        ends.pipes.receive_frames(soon())
    os.write(ends.stderr, b"printed\n")
    with pytest.raises(DeadlineError):
        ends.pipes.receive_frames(time.monotonic() - 1)
    assert ends.output.last_lines() == "printed"


def test_a_frame_that_is_there_arrives_though_the_deadline_has_passed(ends: Ends) -> None:
    os.write(ends.stdout, FRAME)
    assert ends.pipes.receive_frames(time.monotonic() - 1) == [FRAME]


def test_bytes_that_are_no_frame_are_a_protocol_error(ends: Ends) -> None:
    os.write(ends.stdout, b"\0\0\0\0")
    with pytest.raises(ProtocolError):
        ends.pipes.receive_frames()


@pytest.mark.parametrize("name", ["stdout", "ended"])
def test_the_end_is_noticed_after_the_last_frame(ends: Ends, name: str) -> None:
    """By the end of the pipe, or of the process while a child holds the pipe."""
    os.write(ends.stdout, FRAME + FRAME[:3])
    ends.close(name)
    assert ends.pipes.receive_frames() == [FRAME]
    with pytest.raises(EndOfPipeError):
        ends.pipes.receive_frames()


def test_output_is_taken_in_on_the_way_and_its_end_is_no_end(ends: Ends) -> None:
    os.write(ends.stderr, b"one\ntwo\n")
    ends.close("stderr")
    os.write(ends.stdout, FRAME)
    assert ends.pipes.receive_frames() == [FRAME]
    assert ends.output.last_lines() == "one\ntwo"
    os.write(ends.stdout, FRAME)
    assert ends.pipes.receive_frames() == [FRAME]


def test_a_wake_up_with_nothing_to_read_is_no_frame(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.write(ends.stdout, FRAME)
    os.write(ends.stderr, b"x")
    read, refusals = os.read, [1, 2]

    def refuse(fd: int, size: int) -> bytes:
        if refusals and fd != ends.stdin:
            refusals.pop()
            raise BlockingIOError
        return read(fd, size)

    monkeypatch.setattr(os, "read", refuse)
    assert ends.pipes.receive_frames(soon(20)) == [FRAME]


def test_ctrl_c_as_bytes_are_read_tears_the_stream(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(fd: int, size: int) -> bytes:
        raise KeyboardInterrupt

    os.write(ends.stdout, FRAME)
    monkeypatch.setattr(os, "read", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ends.pipes.receive_frames()
    assert ends.pipes.torn


def test_a_side_that_was_closed_meanwhile_is_the_end(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(fd: int, size: int) -> bytes:
        raise OSError(9, "Bad file descriptor")

    os.write(ends.stdout, FRAME)
    monkeypatch.setattr(os, "read", gone)
    with pytest.raises(EndOfPipeError):
        ends.pipes.receive_frames()


# The end ---------------------------------------------------------------------------------------


def test_draining_drops_frames_and_keeps_output_until_the_process_ends(ends: Ends) -> None:
    os.write(ends.stdout, FRAME)
    os.write(ends.stderr, b"last words")
    looks = iter([False, False, True])
    ends.pipes.drain(soon(20), lambda: next(looks))
    assert ends.output.last_lines() == "last words"
    assert not select.select([ends.pipes._stdout_fd], [], [], 0)[0]


def test_draining_ends_by_its_deadline_and_outlives_the_streams(ends: Ends) -> None:
    ends.close("stdout")
    ends.close("stderr")
    ends.pipes.drain(soon(), lambda: False)
    ends.pipes.close()
    ends.pipes.drain(soon(20), lambda: False)


def test_what_was_printed_by_the_end_is_taken_in(ends: Ends) -> None:
    os.write(ends.stderr, b"x" * 60_000 + b"\nhalf")
    ends.pipes.drain_output()
    assert ends.output.last_lines().endswith("xxx\nhalf")
    ends.close("stderr")
    ends.pipes.drain_output()
    ends.pipes.drain_output()


def test_closing_closes_each_descriptor_once(ends: Ends) -> None:
    fds = [ends.pipes._stdin_fd, ends.pipes._stdout_fd, ends.pipes._stderr_fd, ends.pipes._pid_fd]
    ends.pipes.close()
    ends.pipes.close()
    for fd in fds:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
