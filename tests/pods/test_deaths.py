"""A pod that dies in a call: noticed at once, told in full, started anew, never replayed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pypods.errors import PodDiedError, PodError

LoadPod = Callable[..., Any]

SOURCE = """
import ctypes, os, signal, subprocess, sys, threading, time
from pathlib import Path

def leave(status):
    print("some last words")
    os._exit(status)

def kill(number):
    print("to stderr", file=sys.stderr)
    os.kill(os.getpid(), number)
    time.sleep(60)

def crash():
    ctypes.string_at(0)

def abort():
    # By way of the C library, which keeps it in a buffer of its own until told otherwise.
    libc = ctypes.CDLL(None)
    libc.puts(b"printed by C")
    libc.fflush(None)
    libc.abort()

def many_lines(count):
    for number in range(count):
        print("line", number)
    os._exit(1)

def half_a_line():
    print("no end", end="")
    sys.stdout.flush()
    os._exit(1)

def count_and_die(path):
    with open(path, "a") as file:
        file.write("x")
    os._exit(2)

def leave_children_with_streams_open():
    subprocess.Popen(["sleep", "600"])
    if os.fork() == 0:
        time.sleep(600)
        os._exit(0)
    os._exit(4)

def close_every_descriptor():
    os.closerange(3, 256)
    time.sleep(60)

def slow(seconds): time.sleep(seconds)
def pid(): return os.getpid()
def die_in_a_thread():
    threading.Timer(0.1, os._exit, [6]).start()
    time.sleep(60)
"""


@pytest.fixture
def pod(bare_pod: LoadPod) -> Any:
    return bare_pod(SOURCE)


def die(call: Callable[..., Any], *args: Any) -> PodDiedError:
    with pytest.raises(PodDiedError) as caught:
        call(*args)
    return caught.value


@pytest.mark.parametrize("status", [0, 1, 3, 255])
def test_an_exit_status_is_told_with_the_last_words(pod: Any, status: int) -> None:
    error = die(pod.leave, status)
    assert error.exit_status == status
    assert error.last_output == "some last words"
    assert error.delivered
    assert f'pod "subject" died in a call, exit status {status}' in str(error)
    assert str(error).endswith("Its last output:\nsome last words")
    assert isinstance(error, PodError)


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGRTMIN]
)
def test_a_signal_is_told_by_its_name(pod: Any, number: int) -> None:
    error = die(pod.kill, int(number))
    assert error.exit_status == -number
    assert f"killed by {signal.Signals(number).name}" in str(error)
    assert "to stderr" in error.last_output


def test_a_signal_without_a_name_is_told_by_its_number(pod: Any) -> None:
    number = signal.SIGRTMIN + 3
    assert f"killed by signal {int(number)}" in str(die(pod.kill, int(number)))


def test_a_crash_in_c_code_is_told(pod: Any) -> None:
    assert die(pod.crash).exit_status == -signal.SIGSEGV


def test_what_a_c_library_printed_is_among_the_last_words(pod: Any) -> None:
    error = die(pod.abort)
    assert error.exit_status == -signal.SIGABRT
    assert "printed by C" in error.last_output


def test_the_last_words_are_few(pod: Any) -> None:
    lines = die(pod.many_lines, 50_000).last_output.splitlines()
    assert lines == [f"line {number}" for number in range(49_980, 50_000)]


def test_half_a_line_is_among_the_last_words(pod: Any) -> None:
    assert die(pod.half_a_line).last_output == "no end"


def test_the_next_call_starts_it_anew(bare_loader: LoadPod) -> None:
    loader = bare_loader(SOURCE)
    pod = loader.load_pod()
    pids = {pod.pid()}
    for _ in range(3):
        die(pod.leave, 1)
        assert loader.state == "DIED"
        pids.add(pod.pid())
        assert loader.state == "RUNNING"
    assert len(pids) == 4


def test_a_call_is_never_replayed(pod: Any, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    for done in (1, 2, 3):
        die(pod.count_and_die, str(counter))
        assert counter.read_text() == "x" * done
    assert pod.pid()
    assert counter.read_text() == "xxx"


@pytest.mark.parametrize(
    ("name", "status"), [("leave_children_with_streams_open", 4), ("die_in_a_thread", 6)]
)
def test_a_death_is_noticed_at_once_whoever_holds_its_streams(
    pod: Any, name: str, status: int
) -> None:
    """The children sleep longer than any test may take."""
    assert die(getattr(pod, name)).exit_status == status


def test_a_pod_that_closes_its_descriptors_is_stopped(pod: Any) -> None:
    assert die(pod.close_every_descriptor).exit_status == -signal.SIGKILL


def test_a_death_is_noticed_without_pidfds(
    bare_pod: LoadPod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    pod = bare_pod(SOURCE)
    assert die(pod.leave, 3).exit_status == 3
    assert die(pod.kill, 9).exit_status == -9
    assert pod.pid()


def test_a_death_fails_everybody_who_waits(pod: Any) -> None:
    """And each can call again."""
    errors, pids = [], []

    def call() -> None:
        try:
            pod.slow(60)
        except PodDiedError as exc:
            errors.append(exc.exit_status)
        pids.append(pod.pid())

    old = pod.pid()
    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    os.kill(old, signal.SIGKILL)
    for thread in threads:
        thread.join()
    assert errors == [-signal.SIGKILL] * 8
    assert len(set(pids)) == 1
    assert old not in pids


def test_a_host_that_ignores_its_children_still_notices(
    bare_loader: LoadPod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SIGCHLD ignored the kernel reaps, and the status is lost."""
    previous = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        loader = bare_loader(SOURCE)
        pod = loader.load_pod()
        assert die(pod.leave, 3).exit_status in (0, 3)
        assert pod.pid()
        loader.unload_pod()
    finally:
        signal.signal(signal.SIGCHLD, previous)


def test_a_pod_that_was_reaped_by_somebody_else_is_noticed(pod: Any) -> None:
    pid = pod.pid()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert pod.pid() != pid


def test_deaths_leave_no_descriptors_behind(pod: Any) -> None:
    pod.pid()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        die(pod.leave, 1)
        pod.pid()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_dead_pod_is_no_zombie(pod: Any) -> None:
    pid = pod.pid()
    die(pod.leave, 0)
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
