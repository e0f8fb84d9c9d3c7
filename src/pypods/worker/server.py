"""The worker's frames and calls: what each frame asks, done and answered.

A pod takes one call at a time, on its main thread, which also reads: nothing stands between. Only
when something must go on beside that (``threads=``, an ``async def``) does a thread begin to read
(``pypods.worker.concurrency``).
"""

from __future__ import annotations

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.context import current as encode_context
from pypods.wire.documents import decode_document
from pypods.wire.envelopes import (
    NO_ARGUMENTS_TAIL,
    TAIL_START,
    frame_id,
    none_result_frame,
    part_frame,
    split_call,
)
from pypods.wire.undecoded import give_up
from pypods.worker.questions import Questions
from pypods.worker.references import NO_SUCH_OBJECT
from pypods.worker.streams import Streams

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

    from pypods.worker.concurrency import Concurrency
    from pypods.worker.pod_module import PodClasses

__all__ = ["Server"]

#: How many argument-less calls are remembered by their bytes, and how long those may be.
MAX_REMEMBERED_CALLS = 1024
MAX_REMEMBERED_BYTES = 1024
#: Fewer are never worth it.
LEAST_ROWS_IN_PARTS = 512


class Server(Questions):
    """Answers the frames of one channel with the functions of one pod."""

    def __init__(
        self, channel: Any, functions: dict[str, Callable[..., Any]], classes: PodClasses
    ) -> None:
        super().__init__(channel, functions, classes)
        self._streams = Streams(self._references.describe_error)
        cursors = self._references.cursors
        cursors.max_bytes = min(cursors.max_bytes, channel.max_frame_bytes // 4)
        self._remembered: dict[bytes, Callable[..., Any]] = {}
        #: The same for objects of the host's; their names do not come back for ever.
        self._remembered_uses: dict[bytes, Callable[..., Any]] = {}

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

            # In the order in which they came: of two requests for more of a stream, the second
            # would get what the first is to have.
            came = [*self._nested, *self._backlog, *self._channel.queued]
            self._nested.clear()
            self._backlog.clear()
            self._channel.queued.clear()
            concurrency = Concurrency(self, self._channel)
            concurrency.adopt(self._asking, self._to_be_ended)
            for frame in came:
                concurrency.take_in(frame)
            # Up to here an interrupt leaves its mark.
            self._concurrency = concurrency
            concurrency.start_reading()
        return self._concurrency

    def answer(self, frame: bytes) -> None:
        """Do what one frame asks."""
        if len(frame) <= MAX_REMEMBERED_BYTES and frame.endswith(NO_ARGUMENTS_TAIL):
            tail = frame[TAIL_START:]
            function = self._remembered.get(tail) or self._remembered_uses.get(tail)
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
                if self._concurrency is not None:  # It has begun while this call asked something.
                    self._concurrency.leave(number)  # type: ignore[unreachable]
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
        """Return the answer to a call that returned; None where it is sent already.

        So it is of a long result. A coroutine goes on, and is answered later.
        """
        if type(value) in (list, tuple) and len(value) >= LEAST_ROWS_IN_PARTS:
            from pypods.worker.parts import rows_in_part

            rows = rows_in_part(value)
            if rows:
                self._send_parts(number, value, rows)
                return None
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
            self.fail(number, _of_result(exc))
            return None
        except Exception as exc:  # noqa: BLE001 - a class of the pod's that does not let itself be looked at
            self._streams.forget_since(first_stream)
            self.fail(number, exc)
            return None

    def _send_parts(self, number: int, value: Any, rows: int) -> None:
        """Answer with a long result, so many rows at once; what is cancelled ends in between."""
        from pypods.worker.parts import placed

        limit = left = self._channel.max_frame_bytes
        if self._shared is not None:
            left += self._shared.writer.arena.size
        start, first_stream = 0, self._streams.next_number
        try:
            for start in range(0, len(value), rows):
                first_stream = self._streams.next_number
                part = list(value[start : start + rows])
                frame = self._result_frame(number, part, part_frame)
                left -= len(frame)
                if self._shared is not None:
                    left -= self._shared.lent_bytes(frame)
                if left < 0:
                    if self._shared is not None:
                        self._shared.take_back(frame)
                    self._references.take_back()
                    raise ValueTransferError(
                        f"has {len(value)} rows, of which no more than {start} fit; return less "
                        f"at once or raise max_frame_bytes={limit} or max_shared_bytes",
                        "value",
                    )
                self._channel.send(frame)
                self._heed_between(number)
        except BaseException as exc:  # noqa: BLE001 - whatever it is, is the host's to see
            self._streams.forget_since(first_stream)
            if isinstance(exc, ValueTransferError):
                self.fail(number, _of_result(placed(exc, start)))
            else:
                self.fail(number, exc)
        else:
            # Before the value is let go of, which takes its time.
            self.answer_with(self._result_frame(number, type(value)()))

    def _heed_between(self, number: int) -> None:
        """Heed an interrupt that came while a part was encoded or sent."""
        if not self._interrupt_waits or self._concurrency is not None:
            return
        outer, self._current = self._current, number
        try:
            self.handle_interrupt()
        finally:
            self._current = outer


def _of_result(error: ValueTransferError) -> ValueTransferError:
    """Return the error with the place as the caller sees it."""
    place = error.place
    if place.startswith("value"):
        place = "result" + place[len("value") :]
    return ValueTransferError(error.reason, place)
