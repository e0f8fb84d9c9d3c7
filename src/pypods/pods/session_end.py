"""How calls on a worker are interrupted, and how the worker ends: by itself, or the stop ladder."""

from __future__ import annotations

import contextlib
import os
import signal
from time import monotonic
from typing import TYPE_CHECKING

from pypods.errors import (
    PodDiedError,
    PodError,
    PodTimeoutError,
    ProtocolError,
    ValueTransferError,
)
from pypods.pods.connection import NeverSentError
from pypods.pods.pipes import DeadlineError, EndOfPipeError
from pypods.wire.documents import KIND_SUBTYPE
from pypods.wire.documents import encode_document as encode_in_standard_library
from pypods.wire.envelopes import is_reply, numbered_frame
from pypods.wire.undecoded import FUNCTION_MARK

if TYPE_CHECKING:
    from threading import Lock

    from pypods.pods.connection import Connection
    from pypods.pods.futures import FutureCalls
    from pypods.pods.handles import Handles
    from pypods.pods.output import PodOutput
    from pypods.pods.pipes import PodPipes
    from pypods.pods.process import PodProcess
    from pypods.wire.shared import SharedMemory

__all__ = ["SessionEnd"]

#: In every frame with a stream: the binary's subtype and the kind.
STREAM_MARK = bytes([KIND_SUBTYPE]) + b"G"
REFERENCE_MARK = bytes([KIND_SUBTYPE]) + b"O"
#: How long an interrupted call may take to yield before its pod is stopped.
INTERRUPT_GRACE_SECONDS = 2.0
#: How often it is looked at meanwhile whether it is this call that keeps the pod busy.
INTERRUPT_LOOK_SECONDS = 0.1
#: How long a worker may take to end once its stdin is closed, and once it is asked to.
SHUTDOWN_GRACE_SECONDS = 2.0
TERMINATE_GRACE_SECONDS = 1.0
#: How long other threads may take to see that the session has ended.
LEAVE_GRACE_SECONDS = 5.0


