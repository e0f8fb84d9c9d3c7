"""Other programs, run to their end and read: uv, pip, interpreters; knows no environment."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from pypods.pods.progress import REDRAW_SECONDS, Progress, TerminalProgress

__all__ = ["find_uv", "run_quietly", "run_streaming"]

#: uv asks sysconfig, and two threads must not be the first to do so at the same time (Python 3.11).
_finding = Lock()


def find_uv() -> str | None:
    """Return the path of uv: of the package `uv`, else on PATH."""
    try:
        import uv

        with _finding:
            return os.fspath(uv.find_uv_bin())
    except (ImportError, FileNotFoundError):
        return shutil.which("uv")


def run_quietly(
    words: list[str], *, timeout: float, environment: Mapping[str, str] | None = None
) -> str | None:
    """Return what the program prints, or None if it fails or takes longer than `timeout`."""
    try:
        result = subprocess.run(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.decode(errors="replace") if result.returncode == 0 else None


def run_streaming(
    words: list[str], *, directory: Path, environment: Mapping[str, str], progress: Progress
) -> tuple[int, str]:
    """Run the program, note each line as it comes; return its exit status and all it printed."""
    output = bytearray()
    rest = b""
    with subprocess.Popen(
        words,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        pipe = process.stdout.fileno()
        poller = select.poll()
        poller.register(pipe, select.POLLIN)
        try:
            while True:
                if not poller.poll(REDRAW_SECONDS * 1000):
                    if isinstance(progress, TerminalProgress):
                        progress.redraw()
                    continue
                data = os.read(pipe, 65536)
                if not data:
                    break
                output += data
                # Lines that are complete: the rest of one may still be on its way.
                *lines, rest = (rest + data).split(b"\n")
                for line in filter(None, map(bytes.strip, lines)):
                    progress.note(line.decode(errors="replace"))
        except BaseException:
            process.kill()
            raise
    return process.returncode, output.decode(errors="replace")
