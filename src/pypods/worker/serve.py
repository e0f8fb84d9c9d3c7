"""The worker's frames and calls: what each frame asks, done and answered.

A pod takes one call at a time, on its main thread, which also reads: nothing stands between. Only
when something must go on beside that (``threads=``, an ``async def``) does a thread begin to read
(``pypods.worker.concurrency``).
"""

from __future__ import annotations

# Not the signal module: that takes enum and more with it, a fifth of a worker's start.
import _signal as signal  # type: ignore[import-not-found]
import os
import sys
from _thread import get_ident
from itertools import count

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.channel import Channel
from pypods.wire.context import current as encode_context
from pypods.wire.documents import (
    ArrayElements,
    decode_document,
    encode_document,
    encode_in_pieces,
)
from pypods.wire.envelopes import (
    DEFINE_HEAD,
    TAIL_START,
    frame_id,
    has_kind,
    none_result_frame,
    numbered_frame,
    parent_call,
    result_frame,
    scalars_result_frame,
    split_call,
)
from pypods.wire.frames import PROTOCOL_VERSION
from pypods.wire.undecoded import FUNCTION_MARK, give_up, handles_in
from pypods.worker.descriptors import take_over_standard_streams
from pypods.worker.lifetime import die_with_host
from pypods.worker.logs import forward_logging
from pypods.worker.pod_module import PodClasses, import_pod, offered_functions, other_names
from pypods.worker.references import NO_SUCH_OBJECT, References
from pypods.worker.streams import Streams

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

    from pypods.wire.shared import SharedMemory
    from pypods.worker.concurrency import Concurrency

__all__ = ["CallInterrupted", "Server", "serve_pod"]

