"""Calls that take too long, and Ctrl-C in the host: interrupted, or the pod stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pypods.errors import PodDiedError, PodError, PodTimeoutError

LoadPod = Callable[..., Any]

SOURCE = """
import ctypes, logging, os, signal, sys, threading, time
from pathlib import Path

def pid(): return os.getpid()
def same(x): return x
def slow(seconds):
    time.sleep(seconds)
    return "slept"

def loop():
    while True: pass

def tidy(path):
    try:
        time.sleep(60)
    finally:
        Path(path).write_text("tidied")

def swallow(path):
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt as exc:
            Path(path).write_text(type(exc).__name__)

def hold_the_lock(seconds):
    '''C code that does not let go of the interpreter.'''
    end = time.monotonic() + seconds
    usleep = ctypes.PyDLL(None).usleep
    while time.monotonic() < end:
        usleep(200_000)

def hold_the_lock_for_ever():
    mutex = ctypes.create_string_buffer(64)
    lock = ctypes.PyDLL(None).pthread_mutex_lock
    lock(mutex)
    lock(mutex)

def hold_the_lock_unheeding(seconds):
    '''No signal ends this one's wait.'''
    mutex = ctypes.create_string_buffer(64)
    library = ctypes.PyDLL(None)
    library.pthread_mutex_lock(mutex)
    until = time.time() + seconds
    spec = (ctypes.c_long * 2)(int(until), int(until % 1 * 1e9))
    library.pthread_mutex_timedlock(mutex, spec)
    return "held"

def mark(path):
    with open(path, "a") as file: file.write("x")
    return "marked"

def mark_begin_and_sleep(path, seconds):
    mark(path)
    time.sleep(seconds)
    return "slept"

def log_forever():
    logging.getLogger().setLevel(0)
    while True: logging.critical("x" * 100)

def print_forever():
    while True: print("x" * 1000)

