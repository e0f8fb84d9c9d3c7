"""A program that runs an operation, and the processes of it that a test kills; reads Linux's /proc.

PYPODS_TEST_KILLS is how many moments a test tries, and PYPODS_TEST_CHAOS_SEED repeats those of a
seed that was printed.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

__all__ = [
    "EXECUTION", "GONE_SECONDS", "PROGRAM", "SEED", "Host", "children_of", "connected_to",
    "is_running", "kill", "kills", "resume_and_kill", "wait_until_gone",
]  # fmt: skip

SEED = int(os.environ.get("PYPODS_TEST_CHAOS_SEED", "0")) or random.SystemRandom().getrandbits(32)
#: The execution's id in every program.
EXECUTION = "killed"
#: How long after a kill what depends on the victim may be there.
GONE_SECONDS = 10.0

#: Its arguments are the directory of pods and the operation.
PROGRAM = f"""
import sys
from pypods.integrator import Integrator, Operation

integrator = Integrator(pods_directory=sys.argv[1])
for name in ("started", "checkpoint"):  # Rows begin to move; all rows of a part are staged.
    integrator.subscribe(name, lambda event: event.integration and print(event.name, flush=True))
integrator.integrate(Operation.model_validate_json(sys.argv[2]), execution_id="{EXECUTION}")
"""


def kills(default: int) -> int:
    """Return how many moments are to be tried."""
    return int(os.environ.get("PYPODS_TEST_KILLS") or default)


class Host:
    """A program that runs an operation in a folder, where its history is."""

    def __init__(self, pods: Path, operation: str, folder: Path) -> None:
        self.pods, self.operation, self.folder = pods, operation, folder
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(pods), operation],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    @property
    def seconds(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self.began

    def wait_for(self, event: str) -> None:
        """Wait until it tells of an event, or has ended."""
        while self.process.stdout.readline().strip() not in (event, ""):
            pass

    def end(self, seconds: float = 60) -> tuple[int, str]:
        """Wait until it ends, and return how."""
        _, said = self.process.communicate(timeout=seconds)
        return self.process.returncode, said


def resume_and_kill(host: Host, choose: random.Random, seconds: float) -> int:
    """Go on with what a host left, as often as chance has it, and kill that at some moment too.

    Returns how the last one ended, or 1 if there was none.
    """
    code = 1
    while code != 0 and choose.random() < 0.5:
        again = Host(host.pods, host.operation, host.folder)
        time.sleep(choose.uniform(0.0, seconds))
        kill(again.process.pid)
        code, _ = again.end()
    return code


def children_of(pid: int) -> list[int]:
    """Return the processes that a process started."""
    with contextlib.suppress(OSError):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return [int(each) for task in tasks for each in (task / "children").read_text().split()]
    return []


def connected_to(port: int, pids: list[int]) -> list[int]:
    """Return those of the processes that have a connection to a port of this machine."""
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
            rows = [line.split() for line in lines]
            # Remote address and port, and the socket's number.
            sockets = {f"socket:[{row[9]}]" for row in rows if row[2].endswith(f":{port:04X}")}
            if any(str(each.readlink()) in sockets for each in Path(f"/proc/{pid}/fd").iterdir()):
                found.append(pid)
    return found


def kill(pid: int) -> None:
    """Kill a process, if it is there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    """Tell whether a process is there and has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in "ZX"


def wait_until_gone(pids: list[int], seconds: float = GONE_SECONDS) -> list[int]:
    """Wait until none of the processes is there; return those that are."""
    deadline = time.monotonic() + seconds
    while (left := list(filter(is_running, pids))) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left