#: How many argument-less calls are remembered by their bytes, and how long those may be.
MAX_REMEMBERED_CALLS = 1024
MAX_REMEMBERED_BYTES = 1024
#: Results of these types hold nothing that could leave the frame.
_ALWAYS_SMALL = frozenset({int, float, bool, str, type(None)})


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
        classes.ask = self.ask
        self._references = References()
        self._streams = Streams(self._references.describe_error)
        classes.references = self._references
        cursors = self._references.cursors
        cursors.max_bytes = min(cursors.max_bytes, channel.max_frame_bytes // 4)
        #: Not empty where the host is to be told of functions of its own.
        self._let_go = classes.let_go
        #: Frames that were read while a call was asking its caller something.
        self._backlog: list[bytes] = []
        self._concurrency: Concurrency | None = None
        # Several threads may ask at once, and none may get another's number.
        self._next_ask = count(1).__next__
        self._shared: SharedMemory | None = classes.shared
        self._remembered: dict[bytes, Callable[..., Any]] = {}
        #: The same for objects of the host's; their names do not come back for ever.
        self._remembered_uses: dict[bytes, Callable[..., Any]] = {}
        #: The id of the call that runs, 0 for none: whom an interrupt is for.
        self._current = 0
        #: Whether an interrupt came at a moment at which nothing could be done about it.
        self._interrupt_waits = False
        self._thread = get_ident()

    def offer(self, module: Any) -> None:
        """Let the host use what the pod's module has besides functions."""
        self._references.offer(module)

    def serve(self) -> None:
        """Answer frames until the host closes its side."""
        self.prepare_thread()
        try:
            self._serve()
        finally:
            encode_context.export = encode_context.refer = None

    def _serve(self) -> None:
        receive = self._channel.receive
        queued = self._channel.queued
        while self._concurrency is None:
            frame = self._backlog.pop(0) if self._backlog else receive()
            if frame is None:
                return
            if queued and self._is_cancelled(frame):
                continue
            self.answer(frame)
        for frame in self._backlog:
            self._concurrency.take_in(frame)
        self._concurrency.work()

    def serve_with_threads(self, count: int) -> None:
        """Answer frames with so many threads side by side, none of them the main thread."""
        if count > 1:
            self._streams.ahead = 1
        self.concurrency().start_threads(count)
        self.concurrency().wait_for_end()

    def prepare_thread(self) -> None:
        """Let what is returned on this thread hold generators and references."""
        encode_context.export = self._streams.export
        self._references.prepare_thread()

    def concurrency(self) -> Concurrency:
        """Return what runs things side by side; the first time, a thread begins to read."""
        if self._concurrency is None:
            from pypods.worker.concurrency import Concurrency

            queued = list(self._channel.queued)
            self._channel.queued.clear()
            self._concurrency = Concurrency(self, self._channel)
            for frame in queued:
                self._concurrency.take_in(frame)
            self._concurrency.start_reading()
        return self._concurrency

    def answer(self, frame: bytes) -> None:
        """Do what one frame asks."""
        if len(frame) <= MAX_REMEMBERED_BYTES:
            function = self._remembered.get(frame[TAIL_START:])
            if function is not None:
                self._call(frame_id(frame), function)
                return
            function = self._remembered_uses.get(frame[TAIL_START:])
            if function is not None:
                self._call(frame_id(frame), function)
                return
        number = frame_id(frame)
        if number is None and self.take_aside(frame):
            return
        try:
            call = split_call(frame, self._classes)
            if call is None:
                self._answer_document(decode_document(frame, self._classes))
                return
        except ValueTransferError as exc:
            # The frame is sound; only a value in it cannot be had in this pod.
            give_up(frame, self._classes)
            self.fail(number, exc)
            return
        name, args, kwargs = call
        function = self._functions.get(name)
        if function is None:
            function = self._references.function(name)
            if function is None:
                self.fail(number, self._unknown(name))
                return
            if not args and not kwargs:
                if len(self._remembered_uses) >= MAX_REMEMBERED_CALLS:
                    self._remembered_uses.clear()
                self._remembered_uses[frame[TAIL_START:]] = function
            self._call(number, function, args, kwargs)
            return
        if not args and not kwargs and len(self._remembered) < MAX_REMEMBERED_CALLS:
            self._remembered[frame[TAIL_START:]] = function
        self._call(number, function, args, kwargs)

    def _answer_document(self, document: dict[str, Any]) -> None:
        kind = document.get("kind")
        number = document.get("id")
        if kind == "call":
            name = document["name"]
            function = self._functions.get(name) or self._references.function(name)
            if function is None:
                self.fail(number, self._unknown(name))
            else:
                self._call(number, function, document["args"], document["kwargs"])
        elif kind == "describe":
            self._call(number, self._describe, [document.get("name")], {})
        elif kind == "map":
            self._map(number, document["name"], document["calls"])
        elif kind == "more":
            self._more(number, document["stream"], document["items"])
        elif kind == "close":
            if number is None:  # Nobody holds the stream any more, or waits for its end.
                self._streams.forget(document["stream"])
            else:
                self._call(number, self._streams.close, [document["stream"]], {})
        elif kind == "drop":
            self._references.drop(document["refs"])
        elif kind == "release" and self._shared is not None:
            self._shared.release(document["blocks"])
        elif kind not in ("cancel", "answer"):  # Those two are for calls that have ended.
            raise ProtocolError(f"there is no request of kind {kind!r}")

    def _unknown(self, name: str) -> Exception:
        if name.startswith("#"):
            return LookupError(NO_SUCH_OBJECT)
        names = ", ".join(sorted(self._functions)) or "nothing"
        return AttributeError(f"the pod offers no {name!r}; it offers: {names}")

    def _describe(self, name: str | None) -> Any:
        from pypods.worker.describe import describe_function

        if name is not None:
            is_reference = name.startswith("#")
            function = self._references.attribute(name) if is_reference else self._functions[name]
            return describe_function(name, function)
        return [describe_function(each, self._functions[each]) for each in self._functions]

    def _map(self, number: Any, name: str, calls: list[list[Any]]) -> None:
        """Call a function many times and answer with the results before the first failure."""
        function = self._functions.get(name) or self._references.function(name)
        if function is None:
            self.fail(number, self._unknown(name))
            return

        def call_each() -> Any:
            from pypods.wire.failures import describe_failure

            items: list[Any] = []
            try:
                items.extend(function(*args) for args in calls)
            except Exception as exc:  # noqa: BLE001 - it arrives at its place
                about = self._references.describe_error
                return {"items": items, "error": describe_failure(exc, about)}
            return {"items": items, "error": None}

        def finish(number: int, results: dict[str, Any]) -> bytes:
            try:
                return self._result_frame(number, results)
            except ValueTransferError:
                cut = self._streams.cut_short(0, results["items"])
                results = {"items": cut["items"], "error": cut["error"]}
                return self._result_frame(number, results)

        self._call(number, call_each, (), {}, finish)

    def _more(self, number: Any, stream: int, count: int) -> None:
        """Answer with the next items of a stream, or with those before one that cannot cross."""

        def finish(number: int, batch: Any) -> bytes | None:
            try:
                return self._result_frame(number, batch)
            except ValueTransferError:
                if not isinstance(batch, dict):  # The coroutine of an async generator's batch.
                    self.concurrency().start_task(number, batch, finish)
                    return None
                return self._result_frame(number, self._streams.cut_short(stream, batch["items"]))

        self._call(number, self._streams.more, [stream, count], {}, finish)

    def _call(
        self,
        number: Any,
        function: Callable[..., Any],
        args: Any = (),
        kwargs: Any = None,
        finish: Callable[[int, Any], bytes | None] | None = None,
    ) -> None:
        if self._concurrency is not None:
            self._concurrency.call(number, function, args, kwargs or {}, finish or self._finish)
            return
        outer = self._current
        try:
            try:
                self._current = number
                if self._interrupt_waits:
                    self.handle_interrupt()
                value = function(*args, **kwargs) if args or kwargs else function()
            finally:
                self._current = outer
        except BaseException as exc:  # noqa: BLE001 - whatever a pod raises is the host's to see
            self._current = outer
            self.fail(number, exc)
        else:
            if value is None and finish is None:
                frame: bytes | None = none_result_frame(number)
            else:
                frame = (finish or self._finish)(number, value)
                # Blocks of the host's that nobody here uses any more go back with the answer.
                del value
            if args:
                args.clear()
            if kwargs:
                kwargs.clear()
            if frame is not None:
                shared = self._shared
                if shared is not None and shared.returned:
                    frame = shared.with_releases(frame)
                if self._let_go:
                    frame = self._with_forgotten(frame)
                self._channel.send(frame)

    def _finish(self, number: int, value: Any) -> bytes | None:
        """Return the answer to a call that returned; None for a coroutine, which goes on."""
        first_stream = self._streams.next_number
        try:
            return self._result_frame(number, value)
        except ValueTransferError as exc:
            if type(value).__name__ == "coroutine":
                self.concurrency().start_task(number, value, self._finish)
                return None
            self._streams.forget_since(first_stream)
            shorter = self._references.cursors.shorten(value)
            if shorter is not None:
                return self._finish(number, shorter)
            place = exc.place
            if place.startswith("value"):
                place = "result" + place[len("value") :]
            self.fail(number, ValueTransferError(exc.reason, place))
            return None
        except Exception as exc:  # noqa: BLE001 - a class of the pod's that does not let itself be looked at
            self._streams.forget_since(first_stream)
            self.fail(number, exc)
            return None

    def _result_frame(self, number: int, value: Any) -> bytes:
        """Return a result's frame. Raises ValueTransferError also for one that is too long."""
        if type(value) in _ALWAYS_SMALL:
            return self._within_limit(result_frame(number, value), "return")
        if type(value) is ArrayElements:
            return self._within_limit(scalars_result_frame(number, value), "return")
        self._references.begin()
        try:
            if self._shared is None:
                frame = result_frame(number, value)
            else:
                frame = self._shared.pack(result_frame, number, value)
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

    # Asking the caller -------------------------------------------------------------------------

    def ask(self, kind: str, owner: int, request: dict[str, Any]) -> dict[str, Any]:
        """Ask the caller something and return its answer's document.

        ``owner`` is the call that the host's function or iterator was passed to. Raises
        RuntimeError where no call runs that could carry the question.
        """
        concurrency = self._concurrency
        if concurrency is None and get_ident() != self._thread:
            raise RuntimeError(
                "a thread that the pod's own code started cannot ask the host, for no call of it "
                "runs there; load the pod with threads=1 or more to let such a thread ask while "
                "the call runs that it was given the host's function in"
            )
        number = self._current if concurrency is None else concurrency.current_call(owner)
        if not number:
            raise RuntimeError(
                "the host cannot be asked here, for no call of it runs on this thread of the pod: "
                "a function of the host runs on the thread whose call of the pod needs it"
            )
        ask = self._next_ask()
        document = {"kind": kind, "ask": ask, **request}
        if encode_context.refer is None:
            self._references.prepare_thread()  # A thread of the pod's own.
        self._references.begin()
        try:
            if self._shared is None:
                encoded = encode_in_pieces(document)
            else:
                encoded = self._shared.pack(encode_in_pieces, document)
            frame = self._within_limit(numbered_frame(number, encoded), "pass")
        except BaseException:
            self._references.take_back()
            raise
        if self._shared is not None and self._shared.returned:
            frame = self._shared.with_releases(frame)
        if self._let_go:
            frame = self._with_forgotten(frame)
        if concurrency is None:
            return self._ask_and_read(number, ask, frame)
        answer = concurrency.ask(number, ask, frame)
        if answer is None:
            raise SystemExit("the host has ended")
        return self._decode_answer(answer)

    def _decode_answer(self, frame: bytes) -> dict[str, Any]:
        try:
            return decode_document(frame, self._classes)
        except ValueTransferError:
            give_up(frame, self._classes)
            raise

    def _ask_and_read(self, number: int, ask: int, frame: bytes) -> dict[str, Any]:
        """Ask on the thread that reads: it takes the answer itself, and what else comes."""
        self.send(frame)
        # While this thread reads, a cancel is a frame that it reads. A signal that raised could
        # lose what was read.
        self._current = 0
        try:
            while True:
                received = self._channel.receive()
                if received is None:
                    raise SystemExit("the host has ended")
                if frame_id(received) == number and has_kind(received, b"answer"):
                    answer = self._decode_answer(received)
                    if answer.get("ask") == ask:  # And not to one that was given up.
                        return answer
                elif frame_id(received) == number and has_kind(received, b"cancel"):
                    raise CallInterrupted
                elif parent_call(received) == number:
                    self.answer(received)
                elif frame_id(received) is None and self.take_aside(received):
                    pass
                else:
                    self._backlog.append(received)
        finally:
            self._current = number

    # Interrupts --------------------------------------------------------------------------------

    def handle_interrupt(self, *_: Any) -> None:
        """Raise in the running call if it was cancelled; drop cancelled calls that wait.

        The host sends the cancel before the signal, so an interrupt never hits another call.
        """
        if self._concurrency is not None:
            # Half a frame that is out must be followed by the rest, here as below.
            self._interrupt_waits = self._channel.is_sending
            if not self._interrupt_waits and self._concurrency.take_cancel():
                raise CallInterrupted
            return
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
                if _is_cancel(frame):
                    continue
                self.discard(frame)
                if not has_kind(frame, b"answer"):  # That is what the running call asked for.
                    self.fail_unbegun(number)
        return is_running_cancelled

    def _is_cancelled(self, frame: bytes) -> bool:
        """Whether a frame's cancel waits behind it; the frame is answered, then, and both gone."""
        queued = self._channel.queued
        number = frame_id(frame)
        for cancel in queued:
            if (
                frame_id(cancel) == number
                and _is_cancel(cancel)
                and not _is_cancel(frame)
                and not has_kind(frame, b"answer")  # To a call that has ended.
            ):
                queued.remove(cancel)
                self.discard(frame)
                self.fail_unbegun(number)
                return True
        return False

    def fail_unbegun(self, number: Any) -> None:
        """Answer a call that was cancelled while it waited."""
        self.fail(number, CallInterrupted("the call was cancelled before it began"))

    def send(self, frame: bytes) -> None:
        """Send a frame from inside a call, then heed an interrupt that came meanwhile.

        Any thread of the pod may send; interrupts are the serving thread's.
        """
        self._channel.send(frame)
        if (
            self._interrupt_waits
            and (self._current or self._concurrency is not None)
            and get_ident() == self._thread
            and not self._channel.is_sending
        ):
            self.handle_interrupt()


def _is_cancel(frame: bytes) -> bool:
    return has_kind(frame, b"cancel")


def serve_pod(
    name: str,
    folder: str,
    *,
    lifeline_fd: int,
    max_frame_bytes: int,
    log_level: int,
    threads: int = 0,
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
    foreign = bool(shared) and os.access(f"/proc/{os.getppid()}/fd", os.R_OK | os.X_OK)
    channel.send(encode_document(hello_document(shared=bool(shared), foreign=foreign)))
    functions: dict[str, Callable[..., Any]] = {}
    server = Server(channel, functions, classes)
    signal.signal(signal.SIGINT, server.handle_interrupt)
    forward_logging(server.send, level=log_level, max_frame_bytes=max_frame_bytes)
    try:
        classes.pod_module = import_pod(name, folder)
        functions.update(offered_functions(classes.pod_module))
        names = other_names(classes.pod_module, functions)
        server.offer(classes.pod_module)
    except BaseException as exc:  # noqa: BLE001 - an import may raise anything, SystemExit too
        server.fail(0, exc)
        return
    channel.send(encode_document({"kind": "ready", "functions": list(functions), "names": names}))
    try:
        if threads:
            server.serve_with_threads(threads)
        else:
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


def hello_document(*, shared: bool = False, foreign: bool = False) -> dict[str, Any]:
    """Return the worker's first message.

    ``shared``: whether it has shared memory; ``foreign``: whether it can look into other pods'.
    """
    return {
        "kind": "hello",
        "protocol": PROTOCOL_VERSION,
        "python": ".".join(map(str, sys.version_info[:3])),
        "implementation": sys.implementation.name,
        "pid": os.getpid(),
        "platform": sys.platform,
        "shared": shared,
        "foreign": foreign,
    }
