"""The worker's loop: on a channel in memory, and as a process on every Python."""

from __future__ import annotations

import os
import signal
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pypods.errors import PodCallError, ProtocolError
from pypods.pods.process import worker_command
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.envelopes import NO_ARGUMENTS_TAIL, call_frame, call_head, numbered_frame
from pypods.wire.frames import FrameReader
from pypods.wire.memory import MemoryChannel, memory_channels
from pypods.wire.messages import Failure, Hello, Ready, message_from_document
from pypods.worker import serve, server
from pypods.worker.concurrency import Concurrency
from pypods.worker.pod_module import PodClasses
from pypods.worker.questions import CallInterrupted
from pypods.worker.serve import hello_document, serve_pod
from pypods.worker.server import Server


def add(a, b=2):
    return a + b


class Host:
    """The host's end of a server in this process."""

    def __init__(self, max_frame_bytes: int = 2**20, **functions: object) -> None:
        self.end, pod_end = memory_channels(max_frame_bytes=max_frame_bytes)
        self.pod_end = pod_end
        self.server = Server(pod_end, {"add": add, **functions}, PodClasses())

    def ask(self, *frames: bytes) -> list[dict[str, object]]:
        """Send frames, let the server answer them all, and return its answers."""
        for frame in frames:
            self.end.send(frame)
        return self.serve()

    def serve(self) -> list[dict[str, object]]:
        # A fake has nobody to wait for: when all is answered, its receive says so.
        with pytest.raises(BlockingIOError):
            self.server.serve()
        return self.answers()

    def answers(self) -> list[dict[str, object]]:
        answers = [decode_document(frame) for frame in self.end.queued]
        self.end.queued.clear()
        return answers


def call(number: int, name: str, *args: object, **kwargs: object) -> bytes:
    arguments = encode_document({"args": list(args), "kwargs": kwargs})
    return call_frame(number, call_head(name), arguments)


def cancel(number: int) -> bytes:
    return numbered_frame(number, encode_document({"kind": "cancel"}))


def result(number: int, value: object) -> dict[str, object]:
    return {"id": number, "kind": "result", "value": value}


def test_calls_are_answered_in_order():
    answers = Host().ask(call(1, "add", 1), call(2, "add", a=1, b=5), call(3, "add", "x", "y"))
    assert answers == [result(1, 3), result(2, 6), result(3, "xy")]


def test_the_loop_ends_when_the_host_closes_its_side():
    host = Host()
    host.end.send(call(1, "add", 1))
    with pytest.raises(BlockingIOError):
        host.server.serve()
    host.end.close()
    assert host.server.serve() is None


def test_a_call_without_arguments_is_remembered_by_its_bytes():
    calls = []
    host = Host(null=lambda: calls.append(1))
    assert host.ask(call(1, "null"), call(2, "null")) == [result(1, None), result(2, None)]
    assert len(host.server._remembered) == 1
    assert calls == [1, 1]


def test_a_call_whose_arguments_look_like_none_at_their_end_is_not_remembered():
    value = NO_ARGUMENTS_TAIL[:10]
    host = Host(same=lambda x: x)
    frame = call(1, "same", value)
    assert frame.endswith(NO_ARGUMENTS_TAIL)
    assert host.ask(frame, call(2, "same", value)) == [result(1, value), result(2, value)]
    assert not host.server._remembered


def test_only_so_many_calls_are_remembered(monkeypatch):
    monkeypatch.setattr(server, "MAX_REMEMBERED_CALLS", 1)
    host = Host(one=lambda: 1, two=lambda: 2, **{"n" * 2000: lambda: 3})
    host.ask(call(1, "n" * 2000), call(2, "n" * 2000))
    assert host.ask(call(3, "one"), call(4, "two")) == [result(3, 1), result(4, 2)]
    assert len(host.server._remembered) == 1


def test_a_call_in_another_form_is_answered_too():
    frame = encode_document({"id": 2**40, "kwargs": {}, "kind": "call", "args": [1], "name": "add"})
    unknown = encode_document(
        {"id": 2**41, "kwargs": {}, "kind": "call", "args": [1], "name": "sub"}
    )
    answers = Host().ask(frame, unknown)
    assert answers[0] == result(2**40, 3)
    assert answers[1]["error"]["type"] == "AttributeError"


def failure(host: Host, frame: bytes) -> dict[str, object]:
    (answer,) = host.ask(frame)
    assert answer["kind"] == "failure"
    return answer["error"]