class SessionEnd:
    """The half of ``Session`` that ends calls, and the worker."""

    pod_name: str
    owner_pid: int
    shared: SharedMemory | None
    _process: PodProcess
    _output: PodOutput
    _pipes: PodPipes
    _connection: Connection
    _handles: Handles
    _futures: FutureCalls | None
    _ended: bool
    _ending: Lock
    _is_over: bool
    _stopped_because: str
    _last_words: str

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether calls can be made, as far as is known without asking the system."""
        return not self._ended

    def has_died(self) -> bool:
        """Whether the process has ended, noticed yet or not."""
        return self._ended or self._process.has_ended()

    # Interrupts --------------------------------------------------------------------------------

    def timed_out(self, number: int, timeout: float | None) -> PodError:
        """End a call that took too long, and return its caller's error."""
        ending = (
            "the call was interrupted"
            if self._interrupt(number)
            else "the call was not interrupted in time and the pod was stopped"
        )
        return PodTimeoutError(
            f'a call into pod "{self.pod_name}" took longer than {timeout} s; {ending}'
        )

    def _interrupt(self, number: int) -> bool:
        """Ask the pod to end a call; stop the pod if it does not. Say whether it still runs."""
        connection = self._connection
        try:
            if self._pipes.torn:
                self.kill("Ctrl-C struck while bytes were on their way")
                return False
            if not connection.is_waited_for(number):
                return True  # Answered meanwhile, or never sent.
            deadline = monotonic() + INTERRUPT_GRACE_SECONDS
            cancel = encode_in_standard_library({"kind": "cancel"})
            patience = INTERRUPT_GRACE_SECONDS if connection.is_oldest(number) else 0.1
            connection.post(numbered_frame(number, cancel), monotonic() + patience)
            self._process.signal(signal.SIGINT)
            while monotonic() < deadline:
                if not connection.is_waited_for(number):
                    return True  # Whoever reads has taken its reply.
                with contextlib.suppress(DeadlineError):
                    look = min(deadline, monotonic() + INTERRUPT_LOOK_SECONDS)
                    frame = connection.wait(number, look)
                    self._drop(frame)
                    if is_reply(frame):
                        return True
                    continue  # The pod had asked something before it heard of this.
                if not connection.is_oldest(number):
                    # Another call is before it, and is not to suffer.
                    connection.abandon(number)
                    return True
            raise DeadlineError
        except DeadlineError:
            self.kill("a call did not end when it was told to")
            return False
        except (EndOfPipeError, ProtocolError, ValueTransferError) as exc:
            self.broken(exc)
            return False
        except BaseException:
            self.kill("a call was given up")  # Ctrl-C once more: no more patience.
            raise

    def _drop(self, reply: bytes) -> None:
        """Let go of a reply that nobody waits for any more."""
        if STREAM_MARK in reply or REFERENCE_MARK in reply or FUNCTION_MARK in reply:
            # As an object that nobody holds, a stream closes its generator in the pod, and a
            # reference lets its object go; a function that came back is counted.
            with contextlib.suppress(ProtocolError, ValueTransferError):
                self._handles.decode_reply(reply, None, None)
                return
        if self.shared is not None:
            self.shared.discard(reply)

    # End ---------------------------------------------------------------------------------------

    def broken(self, exc: Exception) -> PodError:
        """Stop what is left after a death or a broken protocol, and return the caller's error."""
        if not isinstance(exc, EndOfPipeError):
            self.kill("what it sent is not the protocol", exc)
            return ProtocolError(f'pod "{self.pod_name}" was stopped: {exc}')
        died_unnoticed = not self._ended
        self.see_to_its_end()
        if isinstance(exc, NeverSentError):
            what = "ended before the call reached it"
            if died_unnoticed:
                # Its caller need not know, but whoever relied on what the pod held wants to.
                self._output.warn(f"the pod has ended between calls, {self.how_it_ended()}")
        elif self._stopped_because:
            what = f"was stopped in a call ({self._stopped_because})"
        else:
            what = "died in a call"
        error = PodDiedError(
            f'pod "{self.pod_name}" {what}, {self._ending_text()}; '
            f"the next call starts it anew{self.last_words()}"
        )
        error.delivered = not isinstance(exc, NeverSentError)
        error.exit_status = self._process.exit_status
        error.last_output = self._last_words
        return error

    def see_to_its_end(self) -> None:
        """See a dying process to its end and collect what it left."""
        if not self._ended:
            # A pod that closed its stdout but runs on is as dead to the host.
            self._ended = True
            self._process.wait_for_end(INTERRUPT_GRACE_SECONDS)
        self._finish(EndOfPipeError())

    def kill(self, reason: str = "", error: Exception | None = None) -> None:
        """End the worker at once; those who wait for it get the error, or are told the reason."""
        self._stopped_because = self._stopped_because or reason
        self._ended = True
        self._process.kill_group()
        self._finish(error or EndOfPipeError())

    def stop(self) -> None:
        """End the worker: close its stdin, wait, terminate, kill; idempotent."""
        if self._ended or self.owner_pid != os.getpid():
            return
        self._stopped_because = "it was unloaded"
        self._ended = True
        with self._connection.no_sender(monotonic() + SHUTDOWN_GRACE_SECONDS) as alone:
            if alone:
                self._pipes.close_stdin()
        if not self._drained(SHUTDOWN_GRACE_SECONDS):
            self._process.signal(signal.SIGTERM)
            self._drained(TERMINATE_GRACE_SECONDS)
        self._finish(EndOfPipeError())

    def _drained(self, seconds: float) -> bool:
        """Let the process end without being held up by what it prints; say whether it has."""
        deadline = monotonic() + seconds
        with self._connection.no_reader(deadline) as alone:
            if alone:
                self._pipes.drain(deadline, self._process.has_ended)
        return self._process.has_ended()

    def _finish(self, error: Exception) -> None:
        """End what is left, once; whoever comes second waits until it is done."""
        try:
            self._finish_once(error)
        except BaseException:
            self._finish_once(error)  # Ctrl-C meanwhile must leave nothing half ended.
            raise

    def _finish_once(self, error: Exception) -> None:
        with self._ending:
            if self._is_over:
                return
            self._connection.fail(error)
            self._process.reap()
            deadline = monotonic() + LEAVE_GRACE_SECONDS
            with (
                self._connection.no_sender(deadline) as no_sender,
                self._connection.no_reader(deadline) as no_reader,
            ):
                # Otherwise a thread is stuck in there, and the numbers must stay taken.
                if no_sender and no_reader:
                    self._pipes.drain_output()
                    self._pipes.close()
            if self.shared is not None:
                self.shared.close()
            self._handles.functions.close()
            self._last_words = self._output.last_lines()
            self._is_over = True
            if self._futures is not None:
                self._futures.end()

    def forget(self) -> None:
        """In a forked child: let go of everything, for it is the parent's."""
        self._ended = self._is_over = True
        self._process.forget()
        self._pipes.close()
        if self.shared is not None:
            self.shared.close()

    def how_it_ended(self) -> str:
        """Say how, and what it printed last, for an error's message."""
        return self._ending_text() + self.last_words()

    def _ending_text(self) -> str:
        status = self._process.exit_status
        if status is None:
            return "its process was stopped"
        if status >= 0:
            return f"exit status {status}"
        try:
            return f"killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"killed by signal {-status}"

    def last_words(self) -> str:
        """Return the last lines it printed, for the end of an error's message."""
        return f"\nIts last output:\n{self._last_words}" if self._last_words else ""
