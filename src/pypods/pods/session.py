"""One running worker: its process, its connection, and calls on it; it is never restarted.

A session begins with ``start_session`` and ends with ``stop`` or with the pod's death. Starting
the next one is the loader's business.
"""

from __future__ import annotations

import contextlib
import os
import signal
from functools import partial
from itertools import count
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any

from pypods.errors import (
    PodCallError,
    PodDiedError,
    PodError,
    PodTimeoutError,
    ProtocolError,
    ValueTransferError,
)
from pypods.pods.codec import HostClasses, HostCodec
from pypods.pods.connection import Connection, NeverSentError
from pypods.pods.handles import Handles
from pypods.pods.output import PodOutput
from pypods.pods.pipes import DeadlineError, EndOfPipeError, PodPipes
from pypods.pods.process import PodProcess
from pypods.pods.references import Mirrors
from pypods.wire.context import current as encode_context
from pypods.wire.documents import KIND_SUBTYPE, encode_in_pieces, encode_scalars
from pypods.wire.documents import encode_document as encode_in_standard_library
from pypods.wire.envelopes import (
    NO_ARGUMENTS,
    NO_SCALAR,
    NONE_RESULT_TAIL,
    RESULT_HEAD,
    TAIL_START,
    call_frame,
    is_reply,
    numbered_frame,
    scalar_result,
    scalars_call_frame,
    within_call,
)
from pypods.wire.messages import (
    Define,
    Failure,
    Forget,
    Hello,
    Log,
    Message,
    Release,
    Result,
    message_from_document,
    message_to_document,
)
from pypods.wire.remote_errors import error_from_document
from pypods.wire.undecoded import FUNCTION_MARK

if TYPE_CHECKING:
    from collections.abc import Callable

    from pypods.pods.description import FunctionDescription
    from pypods.pods.exports import CallExports
    from pypods.pods.futures import FutureCalls, LoopInbox, PodFuture
    from pypods.wire.pieces import BytesOrPieces
    from pypods.wire.shared import SharedMemory

__all__ = ["Session"]

#: In every frame with a stream: the binary's subtype and the kind.
STREAM_MARK = bytes([KIND_SUBTYPE]) + b"G"
REFERENCE_MARK = bytes([KIND_SUBTYPE]) + b"O"
#: Rows that are read ahead of a program that takes one after the other.
DEFAULT_PREFETCH_ROWS = 1024
#: How long an interrupted call may take to yield before its pod is stopped.
INTERRUPT_GRACE_SECONDS = 2.0
#: How often it is looked at meanwhile whether it is this call that keeps the pod busy.
INTERRUPT_LOOK_SECONDS = 0.1
#: How long a worker may take to end once its stdin is closed, and once it is asked to.
SHUTDOWN_GRACE_SECONDS = 2.0
TERMINATE_GRACE_SECONDS = 1.0
#: How long other threads may take to see that the session has ended.
LEAVE_GRACE_SECONDS = 5.0