def test_an_unknown_name_is_answered_with_the_names_there_are():
    error = failure(Host(sub=add), call(1, "mul", 1))
    assert error["text"] == "the pod offers no 'mul'; it offers: add, sub"
    assert error["builtin"] == "AttributeError"
    nothing = Host()
    nothing.server._functions.clear()
    assert failure(nothing, call(1, "mul"))["text"].endswith("it offers: nothing")


def test_wrong_arguments_are_what_python_raises():
    assert "missing 1 required positional argument: 'a'" in failure(Host(), call(1, "add"))["text"]
    assert "unexpected keyword argument 'c'" in failure(Host(), call(1, "add", 1, c=2))["text"]


async def wait() -> None:
    """Be what cannot cross: it is not even a reference."""


def test_a_result_that_cannot_cross_names_its_place():
    waiting = wait()
    host = Host(thing=lambda: {"later": waiting})
    error = failure(host, call(1, "thing"))
    waiting.close()
    assert error["text"] == 'result["later"]: coroutine cannot cross by value'
    assert error["type"] == "ValueTransferError"


def test_a_transfer_error_of_the_functions_own_keeps_its_place():
    from pypods.errors import ValueTransferError

    def own() -> None:
        raise ValueTransferError("no", "here")

    assert failure(Host(own=own), call(1, "own"))["text"] == "here: no"


def test_a_result_larger_than_a_frame_is_an_error_of_that_call_alone():
    host = Host(max_frame_bytes=5000, large=lambda: b"x" * 6000)
    error = failure(host, call(1, "large"))
    assert error["text"].startswith("result: takes 60")
    assert "more than max_frame_bytes=5000" in error["text"]
    assert host.ask(call(2, "add", 1)) == [result(2, 3)]


