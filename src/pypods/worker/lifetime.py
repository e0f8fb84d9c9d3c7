"""The worker's end together with its host's, whatever the pod is doing; no frames, no calls.

The host holds the writing end of a pipe, the *lifeline*, and never writes. On Linux the kernel
itself sends SIGKILL to the worker's process group when that end closes (fcntl(2), F_SETSIG), so
neither a busy interpreter lock nor a sleep in C code can keep a pod alive. Elsewhere a thread
waits for the end. ``PR_SET_PDEATHSIG`` would not do: it fires when the *thread* that started the
pod ends.
"""

from __future__ import annotations

# Not the signal module: that takes enum and more with it, a fifth of a worker's start.
import _signal as signal  # type: ignore[import-not-found]
import os
import sys

__all__ = ["die_with_host", "kill_group_at_end"]

# Linux's fcntl.h; the module fcntl has no name for it before Python 3.11's F_SETSIG.
F_SETSIG = 10


def die_with_host(lifeline_fd: int) -> None:
    """Tie this process group's life to the host's end of the lifeline.

    The worker must lead a process group of its own. Exits at once if the host is gone already.
    """
    os.set_inheritable(lifeline_fd, False)
    if sys.platform.startswith("linux"):
        kill_group_at_end(lifeline_fd, os.getpgrp())
        try:
            os.read(lifeline_fd, 1)
        except BlockingIOError:
            return  # Open and silent: the host lives.
        # The host ended before the signal was armed.
        kill_group()
    else:
        from _thread import start_new_thread

        start_new_thread(_wait_for_end, (lifeline_fd,))


def kill_group_at_end(lifeline_fd: int, group: int) -> None:
    """Let the kernel kill a process group when the lifeline's other end closes. Linux only.

    This is a setting of the pipe's end itself, shared by all processes that have it: it lasts
    until the last of them is gone.
    """
    import fcntl

    fcntl.fcntl(lifeline_fd, fcntl.F_SETOWN, -group)
    fcntl.fcntl(lifeline_fd, F_SETSIG, signal.SIGKILL)
    flags = fcntl.fcntl(lifeline_fd, fcntl.F_GETFL)
    fcntl.fcntl(lifeline_fd, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)


def _wait_for_end(lifeline_fd: int) -> None:
    os.read(lifeline_fd, 1)
    kill_group()


def kill_group() -> None:
    """End this process and the children that stayed in its group."""
    os.killpg(os.getpgrp(), signal.SIGKILL)
