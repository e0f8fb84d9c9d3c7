"""Calls on a running worker: sent, their questions answered, their replies taken."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from pypods.errors import PodCallError, ProtocolError, ValueTransferError
from pypods.pods.connection import NeverSentError
from pypods.pods.pipes import DeadlineError, EndOfPipeError
from pypods.pods.session_end import SessionEnd
from pypods.wire.context import current as encode_context
from pypods.wire.documents import encode_in_pieces, encode_scalars
from pypods.wire.envelopes import (
    NO_ARGUMENTS,
    NO_SCALAR,
    NONE_RESULT_TAIL,
    RESULT_HEAD,
    TAIL_START,
    call_frame,
    is_part,
    is_reply,
    numbered_frame,
    scalar_result,
    scalars_call_frame,
    within_call,
)
from pypods.wire.messages import Failure, Forget, Log, Release, Result, message_from_document
from pypods.wire.remote_errors import error_from_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from pypods.pods.codec import HostCodec
    from pypods.pods.exports import CallExports
    from pypods.pods.parts import ResultParts
    from pypods.pods.references import Mirrors
    from pypods.wire.messages import Hello
    from pypods.wire.pieces import BytesOrPieces

__all__ = ["SessionCalls"]


class SessionCalls(SessionEnd):
    """The half of ``Session`` that makes calls."""

    codec: HostCodec
    hello: Hello | None
    mirrors: Mirrors
    latest: int
    _max_frame_bytes: int
    _next_number: Callable[[], int]
    _parts: ResultParts

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
            reply = self._answer_until_reply(number, reply, deadline, timeout)
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
            reply = self._answer_until_reply(number, reply, deadline, timeout)
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
        self._parts.forget(number)
        if isinstance(exc, DeadlineError):
            return self.timed_out(number, timeout)
        if isinstance(exc, EndOfPipeError | ProtocolError | ValueTransferError):
            return self.broken(exc)
        # Ctrl-C, or an exception another thread sent here: the call must not go on alone.
        self._interrupt(number)
        return exc

    def _answer_until_reply(
        self, number: int, frame: bytes, deadline: float | None, timeout: float | None
    ) -> bytes:
        """Answer what the pod asks during a call, on this thread, until the reply is here."""
        while not is_reply(frame):
            if deadline is not None and monotonic() >= deadline:
                self._drop(frame)
                raise DeadlineError  # Also when the pod asks without end.
            if is_part(frame):
                self._take_part(number, frame, timeout)
                frame = self._connection.wait(number, deadline)
                continue
            answer = self._with_releases(self._handles.answer(number, self.codec.decode(frame)))
            try:
                self._connection.answer(answer, deadline)
            except DeadlineError as exc:
                if not exc.begun:
                    self._take_back(answer)
                raise
            frame = self._connection.wait(number, deadline)
        return frame

    def _take_part(self, number: int, frame: bytes, timeout: float | None) -> None:
        """Decode a part of a long result, beside the worker, which encodes the next."""
        shared = self.shared
        lent = 0 if shared is None else shared.lent_bytes(frame)
        if not self._parts.announce(number, len(frame) + lent):
            self._drop(frame)
            return
        try:
            exports = self._handles.exports_of(number)
            document = self._handles.decode_reply(frame, exports, timeout)
            self._parts.add(number, document.get("value"))
        except ValueTransferError as exc:
            self._parts.fail(number, exc)

    def _value_of(
        self, number: int, reply: bytes, exports: CallExports | None, timeout: float | None
    ) -> Any:
        """Return the value of a reply, or raise what it says the call raised."""
        raised = self._handles.raised
        cause = raised.pop(number, None) if raised else None
        scalar = scalar_result(reply)
        if scalar is not NO_SCALAR and not self._parts:
            return scalar
        try:
            document = self._handles.decode_reply(reply, exports, timeout)
            if reply.startswith(RESULT_HEAD, TAIL_START) and "value" in document:
                value = document["value"]
                return self._parts.whole(number, value) if self._parts else value
            message = message_from_document(document)
            if isinstance(message, Result):
                return self._parts.whole(number, message.value)
            if not isinstance(message, Failure):
                raise ProtocolError(f"a {message.kind} is no reply to a call")
            error = self.error_of(message)
        except ProtocolError as exc:
            raise self.broken(exc) from None
        except ValueTransferError:
            if self._ended:  # With the pod went the memory in which the value was.
                raise self.broken(EndOfPipeError()) from None
            raise
        finally:
            if self._parts:
                self._parts.forget(number)
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
