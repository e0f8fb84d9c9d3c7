"""One program from its start to its end: seconds, processor time, memory of its whole tree."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from processes import plain_variables

__all__ = ["ProgramError", "Run", "watch_program"]

#: How often memory is looked at: seldom enough to cost nobody much.
LOOK_SECONDS = 0.05
SHOWN_LINES = 4


class ProgramError(Exception):
    """A program failed or took too long; the text says why, in one line."""


@dataclass(frozen=True)
class Run:
    """What one run took: seconds, processor seconds, and bytes of all its processes together."""

    seconds: float
    processor_seconds: float
    peak_bytes: int


def watch_program(words: Sequence[str | Path], *, limit_seconds: float, folder: Path) -> Run:
    """Run a program to its end in a folder. Raises ProgramError.

    Memory is the sum of each process' own share (PSS), so that what they share counts once.
    """
    log = folder / "output.txt"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    with log.open("wb") as output:
        program = subprocess.Popen(
            [os.fspath(word) for word in words],
            cwd=folder,
            env=plain_variables(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        peaks = [0]
        ended = Event()
        watcher = Thread(target=_watch, args=(program.pid, ended, peaks))
        watcher.start()
        try:
            code = program.wait(limit_seconds)
        except subprocess.TimeoutExpired:
            raise ProgramError(f"took longer than {limit_seconds:g} s") from None
        finally:
            if program.poll() is None:
                os.killpg(program.pid, 9)
                program.wait()
            seconds = time.perf_counter() - began
            ended.set()
            watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if code:
        lines = log.read_text("utf-8", "replace").strip().splitlines()
        raise ProgramError(f"failed: {' | '.join(lines[-SHOWN_LINES:])}"[:600])
    used = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return Run(seconds, used, peaks[0])


def _watch(root: int, ended: Event, peaks: list[int]) -> None:
    while not ended.wait(LOOK_SECONDS):
        peaks[0] = max(peaks[0], sum(map(_own_bytes, _tree(root))))


def _tree(root: int) -> list[int]:
    children = defaultdict(list)
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                parent = int((each / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children[parent].append(int(each.name))
    found, left = [], [root]
    while left:
        process = left.pop()
        found.append(process)
        left += children[process]
    return found


def _own_bytes(process: int) -> int:
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