def swallow_and_log(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            logging.critical("y")
        except KeyboardInterrupt:
            return "interrupted between two records"
    raise AssertionError("never interrupted")
"""


def time_out(call: Callable[..., Any], *args: Any) -> PodTimeoutError:
    with pytest.raises(PodTimeoutError) as caught:
        call(*args)
    return caught.value


@pytest.fixture
def only_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let large values cross in frames, as where there is no shared memory."""
    monkeypatch.setenv("PYPODS_NO_SHARED_MEMORY", "1")


@pytest.fixture
def grace(monkeypatch: pytest.MonkeyPatch) -> float:
    """Shorten the grace of an interrupted call."""
    monkeypatch.setattr("pypods.pods.session_end.INTERRUPT_GRACE_SECONDS", 0.5)
    return 0.5


# Interrupted -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["slow", "loop"])
def test_a_call_that_takes_too_long_is_interrupted_and_the_pod_goes_on(
    bare_pod: LoadPod, name: str
) -> None:
    pod = bare_pod(SOURCE)
    pid = pod.pid()
    args = [60] if name == "slow" else []
    error = time_out(getattr(pod, name).options(timeout=0.2), *args)
    assert isinstance(error, TimeoutError)
    assert isinstance(error, PodError)
    assert str(error) == (
        'a call into pod "subject" took longer than 0.2 s; the call was interrupted'
    )
    assert pod.pid() == pid


def test_a_loaders_timeout_is_for_every_call_and_a_calls_own_is_preferred(
    bare_pod: LoadPod,
) -> None:
    pod = bare_pod(SOURCE, timeout=0.2)
    assert "0.2 s" in str(time_out(pod.slow, 60))
    assert pod.slow.options(timeout=30)(0.4) == "slept"
    assert "0.1 s" in str(time_out(pod.slow.options(timeout=0.1), 60))


def test_a_call_that_is_interrupted_may_tidy_up(bare_pod: LoadPod, tmp_path: Path) -> None:
    pod = bare_pod(SOURCE)
    time_out(pod.tidy.options(timeout=0.2), str(tmp_path / "tidied"))
    assert (tmp_path / "tidied").read_text() == "tidied"


def test_many_calls_in_a_row_may_time_out(bare_pod: LoadPod) -> None:
    """The interrupt of one never hits the next, however close they are."""
    pod = bare_pod(SOURCE)
    pid = pod.pid()
    for number in range(60):
        with contextlib.suppress(PodTimeoutError):
            assert pod.slow.options(timeout=0.01)(0.0098 + number / 100_000) == "slept"
        assert pod.same(number) == number
    assert pod.pid() == pid


def test_endless_records_do_not_put_off_a_timeout(bare_pod: LoadPod) -> None:
    pod = bare_pod(SOURCE)
    time_out(pod.log_forever.options(timeout=0.3))
    time_out(pod.print_forever.options(timeout=0.3))
    assert pod.same(1) == 1


def test_an_interrupt_never_tears_a_record_apart(bare_pod: LoadPod) -> None:
    pod = bare_pod(SOURCE)
    pid = pod.pid()
    for _ in range(5):
        time_out(pod.swallow_and_log.options(timeout=0.05), 20)
    assert pod.pid() == pid


# Stopped ---------------------------------------------------------------------------------------


def test_a_pod_that_swallows_the_interrupt_is_stopped(
    bare_loader: LoadPod, tmp_path: Path, grace: float
) -> None:
    loader = bare_loader(SOURCE)
    pod = loader.load_pod()
    pid = pod.pid()
    error = time_out(pod.swallow.options(timeout=0.3), str(tmp_path / "swallowed"))
    assert str(error).endswith("the call was not interrupted in time and the pod was stopped")
    assert (tmp_path / "swallowed").read_text() == "CallInterrupted"
    assert loader.state == "DIED"
    assert not Path(f"/proc/{pid}").exists()
    assert pod.pid() != pid


def test_a_pod_in_c_code_that_holds_the_interpreter_is_stopped(
    bare_pod: LoadPod, grace: float
) -> None:
    pod = bare_pod(SOURCE)
    pid = pod.pid()
    assert "the pod was stopped" in str(time_out(pod.hold_the_lock_for_ever.options(timeout=0.2)))
    assert not Path(f"/proc/{pid}").exists()
    assert pod.same(1) == 1


def test_c_code_that_comes_up_for_air_is_interrupted(bare_pod: LoadPod) -> None:
    pod = bare_pod(SOURCE)
    pid = pod.pid()
    time_out(pod.hold_the_lock.options(timeout=0.2), 60)
    assert pod.pid() == pid


# Several threads -------------------------------------------------------------------------------


class Caller(threading.Thread):
    """Makes one call in a thread of its own and keeps what came of it."""

    def __init__(self, call: Callable[..., Any], *args: Any) -> None:
        super().__init__()
        self._call, self._arguments = call, args
        self.result: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self._call(*self._arguments)
        except BaseException as exc:
            self.result = exc

    def wait(self) -> Any:
        self.join(60)
        assert not self.is_alive()
        return self.result


def test_a_queued_calls_timeout_leaves_the_running_call_alone(
    bare_pod: LoadPod, tmp_path: Path, grace: float
) -> None:
    pod = bare_pod(SOURCE)
    pid = pod.pid()
    running = Caller(pod.slow, 1.5)
    time.sleep(0.2)
    error = time_out(pod.mark.options(timeout=0.2), str(tmp_path / "marked"))
    assert "interrupted" in str(error)
    assert running.wait() == "slept"
    assert pod.pid() == pid
    # It never began, so it must not begin now that nobody waits for it.
    assert not (tmp_path / "marked").exists()


def test_a_queued_calls_timeout_leaves_a_running_call_in_c_code_alone(
    bare_pod: LoadPod, tmp_path: Path, grace: float
) -> None:
    """Though the pod cannot even say that it has dropped the other."""
    pod = bare_pod(SOURCE)
    pid = pod.pid()
    running = Caller(pod.hold_the_lock_unheeding, 1.5)
    time.sleep(0.2)
    error = time_out(pod.mark.options(timeout=0.2), str(tmp_path / "marked"))
    assert "interrupted" in str(error)
    assert running.is_alive()
    assert running.wait() == "held"
    assert pod.pid() == pid
    assert not (tmp_path / "marked").exists()


def test_a_queued_call_too_large_for_the_pipe_leaves_the_running_call_alone(
    bare_pod: LoadPod, grace: float, only_frames: None
) -> None:
    pod = bare_pod(SOURCE)
    pid = pod.pid()
    running = Caller(pod.slow, 1.0)
    time.sleep(0.2)
    time_out(pod.same.options(timeout=0.2), b"x" * 3_000_000)
    assert pod.same(b"y" * 3_000_000) == b"y" * 3_000_000
    assert running.wait() == "slept"
    assert pod.pid() == pid


def test_a_late_answer_that_fills_the_pipe_holds_up_no_large_call(
    bare_loader: LoadPod, grace: float, only_frames: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pod reads nothing more before the host has read that."""
    loader = bare_loader(SOURCE)
    pod = loader.load_pod()
    pid = pod.pid()
    running = Caller(pod.slow, 1.0)
    time.sleep(0.2)
    # As if the cancel came a moment too late: the pod answers a call that was given up.
    monkeypatch.setattr(loader.session()._connection, "post", lambda frame, deadline: None)
    time_out(pod.same.options(timeout=0.2), b"x" * 3_000_000)
    for number in range(3):
        value = bytes([number]) * 3_000_000
        assert pod.same(value) == value
    assert running.wait() == "slept"
    assert pod.pid() == pid


def test_a_call_behind_a_large_one_keeps_its_own_timeout(
    bare_pod: LoadPod, grace: float, only_frames: None
) -> None:
    """While another thread is halfway through sending, and cannot go on."""
    pod = bare_pod(SOURCE)
    pid = pod.pid()
    running = Caller(pod.slow, 1.5)
    time.sleep(0.2)
    sending = Caller(pod.same, b"x" * 3_000_000)
    time.sleep(0.2)
    time_out(pod.same.options(timeout=0.2), 1)
    assert running.is_alive()
    assert running.wait() == "slept"
    assert sending.wait() == b"x" * 3_000_000
    assert pod.pid() == pid


def test_those_who_wait_for_a_pod_that_was_stopped_are_told(
    bare_pod: LoadPod, tmp_path: Path, grace: float
) -> None:
    pod = bare_pod(SOURCE)
    swallowing = Caller(pod.swallow.options(timeout=0.5), str(tmp_path / "swallowed"))
    time.sleep(0.2)
    queued = [Caller(pod.same, number) for number in range(4)]
    assert isinstance(swallowing.wait(), PodTimeoutError)
    for caller in queued:
        error = caller.wait()
        assert isinstance(error, PodDiedError)
        assert "was stopped in a call (a call did not end when it was told to)" in str(error)
    assert pod.same(1) == 1


def test_threads_that_time_out_and_threads_that_do_not_get_along(bare_pod: LoadPod) -> None:
    pod = bare_pod(SOURCE)
    pid = pod.pid()
    counts = {"answered": 0, "late": 0}
    lock = threading.Lock()

    def call(seed: int) -> None:
        for number in range(30):
            try:
                if (seed + number) % 3 == 0:
                    pod.slow.options(timeout=0.005)(0.01)
                else:
                    assert pod.same((seed, number)) == (seed, number)
                outcome = "answered"
            except PodTimeoutError:
                outcome = "late"
            with lock:
                counts[outcome] += 1

    callers = [Caller(call, seed) for seed in range(6)]
    assert [caller.wait() for caller in callers] == [None] * 6
    assert sum(counts.values()) == 180
    assert counts["answered"] >= 120
    assert counts["late"] > 10
    assert pod.pid() == pid


# Ctrl-C in the host ----------------------------------------------------------------------------

HOST = """
import os, signal, sys, threading, time
from pathlib import Path
from pypods.errors import PodError
from pypods.pods.environment import Environment
from pypods.pods.loader import PodLoader

class BareLoader(PodLoader):
    def _prepare(self):
        python = Path(sys.executable)
        return Environment(python, python.parent.parent, sys.version_info[:3])

loader = BareLoader("subject", globals(), pods_directory=sys.argv[1])
say = lambda *words: print(*words, flush=True)
"""


class Host:
    """A host in a process of its own, on a terminal's terms: a group that gets Ctrl-C."""

    def __init__(self, directory: Path, code: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOST + code, str(directory)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def read_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def press_ctrl_c(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)

    def finish(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def start_host(tmp_path: Path, bare_loader: LoadPod) -> Any:
    """Return a function that starts a host which finds the pod of SOURCE."""
    bare_loader(SOURCE)
    hosts: list[Host] = []

    def start(code: str) -> Host:
        hosts.append(Host(tmp_path / "pods", code))
        return hosts[-1]

    yield start
    for host in hosts:
        if host.process.poll() is None:
            host.process.kill()
        host.process.communicate()


def test_ctrl_c_interrupts_the_call_and_the_pod_goes_on(start_host: Any) -> None:
    host = start_host(
        """
pod = loader.load_pod()
pid = pod.pid()
for _ in range(2):
    try:
        say("calling")
        pod.slow(60)
    except KeyboardInterrupt:
        say("interrupted", pod.pid() == pid, pod.same(1))
"""
    )
    for _ in range(2):
        assert host.read_line() == "calling"
        time.sleep(0.2)
        host.press_ctrl_c()
        assert host.read_line() == "interrupted True 1"
    assert host.finish() == (0, "", "")


def test_ctrl_c_that_nobody_catches_ends_host_and_pod(start_host: Any) -> None:
    host = start_host("pod = loader.load_pod()\nsay(pod.pid())\npod.slow(60)")
    pid = int(host.read_line())
    time.sleep(0.2)
    host.press_ctrl_c()
    code, _, err = host.finish()
    assert code == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert not Path(f"/proc/{pid}").exists()


def test_a_second_ctrl_c_has_no_more_patience(start_host: Any) -> None:
    host = start_host(
        """
pod = loader.load_pod()
say(pod.pid())
try:
    pod.hold_the_lock_for_ever()
except KeyboardInterrupt:
    say(loader.state, pod.same(1))
"""
    )
    host.read_line()
    time.sleep(0.3)
    host.press_ctrl_c()
    time.sleep(0.3)
    host.press_ctrl_c()
    assert host.read_line() == "DIED 1"
    assert host.finish()[0] == 0


def test_ctrl_c_while_a_pod_starts_leaves_none(start_host: Any) -> None:
    host = start_host(
        """
(Path(sys.argv[1]) / "subject" / "pod.py").write_text(
    "import os, time\\nprint(os.getpid())\\ntime.sleep(60)"
)
class Say(__import__("logging").Handler):
    def emit(self, record): say(record.getMessage())
import logging
logging.getLogger("pypods").addHandler(Say())
logging.getLogger("pypods").setLevel("INFO")
try:
    loader.load_pod()
except KeyboardInterrupt:
    say(loader.state)
"""
    )
    pid = int(host.read_line())
    host.press_ctrl_c()
    assert host.read_line() == "STOPPED"
    assert host.finish()[0] == 0
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("off", ["0", "1"], ids=["shared memory", "frames"])
def test_ctrl_c_at_any_moment_leaves_the_pod_usable_or_cleanly_stopped(
    start_host: Any, monkeypatch: pytest.MonkeyPatch, off: str
) -> None:
    """Signals at random moments of short calls, large arguments, results and records."""
    monkeypatch.setenv("PYPODS_NO_SHARED_MEMORY", off)
    host = start_host(
        """
import random
pod = loader.load_pod()
random.seed(7)
interrupted = answered = 0
large = b"x" * 300_000
def disturb():
    for number in range(1500):
        # Ever more slowly: where much else runs, a call takes longer than a few milliseconds.
        time.sleep(random.uniform(0.0005, 0.006) * (1 + number // 150))
        signal.pthread_kill(main, signal.SIGINT)
        if number >= 150 and answered > 0 and interrupted > 10:
            break
main = threading.main_thread().ident
thread = threading.Thread(target=disturb)
def call_until_left_in_peace():
    global answered, interrupted
    number = 0
    while thread.is_alive():
        try:
            number += 1
            value = random.choice([number, large])
            got = pod.same(value)
            # What a call returns is never another call's.
            assert got == value, (got, value)
            answered += 1
        except KeyboardInterrupt:
            interrupted += 1
thread.start()
for _ in range(100):
    try:
        try:
            call_until_left_in_peace()
            break
        except KeyboardInterrupt:  # It struck between two calls.
            interrupted += 1
    except KeyboardInterrupt:
        pass
signal.signal(signal.SIGINT, signal.SIG_IGN)
assert pod.same("afterwards") == "afterwards"
say(answered > 0, interrupted > 10)
loader.unload_pod()
"""
    )
    code, out, err = host.finish()
    assert (code, out) == (0, "True True\n"), err
