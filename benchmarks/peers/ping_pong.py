"""The least that a call through pipes can cost: 64 bytes there and 64 back, nothing read in them.

Two pipes as a pod has them, between the same two interpreters; both sides do nothing but
``os.read`` and ``os.write``.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from time import perf_counter
from types import TracebackType

__all__ = ["PingPong"]

PAYLOAD = b"x" * 64
READ_BYTES = 65_536
_ECHO = f"""
from os import read, write
while True:
    data = read(0, {READ_BYTES})
    if not data:
        break
    write(1, data)
"""


class PingPong:
    """A process that sends back what it is sent."""

    def __init__(self, python: Path) -> None:
        self._process = subprocess.Popen(
            [python, "-I", "-c", _ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin_fd = self._process.stdin.fileno()
        self._stdout_fd = self._process.stdout.fileno()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def play(self, times: int) -> list[float]:
        """Send and receive so often; return the seconds of each time."""
        read, write, clock = os.read, os.write, perf_counter
        stdin_fd, stdout_fd = self._stdin_fd, self._stdout_fd
        seconds = []
        for _ in range(times):
            began = clock()
            write(stdin_fd, PAYLOAD)
            read(stdout_fd, READ_BYTES)
            seconds.append(clock() - began)
        return seconds

    def __enter__(self) -> PingPong:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()
