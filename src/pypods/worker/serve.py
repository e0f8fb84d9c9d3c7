"""The worker's loop: frames in, calls, frames out; one call at a time, on the main thread."""

from __future__ import annotations

import os
import signal
import sys

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.channel import Channel
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.envelopes import TAIL_START, frame_id, numbered_frame, result_frame, split_call
from pypods.wire.frames import PROTOCOL_VERSION
from pypods.worker.descriptors import take_over_standard_streams
from pypods.worker.lifetime import die_with_host
from pypods.worker.logs import forward_logging
from pypods.worker.pod_module import PodClasses, import_pod, offered_functions

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["CallInterrupted", "Server", "serve_pod"]

#: How many argument-less calls are remembered by their bytes.
MAX_REMEMBERED_CALLS = 1024


class CallInterrupted(KeyboardInterrupt):
    """The host asked for the running call to end: what Ctrl-C is, for a call."""


class Server:
    """Answers the frames of one channel with the functions of one pod."""

    def __init__(
        self, channel: Any, functions: dict[str, Callable[..., Any]], classes: PodClasses
    ) -> None:
        self._channel = channel
        self._functions = functions
        self._classes = classes
        self._remembered: dict[bytes, Callable[..., Any]] = {}
        #: The id of the call that runs, 0 for none: whom an interrupt is for.
        self._current = 0
        self._interrupt_waits = False

    def serve(self) -> None:
        """Answer frames until the host closes its side."""
        receive = self._channel.receive
        while True:
            frame = receive()
            if frame is None:
                return
            self.answer(frame)

    def answer(self, frame: bytes) -> None:
        """Do what one frame asks."""
        function = self._remembered.get(frame[TAIL_START:])
        if function is not None:
            self._call(frame_id(frame), function, (), {})
            return
        number = frame_id(frame)
        try:
            call = split_call(frame, self._classes)
            if call is None:
                self._answer_document(decode_document(frame, self._classes))
                return
        except ValueTransferError as exc:
            # The frame is sound; only a value in it cannot be had in this pod.
            self.fail(number, exc)
            return
        name, args, kwargs = call
        function = self._functions.get(name)
        if function is None:
            self.fail(number, self._unknown(name))
            return
        if not args and not kwargs and len(self._remembered) < MAX_REMEMBERED_CALLS:
            self._remembered[frame[TAIL_START:]] = function
        self._call(number, function, args, kwargs)

    def _answer_document(self, document: dict[str, Any]) -> None:
        kind = document.get("kind")
        number = document.get("id")
        if kind == "call":
            name = document["name"]
            function = self._functions.get(name)
            if function is None:
                self.fail(number, self._unknown(name))
            else:
                self._call(number, function, document["args"], document["kwargs"])
        elif kind == "describe":
            self._call(number, self._describe, [document.get("name")], {})
        elif kind != "cancel":  # A cancel that arrives here is for a call that has ended.
            raise ProtocolError(f"there is no request of kind {kind!r}")

    def _unknown(self, name: str) -> AttributeError:
        names = ", ".join(sorted(self._functions)) or "nothing"
        return AttributeError(f"the pod offers no {name!r}; it offers: {names}")

    def _describe(self, name: str | None) -> Any:
        from pypods.worker.describe import describe_function

        if name is not None:
            return describe_function(name, self._functions[name])
        return [describe_function(each, self._functions[each]) for each in self._functions]

    def _call(
        self, number: Any, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]
    ) -> None:
        try:
            try:
                self._current = number
                value = function(*args, **kwargs)
            finally:
                self._current = 0
            frame = result_frame(number, value)
        except ValueTransferError as exc:
            if exc.place.startswith("value"):
                exc = ValueTransferError(exc.reason, "result" + exc.place[len("value") :])
            self.fail(number, exc)
        except BaseException as exc:  # noqa: BLE001 - whatever a pod raises is the host's to see
            self._current = 0
            self.fail(number, exc)
        else:
            limit = self._channel.max_frame_bytes
            if len(frame) > limit:
                self.fail(
                    number,
                    ValueTransferError(
                        f"takes {len(frame)} bytes, more than max_frame_bytes={limit}; "
                        "return less at once or raise max_frame_bytes",
                        "result",
                    ),
                )
            else:
                self._channel.send(frame)

    def fail(self, number: Any, error: BaseException) -> None:
        """Answer a call with what it raised."""
        from pypods.worker.failures import describe_failure

        failure = encode_document({"kind": "failure", "error": describe_failure(error)})
        self._channel.send(numbered_frame(number, failure))

    # Interrupts --------------------------------------------------------------------------------

    def handle_interrupt(self, *_: Any) -> None:
        """Raise in the running call, if a cancel for it has arrived; ignore any other interrupt.

        The host sends the cancel before the signal, so an interrupt never hits another call.
        """
        number = self._current
        if not number:
            return
        if self._channel.is_sending:
            # Half a frame (a log record) is out; the rest must follow first.
            self._interrupt_waits = True
            return
        if self._channel.look_ahead(lambda ahead: _is_cancel_of(ahead, number)):
            self._current = 0
            raise CallInterrupted

    def send(self, frame: bytes) -> None:
        """Send a frame from inside a call, then heed an interrupt that came meanwhile."""
        self._channel.send(frame)
        if self._interrupt_waits and not self._channel.is_sending:
            self._interrupt_waits = False
            self.handle_interrupt()


def _is_cancel_of(frame: bytes, number: int) -> bool:
    return frame_id(frame) == number and b"\x02kind\0\x07\0\0\0cancel\0" in frame


def serve_pod(
    name: str, folder: str, *, lifeline_fd: int, max_frame_bytes: int, log_level: int
) -> None:
    """Be the worker of a pod: say hello, import ``pod.py``, answer calls until the host ends."""
    read_fd, write_fd = take_over_standard_streams()
    die_with_host(lifeline_fd)
    channel = Channel(read_fd, write_fd, max_frame_bytes=max_frame_bytes)
    os.register_at_fork(after_in_child=channel.close)
    channel.send(encode_document(hello_document()))
    classes = PodClasses()
    functions: dict[str, Callable[..., Any]] = {}
    server = Server(channel, functions, classes)
    signal.signal(signal.SIGINT, server.handle_interrupt)
    forward_logging(server.send, level=log_level)
    try:
        classes.pod_module = import_pod(name, folder)
    except BaseException as exc:  # noqa: BLE001 - an import may raise anything, SystemExit too
        server.fail(0, exc)
        return
    functions.update(offered_functions(classes.pod_module))
    channel.send(encode_document({"kind": "ready", "functions": list(functions)}))
    try:
        server.serve()
    except (OSError, ProtocolError) as exc:
        if channel.is_closed:
            os._exit(1)  # A child that the pod forked came back here instead of ending.
        # The host is gone, or talks nonsense: neither leaves anybody to answer to.
        raise SystemExit(f"pod {name}: {exc}") from None


def hello_document() -> dict[str, Any]:
    """Return the worker's first message."""
    return {
        "kind": "hello",
        "protocol": PROTOCOL_VERSION,
        "python": ".".join(map(str, sys.version_info[:3])),
        "implementation": sys.implementation.name,
        "pid": os.getpid(),
        "platform": sys.platform,
    }
