"""What crosses uncopied: a call's functions and iterators, a result's generators; no transport."""

from __future__ import annotations

import sys
from threading import get_ident, local
from time import monotonic
from typing import TYPE_CHECKING, Any

from pypods.errors import PodError, ProtocolError, ValueTransferError
from pypods.pods.codec import encode_plain
from pypods.pods.exports import CallExports
from pypods.pods.stream import Stream
from pypods.wire.context import SHARED_MINIMUM_BYTES
from pypods.wire.context import current as encode_context
from pypods.wire.documents import encode_document as encode_in_standard_library
from pypods.wire.documents import encode_in_pieces
from pypods.wire.envelopes import numbered_frame
from pypods.wire.failures import describe_failure
from pypods.wire.messages import Failure

if TYPE_CHECKING:
    from pypods.pods.connection import Connection
    from pypods.pods.session import Session
    from pypods.wire.pieces import BytesOrPieces

__all__ = ["Handles"]


class Handles:
    """The live things of one session: what its calls passed, and the streams they returned."""

    def __init__(self, session: Session, connection: Connection) -> None:
        self._session = session
        self._connection = connection
        #: What the calls under way let the pod use, by their numbers.
        self._exports: dict[int, CallExports] = {}
        #: On which thread which request of the pod is being answered.
        self.answering: dict[int, int] = {}
        self._decoding = local()

    # Arguments ---------------------------------------------------------------------------------

    def encode_arguments(self, number: int, document: dict[str, Any]) -> BytesOrPieces:
        """Return the bytes of a call's arguments; functions and iterators go by reference."""
        shared = self._session.shared
        plain = encode_plain(
            document, below=sys.maxsize if shared is None else SHARED_MINIMUM_BYTES
        )
        if plain is not None:
            return plain
        exports = CallExports(number)
        mirrors = self._session.mirrors

        def export(value: Any) -> tuple[bytes, dict[str, Any]] | None:
            return mirrors.export(value) or exports.export(value)

        encode_context.export = export
        try:
            encoded = (
                encode_in_pieces(document)
                if shared is None
                else shared.pack(encode_in_pieces, document)
            )
        finally:
            encode_context.export = None
        if exports:
            self._exports[number] = exports
        return encoded

    def parent(self) -> int | None:
        """Return the request that this thread is answering, in which a call is made; or None."""
        return self.answering.get(get_ident()) if self.answering else None

    def exports_of(self, number: int) -> CallExports | None:
        """Return what a call passed, if anything."""
        return self._exports.get(number) if self._exports else None

    def forget_call(self, number: int) -> None:
        """Let go of what a call passed that was never made."""
        self._exports.pop(number, None)

    def call_ended(self, exports: CallExports) -> None:
        """Let go of what a call passed, unless a stream that it returned still uses it."""
        if not exports.streams:
            self._exports.pop(exports.number, None)

    # Requests of the pod -----------------------------------------------------------------------

    def answer(self, number: int, document: dict[str, Any]) -> bytes:
        """Do what the pod asks during a call, and return the frame that answers it.

        Raises ProtocolError for what is no request, and lets through what is no Exception.
        """
        if document.get("kind") not in ("callback", "pull") or type(document.get("ask")) is not int:
            raise ProtocolError(f"a {document.get('kind')!r:.40} is no reply to a call")
        exports = self._exports.get(document.get("owner", 0))
        thread = get_ident()
        outer = self.answering.get(thread)
        self.answering[thread] = number
        answer: dict[str, Any] = {"kind": "answer", "ask": document["ask"]}
        try:
            if exports is None:
                raise RuntimeError("the call that this was passed to has ended")
            value = exports.answer(document)
            return self._session.answer_frame(number, {**answer, "value": value, "error": None})
        except Exception as exc:  # noqa: BLE001 - whatever the function raises is the pod's to see
            error: Exception = exc
            if isinstance(exc, ValueTransferError) and exc.place.startswith("value"):
                error = ValueTransferError(exc.reason, "the host's answer" + exc.place[5:])
            if exports is not None:
                exports.error = error
            failure = describe_failure(error)
            return numbered_frame(
                number, encode_in_standard_library({**answer, "value": None, "error": failure})
            )
        finally:
            if outer is None:
                del self.answering[thread]
            else:
                self.answering[thread] = outer

    # Streams -----------------------------------------------------------------------------------

    def decode_reply(self, frame: bytes, exports: CallExports | None, timeout: float | None) -> Any:
        """Return the document of a reply; streams in it keep what their call passed."""
        if exports is None and timeout is None:
            return self._session.codec.decode(frame)
        self._decoding.exports, self._decoding.timeout = exports, timeout
        try:
            return self._session.codec.decode(frame)
        finally:
            # The thread may do nothing else for long, and what was passed is to be let go of.
            self._decoding.exports = self._decoding.timeout = None

    def open_stream(self, content: dict[str, Any]) -> Stream:
        """Return the iterator over a generator that a call returned."""
        number, name = content.get("stream"), content.get("name")
        if type(number) is not int or type(name) is not str:
            raise ProtocolError("a stream without a number or a name")
        exports = getattr(self._decoding, "exports", None)
        timeout = getattr(self._decoding, "timeout", None)
        if exports is not None:
            exports.streams += 1
        return Stream(self, number, name, timeout, exports)

    def ask_for_more(self, stream: int, count: int) -> int:
        """Ask for the next items without waiting; return the request's number."""
        request = {"kind": "more", "stream": stream, "items": count}
        return self._session.begin(encode_in_standard_library(request))

    def take_batch(self, number: int, timeout: float | None) -> tuple[dict[str, Any], int]:
        """Wait for the items asked for; return them and their bytes."""
        deadline = None if timeout is None else monotonic() + timeout
        value, size = self._session.finish(number, deadline, timeout)
        if type(value) is not dict:
            raise self._session.broken(ProtocolError("a batch of a stream is no document"))
        return value, size

    def stream_error(self, document: dict[str, Any]) -> BaseException:
        """Return the exception that ended a stream."""
        try:
            return self._session.error_of(Failure(0, document))
        except ProtocolError as exc:
            return self._session.broken(exc)

    def close_stream(self, stream: int, pending: int, timeout: float | None) -> None:
        """Close the generator and wait for it. A pod that has ended has closed it."""
        try:
            if pending:
                self.take_batch(pending, timeout)
            if self._session.is_alive:
                request = {"kind": "close", "stream": stream}
                number = self._session.begin(encode_in_standard_library(request))
                deadline = None if timeout is None else monotonic() + timeout
                self._session.finish(number, deadline, timeout)
        except PodError:
            if self._session.is_alive:
                raise

    def drop_stream(self, stream: int, pending: list[int], exports: CallExports | None) -> None:
        """Note that nobody holds the stream any more; sends nothing by itself."""
        self._connection.dropped.extend(pending)
        self._connection.outbox.append(
            encode_in_standard_library({"kind": "close", "stream": stream})
        )
        self.stream_ended(exports)

    def stream_ended(self, exports: CallExports | None) -> None:
        """Let go of what the stream's call passed, if this was its last stream."""
        if exports is not None:
            exports.streams -= 1
            self.call_ended(exports)
