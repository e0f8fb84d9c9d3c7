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

from pypods.errors import ProtocolError, ValueTransferError
from pypods.pods.codec import HostClasses, HostCodec
from pypods.pods.connection import Connection, NeverSentError
from pypods.pods.handles import Handles
from pypods.pods.output import PodOutput
from pypods.pods.parts import ResultParts
from pypods.pods.pipes import DeadlineError, EndOfPipeError, PodPipes
from pypods.pods.process import PodProcess
from pypods.pods.references import Mirrors
from pypods.pods.session_calls import SessionCalls
from pypods.wire.documents import encode_document as encode_in_standard_library
from pypods.wire.envelopes import is_part, numbered_frame
from pypods.wire.messages import (
    Define,
    Failure,
    Hello,
    Log,
    Message,
    message_from_document,
    message_to_document,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pypods.pods.description import FunctionDescription
    from pypods.pods.futures import FutureCalls, LoopInbox, PodFuture
    from pypods.wire.shared import SharedMemory

__all__ = ["Session"]

#: Rows that are read ahead of a program that takes one after the other.
DEFAULT_PREFETCH_ROWS = 1024


class Session(SessionCalls):
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
        self._parts = ResultParts(limit + (0 if shared is None else shared.reader.arena.size))
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

    # What the pod is told and asked besides calls ----------------------------------------------

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

    # Calls that are not waited for -------------------------------------------------------------

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
            self._parts.forget(number)
            self._handles.raised.pop(number, None)
            if exports is not None:
                self._handles.call_ended(exports)

    def answer_request(self, number: int, frame: bytes, timeout: float | None) -> None:
        """Answer what the pod asks during a call that nobody waits for, or take part of a result.

        ``timeout`` is the call's, which what it returns goes by too.
        """
        try:
            if is_part(frame):
                self._take_part(number, frame, timeout)
                return
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
        self._parts.forget(number)
        if reply is not None:
            self._drop(reply)

    def is_answered_here(self) -> bool:
        """Whether this thread is answering what the pod asked during a call."""
        return self._handles.parent() is not None

    @property
    def calls_under_way(self) -> int:
        """How many requests are not answered yet."""
        return self._connection.unanswered
