"""What a host may ask besides calls, and what a call may ask of its host; in this process."""

from __future__ import annotations

import threading

import pytest
from tests.worker.test_serve import Host, call, cancel, result

from pypods.errors import ProtocolError
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.envelopes import call_frame, call_head, numbered_frame, within_call
from pypods.wire.memory import MemoryChannel, memory_channels
from pypods.worker.concurrency import Concurrency
from pypods.worker.pod_module import PodClasses
from pypods.worker.questions import CallInterrupted
from pypods.worker.server import Server


def request(number, kind, **fields):
    return numbered_frame(number, encode_document({"kind": kind, **fields}))


def error_of(answer):
    return answer["error"]["type"], answer["error"]["text"]


def nested_call(number, parent, name):
    """A call that is made while another one's question is answered."""
    arguments = within_call(encode_document({"args": [], "kwargs": {}}), parent)
    return call_frame(number, call_head(name), arguments)


# --- many calls in one --------------------------------------------------------------------------


def test_a_function_is_mapped():
    (answer,) = Host().ask(request(1, "map", name="add", calls=[[1], [2, 3]]))
    assert answer == result(1, {"items": [3, 5], "error": None})


def test_what_came_before_a_failure_is_kept():
    (answer,) = Host().ask(request(1, "map", name="add", calls=[[1], ["x"], [3]]))
    assert answer["value"]["items"] == [3]
    assert answer["value"]["error"]["type"] == "TypeError"


def test_what_came_before_a_result_that_cannot_cross_is_kept():
    endless = []
    endless.append(endless)
    results = iter([1, endless, 3])
    host = Host(give=lambda: next(results))
    (answer,) = host.ask(request(1, "map", name="give", calls=[[], [], []]))
    assert answer["value"]["items"] == [1]
    assert "item[1]" in answer["value"]["error"]["text"]


def test_a_function_that_is_not_there_is_not_mapped():
    (answer,) = Host().ask(request(1, "map", name="nope", calls=[[]]))
    assert error_of(answer) == ("AttributeError", "the pod offers no 'nope'; it offers: add")


# --- other requests -----------------------------------------------------------------------------


def test_an_object_that_is_not_there_is_no_function():
    for frame in (call(1, "#7.close"), request(1, "map", name="#7.close", calls=[[]])):
        (answer,) = Host().ask(frame)
        assert answer["error"]["type"] == "LookupError"


def test_one_function_is_described():
    (answer,) = Host().ask(request(1, "describe", name="add"))
    assert answer["value"]["name"] == "add"


def host_with_a_stream(generate):
    """Return a host that holds the stream 1."""
    host = Host(generate=generate)
    host.end.send(call(1, "generate"))
    with pytest.raises(BlockingIOError):
        host.server.serve()
    host.end.queued.clear()  # Of a stream a host makes an iterator.
    return host


def test_a_stream_is_taken_in_batches_and_closed():
    closed = []

    def count():
        try:
            yield from range(100)
        finally:
            closed.append("closed")

    host = host_with_a_stream(count)
    (batch,) = host.ask(request(2, "more", stream=1, items=3))
    assert batch["value"]["items"][:3] == [0, 1, 2]
    (ended,) = host.ask(request(3, "close", stream=1))
    assert (ended["kind"], closed) == ("result", ["closed"])


def test_a_stream_that_nobody_holds_is_closed_without_an_answer():
    closed = []

    def count():
        try:
            yield 1
            yield 2
        finally:
            closed.append("closed")

    host = host_with_a_stream(count)
    host.ask(request(2, "more", stream=1, items=1))
    assert host.ask(encode_document({"kind": "close", "stream": 1})) == []
    assert closed == ["closed"]


# --- what a call asks ---------------------------------------------------------------------------


@pytest.fixture
def asking():
    """A host and the function through which a call asks it one question."""
    host = Host()
    host.server._functions["run"] = lambda: host.server.ask("callback", 0, {})["value"]
    return host


def answer_to(number, ask, value):
    return request(number, "answer", ask=ask, value=value, error=None)


def test_a_call_gets_the_answer_to_its_question(asking):
    asked, answered = asking.ask(call(1, "run"), answer_to(1, 1, "here"))
    assert (asked["kind"], asked["ask"]) == ("callback", 1)
    assert answered == result(1, "here")


def test_an_answer_to_another_question_is_none(asking):
    answers = asking.ask(call(1, "run"), answer_to(1, 99, "late"), answer_to(1, 1, "here"))
    assert answers[-1] == result(1, "here")


def test_a_call_that_comes_meanwhile_waits(asking):
    answers = asking.ask(call(1, "run"), call(2, "add", 1), answer_to(1, 1, "here"))
    assert answers[1:] == [result(1, "here"), result(2, 3)]


def test_a_call_made_in_answering_is_answered_at_once(asking):
    asking.server._functions["near"] = lambda: "near"
    answers = asking.ask(call(1, "run"), nested_call(2, 1, "near"), answer_to(1, 1, "here"))
    assert answers[1:] == [result(2, "near"), result(1, "here")]


def test_a_call_that_waits_for_its_answer_is_cancelled(asking):
    def run():
        asking.end.send(cancel(1))
        return asking.server.ask("callback", 0, {})

    asking.server._functions["run"] = run
    asked, failure = asking.ask(call(1, "run"))
    assert asked["ask"] == 1
    assert (failure["id"], failure["error"]["type"]) == (1, "CallInterrupted")


