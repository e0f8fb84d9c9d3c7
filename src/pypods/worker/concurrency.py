"""Calls side by side in one worker: a thread that reads, threads that call, an event loop.

Nothing here is imported by a worker that takes one call at a time.
"""

from __future__ import annotations

import os
import signal
from queue import SimpleQueue
from threading import Event, Lock, Thread, get_ident, main_thread

from pypods.wire.envelopes import answered_question, frame_id, has_kind, parent_call
from pypods.worker.questions import CallInterrupted

TYPE_CHECKING = False  # As typing has it.
if TYPE_CHECKING:
    import asyncio
    from typing import Any, Callable

    from pypods.wire.channel import Channel
    from pypods.worker.server import Server

__all__ = ["Concurrency"]


#: Wakes up a thread that waits for an answer.
NOTHING = b""
#: Python looks for what is to be raised in a thread at least once in each turn of a loop.
LOOPS_TO_STRIKE = 10


class _Ask:
    """A question to the host under way: its answer, or a nested call that comes before it."""

    def __init__(self, number: int, thread: int) -> None:
        self.number = number
        #: The one that waits for the answer.
        self.thread = thread
        #: Whether the call is to end here, without an answer.
        self.is_cancelled = False
        self.frames: SimpleQueue[bytes | None] = SimpleQueue()


