"""Many callers on one channel: on fakes that misbehave on cue, and for real."""

from __future__ import annotations

import contextlib
import gc
import queue
import random
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from pypods.errors import PodTimeoutError, ProtocolError
from pypods.pods.connection import Connection, NeverSentError
from pypods.pods.pipes import DeadlineError, EndOfPipeError
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.envelopes import frame_id, is_reply, numbered_frame
from pypods.wire.memory import memory_channels

LoadPod = Callable[..., Any]

EMPTY = encode_document({"kind": "result", "value": None})


def request(number: int) -> bytes:
    return numbered_frame(number, EMPTY)


def no_frame(frame: bytes) -> None:
    raise ProtocolError("a frame that nobody asked for")


class Fake:
    """The host's end of a channel in memory, with somebody to wait for at the other.

    Replies are what ``answer`` is called with; whoever receives sleeps until there is one.
    """

    def __init__(self) -> None:
        self.ours, self.theirs = memory_channels()
        self.requests: list[bytes] = []
        self.posted: list[bytes] = []
        self.readers = 0
        self.most_readers = 0
        self.ended = False
        self.on_send: Callable[[bytes], None] = self.requests.append
        self.when_stuck: Callable[[], bool] = bool
        self._changed = threading.Condition()

    def send(self, frame: bytes, deadline: float | None = None) -> None:
        if self.ended:
            raise EndOfPipeError
        self.ours.send(frame)
        self.on_send(self.theirs.receive() or b"")

    def post(self, frame: bytes) -> None:
        self.posted.append(frame)

    def flush(self, deadline: float) -> None:
        self.requests += self.posted
        self.posted.clear()

    def answer(self, *numbers: int) -> None:
        self.answer_with(*map(request, numbers))

    def answer_with(self, *frames: bytes) -> None:
        with self._changed:
            for frame in frames:
                self.theirs.send(frame)
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def receive_frames(self, deadline: float | None = None) -> list[bytes]:
        with self._changed:
            self.readers += 1
            self.most_readers = max(self.readers, self.most_readers)
            try:
                while True:
                    try:
                        return self.ours.receive_frames()
                    except BlockingIOError:
                        pass
                    if self.ended:
                        raise EndOfPipeError
                    seconds = None if deadline is None else deadline - time.monotonic()
                    if seconds is not None and seconds <= 0:
                        raise DeadlineError
                    self._changed.wait(seconds)
            finally:
                self.readers -= 1

    def wait_for_requests(self, count: int) -> None:
        deadline = time.monotonic() + 20
        while len(self.requests) < count and time.monotonic() < deadline:
            time.sleep(0.001)
        assert len(self.requests) == count


class Caller(threading.Thread):
    """Makes one exchange in a thread of its own and keeps what came of it."""

    def __init__(self, connection: Connection, number: int, seconds: float | None = None) -> None:
        super().__init__(daemon=True)
        self._connection, self._number, self._seconds = connection, number, seconds
        self.result: Any = None
        self.start()

    def run(self) -> None:
        deadline = None if self._seconds is None else time.monotonic() + self._seconds
        try:
            self.result = self._connection.exchange(self._number, request(self._number), deadline)
        except BaseException as exc:
            self.result = exc

    def wait(self) -> Any:
        self.join(20)
        assert not self.is_alive()
        return self.result


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def connection(fake: Fake) -> Connection:
    return Connection(fake, on_frame=no_frame)


# One caller ------------------------------------------------------------------------------------


def test_a_reply_is_its_requests(fake: Fake, connection: Connection) -> None:
    fake.answer(1)
    assert connection.exchange(1, request(1)) == request(1)
    assert not connection.is_waited_for(1)


def test_frames_that_answer_nobody_are_handed_on(fake: Fake) -> None:
    taken: list[Any] = []
    connection = Connection(fake, on_frame=lambda frame: taken.append(decode_document(frame)))
    logs = [encode_document({"log": number}) for number in range(3)]
    fake.answer_with(*logs[:2], request(1), logs[2])
    connection.exchange(1, request(1))
    assert taken == [{"log": 0}, {"log": 1}, {"log": 2}]


def test_a_deadline_leaves_the_reply_to_be_waited_for(fake: Fake, connection: Connection) -> None:
    with pytest.raises(DeadlineError):
        connection.exchange(1, request(1), time.monotonic() + 0.01)
    assert connection.is_waited_for(1)
    fake.answer(1)
    assert connection.wait(1) == request(1)


