"""A worker ends with its host, whatever it is doing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from pypods.pods.process import worker_command
from pypods.worker import lifetime

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a signal of Linux's")


@pytest.fixture
def lifeline(monkeypatch):
    """Two ends of a lifeline, and the groups that would have been killed."""
    read_fd, write_fd = os.pipe()
    killed: list[tuple[int, int]] = []
    came = threading.Event()

    def kill(group: int, number: int) -> None:
        killed.append((group, number))
        came.set()

    monkeypatch.setattr(lifetime.os, "killpg", kill)
    yield read_fd, write_fd, killed, came
    os.close(read_fd)


@linux_only
def test_an_open_lifeline_lets_the_worker_live_and_is_armed(lifeline, monkeypatch):
    import fcntl

    read_fd, write_fd, killed, _ = lifeline
    # A group that does not exist: the kernel is told, and there is nobody to kill.
    armed = []
    real = fcntl.fcntl

    def record(fd: int, command: int, argument: int = 0) -> int:
        armed.append((command, argument))
        return 0 if command == fcntl.F_SETOWN else real(fd, command, argument)

    monkeypatch.setattr(fcntl, "fcntl", record)
    lifetime.die_with_host(read_fd)
    assert killed == []
    assert (fcntl.F_SETOWN, -os.getpgrp()) in armed
    assert (lifetime.F_SETSIG, signal.SIGKILL) in armed
    assert not os.get_inheritable(read_fd)
    os.close(write_fd)


@linux_only
def test_a_lifeline_that_has_ended_already_ends_the_worker(lifeline, monkeypatch):
    read_fd, write_fd, killed, _ = lifeline
    os.close(write_fd)
    monkeypatch.setattr(lifetime, "kill_group_at_end", lambda fd, group: None)
    lifetime.die_with_host(read_fd)
    assert killed == [(os.getpgrp(), signal.SIGKILL)]


def test_elsewhere_a_thread_waits_for_the_end(lifeline, monkeypatch):
    read_fd, write_fd, killed, came = lifeline
    monkeypatch.setattr(lifetime.sys, "platform", "darwin")
    lifetime.die_with_host(read_fd)
    assert killed == []
    os.close(write_fd)
    assert came.wait(20)
    assert killed == [(os.getpgrp(), signal.SIGKILL)]
    lifetime._wait_for_end(read_fd)  # What the thread does.
    assert len(killed) == 2


@linux_only
def test_when_the_lifeline_ends_the_worker_and_its_children_are_killed(each_python, make_pod):
    """While it sleeps in C code, at import, with a child that does the same."""
    folder = make_pod(
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('child', child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    theirs, ours = os.pipe()
    command = worker_command(each_python, "small", str(folder), str(theirs), "100000", "30")
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(theirs,),
        start_new_session=True,
    ) as process:
        os.close(theirs)
        child_pid = int(process.stderr.readline().split()[1])
        os.close(ours)
        assert process.wait(10) == -signal.SIGKILL
        assert gone(child_pid)


def gone(pid: int) -> bool:
    """Wait until a process has ended; a zombie that its new parent has not seen yet counts."""
    for _ in range(1000):
        try:
            with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        threading.Event().wait(0.01)
    return False