def test_a_failure_larger_than_a_frame_is_shortened():
    def fail() -> None:
        raise ValueError("x" * 100_000) from KeyError(b"y" * 100_000)

    host = Host(max_frame_bytes=5000, fail=fail)
    error = failure(host, call(1, "fail"))
    assert (error["type"], error["cause"]) == ("ValueError", None)
    assert error["text"] == "x" * (5000 // 16)


def test_a_failure_nested_too_deeply_is_shortened():
    deep: object = None
    for _ in range(255):
        deep = [deep]

    def fail() -> None:
        raise ValueError(deep)

    error = failure(Host(fail=fail), call(1, "fail"))
    assert error["args"] == [error["text"]]


def test_an_argument_that_this_side_cannot_have_is_an_error_of_that_call(monkeypatch):
    import datetime as dt
    from zoneinfo import ZoneInfo

    frame = call(1, "add", dt.time(1, tzinfo=ZoneInfo("Europe/Paris")))
    monkeypatch.setitem(sys.modules, "zoneinfo", None)
    host = Host()
    assert "this Python has no zoneinfo" in failure(host, frame)["text"]
    assert host.ask(call(2, "add", 1)) == [result(2, 3)]


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_whatever_a_function_raises_is_answered(error):
    def fail() -> None:
        raise error("x")

    host = Host(fail=fail)
    assert failure(host, call(1, "fail"))["type"] == error.__name__
    assert host.ask(call(2, "add", 1)) == [result(2, 3)]


def test_functions_are_described():
    described = encode_document({"kind": "describe", "name": "add"})
    every = encode_document({"kind": "describe", "name": None})
    missing = encode_document({"kind": "describe", "name": "mul"})
    answers = Host(sub=add).ask(
        numbered_frame(1, described), numbered_frame(2, every), numbered_frame(3, missing)
    )
    assert [p["name"] for p in answers[0]["value"]["parameters"]] == ["a", "b"]
    assert [each["name"] for each in answers[1]["value"]] == ["add", "sub"]
    assert answers[2]["error"]["type"] == "KeyError"


def test_a_request_that_does_not_exist_ends_the_loop():
    host = Host()
    host.end.send(encode_document({"kind": "dance"}))
    with pytest.raises(ProtocolError, match="no request of kind 'dance'"):
        host.server.serve()


# --- cancel -------------------------------------------------------------------------------------


def test_a_cancel_of_a_call_that_has_ended_is_ignored():
    host = Host()
    assert host.ask(call(1, "add", 1)) == [result(1, 3)]
    assert host.ask(cancel(1), cancel(7), call(2, "add", 1)) == [result(2, 3)]


def test_a_call_whose_cancel_is_there_already_never_begins():
    called = []
    host = Host(note=called.append)
    answers = host.ask(call(1, "note", 1), call(2, "note", 2), cancel(1), call(3, "note", 3))
    assert called == [2, 3]
    assert [answer["id"] for answer in answers] == [1, 2, 3]
    assert answers[0]["error"]["type"] == "CallInterrupted"
    assert answers[0]["error"]["builtin"] == "KeyboardInterrupt"
    assert answers[0]["error"]["text"] == "the call was cancelled before it began"
    assert answers[1:] == [result(2, None), result(3, None)]


def test_a_describe_whose_cancel_is_there_already_is_not_answered_twice():
    describe = numbered_frame(1, encode_document({"kind": "describe", "name": None}))
    (answer,) = Host().ask(describe, cancel(1))
    assert answer["error"]["type"] == "CallInterrupted"


def test_two_cancels_of_one_call_are_answered_once():
    host = Host()
    answers = host.ask(cancel(1), cancel(1), call(2, "add", 1))
    assert answers == [result(2, 3)]


def test_an_interrupt_ends_the_running_call_if_its_cancel_has_come():
    host = Host()

    def run() -> None:
        host.server.handle_interrupt()  # Without a cancel it is nobody's.
        host.end.send(cancel(1))
        host.server.handle_interrupt(signal.SIGINT, None)
        raise AssertionError("not interrupted")

    host.server._functions["run"] = run
    error = failure(host, call(1, "run"))
    assert error["type"] == "CallInterrupted"
    assert not host.pod_end.queued


def answer_to(number: int, ask: int) -> bytes:
    return numbered_frame(number, encode_document({"kind": "answer", "ask": ask, "value": 1}))


def test_an_interrupted_call_is_answered_once_though_an_answer_to_it_waits():
    host = Host()

    def run() -> None:
        host.end.send(answer_to(1, 1))  # To what it has asked.
        host.end.send(cancel(1))
        host.server.handle_interrupt()

    host.server._functions["run"] = run
    assert failure(host, call(1, "run"))["type"] == "CallInterrupted"
    assert host.ask(answer_to(1, 2), cancel(1), call(2, "add", 1)) == [result(2, 3)]


def test_an_interrupt_drops_a_call_that_waits_and_answers_it_at_once():
    called = []
    host = Host(note=called.append)

    def run() -> str:
        host.end.send(call(2, "note", 2))
        host.end.send(call(3, "note", 3))
        host.end.send(cancel(2))
        host.end.send(cancel(9))
        host.server.handle_interrupt()
        assert [answer["id"] for answer in host.answers()] == [2]
        return "ran on"

    host.server._functions["run"] = run
    assert host.ask(call(1, "run")) == [result(1, "ran on"), result(3, None)]
    assert called == [3]


def test_one_interrupt_may_be_for_the_running_call_and_for_one_that_waits():
    host = Host()

    def run() -> None:
        for frame in (call(2, "add", 2), cancel(2), cancel(1), call(3, "add", 1)):
            host.end.send(frame)
        host.server.handle_interrupt()

    host.server._functions["run"] = run
    answers = host.ask(call(1, "run"))
    assert [(answer["id"], answer["kind"]) for answer in answers] == [
        (2, "failure"),
        (1, "failure"),
        (3, "result"),
    ]


def test_an_interrupt_between_calls_is_heeded_by_the_next():
    host = Host()
    host.server.handle_interrupt()

    def run() -> None:
        raise AssertionError("begun")

    host.server._functions["run"] = run
    late = cancel(1)
    real = host.pod_end.look_ahead

    def look_ahead() -> object:
        """The cancel was still in the pipe when the call was received."""
        nonlocal late
        if late:
            host.end.send(late)
            late = b""
        return real()

    host.pod_end.look_ahead = look_ahead
    assert failure(host, call(1, "run"))["type"] == "CallInterrupted"


def test_an_interrupt_during_an_interrupt_is_heeded_after_it():
    host = Host()
    interrupts = []
    real = host.pod_end.look_ahead

    def look_ahead() -> object:
        interrupts.append(host.server._current)
        if len(interrupts) == 1:
            host.server.handle_interrupt()
            host.end.send(cancel(1))
            return host.pod_end.queued.__class__()
        return real()

    host.pod_end.look_ahead = look_ahead

    def run() -> None:
        host.server.handle_interrupt()

    host.server._functions["run"] = run
    assert failure(host, call(1, "run"))["type"] == "CallInterrupted"
    assert len(interrupts) == 2


def test_a_host_that_has_gone_while_a_waiting_call_is_answered_ends_the_loop():
    host = Host()
    seen = []

    def run() -> None:
        host.end.send(call(2, "add", 1))
        host.end.send(cancel(2))
        host.end.closed = True
        try:
            host.server.handle_interrupt()
        except BrokenPipeError:
            seen.append(host.server._current)
            raise

    host.server._functions["run"] = run
    host.end.send(call(1, "run"))
    with pytest.raises(BrokenPipeError):
        host.server.serve()
    assert seen == [1]


@pytest.fixture
def interrupts() -> Iterator[Callable[[Any], Any]]:
    """Return a function that sets the handler of SIGINT; the one before is back at the end."""
    before = signal.getsignal(signal.SIGINT)
    yield lambda handler: signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGINT, before)


