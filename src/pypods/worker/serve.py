"""The worker's loop: frames in, calls, frames out; one call at a time, on the main thread."""

from __future__ import annotations

import os
import signal
import sys
from _thread import get_ident

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

    from pypods.wire.shared import SharedMemory

__all__ = ["CallInterrupted", "Server", "serve_pod"]

#: How many argument-less calls are remembered by their bytes, and how long those may be.
MAX_REMEMBERED_CALLS = 1024
MAX_REMEMBERED_BYTES = 1024
#: Results of these types hold nothing that could leave the frame.
_ALWAYS_SMALL = frozenset({int, float, bool, str, type(None)})
_CANCEL_HEAD = b"\x02kind\0\x07\0\0\0cancel\0"


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
        self._shared: SharedMemory | None = classes.shared
        self._remembered: dict[bytes, Callable[..., Any]] = {}
        #: The id of the call that runs, 0 for none: whom an interrupt is for.
        self._current = 0
        #: Whether an interrupt came at a moment at which nothing could be done about it.
        self._interrupt_waits = False
        self._thread = get_ident()

    def serve(self) -> None:
        """Answer frames until the host closes its side."""
        receive = self._channel.receive
        queued = self._channel.queued
        while True:
            frame = receive()
            if frame is None:
                return
            if queued and self._is_cancelled(frame):
                continue
            self.answer(frame)

    def answer(self, frame: bytes) -> None:
        """Do what one frame asks."""
        if len(frame) <= MAX_REMEMBERED_BYTES:
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
            self._discard(frame)
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
        elif kind == "release" and self._shared is not None:
            self._shared.release(document["blocks"])
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
                if self._interrupt_waits:
                    self.handle_interrupt()
                value = function(*args, **kwargs)
            finally:
                self._current = 0
            if self._shared is None or type(value) in _ALWAYS_SMALL:
                frame = result_frame(number, value)
            else:
                frame = self._shared.pack(result_frame, number, value)
        except ValueTransferError as exc:
            if exc.place.startswith("value"):
                exc = ValueTransferError(exc.reason, "result" + exc.place[len("value") :])
            self.fail(number, exc)
        except BaseException as exc:  # noqa: BLE001 - whatever a pod raises is the host's to see
            self._current = 0
            self.fail(number, exc)
        else:
            # Blocks of the host's that nobody here uses any more go back with this frame.
            del value
            if args:
                args.clear()
            if kwargs:
                kwargs.clear()
            limit = self._channel.max_frame_bytes
            if len(frame) > limit:
                if self._shared is not None:
                    self._shared.take_back(frame)
                self.fail(
                    number,
                    ValueTransferError(
                        f"takes {len(frame)} bytes, more than max_frame_bytes={limit}; "
                        "return less at once or raise max_frame_bytes or max_shared_bytes",
                        "result",
                    ),
                )
            else:
                self._answer(frame)

    def _answer(self, frame: bytes) -> None:
        shared = self._shared
        if shared is not None and shared.returned:
            frame = shared.with_releases(frame)
        self._channel.send(frame)

    def _discard(self, frame: bytes) -> None:
        """Let go of a call that will not be made, or whose arguments cannot be had."""
        if self._shared is not None:
            self._shared.discard(frame)

    def fail(self, number: Any, error: BaseException) -> None:
        """Answer a call with what it raised."""
        from pypods.worker.failures import describe_failure, shortened_failure

        failure = describe_failure(error)
        limit = self._channel.max_frame_bytes
        try:
            document = encode_document({"kind": "failure", "error": failure})
            is_too_long = len(document) + TAIL_START > limit
        except ValueTransferError:  # What can cross by itself may be nested too deeply in here.
            is_too_long = True
        if is_too_long:
            shortened = shortened_failure(failure, limit)
            document = encode_document({"kind": "failure", "error": shortened})
        self._answer(numbered_frame(number, document))

    # Interrupts --------------------------------------------------------------------------------

    def handle_interrupt(self, *_: Any) -> None:
        """Raise in the running call if it was cancelled; drop cancelled calls that wait.

        The host sends the cancel before the signal, so an interrupt never hits another call.
        """
        number = self._current
        if not number or self._channel.is_sending:
            # Between calls the next one looks first; half a frame (a log record) that is out must
            # be followed by the rest.
            self._interrupt_waits = True
            return
        self._interrupt_waits = False
        self._current = 0  # Meanwhile a further interrupt only leaves its mark.
        is_cancelled = False
        try:
            is_cancelled = self._heed_cancels(number)
        finally:
            if not is_cancelled:
                self._current = number
        if is_cancelled:
            raise CallInterrupted
        if self._interrupt_waits:
            self.handle_interrupt()

    def _heed_cancels(self, running: int) -> bool:
        """Drop the calls that wait and are cancelled; say whether the running one is, too."""
        queued = self._channel.look_ahead()
        is_running_cancelled = False
        for cancel in [frame for frame in queued if _is_cancel(frame)]:
            queued.remove(cancel)
            number = frame_id(cancel)
            if number == running:
                is_running_cancelled = True
            for frame in [frame for frame in queued if frame_id(frame) == number]:
                queued.remove(frame)
                if not _is_cancel(frame):
                    self._discard(frame)
                    self._fail_unbegun(number)
        return is_running_cancelled

    def _is_cancelled(self, frame: bytes) -> bool:
        """Whether a frame's cancel waits behind it; the frame is answered, then, and both gone."""
        queued = self._channel.queued
        number = frame_id(frame)
        for cancel in queued:
            if frame_id(cancel) == number and _is_cancel(cancel) and not _is_cancel(frame):
                queued.remove(cancel)
                self._discard(frame)
                self._fail_unbegun(number)
                return True
        return False

    def _fail_unbegun(self, number: Any) -> None:
        self.fail(number, CallInterrupted("the call was cancelled before it began"))

    def send(self, frame: bytes) -> None:
        """Send a frame from inside a call, then heed an interrupt that came meanwhile.

        Any thread of the pod may send; interrupts are the serving thread's.
        """
        self._channel.send(frame)
        if (
            self._interrupt_waits
            and self._current
            and get_ident() == self._thread
            and not self._channel.is_sending
        ):
            self.handle_interrupt()


