"""A pod's process: started, watched and ended; nothing of frames or calls."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import RLock
from time import monotonic, sleep
from typing import TYPE_CHECKING

from pypods.worker.lifetime import kill_group_at_end

if TYPE_CHECKING:
    import subprocess

__all__ = ["PodProcess", "launch", "pod_environment_variables", "worker_command"]

BOOTSTRAP = Path(__file__).parent.parent / "worker" / "bootstrap.py"
KILL_GRACE_SECONDS = 5.0
#: The host's own interpreter's business, which must not reach another interpreter.
_HOST_ONLY_VARIABLES = frozenset(
    {"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__"}
)
#: Carries what tells one worker's descendants from all other processes.
TOKEN_VARIABLE = "PYPODS_WORKER"


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
    host alone, and the group is ended as a whole. Its children that left the group (``setsid``, a
    daemon) are known by a token among their environment variables, and are ended when the process
    is reaped. Not so when the host itself is killed: then the kernel ends the group, and nobody
    is left to look for those who are not in it.
    """

    def __init__(
        self, popen: subprocess.Popen[bytes], lifeline_fd: int = -1, token: str = ""
    ) -> None:
        assert popen.stdin is not None
        assert popen.stdout is not None
        assert popen.stderr is not None
        self._popen = popen
        self._lifeline_fd = lifeline_fd
        self._token = token
        # Whoever signals the process must not find its id given to another meanwhile.
        self._reaping = RLock()
        self.pid = popen.pid
        self.pid_fd = -1
        # Popen's files would close the descriptors on their own terms.
        files = (popen.stdin, popen.stdout, popen.stderr)
        self.stdin_fd, self.stdout_fd, self.stderr_fd = (os.dup(file.fileno()) for file in files)
        for file in files:
            file.close()
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
        with self._reaping:
            if not self.has_ended():
                os.kill(self.pid, number)

    def kill_group(self) -> None:
        """End the process and every child that stayed in its group, at once."""
        with self._reaping:
            # Not reaped yet, so the group's number cannot have become somebody else's.
            if self._popen.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> int:
        """End the group and who left it, collect the exit status, let go of the lifeline."""
        with self._reaping:
            self.kill_group()
            self.wait_for_end(KILL_GRACE_SECONDS)
            status = self._popen.wait()
        if self._token:
            kill_marked(self._token)
        self._close_lifeline()
        return status

    def forget(self) -> None:
        """In a forked child: the process is the parent's, and its end is the parent's business."""
        self._popen.returncode = 0
        self._token = ""
        self._close_lifeline()

    def _close_lifeline(self) -> None:
        # Noted before it is done: were it the other way round, Ctrl-C in between would let a
        # number be closed twice, the second time as somebody else's.
        fd, self._lifeline_fd = self._lifeline_fd, -1
        if fd >= 0:
            os.close(fd)


def launch(
    command: list[str], *, variables: Mapping[str, str], inherited_fds: Sequence[int] = ()
) -> PodProcess:
    """Start a pod's process with pipes; the lifeline's number is added as ``{lifeline}``.

    It has ``inherited_fds`` by the same numbers. Raises OSError where the interpreter cannot be
    started.
    """
    import subprocess

    token = os.urandom(16).hex()
    # A pod may itself be a host: what it starts is marked by both.
    tokens = ":".join(filter(None, (variables.get(TOKEN_VARIABLE), token)))
    theirs, ours = os.pipe()
    try:
        popen = subprocess.Popen(
            [part.replace("{lifeline}", str(theirs)) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            pass_fds=(theirs, *inherited_fds),
            start_new_session=True,
            env={**variables, TOKEN_VARIABLE: tokens},
        )
        try:
            if sys.platform.startswith("linux"):
                # The worker does so too, for this host may be killed right here. But only this
                # ends a pod whose interpreter never gets as far as our code.
                kill_group_at_end(theirs, popen.pid)
            return PodProcess(popen, ours, token)
        except BaseException:
            with popen:
                os.killpg(popen.pid, signal.SIGKILL)
            raise
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)


def kill_marked(token: str) -> int:
    """End every process that has the token among its environment variables; say how many.

    Only on Linux, where those of other processes can be read. A process that was started with
    none of its parent's variables is not found.
    """
    if not Path("/proc/self/environ").exists() or not hasattr(os, "pidfd_open"):
        return 0
    mark, killed = token.encode(), set[int]()
    while True:
        found = [pid for pid in _own_processes() if pid not in killed and _kill_marked(pid, mark)]
        if not found:
            return len(killed)
        killed.update(found)  # Each may have started another while we looked.


def _own_processes() -> list[int]:
    """Return the ids of the processes of this user, or of all for one who may end any."""
    user = os.geteuid()
    found = []
    with os.scandir("/proc") as entries:
        for entry in entries:
            with contextlib.suppress(OSError, ValueError):  # It ended, or is no process.
                pid = int(entry.name)
                if user == 0 or entry.stat().st_uid == user:
                    found.append(pid)
    return found


def _kill_marked(pid: int, mark: bytes) -> bool:
    try:
        if not _is_marked(pid, mark):
            return False
        pid_fd = os.pidfd_open(pid)
        try:
            if not _is_marked(pid, mark):  # Another process may have got the id meanwhile.
                return False
            signal.pidfd_send_signal(pid_fd, signal.SIGKILL)
            return True
        finally:
            os.close(pid_fd)
    except OSError:  # It ended, or is another user's.
        return False


def _is_marked(pid: int, mark: bytes) -> bool:
    return mark in Path(f"/proc/{pid}/environ").read_bytes()