class BusyChannel(MemoryChannel):
    """Seems to be sending for a while, as a signal handler may find it."""

    is_sending = False


def test_an_interrupt_inside_a_send_waits_for_its_end():
    end, pod_end = BusyChannel(), BusyChannel()
    end.peer, pod_end.peer = pod_end, end
    server = Server(pod_end, {}, PodClasses())
    reached = []

    def run() -> None:
        end.send(cancel(1))
        pod_end.is_sending = True
        server.handle_interrupt()
        reached.append("half a frame was out")
        server.send(encode_document({"kind": "log"}))
        reached.append("still sending")
        pod_end.is_sending = False
        threading.Thread(target=server.send, args=(encode_document({}),)).start()
        server.send(encode_document({"kind": "log"}))
        raise AssertionError("not interrupted")

    server._functions["run"] = run
    end.send(call(1, "run"))
    with pytest.raises(BlockingIOError):
        server.serve()
    assert reached == ["half a frame was out", "still sending"]
    *_, last = [decode_document(frame) for frame in end.queued]
    assert last["error"]["type"] == "CallInterrupted"


def test_beside_other_calls_an_interrupt_inside_a_send_waits_for_its_end(interrupts):
    end, pod_end = BusyChannel(), BusyChannel()
    end.peer, pod_end.peer = pod_end, end
    server = Server(pod_end, {}, PodClasses())
    server._concurrency = concurrency = Concurrency(server, pod_end)
    interrupts(server.handle_interrupt)
    reached = []

    def run() -> None:
        pod_end.is_sending = True
        concurrency.take_in(cancel(1))  # And with it the signal.
        reached.append("half a frame was out")
        pod_end.is_sending = False
        server.send(encode_document({"kind": "log"}))
        raise AssertionError("not interrupted")

    server._functions["run"] = run
    concurrency.take_in(call(1, "run"))
    concurrency._queue.put(None)
    concurrency.work()
    assert reached == ["half a frame was out"]
    log, failure = [decode_document(frame) for frame in end.queued]
    assert log == {"kind": "log"}
    assert failure["error"]["type"] == "CallInterrupted"


def test_an_interrupt_is_never_raised_in_another_thread():
    host = Host()
    raised = []

    def log_elsewhere() -> None:
        try:
            host.server.send(encode_document({"kind": "log"}))
        except BaseException as exc:
            raised.append(exc)

    def run() -> str:
        host.end.send(cancel(1))
        host.server._interrupt_waits = True
        thread = threading.Thread(target=log_elsewhere)
        thread.start()
        thread.join()
        return "ran on"

    host.server._functions["run"] = run
    host.ask(call(1, "run"))
    assert raised == []
    assert issubclass(CallInterrupted, KeyboardInterrupt)


# --- serve_pod, in this process -----------------------------------------------------------------


@pytest.fixture
def serve_here(monkeypatch):
    """Return a function that runs serve_pod on two pipes, given what the host sends."""
    monkeypatch.setenv("PYPODS_POD_FOLDER", "")
    monkeypatch.setattr(serve, "die_with_host", lambda fd: None)
    monkeypatch.setattr(serve, "forward_logging", lambda send, **options: None)
    monkeypatch.setattr(serve.signal, "signal", lambda *args: None)
    # A hook of a fork cannot be taken back.
    monkeypatch.setattr(serve.os, "register_at_fork", lambda **hooks: None)
    path, argv, before = list(sys.path), list(sys.argv), set(sys.modules)
    fds: list[int] = []

    def run(folder: object, *frames: bytes) -> tuple[list[dict[str, object]], object]:
        read_fd, to_worker = os.pipe()
        from_worker, write_fd = os.pipe()
        monkeypatch.setattr(serve, "take_over_standard_streams", lambda: (read_fd, write_fd))
        os.write(to_worker, b"".join(frames))
        os.close(to_worker)
        ended = None
        try:
            serve_pod("small", str(folder), lifeline_fd=-1, max_frame_bytes=10**6, log_level=0)
        except SystemExit as exc:
            ended = exc.code
        os.close(write_fd)
        data = b""
        while piece := os.read(from_worker, 65_536):
            data += piece
        fds.extend((read_fd, from_worker))
        return [decode_document(frame) for frame in FrameReader().feed(data)], ended

    yield run
    for fd in fds:
        os.close(fd)
    sys.path[:], sys.argv[:] = path, argv
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_pod_says_hello_then_that_it_is_ready_then_answers(serve_here, make_pod):
    folder = make_pod("def f(x): return x\ndef g(): pass\n")
    documents, ended = serve_here(folder, call(1, "f", 5))
    hello, ready = map(message_from_document, documents[:2])
    assert hello == Hello(1, hello.python, "cpython", os.getpid(), sys.platform)
    assert ready == Ready(["f", "g"])
    assert documents[2:] == [result(1, 5)]
    assert ended is None