class Concurrency:
    """Reads the channel on a thread of its own, and hands each frame to whom it is for."""

    def __init__(self, server: Server, channel: Channel) -> None:
        self._server = server
        self._channel = channel
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._lock = Lock()
        #: The calls that run, and on which thread; those that wait; those to be interrupted.
        self._running: dict[int, int] = {}
        self._waiting: set[int] = set()
        self._cancelled: set[int] = set()
        self._asks: dict[int, _Ask] = {}
        self._tasks: dict[int, asyncio.Task[Any]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._ended = Event()
        self._thread_count = 1
        self._failure: BaseException | None = None

    def adopt(self, asking: list[tuple[int, int]], to_be_ended: set[int]) -> None:
        """Take over the calls of this thread that ask their callers something, before it reads.

        They are the calls' numbers and those of their questions, the outermost first; some of the
        calls are to end.
        """
        thread = get_ident()
        for number, ask_number in asking:
            self._running[number] = thread
            self._asks[ask_number] = ask = _Ask(number, thread)
            ask.is_cancelled = number in to_be_ended

    def start_reading(self) -> None:
        """Begin to read, on a thread of its own."""
        Thread(target=self._read, name="pypods-reader", daemon=True).start()

    # Reading -----------------------------------------------------------------------------------

    def _read(self) -> None:
        try:
            while True:
                frame = self._channel.receive()
                if frame is None:
                    break
                self.take_in(frame)
        except BaseException as exc:  # noqa: BLE001 - whoever waits for the end raises it
            self._failure = exc
        self._ended.set()
        for _ in range(self._thread_count):
            self._queue.put(None)
        for ask in list(self._asks.values()):
            ask.frames.put(None)

    def take_in(self, frame: bytes) -> None:
        """Hand one frame to whom it is for."""
        number = frame_id(frame)
        if has_kind(frame, b"answer"):
            with self._lock:
                ask = self._asks.get(answered_question(frame))
                if ask is not None and ask.number == number:
                    ask.frames.put(frame)
                    return
            self._server.discard(frame)  # Whoever asked has given up.
        elif number is None and self._server.take_aside(frame):
            pass
        elif has_kind(frame, b"cancel"):
            if number is not None:
                self._cancel(number)
        else:
            parent = parent_call(frame)
            if parent is not None:
                with self._lock:
                    for ask in self._asks.values():
                        if ask.number == parent:
                            ask.frames.put(frame)
                            return
                self._server.refuse_nested(frame)
                return
            if number is not None:
                self._waiting.add(number)
            self._queue.put(frame)

    # Working -----------------------------------------------------------------------------------

    def start_threads(self, count: int) -> None:
        """Start threads that take calls, besides whichever do so already."""
        self._thread_count = count
        for index in range(count):
            Thread(target=self.work, name=f"pypods-call-{index}", daemon=True).start()

    def wait_for_end(self) -> None:
        """Wait until the host has closed its side; for the main thread where it takes no calls."""
        self._ended.wait()
        if self._failure is not None:
            raise self._failure

    def work(self) -> None:
        """Take calls from the queue until the host closes its side."""
        self._server.prepare_thread()
        while True:
            frame = self._queue.get()
            if frame is None:
                break
            self._server.answer(frame)
            with self._lock:
                # Of a request that came to no call: its function was unknown, say.
                self._waiting.discard(frame_id(frame) or 0)
        if self._failure is not None and get_ident() == main_thread().ident:
            raise self._failure

    def call(
        self,
        number: int,
        function: Callable[..., Any],
        args: Any,
        kwargs: dict[str, Any],
        finish: Callable[[int, Any], bytes | None],
    ) -> None:
        """Run one call on this thread, where it can be cancelled, and answer it."""
        error = value = None
        thread = get_ident()
        try:
            try:
                with self._lock:
                    self._waiting.discard(number)
                    is_cancelled = number in self._cancelled
                    self._cancelled.discard(number)
                    if not is_cancelled:
                        self._running[number] = thread
                if is_cancelled:
                    self._server.fail_unbegun(number)
                    return
                value = function(*args, **kwargs)
            finally:
                self._leave(number, thread)
        except BaseException as exc:  # noqa: BLE001 - whatever a pod raises is the host's to see
            error = exc
            self.leave(number)
        if error is not None:
            self._server.fail(number, error)
            error = None  # Its traceback holds this frame, and with it the arguments.
            return
        answer = finish(number, value)
        # Blocks of the host's that nobody here uses any more go back with the answer.
        del value
        if args:
            args.clear()
        if kwargs:
            kwargs.clear()
        if answer is not None:
            self._server.answer_with(answer)

    def _leave(self, number: int, thread: int) -> None:
        """Note that a call has ended; an interrupt on its way to it must not hit the next."""
        with self._lock:
            self._running.pop(number, None)
            if number in self._cancelled:
                self._cancelled.discard(number)
                if thread != main_thread().ident:
                    _absorb_interrupt()

    def leave(self, number: int) -> None:
        """Note that a call of this thread has ended, even if another interrupt strikes meanwhile.

        Each is sent only while it runs.
        """
        while True:
            try:
                self._leave(number, get_ident())
                return
            except CallInterrupted:
                continue

    # Cancelling --------------------------------------------------------------------------------

    def _cancel(self, number: int) -> None:
        with self._lock:
            task = self._tasks.get(number)
            thread = self._running.get(number)
            if task is not None and self._loop is not None:
                self._loop.call_soon_threadsafe(task.cancel)
            elif thread is not None:
                self._cancelled.add(number)
                ask = self._ask_of(number, thread)
                if ask is not None:
                    # It waits for an answer that will not come, or runs a nested call, which is
                    # not the one to be struck: it is told where it waits.
                    ask.is_cancelled = True
                    ask.frames.put(NOTHING)
                elif thread == main_thread().ident:
                    # The host's own signal may have come before its frame was read.
                    os.kill(os.getpid(), signal.SIGINT)
                else:
                    _raise_in_thread(thread, CallInterrupted)
            elif number in self._waiting:
                self._cancelled.add(number)

    def _ask_of(self, number: int, thread: int) -> _Ask | None:
        """Return the question that a call's own thread has under way, if it has one."""
        for ask in list(self._asks.values()):
            if ask.number == number and ask.thread == thread:
                return ask
        return None

    def take_cancel(self) -> bool:
        """Whether the call that the main thread runs is to be interrupted; asked once."""
        number = self.main_thread_call()
        if number not in self._cancelled:
            return False
        if self._ask_of(number, main_thread().ident or 0) is not None:
            return False  # It is told where it waits.
        self._cancelled.discard(number)
        return True

    def main_thread_call(self) -> int:
        """Return the id of the call that the main thread runs, 0 for none."""
        ident = main_thread().ident
        for number, thread in reversed(list(self._running.items())):
            if thread == ident:
                return number
        return 0

    # Asking the caller -------------------------------------------------------------------------

    def current_call(self, owner: int) -> int:
        """Return the call that this thread runs, or else the owner if that one runs; 0 for none."""
        thread = get_ident()
        with self._lock:
            if thread == self._loop_thread:
                import asyncio

                running = asyncio.current_task()
                return next((n for n, task in self._tasks.items() if task is running), 0)
            # The newest first: a thread that waits for an answer may run a nested call.
            for number, its_thread in reversed(list(self._running.items())):
                if its_thread == thread:
                    return number
            return owner if owner in self._running or owner in self._tasks else 0

    def ask(self, number: int, ask_number: int, frame: bytes) -> bytes | None:
        """Send a question of a running call and return the answer; None if it was given up.

        Calls that the caller makes in answering are run here meanwhile, on the asking thread.
        """
        ask = _Ask(number, get_ident())
        try:
            with self._lock:
                self._asks[ask_number] = ask
            self._server.send(frame)
        except BaseException:
            self._end_ask(ask_number)
            raise
        return self.wait_for_answer(ask_number)

    def wait_for_answer(self, ask_number: int) -> bytes | None:
        """Return the answer to a question that was sent; None if the host has ended.

        Raises CallInterrupted.
        """
        ask = self._asks[ask_number]
        received = None
        try:
            if get_ident() == main_thread().ident:
                with self._lock:  # A cancel may have come when the question was not entered yet.
                    ask.is_cancelled |= ask.number in self._cancelled
            while not ask.is_cancelled:
                received = ask.frames.get()
                if received is None or has_kind(received, b"answer"):
                    break
                if received != NOTHING:
                    self._server.answer(received)
        finally:
            self._end_ask(ask_number)
        if ask.is_cancelled:  # Also if that came along with the answer.
            with self._lock:
                self._cancelled.discard(ask.number)
            if received and has_kind(received, b"answer"):
                self._server.discard(received)
            raise CallInterrupted
        return received

    def _end_ask(self, ask_number: int) -> None:
        with self._lock:
            ask = self._asks.pop(ask_number, None)
        if ask is None:
            return
        while not ask.frames.empty():  # It was given up, and they came all the same.
            late = ask.frames.get()
            if late:
                self._server.discard(late)
                if not has_kind(late, b"answer"):
                    self._server.fail_unbegun(frame_id(late))

    # The event loop ----------------------------------------------------------------------------

    def start_task(
        self, number: int, coroutine: Any, finish: Callable[[int, Any], bytes | None]
    ) -> None:
        """Run a coroutine on the event loop, beside everything else, and answer when it is done."""
        loop = self._event_loop()
        started = Event()

        async def run() -> None:
            import asyncio

            task = asyncio.current_task()
            assert task is not None
            with self._lock:
                self._tasks[number] = task
            started.set()
            try:
                value = await coroutine
            except asyncio.CancelledError:
                self._server.fail_unbegun(number)
            except BaseException as exc:  # noqa: BLE001 - the host's to see
                self._server.fail(number, exc)
            else:
                answer = finish(number, value)
                if answer is not None:
                    self._server.answer_with(answer)
            finally:
                with self._lock:
                    self._tasks.pop(number, None)

        import asyncio

        asyncio.run_coroutine_threadsafe(run(), loop)
        if get_ident() != self._loop_thread:
            # Its cancel may be the next frame, and must find it.
            started.wait()

    def _event_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            import asyncio

            loop = asyncio.new_event_loop()

            def run() -> None:
                self._loop_thread = get_ident()
                self._server.prepare_thread()
                asyncio.set_event_loop(loop)
                loop.run_forever()

            Thread(target=run, name="pypods-loop", daemon=True).start()
            self._loop = loop
        return self._loop


def _raise_in_thread(thread: int, exception: type[BaseException]) -> None:
    """Raise an exception in a thread at its next bytecode."""
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(exception))


def _absorb_interrupt() -> None:
    """Let an interrupt that is on its way to this thread strike here, where nothing is done.

    To take it back instead would leave Python's mark that there is one: up to 3.12 every thread
    would look for it at each of its steps, and in 3.11 no traced function would ever begin.
    """
    try:
        for _ in range(LOOPS_TO_STRIKE):
            pass
    except CallInterrupted:
        pass
