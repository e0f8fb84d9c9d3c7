"""What a worker answers: results and failures as frames, and what goes and comes beside them."""

from __future__ import annotations

from pypods.errors import ValueTransferError
from pypods.wire.context import current as encode_context
from pypods.wire.documents import ArrayElements, decode_document, encode_document
from pypods.wire.envelopes import (
    DEFINE_HEAD,
    TAIL_START,
    numbered_frame,
    result_frame,
    scalars_result_frame,
)
from pypods.wire.undecoded import FUNCTION_MARK, handles_in
from pypods.worker.references import References

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

    from pypods.wire.shared import SharedMemory
    from pypods.worker.pod_module import PodClasses

__all__ = ["Answers"]

#: Results of these types hold nothing that could leave the frame.
_ALWAYS_SMALL = frozenset({int, float, bool, str, type(None)})


class Answers:
    """The half of ``Server`` that sends what calls return and raise."""

    def __init__(
        self, channel: Any, functions: dict[str, Callable[..., Any]], classes: PodClasses
    ) -> None:
        self._channel = channel
        self._functions = functions
        self._classes = classes
        self._references = References()
        classes.references = self._references
        #: Not empty where the host is to be told of functions of its own.
        self._let_go = classes.let_go
        self._shared: SharedMemory | None = classes.shared

    def _result_frame(self, number: int, value: Any, make: Any = result_frame) -> bytes:
        """Return a result's frame, or what else ``make`` makes.

        Raises ValueTransferError also for one that is too long.
        """
        if type(value) in _ALWAYS_SMALL:
            return self._within_limit(result_frame(number, value), "return")
        if type(value) is ArrayElements:
            return self._within_limit(scalars_result_frame(number, value), "return")
        self._references.begin()
        try:
            if self._shared is None:
                frame = make(number, value)
            else:
                frame = self._shared.pack(make, number, value)
            return self._within_limit(frame, "return")
        except BaseException:
            self._references.take_back()
            raise

    def _within_limit(self, frame: bytes, verb: str) -> bytes:
        limit = self._channel.max_frame_bytes
        if len(frame) > limit:
            if self._shared is not None:
                self._shared.take_back(frame)
            raise ValueTransferError(
                f"takes {len(frame)} bytes, more than max_frame_bytes={limit}; "
                f"{verb} less at once or raise max_frame_bytes or max_shared_bytes",
                "value",
            )
        return frame

    def answer_with(self, frame: bytes) -> None:
        """Send an answer, and with it what the host gets back."""
        shared = self._shared
        if shared is not None and shared.returned:
            frame = shared.with_releases(frame)
        if self._let_go:
            frame = self._with_forgotten(frame)
        self._channel.send(frame)

    def _with_forgotten(self, frame: bytes) -> bytes:
        """Return a frame behind those that tell the host which of its functions it may let go."""
        functions = self._classes.functions
        behind: bytes = functions.with_forgotten(frame, self._channel.max_frame_bytes)
        return behind

    def take_aside(self, frame: bytes) -> bool:
        """Do at once what a frame without an id asks; say whether it is one that can wait for none.

        A call that follows it may be made by another thread, or before those that wait.
        """
        if self._shared is not None and self._shared.take_release(frame):
            return True
        if not frame.startswith(DEFINE_HEAD, 4):
            return False
        self._define(decode_document(frame))
        return True

    def _define(self, document: dict[str, Any]) -> None:
        from pypods.worker.definitions import SentFunction

        function = self._functions.get(document["name"])
        if not isinstance(function, SentFunction):
            function = SentFunction(self._classes.pod_module.__name__, self._classes)
            self._functions[document["name"]] = function
        function.take(document)

    def discard(self, frame: bytes) -> None:
        """Let go of a frame that will not be decoded: of a call that is not made, say."""
        if self._shared is not None:
            self._shared.discard(frame)
        if FUNCTION_MARK in frame:
            for kind, content in handles_in(frame, FUNCTION_MARK[1:]):
                self._classes.take_handle(kind, content)  # Collected at once, which is told.

    def fail(self, number: Any, error: BaseException) -> None:
        """Answer a call with what it raised."""
        from pypods.wire.failures import describe_failure, shortened_failure

        references = self._references
        if encode_context.refer is None:
            references.prepare_thread()  # On whatever thread it is found out.
        failure = describe_failure(error, references.describe_error)
        limit = self._channel.max_frame_bytes
        references.begin()
        try:
            document = encode_document({"kind": "failure", "error": failure})
            is_too_long = len(document) + TAIL_START > limit
        except ValueTransferError:  # What can cross by itself may be nested too deeply in here.
            is_too_long = True
        if is_too_long:
            references.take_back()
            shortened = shortened_failure(failure, limit)
            document = encode_document({"kind": "failure", "error": shortened})
            if len(document) + TAIL_START > limit:
                shortened["class"] = None
                document = encode_document({"kind": "failure", "error": shortened})
        self.answer_with(numbered_frame(number, document))
