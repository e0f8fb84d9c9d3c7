"""One at a time, across processes and threads, whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from pypods.pods.lock import hold_lock

HOLD = """
import sys
from pathlib import Path
from pypods.pods.lock import hold_lock
with hold_lock(Path(sys.argv[1]), on_wait=lambda: print("waits", flush=True)):
    print("holds", flush=True)
    sys.stdin.readline()
"""


def start_holder(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_a_free_lock_is_taken_without_waiting(tmp_path: Path) -> None:
    waits: list[int] = []
    for _ in range(2):
        with hold_lock(tmp_path / "lock", on_wait=lambda: waits.append(1)):
            assert (tmp_path / "lock").exists()
    assert waits == []


def test_another_process_waits_and_says_so(tmp_path: Path) -> None:
    with hold_lock(tmp_path / "lock", on_wait=lambda: None):
        process = start_holder(tmp_path / "lock")
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
    with process:
        assert process.communicate("\n")[0] == "holds\n"


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with start_holder(tmp_path / "lock") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holds\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
        with hold_lock(tmp_path / "lock", on_wait=lambda: None):
            assert process.returncode == -signal.SIGKILL


def test_two_threads_exclude_each_other(tmp_path: Path) -> None:
    waiting = threading.Event()
    order: list[str] = []

    def second() -> None:
        with hold_lock(tmp_path / "lock", on_wait=waiting.set):
            order.append("second")

    thread = threading.Thread(target=second)
    with hold_lock(tmp_path / "lock", on_wait=lambda: None):
        thread.start()
        assert waiting.wait(10)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
