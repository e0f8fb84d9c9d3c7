"""One running worker in this very process: Ctrl-C, forgetting, and ends that are interrupted."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pypods.errors import PodDiedError, PodStartError, PodTimeoutError
from pypods.pods import session_end, startup
from pypods.pods.codec import HostClasses
from pypods.pods.pipes import DeadlineError
from pypods.pods.session import Session
from pypods.wire.envelopes import call_head

LoadPod = Callable[..., Any]

SOURCE = """
import os, sys, time
def pid(): return os.getpid()
def slow(seconds): time.sleep(seconds)
def ask(function): return len(function())
def die_of_ctrl_c():
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        os._exit(5)
def shrug_off():
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        return "returned all the same"
def deaf():
    while True:
        try: time.sleep(60)
        except KeyboardInterrupt: pass
"""


LARGE = bytes(200_000)


def lent(session: Session) -> tuple[int, int]:
    """Return the bytes and the number of the blocks that the pod is to give back."""
    assert session.shared is not None
    return session.shared.writer.used_bytes, len(session.shared.writer._lent)


@pytest.fixture
def loader(bare_loader: LoadPod) -> Any:
    loader = bare_loader(SOURCE)
    loader.load_pod()
    return loader


def press_ctrl_c_after(seconds: float) -> threading.Timer:
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(seconds, signal.pthread_kill, [main, signal.SIGINT])
    timer.start()
    return timer


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# Ctrl-C ----------------------------------------------------------------------------------------


def test_ctrl_c_ends_the_call_and_not_the_pod(loader: Any) -> None:
    pid = loader.pid
    press_ctrl_c_after(0.2)
    with pytest.raises(KeyboardInterrupt):
        loader.pod.slow(60)
    assert loader.pod.pid() == pid


def test_ctrl_c_that_the_pod_dies_of_is_still_ctrl_c(loader: Any) -> None:
    press_ctrl_c_after(0.2)
    with pytest.raises(KeyboardInterrupt):
        loader.pod.die_of_ctrl_c()
    assert loader.state == "DIED"
    assert loader.pod.pid()


def test_a_timeout_that_the_pod_dies_of_is_still_a_timeout(loader: Any) -> None:
    with pytest.raises(PodTimeoutError, match="the pod was stopped"):
        loader.pod.die_of_ctrl_c.options(timeout=0.2)()
    assert loader.pod.pid()


def test_a_result_that_comes_too_late_is_dropped(loader: Any) -> None:
    pid = loader.pid
    with pytest.raises(PodTimeoutError, match="the call was interrupted"):
        loader.pod.shrug_off.options(timeout=0.2)()
    assert loader.pod.pid() == pid


def test_a_second_ctrl_c_stops_the_pod(loader: Any) -> None:
    pid = loader.pid
    timers = [press_ctrl_c_after(0.2), press_ctrl_c_after(0.5)]
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        loader.pod.deaf()
    assert time.monotonic() - begun >= 0.4
    for timer in timers:
        timer.join()
    assert loader.state == "DIED"
    assert not is_alive(pid)


def test_a_torn_stream_stops_the_pod(loader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    session = loader.session()

    def tear(*_: Any) -> bytes:
        session._pipes.torn = True
        raise KeyboardInterrupt

    monkeypatch.setattr(session._connection, "exchange", tear)
    pid = loader.pid
    with pytest.raises(KeyboardInterrupt):
        loader.pod.pid()
    assert loader.state == "DIED"
    assert not is_alive(pid)
    assert loader.pod.pid() != pid


def test_ctrl_c_while_a_pod_is_ended_leaves_nothing_half_ended(
    loader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = loader.session()
    reap, interrupts = session._process.reap, [KeyboardInterrupt]

    def interrupted() -> int:
        if interrupts:
            raise interrupts.pop()
        return reap()

    monkeypatch.setattr(session._process, "reap", interrupted)
    pid = loader.pid
    with pytest.raises(KeyboardInterrupt):
        session.kill()
    assert session._is_over
    assert not is_alive(pid)
    session.kill()
    session.stop()


# The end ---------------------------------------------------------------------------------------


def test_a_call_on_a_session_that_has_ended_was_not_delivered(loader: Any) -> None:
    session: Session = loader.session()
    session.stop()
    with pytest.raises(PodDiedError, match="ended before the call reached it") as caught:
        session.call(call_head("pid"), (), {})
    assert not caught.value.delivered
    assert session.has_died()
    assert not session.is_alive
    assert loader.pod.pid()


def test_a_thread_that_is_stuck_keeps_its_descriptors(
    loader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed under it, they would be somebody else's by the time it goes on."""
    monkeypatch.setattr(session_end, "LEAVE_GRACE_SECONDS", 0.05)
    session = loader.session()
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with session._connection.no_reader(time.monotonic() + 5):
            entered.set()
            leave.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(20)
    fd = session._pipes._stdout_fd
    session.kill()
    os.fstat(fd)
    leave.set()
    thread.join()
    session._pipes.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_forked_child_does_not_stop_its_parents_pod(loader: Any) -> None:
    session = loader.session()
    session.owner_pid = os.getpid() + 1  # As it looks in a child.
    session.stop()
    assert session.is_alive
    session.owner_pid = os.getpid()


