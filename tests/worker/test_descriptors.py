"""Descriptors 0 and 1 carry frames; whatever else prints or reads, never meets one."""

from __future__ import annotations

import io
import os
import sys

from pypods.worker.descriptors import take_over_standard_streams


def test_the_streams_are_taken_over_in_this_process(monkeypatch):
    saved = os.dup(0), os.dup(1), os.dup(2)
    frames_in, to_frames = os.pipe()
    from_frames, frames_out = os.pipe()
    from_stderr, stderr = os.pipe()
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    try:
        os.dup2(frames_in, 0)
        os.dup2(frames_out, 1)
        os.dup2(stderr, 2)
        read_fd, write_fd = take_over_standard_streams()
        os.write(1, b"printed")
        os.write(write_fd, b"frame")
        os.write(to_frames, b"call")
        seen = (
            os.read(0, 10),
            os.read(read_fd, 10),
            os.read(from_frames, 10),
            os.read(from_stderr, 10),
        )
        inherited = [os.get_inheritable(fd) for fd in (read_fd, write_fd)]
    finally:
        for number, fd in enumerate(saved):
            os.dup2(fd, number)
            os.close(fd)
    for fd in (
        read_fd,
        write_fd,
        frames_in,
        to_frames,
        from_frames,
        frames_out,
        from_stderr,
        stderr,
    ):
        os.close(fd)
    assert seen == (b"", b"call", b"frame", b"printed")
    assert inherited == [False, False]
    assert (out.line_buffering, out.errors) == (True, "backslashreplace")
    assert (err.line_buffering, err.errors) == (True, "backslashreplace")


def test_a_process_without_standard_streams_is_taken_over_too(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    saved = os.dup(0), os.dup(1)
    try:
        fds = take_over_standard_streams()
    finally:
        for number, fd in enumerate(saved):
            os.dup2(fd, number)
            os.close(fd)
    for fd in fds:
        os.close(fd)
    assert len(fds) == 2


def test_whatever_prints_reaches_the_hosts_logging_and_breaks_no_frame(zoo, caplog):
    mark = f"mark{zoo.session.pid}"
    assert zoo.call("print_in_every_way", mark) == mark
    expected = {
        f"{way} {mark}"
        for way in ("python", "no end", r"bad \ud800", "stderr", "write", "puts", "shell", "child")
    }
    assert zoo.wait_for(lambda: expected <= set(caplog.messages))
    printed = [record for record in caplog.records if mark in record.getMessage()]
    assert {(record.name, record.levelname) for record in printed} == {("pypods.pod.zoo", "INFO")}
    assert zoo.call("add", 1) == 3


def test_stdin_is_empty(zoo):
    assert zoo.call("read_stdin") == ("", b"")


def test_stdin_is_the_null_device_stdout_is_stderr_and_no_child_gets_a_frame(zoo):
    stdin, stdout_is_stderr, inheritable = zoo.call("descriptors")
    assert stdin == os.devnull
    assert stdout_is_stderr
    assert inheritable == []


def test_a_child_of_multiprocessing_works_and_sends_no_frame(zoo):
    for method in ("fork", "spawn"):
        value, code = zoo.call("in_another_process", method, 7)
        assert (value, code) == ((49, "pods.zoo.pod", 14), 0), method
    assert zoo.call("add", 1) == 3


def test_a_forked_child_that_comes_back_ends_without_an_answer(zoo):
    assert zoo.call("fork_and_come_back") == 1 << 8
    assert zoo.call("fork_and_raise") == 1 << 8
    assert zoo.call("add", 1) == 3