def test_a_question_too_long_for_a_frame_is_an_error_of_the_call():
    host = Host(max_frame_bytes=5000)
    long = "x" * 10_000
    host.server._functions["run"] = lambda: host.server.ask("callback", 0, {"args": [long]})
    (answer,) = host.ask(call(1, "run"))
    assert answer["error"]["type"].endswith("ValueTransferError")


def test_outside_of_a_call_nobody_can_be_asked(asking):
    with pytest.raises(RuntimeError, match="no call of it runs on this thread of the pod"):
        asking.server.ask("callback", 0, {})


def test_a_thread_of_the_pods_own_has_nobody_to_ask(asking):
    said = []

    def ask():
        with pytest.raises(RuntimeError) as caught:
            asking.server.ask("callback", 0, {})
        said.append(str(caught.value))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert "load the pod with threads=1 or more" in said[0]


# --- the same beside other calls ----------------------------------------------------------------


class Torn(MemoryChannel):
    """A channel whose other end talks nonsense."""

    def receive(self):
        raise ProtocolError("nonsense")


def side_by_side(channel):
    server = Server(channel, {"add": lambda a: a + 1}, PodClasses())
    server._concurrency = Concurrency(server, channel)
    return server, server._concurrency


def test_nonsense_ends_what_waits_and_is_raised_to_the_main_thread():
    _, concurrency = side_by_side(Torn())
    concurrency.start_reading()
    with pytest.raises(ProtocolError, match="nonsense"):
        concurrency.wait_for_end()
    with pytest.raises(ProtocolError, match="nonsense"):
        concurrency.work()


def test_a_host_that_has_gone_ends_what_waits():
    host, channel = memory_channels()
    _, concurrency = side_by_side(channel)
    host.send(call(1, "add", 1))
    host.close()
    concurrency.start_reading()
    concurrency.wait_for_end()
    assert concurrency._failure is None


def test_what_came_before_a_thread_reads_keeps_its_order():
    _, channel = memory_channels()
    server = Server(channel, {}, PodClasses())
    came = [request(n, "more", stream=1, items=10) for n in range(1, 5)]
    server._backlog += came[:2]  # Read while a call asked its caller something.
    channel.queued.extend(came[2:])
    concurrency = server.concurrency()
    assert [concurrency._queue.get(timeout=30) for _ in came] == came
    assert server._backlog == list(channel.queued) == []


def test_a_stream_that_is_gone_does_not_seem_to_have_ended():
    (answer,) = Host().ask(request(1, "more", stream=7, items=10))
    assert answer["value"]["items"] == []
    assert answer["value"]["error"]["type"] == "LookupError"


def test_who_waits_for_an_answer_hears_that_the_host_has_gone():
    host, channel = memory_channels()
    _, concurrency = side_by_side(channel)
    answers = []

    def ask():
        answers.append(concurrency.ask(1, 1, encode_document({"kind": "callback"})))

    thread = threading.Thread(target=ask)
    thread.start()
    while not concurrency._asks:
        threading.Event().wait(0.001)
    host.close()
    concurrency._read()
    thread.join()
    assert answers == [None]
    assert concurrency._asks == {}


def test_a_cancelled_call_that_waits_never_begins():
    host, channel = memory_channels()
    _, concurrency = side_by_side(channel)
    concurrency.take_in(call(1, "add", 1))
    concurrency.take_in(cancel(1))
    concurrency.take_in(cancel(9))  # Of a call that has ended.
    concurrency._queue.put(None)
    concurrency.work()
    (answer,) = [decode_document(frame) for frame in host.queued]
    assert (answer["id"], answer["error"]["type"]) == (1, "CallInterrupted")


@pytest.mark.parametrize("with_answer", [True, False])
def test_a_call_that_asks_is_cancelled_where_it_waits(with_answer):
    host, channel = memory_channels()
    server, concurrency = side_by_side(channel)
    ends = []

    def run():
        try:
            server.ask("callback", 1, {})
        except CallInterrupted:
            ends.append("interrupted")
        return "went on"

    server._functions["run"] = run
    concurrency.start_threads(1)
    concurrency.take_in(call(1, "run"))
    while not concurrency._asks:
        threading.Event().wait(0.001)
    (ask,) = concurrency._asks.values()
    if with_answer:  # Both are there before the call looks.
        ask.is_cancelled = True
        concurrency._cancelled.add(1)
        concurrency.take_in(request(1, "answer", ask=1, value=None, error=None))
    else:
        concurrency.take_in(cancel(1))
    while len(host.queued) < 2:
        threading.Event().wait(0.001)
    concurrency._queue.put(None)
    answers = [decode_document(frame) for frame in host.queued]
    assert answers[-1] == result(1, "went on")
    assert ends == ["interrupted"]
    assert concurrency._asks == {}
    assert concurrency._cancelled == set()


async def succeed():
    return "done"


async def fail():
    raise ValueError("not done")


@pytest.mark.parametrize(
    ("coroutine", "kind"), [(succeed, "result"), (fail, "failure")], ids=["result", "failure"]
)
def test_a_coroutine_is_answered_when_it_is_done(coroutine, kind):
    host, channel = memory_channels()
    server, concurrency = side_by_side(channel)
    server._functions["run"] = coroutine
    concurrency.take_in(call(1, "run"))
    concurrency._queue.put(None)
    concurrency.work()
    while not host.queued:
        threading.Event().wait(0.001)
    loop = concurrency._loop
    (thread,) = [each for each in threading.enumerate() if each.ident == concurrency._loop_thread]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    answer = decode_document(host.queued.popleft())
    assert (answer["id"], answer["kind"]) == (1, kind)
