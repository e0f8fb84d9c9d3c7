"""What crosses uncopied: functions, a call's iterators, a result's generators; no transport."""

from __future__ import annotations

import sys
from threading import get_ident, local
from time import monotonic
from typing import TYPE_CHECKING, Any

from pypods.errors import PodError, ProtocolError, ValueTransferError
from pypods.pods.bare_values import bare_value
from pypods.pods.codec import encode_plain
from pypods.pods.exports import CallExports
from pypods.pods.functions import HostFunctions
from pypods.pods.stream import Stream
from pypods.wire.context import SHARED_MINIMUM_BYTES
from pypods.wire.documents import decode_document as decode_in_standard_library
from pypods.wire.documents import encode_document as encode_in_standard_library
from pypods.wire.envelopes import DROP, numbered_frame
from pypods.wire.failures import describe_failure
from pypods.wire.messages import Failure
from pypods.wire.undecoded import FUNCTION_MARK, handles_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from pypods.pods.connection import Connection
    from pypods.pods.cursors import CursorRows
    from pypods.pods.session import Session
    from pypods.wire.pieces import BytesOrPieces

__all__ = ["Handles"]

_DROP_HEAD = encode_in_standard_library({"kind": "drop"})[4:-1]


class Handles:
    """The live things of one session: what its calls passed, and the streams they returned."""

    def __init__(self, session: Session, connection: Connection) -> None:
        self._session = session
        self._connection = connection
        #: The functions that the pod may call.
        self.functions = HostFunctions()
        #: The iterators of the calls under way, by their calls' numbers.
        self._exports: dict[int, CallExports] = {}
        #: What a function raised last, for the error that the call may end with which asked.
        self.raised: dict[int, Exception] = {}
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
        while True:
            exports = CallExports(number)
            unread: list[CursorRows] = []
            try:
                encoded = self._pack(number, document, exports.export, unread)
                break
            except ValueTransferError:
                # A cursor of which rows were read ahead: the pod is to find them where they were.
                if not unread or not unread[-1].goes_back:
                    raise
                unread.pop().settle()
        if exports:
            self._exports[number] = exports
        return encoded

    def encode_answer(self, number: int, document: dict[str, Any]) -> BytesOrPieces:
        """Return the bytes of an answer to the pod; its functions go by reference."""
        return self._pack(number, document, lambda _: None, [])

    def _pack(
        self,
        number: int,
        document: dict[str, Any],
        also: Callable[[Any], Any],
        unread: list[CursorRows],
    ) -> BytesOrPieces:
        mirrors, functions = self._session.mirrors, self.functions
        lent: list[int] = []

        def export(value: Any) -> tuple[bytes, dict[str, Any]] | None:
            rows = mirrors.unread_rows(value)
            if rows is not None:
                unread.append(rows)
            return (
                mirrors.export(value)
                or also(value)
                or functions.lend(value, number, lent)
                or bare_value(value)
            )

        try:
            return self._session.pack(document, export)
        except BaseException:
            functions.take_back(lent)
            raise

    def take_back(self, unsent: bytes) -> None:
        """Undo what frames that were never sent have lent, and have let go of."""
        position = 0
        while position < len(unsent):
            end = position + int.from_bytes(unsent[position : position + 4], "little")
            frame = unsent[position:end]
            if frame.startswith(_DROP_HEAD, 4):
                packed = decode_in_standard_library(frame)["refs"]
                self._session.mirrors.dropped.extend(DROP.iter_unpack(packed))
            elif FUNCTION_MARK in frame:
                found = handles_in(frame, FUNCTION_MARK[1:])
                self.functions.take_back(content["number"] for _, content in found)
            position = end

    def parent(self) -> int | None:
        """Return the request that this thread is answering, in which a call is made; or None."""
        return self.answering.get(get_ident()) if self.answering else None

    def exports_of(self, number: int) -> CallExports | None:
        """Return what a call passed, if anything."""
        return self._exports.get(number) if self._exports else None

    def forget_call(self, number: int) -> None:
        """Let go of what belongs to a call that was never made, or that nobody waits for."""
        self._exports.pop(number, None)
        self.raised.pop(number, None)

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
        thread = get_ident()
        outer = self.answering.get(thread)
        self.answering[thread] = number
        answer: dict[str, Any] = {"kind": "answer", "ask": document["ask"]}
        try:
            if document["kind"] == "callback":
                function = self.functions.find(document["number"])
                value = function(*document["args"], **document["kwargs"])
            else:
                value = self._pull(document)
            return self._session.answer_frame(number, {**answer, "value": value, "error": None})
        except Exception as exc:  # noqa: BLE001 - whatever the function raises is the pod's to see
            error: Exception = exc
            if isinstance(exc, ValueTransferError) and exc.place.startswith("value"):
                error = ValueTransferError(exc.reason, "the host's answer" + exc.place[5:])
            self.raised[number] = error
            failure = describe_failure(error)
            return numbered_frame(
                number, encode_in_standard_library({**answer, "value": None, "error": failure})
            )
        finally:
            if outer is None:
                del self.answering[thread]
            else:
                self.answering[thread] = outer

    def _pull(self, request: dict[str, Any]) -> Any:
        owner = request["owner"]
        exports = self._exports.get(owner) if type(owner) is int else None
        if exports is None:
            raise RuntimeError("the call that this was passed to has ended")
        return exports.pull(request)

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

    def open_stream(self, content: dict[str, Any]) -> Stream[Any]:
        """Return the iterator over a generator that a call returned."""
        number, name, ahead = content.get("stream"), content.get("name"), content.get("ahead")
        if type(number) is not int or type(name) is not str or type(ahead) is not int:
            raise ProtocolError("a stream without a number, a name or what may be asked ahead")
        exports = getattr(self._decoding, "exports", None)
        timeout = getattr(self._decoding, "timeout", None)
        if exports is not None:
            exports.streams += 1
        return Stream(self, number, name, timeout, exports, ahead)

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

    def give_up(self, pending: list[int]) -> None:
        """Note that nobody waits for these requests any more; sends nothing by itself."""
        self._connection.dropped.extend(pending)

    def close_stream(self, stream: int, pending: list[int], timeout: float | None) -> None:
        """Close the generator, after the requests under way, and wait for it.

        A pod that has ended has closed it.
        """
        try:
            for number in pending:
                self.take_batch(number, timeout)
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
        self.give_up(pending)
        self._connection.outbox.append(
            encode_in_standard_library({"kind": "close", "stream": stream})
        )
        self.stream_ended(exports)

    def stream_ended(self, exports: CallExports | None) -> None:
        """Let go of what the stream's call passed, if this was its last stream."""
        if exports is not None:
            exports.streams -= 1
            self.call_ended(exports)
