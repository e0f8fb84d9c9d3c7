"""A contestant's host program: started, asked, and ended with all that it started."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from processes import plain_variables

__all__ = ["AbsentError", "HostProgram"]

PROGRAM = Path(__file__).parent / "inside" / "host.py"
TOKEN_VARIABLE = "PYPODS_BENCH_TOKEN"
END_SECONDS = 8.0


class AbsentError(Exception):
    """A contestant does not take part; the text says why. `is_gone` if its program was ended."""

    def __init__(self, reason: str, *, is_gone: bool = False) -> None:
        super().__init__(reason)
        self.is_gone = is_gone


class HostProgram:
    """The process of `inside/host.py` for one contestant."""

    def __init__(
        self,
        peer: Path,
        python: Path,
        place: Mapping[str, str],
        variables: Mapping[str, str],
        log: Path,
    ) -> None:
        self._token = uuid.uuid4().hex
        self.log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [python, PROGRAM, peer, json.dumps(dict(place))],
                cwd=place["folder"],
                env={**plain_variables(), **variables, TOKEN_VARIABLE: self._token},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self._received = b""

    @property
    def pid(self) -> int:
        """The host program's process id."""
        return self._process.pid

    def find_processes(self) -> Iterator[int]:
        """Give the ids of the host and of everything that it started, wherever that is now."""
        mark = f"{TOKEN_VARIABLE}={self._token}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes():
                    yield int(folder.name)
            except OSError:  # Another user's, or just ended.
                continue

    def ask(self, request: Mapping[str, Any], *, limit: float) -> dict[str, Any]:
        """Let it measure; raises AbsentError if it cannot, or is not done in `limit` seconds."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(dict(request)).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._fail("its program ended")
        answer = json.loads(self._receive(time.monotonic() + limit, limit))
        for word in ("cannot", "failed"):
            if word in answer:
                raise AbsentError(answer[word])
        return answer

    def _receive(self, deadline: float, limit: float) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._received:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                self._fail(f"was not done in {limit:.0f} s, and was ended")
            data = os.read(descriptor, 65_536)
            if not data:
                self._fail("its program ended")
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _fail(self, reason: str) -> None:
        self.kill()
        raise AbsentError(reason, is_gone=True)

    def release(self) -> None:
        """Tell the program to end, and do not wait for it."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def close(self) -> None:
        """End the program, and whatever it left."""
        self.release()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Kill the program and everything that it started."""
        for _ in range(10):
            pids = list(self.find_processes())
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            if not pids:
                break
            self._process.poll()
            time.sleep(0.05)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait()