def test_a_pod_that_cannot_be_imported_says_why_and_ends(serve_here, make_pod):
    documents, ended = serve_here(make_pod("raise SystemExit('no')\n"), call(1, "f", 5))
    answer = message_from_document(documents[1])
    assert isinstance(answer, Failure)
    assert (answer.id, answer.error["text"]) == (0, "no")
    assert (len(documents), ended) == (2, None)


def test_a_host_that_talks_nonsense_ends_the_pod_aloud(serve_here, make_pod):
    documents, ended = serve_here(make_pod("def f(x): return x\n"), struct.pack("<i", 3))
    assert len(documents) == 2
    assert ended.startswith("pod small: a frame announces 3 bytes")


def test_a_forked_child_that_comes_back_here_leaves_without_a_word(
    serve_here, make_pod, monkeypatch
):
    class Left(BaseException):
        pass

    def leave(status: int) -> None:
        raise Left(status)

    monkeypatch.setattr(serve.os, "_exit", leave)
    folder = make_pod("def f(): raise OSError\n")
    monkeypatch.setattr(serve.Channel, "is_closed", True)
    monkeypatch.setattr(serve.Server, "serve", lambda self: os.read(-1, 1))
    with pytest.raises(Left) as info:
        serve_here(folder)
    assert info.value.args == (1,)


# --- as a process -------------------------------------------------------------------------------


def test_the_first_frame_is_the_hello_of_that_python(each_python, make_pod):
    """Before any of the pod's code ran, and whatever that prints."""
    import subprocess

    folder = make_pod("print('x' * 100_000)\nimport os\nos.write(1, b'y')\ndef f(): pass\n")
    theirs, ours = os.pipe()
    with subprocess.Popen(
        worker_command(each_python, "small", str(folder), str(theirs), "100000", "30"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(theirs,),
        start_new_session=True,
    ) as process:
        os.close(theirs)
        out, err = process.communicate(call(5, "f"), timeout=60)
        os.close(ours)
    hello, ready, answer = [decode_document(frame) for frame in FrameReader().feed(out)]
    assert list(hello) == list(hello_document())
    assert hello["pid"] == process.pid
    assert each_python.resolve().name.startswith("python" + hello["python"].rpartition(".")[0])
    assert ready == {"kind": "ready", "functions": ["f"], "names": ["os"]}
    assert answer == result(5, None)
    assert err == b"x" * 100_000 + b"\ny"
    assert process.returncode == 0


def test_a_pod_is_called_on_each_python(zoo):
    assert zoo.call("add", 1) == 3
    assert zoo.call("add", 1, b=5, times=2) == 12
    with pytest.raises(AttributeError, match="the pod offers no 'sub'; it offers: add, answer"):
        zoo.call("sub")
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'a'"):
        zoo.call("add")


def test_a_running_call_and_one_that_waits_are_cancelled_on_each_python(zoo):
    from pypods.errors import PodTimeoutError

    with pytest.raises(PodTimeoutError, match="the call was interrupted"):
        zoo.call("nap", 60, timeout=0.05)
    running = threading.Thread(target=zoo.call, args=("nap", 0.5))
    running.start()
    with pytest.raises(PodTimeoutError, match="the call was interrupted"):
        zoo.call("nap", 60, timeout=0.1)
    running.join()
    assert zoo.call("add", 1) == 3


def test_an_interrupt_that_nobody_asked_for_is_ignored_on_each_python(zoo):
    os.kill(zoo.session.pid, signal.SIGINT)
    assert zoo.call("add", 1) == 3
    timer = threading.Timer(0.05, os.kill, (zoo.session.pid, signal.SIGINT))
    timer.start()
    assert zoo.call("nap", 0.2) == 0.2
    timer.join()


def test_a_failure_larger_than_a_frame_leaves_the_pod_usable(zoo):
    with pytest.raises(ValueError, match="yyy") as info:
        zoo.call("fail_large", 2**22 + 1)
    assert isinstance(info.value, PodCallError)
    assert zoo.call("add", 1) == 3