def test_a_reply_that_was_given_up_is_dropped(fake: Fake, connection: Connection) -> None:
    with pytest.raises(DeadlineError):
        connection.exchange(1, request(1), time.monotonic() + 0.01)
    connection.abandon(1)
    assert not connection.is_waited_for(1)
    fake.answer(1, 2)
    assert connection.exchange(2, request(2)) == request(2)
    fake.answer(1)
    with pytest.raises(ProtocolError, match="a reply to call 1"):
        connection.exchange(3, request(3))


def test_a_reply_that_is_given_up_just_when_it_comes_is_dropped_once(fake: Fake) -> None:
    late: list[bytes] = []
    connection = Connection(fake, on_frame=no_frame, on_late=late.append)

    class Waiters(dict[int, Any]):
        """Gives up a request between a reader's look at it and the delivery."""

        def get(self, number: int, default: Any = None) -> Any:
            waiter = super().get(number, default)
            if number == 1 and waiter is not None:
                connection.abandon(1)
            return waiter

    connection._waiters = Waiters()
    connection.begin(1, request(1))
    fake.answer(1, 2)
    assert connection.exchange(2, request(2)) == request(2)
    assert late == [request(1)]
    assert connection._abandoned == set()


def test_requests_that_nobody_waits_for_may_be_given_up_by_several_threads(
    fake: Fake, connection: Connection
) -> None:
    class Shared(deque[int]):
        """Another thread takes what is in it after this one has looked."""

        def popleft(self) -> int:
            self.clear()
            return super().popleft()

    connection.dropped = Shared([7])
    fake.answer(1)
    assert connection.exchange(1, request(1)) == request(1)
    assert len(connection.dropped) == 0


def part(number: int) -> bytes:
    return numbered_frame(number, encode_document({"kind": "part", "value": []}))


def test_parts_of_a_reply_that_was_given_up_are_dropped_before_it(fake: Fake) -> None:
    late: list[bytes] = []
    connection = Connection(fake, on_frame=no_frame, on_late=late.append)
    connection.begin(1, request(1))
    connection.begin(2, request(2))
    fake.answer_with(part(1), part(1), request(2))
    assert connection.wait(2) == request(2)
    connection.abandon(1)
    assert late == [part(1), part(1)]
    fake.answer_with(part(1), part(1), request(1), request(3))
    assert connection.exchange(3, request(3)) == request(3)
    assert late == [part(1)] * 4 + [request(1)]
    fake.answer_with(part(1))
    with pytest.raises(ProtocolError, match="a reply to call 1"):
        connection.exchange(4, request(4))