def test_forgetting_closes_everything_and_ends_nothing(
    bare_loader: LoadPod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a forked child does. Here the lifeline is the only one, so the kernel ends the pod."""
    before = descriptors()
    loader = bare_loader(SOURCE)
    pod = loader.load_pod()
    session = loader.session()
    sessions = {session}
    monkeypatch.setattr(startup, "_sessions", sessions)
    with startup._launching:
        startup._launching.acquire()  # As the hook before the fork has done.
        startup._forget_all()
    loader._forget()
    assert not sessions
    assert loader.state == "STOPPED"
    assert descriptors() == before
    assert os.waitpid(session.pid, 0)[1] == signal.SIGKILL
    session.stop()
    session.kill()
    with pytest.raises(PodDiedError):
        session.call(call_head("pid"), (), {})
    assert pod.pid() not in (None, session.pid)


def test_a_session_that_cannot_be_made_leaves_no_process(
    bare_loader: LoadPod, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = []

    def fail(name: str, process: Any, *_: Any, **__: Any) -> None:
        pids.append(process.pid)
        raise MemoryError

    monkeypatch.setattr(startup, "Session", fail)
    with pytest.raises(MemoryError):
        bare_loader(SOURCE).load_pod()
    assert not is_alive(pids[0])


def test_a_session_needs_no_loader(tmp_path: Path) -> None:
    (tmp_path / "pod.py").write_text(SOURCE)
    session = startup.start_session(
        "alone",
        tmp_path,
        Path(sys.executable),
        timeout=30,
        max_frame_bytes=2**20,
        classes=HostClasses(),
    )
    try:
        assert session.functions == ["pid", "slow", "ask", "die_of_ctrl_c", "shrug_off", "deaf"]
        assert session.call(call_head("pid"), (), {}) == session.pid
        assert [each.name for each in session.describe()] == session.functions
    finally:
        session.stop()
    assert not is_alive(session.pid)


def test_ctrl_c_while_a_pod_starts_stops_it(bare_loader: LoadPod, tmp_path: Path) -> None:
    loader = bare_loader(
        f"""
        import os, time
        from pathlib import Path
        Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
        time.sleep(60)
        """
    )
    press_ctrl_c_after(0.5)
    with pytest.raises(KeyboardInterrupt):
        loader.load_pod()
    assert loader.state == "STOPPED"
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_an_interpreter_that_cannot_be_run_is_told_with_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "python"
    folder.mkdir()
    with pytest.raises(PodStartError, match=r'cannot start .*python: .*run "pypods sync alone"'):
        startup.start_session(
            "alone", tmp_path, folder, max_frame_bytes=2**20, classes=HostClasses()
        )


# Requests and answers that never went out ------------------------------------------------------


@pytest.mark.parametrize("how", ["call", "submit"])
def test_what_a_call_lent_that_never_reached_the_pod_is_taken_back(loader, how):
    session = loader.session()
    os.kill(session.pid, signal.SIGKILL)
    while not session._process.has_ended():
        time.sleep(0.01)
    with pytest.raises(PodDiedError) as caught:
        getattr(session, how)(call_head("slow"), (memoryview(LARGE),), {})
    assert not caught.value.delivered
    assert lent(session) == (0, 0)


def test_what_an_answer_lent_that_was_too_late_is_taken_back(loader, monkeypatch):
    session = loader.session()

    def answer(frame: bytes, deadline: float | None = None) -> None:
        assert lent(session)[1] == 1
        raise DeadlineError

    monkeypatch.setattr(session._connection, "answer", answer)
    with pytest.raises(PodTimeoutError):
        session.call(call_head("ask"), (lambda: memoryview(LARGE),), {}, timeout=60)
    assert lent(session) == (0, 0)
    assert session.call(call_head("pid"), (), {}) == session.pid
