"""What comes between while a call runs: its questions to the host, and interrupts."""

from __future__ import annotations

from _thread import get_ident
from abc import ABC, abstractmethod
from itertools import count

from pypods.errors import ValueTransferError
from pypods.wire.context import current as encode_context
from pypods.wire.documents import decode_document, encode_in_pieces
from pypods.wire.envelopes import frame_id, has_kind, numbered_frame, parent_call
from pypods.wire.undecoded import give_up
from pypods.worker.answers import Answers

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

    from pypods.worker.concurrency import Concurrency
    from pypods.worker.pod_module import PodClasses

__all__ = ["CallInterrupted", "Questions"]


class CallInterrupted(KeyboardInterrupt):
    """The host asked for the running call to end: what Ctrl-C is, for a call."""


class Questions(Answers, ABC):
    """The half of ``Server`` that reads while a call runs."""

    def __init__(
        self, channel: Any, functions: dict[str, Callable[..., Any]], classes: PodClasses
    ) -> None:
        super().__init__(channel, functions, classes)
        classes.ask = self.ask
        #: Frames that were read while a call was asking its caller something.
        self._backlog: list[bytes] = []
        #: Of those the calls that belong to a call that asks, but not to the innermost.
        self._nested: list[bytes] = []
        #: The calls that ask just now, with their questions: one in the other, the outermost first.
        self._asking: list[tuple[int, int]] = []
        #: Those of them that are to end once they are the innermost again.
        self._to_be_ended: set[int] = set()
        self._concurrency: Concurrency | None = None
        # Several threads may ask at once, and none may get another's number.
        self._next_ask = count(1).__next__
        #: The id of the call that runs, 0 for none: whom an interrupt is for.
        self._current = 0
        #: Whether an interrupt came at a moment at which nothing could be done about it.
        self._interrupt_waits = False
        self._thread = get_ident()

    @abstractmethod
    def answer(self, frame: bytes) -> None:
        """Do what one frame asks."""

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
        self._asking.append((number, ask))
        try:
            while self._concurrency is None:
                if number in self._to_be_ended:
                    raise CallInterrupted
                received = self._take_nested(number) or self._channel.receive()
                if received is None:
                    raise SystemExit("the host has ended")
                if frame_id(received) == number and has_kind(received, b"answer"):
                    answer = self._decode_answer(received)
                    if answer.get("ask") == ask:  # And not to one that was given up.
                        return answer
                elif frame_id(received) == number and has_kind(received, b"cancel"):
                    raise CallInterrupted
                elif _is_cancel(received):
                    self._drop_cancelled(frame_id(received))
                elif (parent := parent_call(received)) is not None:
                    if parent == number:
                        self.answer(received)
                    elif parent in [asking for asking, _ in self._asking]:
                        self._nested.append(received)
                    else:
                        self.refuse_nested(received)
                elif frame_id(received) is None and self.take_aside(received):
                    pass
                else:
                    self._backlog.append(received)
            # What was called meanwhile goes on beside this, and a thread has begun to read.
            answered = self._concurrency.wait_for_answer(ask)
            if answered is None:
                raise SystemExit("the host has ended")
            return self._decode_answer(answered)
        finally:
            self._asking.pop()
            self._to_be_ended.discard(number)
            while (nested := self._take_nested(number)) is not None:
                self.refuse_nested(nested)
            self._current = number

    def _take_nested(self, number: int) -> bytes | None:
        """Return the next of the calls that were kept for one that asks, None for none."""
        for frame in self._nested:
            if parent_call(frame) == number:
                self._nested.remove(frame)
                return frame
        return None

    def refuse_nested(self, frame: bytes) -> None:
        """Answer a call that was made in answering one that has ended.

        If it waited for its turn, a call before it could ask the very thread that waits for it.
        """
        self.discard(frame)
        self.fail_unbegun(frame_id(frame))

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
            self._drop_cancelled(number)
        return is_running_cancelled

    def _drop_cancelled(self, number: int | None) -> None:
        """Drop what waits of a cancelled call; one that asks its caller something ends later."""
        if number in [asking for asking, _ in self._asking]:
            self._to_be_ended.add(number)
            return
        for frames in (self._nested, self._backlog, self._channel.queued):
            for frame in [frame for frame in frames if frame_id(frame) == number]:
                frames.remove(frame)
                if _is_cancel(frame):
                    continue
                self.discard(frame)
                if not has_kind(frame, b"answer"):  # That is what the running call asked for.
                    self.fail_unbegun(number)

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