def test_parts_that_come_while_their_caller_takes_earlier_ones_are_all_its_own() -> None:
    """Another caller reads for it meanwhile: what one thread adds, the other may not undo."""
    arrived: queue.SimpleQueue[list[bytes]] = queue.SimpleQueue()

    class Channel(Fake):
        def receive_frames(self, deadline: float | None = None) -> list[bytes]:
            return arrived.get(timeout=20)

    channel = Channel()
    connection = Connection(channel, on_frame=no_frame)
    sent = [numbered_frame(2, encode_document({"kind": "part", "value": [i]})) for i in range(4000)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        reader = Caller(connection, 1)
        channel.wait_for_requests(1)
        connection.begin(2, request(2))
        for each in sent:
            arrived.put([each])
        arrived.put([request(2)])
        arrived.put([request(1)])
        taken = []
        while not is_reply(frame := connection.wait(2, time.monotonic() + 20)):
            taken.append(frame)
        assert reader.wait() == request(1)
    finally:
        sys.setswitchinterval(interval)
    assert taken == sent


def test_giving_up_what_was_answered_or_never_asked_is_nothing(
    fake: Fake, connection: Connection
) -> None:
    connection.abandon(7)
    fake.answer(7)
    with pytest.raises(ProtocolError):
        connection.exchange(1, request(1))


def test_two_replies_are_a_protocol_error(fake: Fake, connection: Connection) -> None:
    fake.answer(1, 1)
    with pytest.raises(ProtocolError, match="two replies to call 1"):
        connection.exchange(1, request(1))


def test_records_without_end_do_not_put_off_a_deadline(fake: Fake) -> None:
    log = encode_document({"log": 1})
    connection = Connection(fake, on_frame=lambda frame: fake.answer_with(log))
    fake.answer_with(log)
    with pytest.raises(DeadlineError):
        connection.exchange(1, request(1), time.monotonic() + 0.05)


# The end ---------------------------------------------------------------------------------------


def test_after_its_end_nothing_is_sent(fake: Fake, connection: Connection) -> None:
    connection.fail(ProtocolError("nonsense"))
    with pytest.raises(NeverSentError) as caught:
        connection.exchange(1, request(1))
    assert isinstance(caught.value.__cause__, ProtocolError)
    assert fake.requests == []
    assert not connection.is_waited_for(1)


def test_what_cannot_be_sent_was_never_sent(fake: Fake, connection: Connection) -> None:
    fake.end()
    with pytest.raises(NeverSentError):
        connection.exchange(1, request(1))
    assert not connection.is_waited_for(1)


@pytest.mark.parametrize("begun", [True, False])
def test_a_request_that_did_not_fit_by_the_deadline_is_waited_for_if_it_was_begun(
    fake: Fake, connection: Connection, begun: bool
) -> None:
    def too_late(frame: bytes) -> None:
        error = DeadlineError()
        error.begun = begun
        raise error

    fake.on_send = too_late
    closed = [encode_document({"kind": "close", "stream": stream}) for stream in (1, 2)]
    connection.outbox.extend(closed)
    with pytest.raises(DeadlineError):
        connection.exchange(1, request(1), time.monotonic() + 5)
    assert connection.is_waited_for(1) is begun
    # What was to precede it is out with it, or precedes the next one.
    assert list(connection.outbox) == ([] if begun else closed)


def test_an_error_of_sending_is_raised_as_it_is(fake: Fake, connection: Connection) -> None:
    def fail(frame: bytes) -> None:
        raise MemoryError

    fake.on_send = fail
    with pytest.raises(MemoryError):
        connection.exchange(1, request(1))
    assert not connection.is_waited_for(1)


def test_an_end_fails_everybody_who_waits(fake: Fake, connection: Connection) -> None:
    callers = [Caller(connection, number) for number in range(1, 17)]
    fake.wait_for_requests(16)
    fake.end()
    assert [type(caller.wait()) for caller in callers] == [EndOfPipeError] * 16
    with pytest.raises(NeverSentError):
        connection.exchange(20, request(20))


def test_a_connection_that_ended_keeps_nothing_of_its_callers(
    fake: Fake, connection: Connection
) -> None:
    kept: list[weakref.ref[threading.Event]] = []

    def call(number: int) -> None:
        local = threading.Event()
        kept.append(weakref.ref(local))
        with contextlib.suppress(EndOfPipeError):
            connection.exchange(number, request(number))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    fake.wait_for_requests(4)
    fake.end()
    for thread in threads:
        thread.join(20)
    call(5)
    gc.collect()
    assert [each() for each in kept] == [None] * 5
    with pytest.raises(NeverSentError):
        connection.exchange(6, request(6))


def test_an_error_that_cannot_be_copied_is_everybodys(fake: Fake, connection: Connection) -> None:
    class OddError(Exception):
        def __init__(self, *, wanted: int) -> None:
            super().__init__("odd", wanted)

    callers = [Caller(connection, number) for number in range(1, 3)]
    fake.wait_for_requests(2)
    connection.fail(OddError(wanted=1))
    fake.answer_with(EMPTY)
    assert [type(caller.wait()) for caller in callers] == [OddError] * 2


def test_nonsense_fails_everybody_who_waits(fake: Fake, connection: Connection) -> None:
    callers = [Caller(connection, number) for number in range(1, 9)]
    fake.wait_for_requests(8)
    fake.answer_with(encode_document({"x": 1}))
    assert [type(caller.wait()) for caller in callers] == [ProtocolError] * 8


# Several callers -------------------------------------------------------------------------------


def test_replies_in_any_order_reach_those_who_asked(fake: Fake, connection: Connection) -> None:
    callers = {number: Caller(connection, number) for number in range(1, 33)}
    fake.wait_for_requests(32)
    order = list(callers)
    random.Random(1).shuffle(order)
    for number in order:
        fake.answer(number)
        assert callers[number].wait() == request(number)
    assert fake.most_readers == 1


def test_replies_in_one_piece_reach_all_who_asked(fake: Fake, connection: Connection) -> None:
    callers = {number: Caller(connection, number) for number in range(1, 17)}
    fake.wait_for_requests(16)
    fake.answer(*reversed(callers))
    assert all(caller.wait() == request(number) for number, caller in callers.items())


def test_whoever_reads_hands_on_that_duty_when_it_leaves(
    fake: Fake, connection: Connection
) -> None:
    """By its reply, and by its deadline."""
    reading = Caller(connection, 1)
    fake.wait_for_requests(1)
    hasty = Caller(connection, 2, seconds=0.2)
    patient = Caller(connection, 3)
    fake.wait_for_requests(3)
    fake.answer(1)
    assert reading.wait() == request(1)
    assert isinstance(hasty.wait(), DeadlineError)
    connection.abandon(2)
    fake.answer(2, 3)
    assert patient.wait() == request(3)


def test_a_reader_that_leaves_by_its_deadline_is_followed(
    fake: Fake, connection: Connection
) -> None:
    hasty = Caller(connection, 1, seconds=0.2)
    fake.wait_for_requests(1)
    patient = Caller(connection, 2)
    assert isinstance(hasty.wait(), DeadlineError)
    fake.answer(2)
    assert patient.wait() == request(2)


def test_giving_up_hands_on_the_duty_to_the_last_who_waits(
    fake: Fake, connection: Connection
) -> None:
    """Who was asked to read just as its deadline passed must ask the next."""
    with connection.no_reader(time.monotonic() + 5) as alone:
        assert alone
        hasty = Caller(connection, 1, seconds=0.1)
        patient = Caller(connection, 2)
        fake.wait_for_requests(2)
        assert isinstance(hasty.wait(), DeadlineError)
    connection.abandon(1)
    fake.answer(2)
    assert patient.wait() == request(2)


def test_the_oldest_is_the_first_that_was_sent_and_not_answered(
    fake: Fake, connection: Connection
) -> None:
    assert connection.is_oldest(1)
    callers = []
    for number in (5, 3, 4):  # Numbers are given before it is one's turn to send.
        callers.append(Caller(connection, number))
        fake.wait_for_requests(len(callers))
    assert [connection.is_oldest(number) for number in (5, 3, 4)] == [True, False, False]
    fake.answer(5)
    callers[0].wait()
    assert [connection.is_oldest(number) for number in (3, 4)] == [True, False]
    fake.answer(3, 4)
    for caller in callers:
        caller.wait()


def test_a_deadline_holds_while_another_sends(fake: Fake, connection: Connection) -> None:
    entered, leave = threading.Event(), threading.Event()

    def send_slowly(frame: bytes) -> None:
        if frame_id(frame) == 1:
            entered.set()
            leave.wait(20)

    fake.on_send = send_slowly
    slow = Caller(connection, 1)
    assert entered.wait(20)
    with pytest.raises(DeadlineError):
        connection.exchange(2, request(2), time.monotonic() + 0.05)
    assert not connection.is_waited_for(2)
    connection.post(b"cancel", time.monotonic() + 0.05)
    assert fake.posted == [b"cancel"]
    with connection.no_sender(time.monotonic() + 0.05) as alone:
        assert not alone
    leave.set()
    fake.answer(1)
    assert slow.wait() == request(1)
    connection.post(b"more", time.monotonic() + 5)
    assert fake.requests == [b"cancel", b"more"]
    with connection.no_sender(time.monotonic() + 5) as alone:
        assert alone


def test_who_reads_keeps_others_who_want_to_be_alone_waiting(
    fake: Fake, connection: Connection
) -> None:
    caller = Caller(connection, 1)
    fake.wait_for_requests(1)
    time.sleep(0.05)
    with connection.no_reader(time.monotonic() + 0.05) as alone:
        assert not alone
    fake.answer(1)
    assert caller.wait() == request(1)


def test_a_sender_that_is_stuck_reads_for_all_unless_somebody_does(
    fake: Fake, connection: Connection
) -> None:
    """A pod that has much to say may read nothing before that is said."""
    useful: list[bool] = []

    def stuck(frame: bytes) -> None:
        useful.append(fake.when_stuck())

    with connection.no_reader(time.monotonic() + 5):
        waiting = Caller(connection, 1)
        fake.wait_for_requests(1)
        time.sleep(0.05)
        fake.on_send = stuck
        sending = Caller(connection, 2)
        deadline = time.monotonic() + 20
        while not useful and time.monotonic() < deadline:
            time.sleep(0.001)
        assert useful == [False]
        third = Caller(connection, 3)
        while len(useful) < 2 and time.monotonic() < deadline:
            time.sleep(0.001)
    fake.answer(1, 2, 3)
    assert [caller.wait() for caller in (waiting, sending, third)] == [*map(request, (1, 2, 3))]
    fake.on_send = stuck
    fake.answer(4)
    assert connection.exchange(4, request(4)) == request(4)
    assert useful == [False, False, True]


def test_nonsense_that_a_stuck_sender_reads_is_everybodys_error(
    fake: Fake, connection: Connection
) -> None:
    fake.answer(7)
    fake.on_send = lambda frame: fake.when_stuck() and None
    with pytest.raises(ProtocolError, match="call 7"):
        connection.exchange(1, request(1))
    with pytest.raises(NeverSentError):
        connection.exchange(2, request(2))


# Ctrl-C ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", range(4))
def test_ctrl_c_in_a_handler_of_logging_loses_no_reply(fake: Fake, position: int) -> None:
    log = encode_document({"log": 1})
    interrupts = [KeyboardInterrupt]

    def on_frame(frame: bytes) -> None:
        if interrupts:
            raise interrupts.pop()

    connection = Connection(fake, on_frame=on_frame)
    other = None
    with connection.no_reader(time.monotonic() + 5):
        other = Caller(connection, 2)
        fake.wait_for_requests(1)
        time.sleep(0.05)
        frames = [request(1), request(2), log]
        frames.insert(position, log)
        fake.answer_with(*frames)
        with pytest.raises(KeyboardInterrupt):
            connection.exchange(1, request(1))
        assert connection.wait(1) == request(1)
    assert other.wait() == request(2)


@pytest.mark.parametrize("answered", [True, False])
def test_ctrl_c_between_delivery_and_rousing_loses_nobody(
    fake: Fake, connection: Connection, monkeypatch: pytest.MonkeyPatch, answered: bool
) -> None:
    """At the worst moments: just before another's reply is put down, and just after."""
    deliver = connection._deliver
    interrupts = [KeyboardInterrupt]

    def interrupted(frame: bytes) -> None:
        if interrupts and frame_id(frame) == 2:
            if answered:
                waiter = connection._waiters[2]
                waiter.frame = frame
            raise interrupts.pop()
        deliver(frame)

    monkeypatch.setattr(connection, "_deliver", interrupted)
    connection.begin(3, request(3))  # So that it is not the short way of a single caller.
    other = Caller(connection, 2)
    fake.wait_for_requests(2)
    time.sleep(0.05)
    fake.answer(2)
    assert isinstance(other.wait(), KeyboardInterrupt)
    assert connection.wait(2) == request(2)
    fake.answer(1, 3)
    assert connection.exchange(1, request(1)) == request(1)
    assert connection.wait(3) == request(3)


def test_ctrl_c_with_the_reply_at_hand_leaves_it_to_be_waited_for(
    fake: Fake, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupts = [KeyboardInterrupt]

    def interrupted(frame: bytes) -> int | None:
        if interrupts:
            raise interrupts.pop()
        return frame_id(frame)

    monkeypatch.setattr("pypods.pods.connection.frame_id", interrupted)
    fake.answer(1)
    with pytest.raises(KeyboardInterrupt):
        connection.exchange(1, request(1))
    assert connection.is_waited_for(1)
    assert connection.wait(1) == request(1)


def test_ctrl_c_with_the_reply_taken_leaves_nothing_behind(
    fake: Fake, connection: Connection
) -> None:
    class Interrupted(dict[int, Any]):
        def pop(self, *args: Any) -> Any:
            super().pop(*args)
            raise KeyboardInterrupt

    connection._waiters = Interrupted()
    fake.answer(1)
    with pytest.raises(KeyboardInterrupt):
        connection.exchange(1, request(1))
    assert not connection.is_waited_for(1)
    connection._waiters = {}
    fake.answer(2)
    assert connection.exchange(2, request(2)) == request(2)


def test_what_comes_before_a_single_callers_result_is_not_lost(fake: Fake) -> None:
    log, asked = encode_document({"log": 1}), encode_document({"kind": "pull"})
    logs: list[bytes] = []
    connection = Connection(fake, on_frame=logs.append)
    fake.answer_with(log, numbered_frame(1, asked), request(1))
    assert connection.exchange(1, request(1)) == numbered_frame(1, asked)
    assert connection.wait(1) == request(1)
    fake.answer_with(log)
    fake.answer(2)
    assert connection.exchange(2, request(2)) == request(2)
    assert logs == [log, log]


def test_a_single_callers_failure_is_a_reply_too(fake: Fake, connection: Connection) -> None:
    failure = numbered_frame(1, encode_document({"kind": "failure", "error": {}}))
    fake.answer_with(failure)
    assert connection.exchange(1, request(1)) == failure
    assert not connection.is_waited_for(1)


def test_a_handler_of_logging_may_call_too(fake: Fake) -> None:
    """In the thread that reads for all, in the middle of its own call."""
    inner: list[bytes] = []

    def on_frame(frame: bytes) -> None:
        fake.answer(2)
        inner.append(connection.exchange(2, request(2)))

    connection = Connection(fake, on_frame=on_frame)
    fake.answer_with(encode_document({"log": 1}))
    outer = Caller(connection, 1)
    fake.wait_for_requests(2)
    fake.answer(1)
    assert outer.wait() == request(1)
    assert inner == [request(2)]


def test_ctrl_c_while_it_is_sent_leaves_the_reply_to_be_waited_for(
    fake: Fake, connection: Connection
) -> None:
    def interrupt(frame: bytes) -> None:
        raise KeyboardInterrupt

    fake.on_send = interrupt
    with pytest.raises(KeyboardInterrupt):
        connection.exchange(1, request(1))
    assert connection.is_waited_for(1)
    fake.answer(1)
    assert connection.wait(1) == request(1)


# Many at once ----------------------------------------------------------------------------------


def hammer(call: Callable[[int, int], None], *, threads: int = 16, times: int = 100) -> None:
    """Run a call many times in each of many threads; raise the first error."""
    errors: list[BaseException] = []

    def run(seed: int) -> None:
        try:
            for number in range(times):
                call(seed, number)
        except BaseException as exc:
            errors.append(exc)

    running = [threading.Thread(target=run, args=(seed,), daemon=True) for seed in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(60)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


def test_no_reply_is_lost_or_crossed_on_the_fake(fake: Fake, connection: Connection) -> None:
    """Answered in pieces of random size and in random order; every third call is hasty."""
    chance = random.Random(3)
    held: list[int] = []
    lock = threading.Lock()

    def serve(frame: bytes) -> None:
        with lock:
            held.append(frame_id(frame) or 0)
            chance.shuffle(held)
            count = chance.randrange(len(held) + 1)
            numbers, held[:count] = held[:count], []
        fake.answer(*numbers)

    def call(seed: int, number: int) -> None:
        own = seed * 1000 + number + 1
        deadline = time.monotonic() + 0.002 if number % 3 == 0 else None
        try:
            assert connection.exchange(own, request(own), deadline) == request(own)
        except DeadlineError:
            connection.abandon(own)

    stop = threading.Event()

    def answer_the_rest() -> None:
        while not stop.wait(0.005):
            with lock:
                numbers, held[:] = held[:], []
            fake.answer(*numbers)

    fake.on_send = serve
    rest = threading.Thread(target=answer_the_rest)
    rest.start()
    try:
        hammer(call)
    finally:
        stop.set()
        rest.join()
    assert fake.most_readers == 1


SOURCE = """
import logging, time
def same(x): return x
def slow(seconds, x):
    time.sleep(seconds)
    return x
def talk(x):
    logging.warning("%s", x)
    print(x)
    return x
"""


@pytest.mark.parametrize("off", ["0", "1"], ids=["shared memory", "frames"])
def test_no_reply_is_lost_or_crossed_for_real(
    bare_pod: LoadPod, monkeypatch: pytest.MonkeyPatch, off: str
) -> None:
    monkeypatch.setenv("PYPODS_NO_SHARED_MEMORY", off)
    pod = bare_pod(SOURCE)

    def call(seed: int, number: int) -> None:
        value = (seed, number, "x" * (number % 7 * 20_000))
        function = pod.talk if number % 5 == 0 else pod.same
        assert function(value) == value

    hammer(call, times=60)


def test_hasty_calls_leave_those_of_other_threads_alone(bare_pod: LoadPod) -> None:
    pod = bare_pod(SOURCE)
    late = []

    def call(seed: int, number: int) -> None:
        try:
            value = (seed, number)
            assert pod.slow.options(timeout=0.02 if seed == 0 else 60)(0.001, value) == value
        except PodTimeoutError:
            late.append(seed)

    hammer(call, threads=8, times=25)
    assert set(late) <= {0}
