"""stdin and stdout, taken over for frames; nothing of what the frames say."""

from __future__ import annotations

import os
import sys

__all__ = ["take_over_standard_streams"]


def take_over_standard_streams() -> tuple[int, int]:
    """Return private copies of descriptors 0 and 1, and point those two elsewhere.

    Afterwards descriptor 0 reads the null device and descriptor 1 writes to stderr, so that no
    ``print``, C library or child process of the pod can read or write a frame. The copies are not
    inherited by child processes.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            # A pod that dies must not take its last words with it.
            stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    read_fd = os.dup(0)
    write_fd = os.dup(1)
    null_fd = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null_fd, 0)
    os.close(null_fd)
    os.dup2(2, 1)
    return read_fd, write_fd
