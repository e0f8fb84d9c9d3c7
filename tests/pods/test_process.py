"""A pod's process by itself: launched, watched and ended; nothing of frames or calls."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pypods.pods import process as module
from pypods.pods.process import (
    PodProcess,
    kill_marked,
    launch,
    pod_environment_variables,
    worker_command,
)

Launch = Callable[..., PodProcess]


@pytest.fixture
def start() -> Iterator[Launch]:
    """Return a function that launches Python code, or any command."""
    started: list[PodProcess] = []

    def launch_code(code: str, *more: str, **variables: str) -> PodProcess:
        command = [sys.executable, "-I", "-c", code, *more]
        started.append(launch(command, variables={**os.environ, **variables}))
        return started[-1]

    yield launch_code
    for each in started:
        each.reap()
        for fd in (each.stdin_fd, each.stdout_fd, each.stderr_fd, each.pid_fd):
            if fd >= 0:
                os.close(fd)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_the_command_isolates_the_interpreter_from_the_hosts_settings() -> None:
    command = worker_command(Path("/somewhere/bin/python"), "a", "b")
    assert command[:2] == ["/somewhere/bin/python", "-I"]
    assert Path(command[2]).name == "bootstrap.py"
    assert command[3:] == ["a", "b"]


def test_variables_are_those_of_an_activated_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP"):
        monkeypatch.setenv(name, "/mine")
    monkeypatch.setenv("KEPT", "yes")
    variables = pod_environment_variables("subject", Path("/v"), {"EXTRA": "1", "PYPODS_POD": "x"})
    assert variables["VIRTUAL_ENV"] == "/v"
    assert variables["PATH"] == "/v/bin:/usr/bin"
    assert variables["KEPT"] == "yes"
    assert variables["EXTRA"] == "1"
    assert variables["PYPODS_POD"] == "subject"
    assert not variables.keys() & {"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP"}
    monkeypatch.delenv("PATH")
    assert pod_environment_variables("subject", Path("/v"))["PATH"] == "/v/bin"


def test_a_process_leads_a_session_and_has_pipes_and_the_lifeline_alone(start: Launch) -> None:
    code = """
import os, sys
print(os.getsid(0) == os.getpid() == os.getpgrp())
fds = [int(fd) for fd in os.listdir("/proc/self/fd")]
print({fd for fd in fds if os.path.exists(f"/proc/self/fd/{fd}")} == {0, 1, 2, int(sys.argv[1])})
"""
    process = start(code, "{lifeline}")
    process.wait_for_end(20)
    assert os.read(process.stdout_fd, 100) == b"True\nTrue\n"


def test_an_exit_status_is_there_once_it_is_reaped(start: Launch) -> None:
    process = start("raise SystemExit(7)")
    assert process.wait_for_end(20)
    assert process.has_ended()
    assert process.exit_status is None
    assert process.reap() == process.exit_status == 7
    assert process.has_ended()
    assert process.reap() == 7


def test_waiting_for_one_that_goes_on_takes_as_long_as_said(start: Launch) -> None:
    process = start("import time; time.sleep(60)")
    begun = time.monotonic()
    assert not process.wait_for_end(0.1)
    assert time.monotonic() - begun >= 0.1
    assert not process.has_ended()


def test_a_signal_reaches_the_process_and_after_its_end_nobody(start: Launch) -> None:
    process = start("import time; time.sleep(60)")
    process.signal(signal.SIGTERM)
    assert process.wait_for_end(20)
    process.signal(signal.SIGTERM)
    assert process.reap() == -signal.SIGTERM
    process.signal(signal.SIGTERM)
    process.kill_group()


def test_reaping_ends_the_group(start: Launch) -> None:
    process = start(
        "import subprocess; print(subprocess.Popen(['sleep', '60']).pid, flush=True); input()"
    )
    child = int(os.read(process.stdout_fd, 100))
    assert process.reap() == -signal.SIGKILL
    deadline = time.monotonic() + 20
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(child)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_closing_the_lifeline_ends_a_process_that_knows_nothing_of_it(start: Launch) -> None:
    """As when the host ends. The interpreter here runs none of our code."""
    process = start("import time; time.sleep(60)")
    process._close_lifeline()
    assert process.wait_for_end(20)
    assert process.reap() == -signal.SIGKILL


def test_forgetting_leaves_the_process_to_the_parent(start: Launch) -> None:
    process = start("import time; time.sleep(60)")
    pid = os.fork()
    if pid == 0:
        process.forget()
        process.reap()
        os._exit(0 if process.has_ended() else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert not process.wait_for_end(0.2)


def test_a_command_that_is_not_there_leaves_nothing_open() -> None:
    before = open_descriptors()
    with pytest.raises(FileNotFoundError):
        launch(["/nowhere/python"], variables={})
    assert open_descriptors() == before


def test_a_launch_that_fails_halfway_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    pids: list[int] = []

    def fail(popen: Any, *_: Any) -> None:
        pids.append(popen.pid)
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(module, "PodProcess", fail)
    before = open_descriptors()
    with pytest.raises(OSError, match="Too many"):
        launch([sys.executable, "-c", "import time; time.sleep(60)"], variables=os.environ)
    assert not is_alive(pids[0])
    assert open_descriptors() == before


def test_without_pidfds_there_is_none(start: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    assert start("").pid_fd == -1
    monkeypatch.delattr(os, "pidfd_open")
    assert start("").pid_fd == -1


# Children that left ----------------------------------------------------------------------------

LEAVE = """
import os, subprocess, sys
print(subprocess.Popen(["sleep", "60"], start_new_session=True).pid, flush=True)
sys.stdin.read()
"""


def test_reaping_ends_a_child_in_a_session_of_its_own(start: Launch) -> None:
    process = start(LEAVE)
    child = int(os.read(process.stdout_fd, 100))
    other = start(LEAVE)
    others_child = int(os.read(other.stdout_fd, 100))
    process.reap()
    deadline = time.monotonic() + 20
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(child)
    assert is_alive(others_child)
    other.reap()


def test_a_pod_inside_a_pod_is_marked_by_both(start: Launch) -> None:
    outer = "outer-token-of-this-test"
    process = start(
        "import os; print(os.environ['PYPODS_WORKER'], flush=True); input()", PYPODS_WORKER=outer
    )
    first, _, second = os.read(process.stdout_fd, 200).decode().strip().partition(":")
    assert first == outer
    assert len(second) == 32
    assert kill_marked(outer) == 1
    assert process.wait_for_end(20)


def test_what_is_not_marked_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "60"]) as popen:
        assert kill_marked("a-token-that-nothing-has") == 0
        assert popen.poll() is None
        popen.kill()


def test_without_proc_or_pidfds_nobody_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody else's variables hold this: whoever has it is killed.
    token = secrets.token_hex(16)
    with subprocess.Popen(["sleep", "60"], env={"PYPODS_WORKER": token}) as popen:
        with monkeypatch.context() as patch:
            patch.delattr(os, "pidfd_open")
            assert kill_marked(token) == 0
        assert popen.poll() is None
        assert kill_marked(token) == 1


def test_an_id_that_was_given_to_another_meanwhile_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter([True, False])
    monkeypatch.setattr(module, "_is_marked", lambda pid, mark: next(answers))
    assert not module._kill_marked(os.getpid(), b"mark")