def _is_cancel(frame: bytes) -> bool:
    return frame.startswith(_CANCEL_HEAD, TAIL_START)


def serve_pod(
    name: str,
    folder: str,
    *,
    lifeline_fd: int,
    max_frame_bytes: int,
    log_level: int,
    shared: str = "",
) -> None:
    """Be the worker of a pod: say hello, import ``pod.py``, answer calls until the host ends."""
    read_fd, write_fd = take_over_standard_streams()
    die_with_host(lifeline_fd)
    channel = Channel(read_fd, write_fd, max_frame_bytes=max_frame_bytes)
    os.register_at_fork(after_in_child=channel.close)
    classes = PodClasses()
    if shared:
        join_shared_memory(classes, shared, max_frame_bytes)
    channel.send(encode_document(hello_document(shared=classes.shared is not None)))
    functions: dict[str, Callable[..., Any]] = {}
    server = Server(channel, functions, classes)
    signal.signal(signal.SIGINT, server.handle_interrupt)
    forward_logging(server.send, level=log_level, max_frame_bytes=max_frame_bytes)
    try:
        classes.pod_module = import_pod(name, folder)
        functions.update(offered_functions(classes.pod_module))
    except BaseException as exc:  # noqa: BLE001 - an import may raise anything, SystemExit too
        server.fail(0, exc)
        return
    channel.send(encode_document({"kind": "ready", "functions": list(functions)}))
    try:
        server.serve()
    except (OSError, ProtocolError) as exc:
        if channel.is_closed:
            os._exit(1)  # A child that the pod forked came back here instead of ending.
        # The host is gone, or talks nonsense: neither leaves anybody to answer to.
        raise SystemExit(f"pod {name}: {exc}") from None


def join_shared_memory(classes: PodClasses, shared: str, max_frame_bytes: int) -> None:
    """Take over what the host shares: its arena, the worker's arena, their size, a flag.

    The text is ``FD,FD,BYTES,WRITABLE``, all numbers; nothing is mapped before it is needed.
    """
    from pypods.wire.arena import Arena
    from pypods.wire.shared import SharedMemory

    incoming, outgoing, size, writable = map(int, shared.split(","))
    os.set_inheritable(incoming, False)
    os.set_inheritable(outgoing, False)
    classes.writable = bool(writable)
    classes.shared = SharedMemory(
        Arena(outgoing, size),
        Arena(incoming, size),
        max_frame_bytes=max_frame_bytes,
        writable=classes.writable,
    )


def hello_document(*, shared: bool = False) -> dict[str, Any]:
    """Return the worker's first message; ``shared``: whether it has shared memory."""
    return {
        "kind": "hello",
        "protocol": PROTOCOL_VERSION,
        "python": ".".join(map(str, sys.version_info[:3])),
        "implementation": sys.implementation.name,
        "pid": os.getpid(),
        "platform": sys.platform,
        "shared": shared,
    }
