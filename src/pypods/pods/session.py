"""One running worker: its process, its connection, and calls on it; it is never restarted.

A session begins with ``start_session`` and ends with ``stop`` or with the pod's death. Starting
the next one is the loader's business.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

from pypods.errors import (
    PodCallError,
    PodDiedError,
    PodError,
    PodStartError,
    PodTimeoutError,
    ProtocolError,
    ValueTransferError,
)
from pypods.pods.codec import HostCodec, encode_document
from pypods.pods.connection import Connection
from pypods.pods.output import PodOutput
from pypods.pods.pipes import DeadlineError, EndOfPipeError, PodPipes
from pypods.pods.process import PodProcess, launch, pod_environment_variables, worker_command
from pypods.pods.remote_errors import error_from_document
from pypods.wire.documents import encode_document as encode_in_standard_library
from pypods.wire.envelopes import (
    NONE_RESULT_TAIL,
    RESULT_HEAD,
    TAIL_START,
    call_frame,
    numbered_frame,
)
from pypods.wire.frames import PROTOCOL_VERSION
from pypods.wire.messages import (
    Failure,
    Hello,
    Log,
    Message,
    Ready,
    Result,
    message_from_document,
)
from pypods.wire.values import Classes

__all__ = ["Session", "start_session"]

#: How long an interrupted call may take to yield before its pod is stopped.
INTERRUPT_GRACE_SECONDS = 2.0
#: How long a worker may take to end once its stdin is closed, and once it is asked to.
SHUTDOWN_GRACE_SECONDS = 2.0
TERMINATE_GRACE_SECONDS = 1.0


class Session:
    """A worker from its hello to its end."""

    def __init__(
        self, pod_name: str, process: PodProcess, output: PodOutput, codec: HostCodec, limit: int
    ) -> None:
        self.pod_name = pod_name
        self.owner_pid = os.getpid()
        self.hello: Hello | None = None
        self.functions: list[str] = []
        self._process = process
        self._output = output
        self._codec = codec
        self._max_frame_bytes = limit
        self._pipes = PodPipes(
            process.stdin_fd,
            process.stdout_fd,
            process.stderr_fd,
            pid_fd=process.pid_fd,
            output=output,
            max_frame_bytes=limit,
        )
        self._connection = Connection(self._pipes, on_frame=self._take_in)
        self._next_number = count(1).__next__
        self._startup: list[Message] = []
        self._ended = False
        self._last_words = ""

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether calls can be made."""
        return not self._ended

    # Start -------------------------------------------------------------------------------------

    def greet(self, deadline: float | None) -> None:
        """Wait for the worker's hello and for ``pod.py`` to be imported.

        Raises PodStartError (with the pod's own traceback), ProtocolError or PodTimeoutError; the
        process is then stopped.
        """
        try:
            self.hello = self._next_message(Hello, deadline)
            if self.hello.protocol != PROTOCOL_VERSION:
                raise ProtocolError(
                    f'pod "{self.pod_name}" speaks protocol {self.hello.protocol}, this host '
                    f"speaks {PROTOCOL_VERSION}; the pod was started with another pypods"
                )
            self.functions = self._next_message(Ready, deadline).functions
            if not all(isinstance(name, str) for name in self.functions):
                raise ProtocolError("ready: functions must be names")
        except BaseException as exc:  # noqa: BLE001 - raised again, as the caller's error
            cause = exc if isinstance(exc, PodCallError) else exc.__cause__
            raise self._start_error(exc) from cause

    def _next_message(self, wanted: type[Any], deadline: float | None) -> Any:
        while True:
            while self._startup:
                message = self._startup.pop(0)
                if isinstance(message, wanted):
                    return message
                if isinstance(message, Failure):
                    raise error_from_document(
                        message.error, pod_name=self.pod_name, origin=self._origin()
                    )
                raise ProtocolError(
                    f"expected {wanted.__name__}, received {type(message).__name__}"
                )
            for frame in self._pipes.receive_frames(deadline):
                message = message_from_document(self._codec.decode(frame))
                if isinstance(message, Log):
                    self._output.record(message)
                else:
                    self._startup.append(message)

    def _start_error(self, exc: BaseException) -> BaseException:
        if isinstance(exc, EndOfPipeError):
            self._end()
            return PodStartError(
                f'pod "{self.pod_name}" ended before it was ready, {self._how_it_ended()}'
                f"{self._printed()}"
            )
        self._kill()
        if isinstance(exc, DeadlineError):
            return PodTimeoutError(
                f'pod "{self.pod_name}" was not ready in time and was stopped; '
                "give it longer with start_timeout="
            )
        if isinstance(exc, PodCallError):
            return PodStartError(
                f'pod "{self.pod_name}" cannot import its pod.py: '
                f"{exc.type_name}: {exc.text}\n{exc.remote_traceback.rstrip()}"
            )
        return exc

    # Calls -------------------------------------------------------------------------------------

    def call(
        self,
        head: bytes,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        timeout: float | None = None,
    ) -> Any:
        """Call a function of the pod and return what it returns.

        ``head`` is the function's ``call_head``; ``timeout`` in seconds. Raises PodCallError (the
        function raised), PodDiedError, PodTimeoutError, ProtocolError, ValueTransferError.
        """
        if args or kwargs:
            arguments = encode_document({"args": list(args), "kwargs": kwargs})
            if len(arguments) > self._max_frame_bytes:
                raise ValueTransferError(
                    f"the arguments take {len(arguments)} bytes, more than "
                    f"max_frame_bytes={self._max_frame_bytes}; "
                    "send less at once or raise max_frame_bytes"
                )
        else:
            arguments = None
        number = self._next_number()
        return self._request(number, call_frame(number, head, arguments), timeout)

    def describe(self, name: str | None, timeout: float | None = None) -> Any:
        """Return the description of one function, or of all where name is None."""
        number = self._next_number()
        request = encode_in_standard_library({"kind": "describe", "name": name})
        return self._request(number, numbered_frame(number, request), timeout)

    def _request(self, number: int, frame: bytes, timeout: float | None) -> Any:
        deadline = None if timeout is None else monotonic() + timeout
        try:
            reply = self._connection.exchange(number, frame, deadline)
        except DeadlineError as exc:
            raise self._timed_out(number, timeout, exc) from None
        except (EndOfPipeError, ProtocolError) as exc:
            raise self._broken(exc) from None
        except BaseException:
            # Ctrl-C, or an exception another thread sent here: the call must not go on alone.
            self._interrupt(number)
            raise
        # Compared from the tail's start without a copy of the frame.
        if reply.startswith(NONE_RESULT_TAIL, TAIL_START):
            return None
        try:
            document = self._codec.decode(reply)
            if reply.startswith(RESULT_HEAD, TAIL_START):
                return document["value"]
            message = message_from_document(document)
            if isinstance(message, Failure):
                error = error_from_document(
                    message.error, pod_name=self.pod_name, origin=self._origin()
                )
            elif isinstance(message, Result):
                return message.value
            else:
                raise ProtocolError(f"a {message.kind} is no reply to a call")
        except (ProtocolError, KeyError) as exc:
            raise self._broken(exc) from None
        if error.type_name == "pypods.errors.ValueTransferError":
            raise ValueTransferError(error.text)
        raise error

    def _take_in(self, frame: bytes) -> None:
        message = message_from_document(self._codec.decode(frame))
        if not isinstance(message, Log):
            raise ProtocolError(f"a {message.kind} that nobody asked for")
        self._output.record(message)

    def _interrupt(self, number: int) -> bool:
        """Ask the pod to end a call; stop the pod if it does not. Say whether it still runs."""
        try:
            deadline = monotonic() + INTERRUPT_GRACE_SECONDS
            cancel = encode_in_standard_library({"kind": "cancel"})
            self._connection.post(numbered_frame(number, cancel), deadline)
            self._process.signal(signal.SIGINT)
            self._connection.wait(number, deadline)
        except KeyError:
            return True  # Answered meanwhile, or never sent.
        except DeadlineError as exc:
            if exc.broken or self._connection.is_oldest(number):
                self._kill()
                self._connection.fail(EndOfPipeError())
                return False
            # Another call is before it: that one is not to suffer.
            self._connection.abandon(number)
        except (EndOfPipeError, ProtocolError) as exc:
            self._broken(exc)
            return False
        return True

    def _timed_out(self, number: int, timeout: float | None, exc: DeadlineError) -> PodError:
        if exc.broken:
            self._kill()
            self._connection.fail(EndOfPipeError())
            survived = False
        else:
            survived = self._interrupt(number)
        return PodTimeoutError(
            f'a call into pod "{self.pod_name}" took longer than {timeout} s; the call was '
            + ("interrupted" if survived else "not interrupted in time and the pod was stopped")
        )

    # End ---------------------------------------------------------------------------------------

    def _broken(self, exc: Exception) -> PodError:
        """Stop what is left after a death or a broken protocol, and return the caller's error."""
        if isinstance(exc, EndOfPipeError):
            self._end()
            error = PodDiedError(
                f'pod "{self.pod_name}" died in a call, {self._how_it_ended()}; '
                f"the next call starts it anew{self._printed()}"
            )
            error.exit_status = self._process.exit_status
            error.last_output = self._last_words
            return error
        self._kill()
        self._connection.fail(exc)
        return ProtocolError(f'pod "{self.pod_name}" was stopped: {exc}')

    def _end(self) -> None:
        """See a dying process to its end and collect what it left."""
        if self._ended:
            return
        self._ended = True
        # A pod that closed its stdout but runs on is as dead to the host.
        self._process.wait_for_end(INTERRUPT_GRACE_SECONDS)
        self._close()

    def _kill(self) -> None:
        if not self._ended:
            self._ended = True
            self._process.kill_group()
            self._close()

    def stop(self) -> None:
        """End the worker: close its stdin, wait, terminate, kill; idempotent."""
        if self._ended or self.owner_pid != os.getpid():
            return
        self._ended = True
        self._pipes.close_stdin()
        if not self._drained(SHUTDOWN_GRACE_SECONDS):
            self._process.signal(signal.SIGTERM)
            if not self._drained(TERMINATE_GRACE_SECONDS):
                self._process.kill_group()
        self._close()
        self._connection.fail(EndOfPipeError())

    def _drained(self, seconds: float) -> bool:
        return self._pipes.drain(seconds) or self._process.has_ended()

    def _close(self) -> None:
        self._process.reap()
        self._pipes.drain_output()
        self._last_words = self._output.last_lines()
        self._pipes.close()

    def forget(self) -> None:
        """In a forked child: let go of everything, for it is the parent's."""
        self._ended = True
        self._process.forget()
        self._pipes.close()

    def _how_it_ended(self) -> str:
        status = self._process.exit_status
        if status is None:
            return "its process was stopped"
        if status >= 0:
            return f"exit status {status}"
        try:
            return f"killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"killed by signal {-status}"

    def _printed(self) -> str:
        return f"\nIts last output:\n{self._last_words}" if self._last_words else ""

    def _origin(self) -> str:
        python = f"Python {self.hello.python}, " if self.hello else ""
        return f'pod "{self.pod_name}" ({python}pid {self.pid})'


def start_session(
    pod_name: str,
    folder: Path,
    python: Path,
    *,
    timeout: float | None = None,
    max_frame_bytes: int,
    environment_variables: Mapping[str, str] | None = None,
    classes: Classes,
) -> Session:
    """Launch a pod's interpreter and wait until its ``pod.py`` is imported.

    ``timeout`` in seconds. Raises PodStartError, PodTimeoutError or ProtocolError.
    """
    output = PodOutput(pod_name)
    command = worker_command(
        python,
        pod_name,
        os.fspath(folder),
        "{lifeline}",
        str(max_frame_bytes),
        str(output.effective_level()),
    )
    variables = pod_environment_variables(pod_name, python.parent.parent, environment_variables)
    try:
        process = launch(command, variables=variables)
    except OSError as exc:
        raise PodStartError(
            f'pod "{pod_name}": cannot start {python}: {exc.strerror}; run "pypods sync {pod_name}"'
        ) from exc
    session = Session(pod_name, process, output, HostCodec(classes), max_frame_bytes)
    session.greet(None if timeout is None else monotonic() + timeout)
    return session
