"""A pod's process: started, watched and ended; nothing of frames or calls."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

__all__ = ["PodProcess", "launch", "pod_environment_variables", "worker_command"]

BOOTSTRAP = Path(__file__).parent.parent / "worker" / "bootstrap.py"
KILL_GRACE_SECONDS = 5.0
#: The host's own interpreter's business, which must not reach another interpreter.
_HOST_ONLY_VARIABLES = frozenset(
    {"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__"}
)


def worker_command(python: Path, *arguments: str) -> list[str]:
    """Return the command that runs our bootstrap in a pod's interpreter, isolated (``-I``)."""
    return [os.fspath(python), "-I", os.fspath(BOOTSTRAP), *arguments]


def pod_environment_variables(
    name: str, venv: Path, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the host's environment variables as if the pod's environment were activated."""
    variables = {k: v for k, v in os.environ.items() if k not in _HOST_ONLY_VARIABLES}
    variables["VIRTUAL_ENV"] = os.fspath(venv)
    variables["PATH"] = os.pathsep.join(
        filter(None, (os.fspath(venv / "bin"), variables.get("PATH")))
    )
    variables.update(extra or {})
    variables["PYPODS_POD"] = name
    return variables


class PodProcess:
    """A started process, its three pipes and the lifeline that ends it with the host.

    The process leads a session and a process group of its own: Ctrl-C in a terminal reaches the
    host alone, and the group is ended as a whole.
    """

    def __init__(self, popen: subprocess.Popen[bytes], lifeline_fd: int) -> None:
        assert popen.stdin is not None
        assert popen.stdout is not None
        assert popen.stderr is not None
        self._popen = popen
        self._lifeline_fd = lifeline_fd
        self.pid = popen.pid
        # Popen's files would close the descriptors on their own terms.
        self.stdin_fd = os.dup(popen.stdin.fileno())
        self.stdout_fd = os.dup(popen.stdout.fileno())
        self.stderr_fd = os.dup(popen.stderr.fileno())
        for file in (popen.stdin, popen.stdout, popen.stderr):
            file.close()
        self.pid_fd = -1
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):  # An old kernel, or a sandbox that forbids it.
                self.pid_fd = os.pidfd_open(popen.pid)

    @property
    def exit_status(self) -> int | None:
        """The return code, negative for a signal; None while the process is not reaped."""
        return self._popen.returncode

    def has_ended(self) -> bool:
        """Whether the process has ended; it is not reaped, so its id is still its own."""
        if self._popen.returncode is not None:
            return True
        try:
            flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
            return os.waitid(os.P_PID, self.pid, flags) is not None
        except ChildProcessError:  # Somebody else in the host reaped it.
            return True

    def wait_for_end(self, seconds: float) -> bool:
        """Wait until the process has ended; say whether it has."""
        deadline = monotonic() + seconds
        pause = 0.0005
        while not self.has_ended():
            if monotonic() >= deadline:
                return False
            sleep(pause)
            pause = min(pause * 2, 0.02)
        return True

    def signal(self, number: int) -> None:
        """Send a signal to the process alone; nothing happens if it has ended."""
        if not self.has_ended():
            os.kill(self.pid, number)

    def kill_group(self) -> None:
        """End the process and every child that stayed in its group, at once."""
        # Not reaped yet, so the group's number cannot have become somebody else's.
        if self._popen.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> int:
        """End what is left of the group, collect the exit status and let go of the lifeline."""
        self.kill_group()
        self.wait_for_end(KILL_GRACE_SECONDS)
        status = self._popen.wait()
        self.close()
        return status

    def close(self) -> None:
        """Let go of the lifeline: on Linux the kernel then ends the group."""
        if self._lifeline_fd >= 0:
            os.close(self._lifeline_fd)
            self._lifeline_fd = -1

    def forget(self) -> None:
        """In a forked child: the process is the parent's, and its end is the parent's business."""
        self._popen.returncode = 0
        self.close()


def launch(command: list[str], *, variables: Mapping[str, str]) -> PodProcess:
    """Start a pod's process with pipes; the lifeline's number is added as ``{lifeline}``.

    Raises OSError where the interpreter cannot be started.
    """
    import subprocess

    theirs, ours = os.pipe()
    try:
        popen = subprocess.Popen(
            [part.replace("{lifeline}", str(theirs)) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            pass_fds=(theirs,),
            start_new_session=True,
            env=dict(variables),
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return PodProcess(popen, ours)
