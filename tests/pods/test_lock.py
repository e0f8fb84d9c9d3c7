"""One at a time, across processes and threads, whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from pypods.pods.lock import Use, hold_lock, hold_unused

HOLD = """
import sys
from pathlib import Path
from pypods.pods.lock import Use, hold_lock, hold_unused
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


# --- uses ---------------------------------------------------------------------------------------

USE = """
import sys
from pathlib import Path
from pypods.pods.lock import Use
use = Use(Path(sys.argv[1]))
print("uses", flush=True)
sys.stdin.readline()
"""


def test_a_use_keeps_everybody_from_holding_it_unused(tmp_path: Path) -> None:
    path = tmp_path / "use"
    one, two = Use(path), Use(path)
    one.end()
    with hold_unused(path) as is_unused:
        assert not is_unused
    two.end()
    two.end()
    with hold_unused(path) as is_unused:
        assert is_unused


def test_the_use_of_another_process_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "use"
    with subprocess.Popen(
        [sys.executable, "-c", USE, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "uses\n"
        with hold_unused(path) as is_unused:
            assert not is_unused
        process.send_signal(signal.SIGKILL)
        process.wait()
    with hold_unused(path) as is_unused:
        assert is_unused


def test_a_use_notes_when_it_began_and_ended(tmp_path: Path) -> None:
    path = tmp_path / "use"
    path.touch()
    os.utime(path, (1, 1))
    use = Use(path)
    assert path.stat().st_mtime > 1
    os.utime(path, (1, 1))
    use.end()
    assert path.stat().st_mtime > 1


def test_holding_it_unused_is_no_use(tmp_path: Path) -> None:
    path = tmp_path / "use"
    path.touch()
    os.utime(path, (1, 1))
    with hold_unused(path):
        assert path.stat().st_mtime == 1


def test_whoever_waited_for_a_lock_that_was_removed_has_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "use"
    uses: list[Use] = []
    with hold_unused(path) as is_unused:
        assert is_unused
        before = path.stat().st_ino
        keep = path.open()  # So that the number is not given to the next file.
        thread = threading.Thread(target=lambda: uses.append(Use(path)))
        thread.start()
        path.unlink()
    thread.join()
    with keep:
        assert path.stat().st_ino != before
    with hold_unused(path) as is_unused:
        assert not is_unused
    uses[0].end()