class Session:
    """A worker from its hello to its end."""

    def __init__(
        self,
        pod_name: str,
        process: PodProcess,
        output: PodOutput,
        codec: HostCodec,
        limit: int,
        *,
        shared: SharedMemory | None = None,
    ) -> None:
        self.pod_name = pod_name
        self.owner_pid = os.getpid()
        self.hello: Hello | None = None
        self.functions: list[str] = []
        self._process = process
        self._output = output
        self.codec = codec
        self._max_frame_bytes = limit
        self.shared = shared
        self._pipes = PodPipes(
            process.stdin_fd,
            process.stdout_fd,
            process.stderr_fd,
            pid_fd=process.pid_fd,
            output=output,
            max_frame_bytes=limit,
        )
        self._connection = Connection(self._pipes, on_frame=self._take_in, on_late=self._drop)
        self._handles = Handles(self, self._connection)
        #: What stands here for the pod's objects and classes.
        self.mirrors = Mirrors(self, lambda: self.timeout)
        #: How long a call of a method may take, in seconds; the loader's.
        self.timeout: float | None = None
        self.names: list[str] = []
        self._offered: dict[str, Any] = {}
        self._definitions: dict[str, Define] = {}
        self._defining = Lock()
        if isinstance(codec.classes, HostClasses):
            codec.classes.open_stream = self._handles.open_stream
            codec.classes.open_reference = self.mirrors.take
            codec.classes.take_function = self._handles.functions.take
        self._next_number = count(1).__next__
        #: The request that began or ended last: what is known of a cursor holds until then.
        self.latest = 0
        #: How many rows of a cursor are read ahead at the most; the loader's.
        self.prefetch_rows = DEFAULT_PREFETCH_ROWS
        self._futures: FutureCalls | None = None
        self._making_futures = Lock()
        self._ended = False
        self._ending = Lock()
        self._is_over = False
        self._stopped_because = ""
        self._last_words = ""

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

    def receive_messages(self, deadline: float | None) -> list[Message]:
        """Return the next messages that are no log records; for the start, before any call."""
        messages: list[Message] = []
        for frame in self._pipes.receive_frames(deadline):
            message = message_from_document(self.codec.decode(frame))
            if isinstance(message, Log):
                self._output.record(message)
            else:
                messages.append(message)
        return messages

    def share_nothing(self) -> None:
        """Let everything cross in frames: the worker knows no shared memory."""
        shared, self.shared = self.shared, None
        if shared is not None:
            self.codec.classes.shared = None
            shared.close()

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
        self.latest = number = self._next_number()
        try:
            if args or kwargs or self._handles.answering:
                frame = self._call_frame(number, head, args, kwargs)
                return self._request(number, frame, timeout, self._handles.exports_of(number))
            return self._request(number, call_frame(number, head), timeout, None)
        finally:
            self.latest = number

    def use_cursor(
        self,
        head: bytes,
        args: tuple[Any, ...],
        timeout: float | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> tuple[int, Any]:
        """Do the same for a cursor's own books; return the request's number too.

        As long as ``latest`` is that number, nothing else was asked of the pod since.
        """
        self.latest = number = self._next_number()
        frame = self._call_frame(number, head, args, kwargs or {})
        return number, self._request(number, frame, timeout, self._handles.exports_of(number))

    def _call_frame(
        self, number: int, head: bytes, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> bytes:
        if args and not kwargs and not self._handles.answering:
            elements = encode_scalars(args)
            if elements is not None:
                return self._checked(number, scalars_call_frame(number, head, elements))
        arguments: BytesOrPieces | None = None
        if args or kwargs:
            document = {"args": list(args), "kwargs": kwargs}
            arguments = self._handles.encode_arguments(number, document)
        parent = self._handles.parent()
        if parent is not None:
            arguments = within_call(arguments or NO_ARGUMENTS, parent)
        return self._checked(number, call_frame(number, head, arguments))

    def pack(self, document: dict[str, Any], export: Callable[[Any], Any]) -> BytesOrPieces:
        """Return the bytes of a document, large binaries in blocks; ``export`` as encoding asks.

        Raises ValueTransferError.
        """
        encode_context.export = export
        try:
            if self.shared is None:
                return encode_in_pieces(document)
            return self.shared.pack(encode_in_pieces, document)
        finally:
            encode_context.export = None

    def answer_frame(self, number: int, document: dict[str, Any]) -> bytes:
        """Return the frame that answers what the pod asked. Raises ValueTransferError."""
        frame = numbered_frame(number, self._handles.encode_answer(number, document))
        if len(frame) > self._max_frame_bytes:
            self._take_back(frame)
            raise ValueTransferError(
                f"takes {len(frame)} bytes, more than max_frame_bytes={self._max_frame_bytes}",
                "value",
            )
        return frame

    def _checked(self, number: int, frame: bytes) -> bytes:
        if len(frame) > self._max_frame_bytes:
            self._handles.forget_call(number)
            self._take_back(frame)
            raise ValueTransferError(
                f"the arguments take {len(frame)} bytes, more than "
                f"max_frame_bytes={self._max_frame_bytes}; "
                "send less at once or raise max_frame_bytes or max_shared_bytes"
            )
        return frame

    def _take_back(self, unsent: bytes) -> None:
        """Undo what frames that were never sent have lent and given back."""
        if self.shared is not None:
            self.shared.take_back(unsent)
        self._handles.take_back(unsent)

    def define(self, definition: Define) -> None:
        """Let the pod have a function by this name, before the next call; sent once.

        A pod that has ended is told nothing: the call finds that out.
        """
        if self._definitions.get(definition.name) is definition:
            return
        with self._defining:
            if self._definitions.get(definition.name) is definition:
                return
            frame = encode_in_standard_library(message_to_document(definition))
            if len(frame) > self._max_frame_bytes:
                raise ValueTransferError(
                    f"its source and what it uses take {len(frame)} bytes, more than "
                    f"max_frame_bytes={self._max_frame_bytes}; pass large values as arguments",
                    definition.name,
                )
            with contextlib.suppress(EndOfPipeError):
                self._connection.answer(frame)
                self._definitions[definition.name] = definition

    def describe(
        self, name: str | None = None, timeout: float | None = None
    ) -> tuple[FunctionDescription, ...]:
        """Return the description of one function, or of all where name is None."""
        from pypods.pods.description import description_from_document

        number = self._next_number()
        request = encode_in_standard_library({"kind": "describe", "name": name})
        documents = self._request(number, numbered_frame(number, request), timeout)
        if name is not None:
            documents = [documents]
        try:
            if not isinstance(documents, list):
                raise ProtocolError("the descriptions are no list")
            return tuple(map(description_from_document, documents))
        except ProtocolError as exc:
            raise self.broken(exc) from None

    def offered(self, name: str) -> Any:
        """Return what the pod offers by a name that is no function's."""
        known = self._offered.get(name)
        if known is None:
            known = self.mirrors.pod_method("=" + name)()
            if self.mirrors.is_lasting(known):
                self._offered[name] = known
        return known

    def import_module(self, name: str) -> Any:
        """Import a module in the pod; return what stands for it."""
        return self.mirrors.pod_method("import_module")(name)

    def submit(
        self,
        head: bytes,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        timeout: float | None = None,
        inbox: LoopInbox | None = None,
    ) -> PodFuture:
        """Send a call without waiting; return its future. Errors of sending as of ``call``.

        With an ``inbox`` the reply is settled by its event loop.
        """
        number = self._next_number()
        frame = self._call_frame(number, head, args, kwargs)
        return self._open(number, frame, timeout, inbox=inbox)

    def submit_chunk(self, name: str, calls: list[Any], timeout: float | None) -> PodFuture:
        """Send many calls of one function at once; the future's value is (results, error)."""
        number = self._next_number()
        document = {"kind": "map", "name": name, "calls": calls}
        encoded = self._handles.encode_arguments(number, document)
        frame = self._checked(number, numbered_frame(number, encoded))
        return self._open(number, frame, timeout, self._chunk_of)

    def _chunk_of(self, value: Any) -> tuple[list[Any], BaseException | None]:
        try:
            error = value["error"]
            return value["items"], None if error is None else self.error_of(Failure(0, error))
        except (KeyError, TypeError, ProtocolError) as exc:
            raise self.broken(ProtocolError(f"a malformed chunk of results: {exc!r}")) from None

    def _open(
        self,
        number: int,
        frame: bytes,
        timeout: float | None,
        convert: Callable[[Any], Any] | None = None,
        inbox: LoopInbox | None = None,
    ) -> PodFuture:
        futures = self._futures
        if futures is None:
            from pypods.pods.futures import FutureCalls

            # Of two threads that come here at once, both take the one that is kept.
            with self._making_futures:
                futures = self._futures = self._futures or FutureCalls(self)
        future = futures.open(number, timeout, convert)
        future.inbox = inbox
        self.latest = number
        on_reply = partial(futures.take_in, future)
        frame = self._with_releases(frame)
        try:
            self._connection.begin(number, frame, None, on_reply)
        except BaseException as exc:  # noqa: BLE001 - each settles the future
            if isinstance(exc, NeverSentError):
                self._take_back(frame)
            error = self.broken(exc) if isinstance(exc, EndOfPipeError | ProtocolError) else exc
            on_reply(None, error)
            raise error from None
        return future

    def settle(
        self, number: int, reply: bytes | None, error: BaseException | None, timeout: float | None
    ) -> Any:
        """Return the value of a future's reply, or raise what it ends with."""
        exports = self._handles.exports_of(number)
        self.latest = number
        try:
            if reply is not None:
                return self._value_of(number, reply, exports, timeout)
            if isinstance(error, EndOfPipeError | ProtocolError | ValueTransferError):
                raise self.broken(error) from None
            assert error is not None
            raise error
        finally:
            self._handles.raised.pop(number, None)
            if exports is not None:
                self._handles.call_ended(exports)

    def answer_request(self, number: int, frame: bytes) -> None:
        """Answer what the pod asks during a call that nobody waits for."""
        try:
            answer = self._handles.answer(number, self.codec.decode(frame))
            self._connection.answer(self._with_releases(answer))
        except (EndOfPipeError, ProtocolError) as exc:
            self.broken(exc)

    def send_cancel(self, number: int) -> None:
        """Ask the pod to end a call, or not to begin with it; does not wait."""
        if self._connection.is_waited_for(number) and not self._ended:
            cancel = encode_in_standard_library({"kind": "cancel"})
            with contextlib.suppress(EndOfPipeError, DeadlineError):
                self._connection.post(numbered_frame(number, cancel), monotonic() + 0.1)
                self._process.signal(signal.SIGINT)

    def forget_reply(self, number: int, reply: bytes | None) -> None:
        """Let go of a call whose future is done already, and of its reply if it came."""
        self._handles.forget_call(number)
        if reply is not None:
            self._drop(reply)

    def is_answered_here(self) -> bool:
        """Whether this thread is answering what the pod asked during a call."""
        return self._handles.parent() is not None

    @property
    def calls_under_way(self) -> int:
        """How many requests are not answered yet."""
        return self._connection.unanswered

    def _with_releases(self, frame: bytes) -> bytes:
        if self.mirrors.dropped:
            frame = self.mirrors.drop_frames(self._max_frame_bytes) + frame
        shared = self.shared
        return frame if shared is None or not shared.returned else shared.with_releases(frame)

    def begin(self, document: BytesOrPieces) -> int:
        """Send an encoded request without waiting; return its number, for ``finish``."""
        self.latest = number = self._next_number()
        parent = self._handles.parent()
        if parent is not None:
            document = within_call(document, parent)
        try:
            self._connection.begin(number, self._with_releases(numbered_frame(number, document)))
        except (EndOfPipeError, ProtocolError) as exc:
            raise self.broken(exc) from None
        return number

    def finish(self, number: int, deadline: float | None, timeout: float | None) -> tuple[Any, int]:
        """Wait for a request that was begun; return its result and the bytes of its frame."""
        try:
            reply = self._connection.wait(number, deadline)
            reply = self._answer_until_reply(number, reply, deadline)
        except BaseException as exc:  # noqa: BLE001 - each is seen to
            raise self._translated(exc, number, timeout) from None
        self.latest = number
        return self._value_of(number, reply, None, timeout), len(reply)

    def _request(
        self, number: int, frame: bytes, timeout: float | None, exports: CallExports | None = None
    ) -> Any:
        deadline = None if timeout is None else monotonic() + timeout
        shared = self.shared
        if self.mirrors.dropped:
            frame = self.mirrors.drop_frames(self._max_frame_bytes) + frame
        if shared is not None and shared.returned:
            frame = shared.with_releases(frame)
        try:
            reply = self._connection.exchange(number, frame, deadline)
            # Compared from the tail's start without a copy of the frame.
            if reply.startswith(NONE_RESULT_TAIL, TAIL_START):
                if exports is not None:
                    self._handles.call_ended(exports)
                return None
            reply = self._answer_until_reply(number, reply, deadline)
        except BaseException as exc:  # noqa: BLE001 - each is seen to
            if exports is not None:
                self._handles.call_ended(exports)
            if isinstance(
                exc, DeadlineError | NeverSentError
            ) and not self._connection.is_waited_for(number):
                self._take_back(frame)  # Nothing of it was sent.
            raise self._translated(exc, number, timeout) from None
        if exports is None:
            return self._value_of(number, reply, None, timeout)
        try:
            return self._value_of(number, reply, exports, timeout)
        finally:
            self._handles.call_ended(exports)

    def _translated(self, exc: BaseException, number: int, timeout: float | None) -> BaseException:
        """See to a request that did not end by itself, and return what its caller is told."""
        self._handles.raised.pop(number, None)
        if isinstance(exc, DeadlineError):
            return self.timed_out(number, timeout)
        if isinstance(exc, EndOfPipeError | ProtocolError | ValueTransferError):
            return self.broken(exc)
        # Ctrl-C, or an exception another thread sent here: the call must not go on alone.
        self._interrupt(number)
        return exc

    def _answer_until_reply(self, number: int, frame: bytes, deadline: float | None) -> bytes:
        """Answer what the pod asks during a call, on this thread, until the reply is here."""
        while not is_reply(frame):
            if deadline is not None and monotonic() >= deadline:
                raise DeadlineError  # Also when the pod asks without end.
            answer = self._with_releases(self._handles.answer(number, self.codec.decode(frame)))
            try:
                self._connection.answer(answer, deadline)
            except DeadlineError as exc:
                if not exc.begun:
                    self._take_back(answer)
                raise
            frame = self._connection.wait(number, deadline)
        return frame

    def _value_of(
        self, number: int, reply: bytes, exports: CallExports | None, timeout: float | None
    ) -> Any:
        """Return the value of a reply, or raise what it says the call raised."""
        raised = self._handles.raised
        cause = raised.pop(number, None) if raised else None
        scalar = scalar_result(reply)
        if scalar is not NO_SCALAR:
            return scalar
        try:
            document = self._handles.decode_reply(reply, exports, timeout)
            if reply.startswith(RESULT_HEAD, TAIL_START) and "value" in document:
                return document["value"]
            message = message_from_document(document)
            if isinstance(message, Result):
                return message.value
            if not isinstance(message, Failure):
                raise ProtocolError(f"a {message.kind} is no reply to a call")
            error = self.error_of(message)
        except ProtocolError as exc:
            raise self.broken(exc) from None
        except ValueTransferError:
            if self._ended:  # With the pod went the memory in which the value was.
                raise self.broken(EndOfPipeError()) from None
            raise
        if error.type_name == "pypods.errors.ValueTransferError":
            raise ValueTransferError(error.text)
        if cause is not None and error.type_name.startswith("pypods.errors."):
            # It went through the pod and came back: the one raised here says more.
            error.__cause__ = cause
        raise error

    def error_of(self, failure: Failure) -> PodCallError:
        """Return the exception that a failure describes. Raises ProtocolError if it is none."""
        python = f"Python {self.hello.python}, " if self.hello else ""
        origin = f'pod "{self.pod_name}" ({python}pid {self.pid})'
        error: PodCallError = error_from_document(
            failure.error,
            pod_name=self.pod_name,
            origin=origin,
            class_of=self.mirrors.error_class_of,
        )
        return error

    def _take_in(self, frame: bytes) -> None:
        if self.shared is not None and self.shared.take_release(frame):
            return
        if self._handles.functions.take_forget(frame):
            return
        message = message_from_document(self.codec.decode(frame))
        if isinstance(message, Release) and self.shared is not None:
            self.shared.release(message.blocks)
            return
        if isinstance(message, Forget):
            self._handles.functions.forget(message.counts)
            return
        if not isinstance(message, Log):
            raise ProtocolError(f"a {message.kind} that nobody asked for")
        self._output.record(message)

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
