"""What several threads of a worker return, and ask, at once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pypods.wire.documents import decode_document, encode_document
from pypods.wire.envelopes import call_frame, call_head, numbered_frame
from pypods.wire.memory import MemoryChannel, memory_channels
from pypods.worker.concurrency import Concurrency
from pypods.worker.pod_module import PodClasses
from pypods.worker.server import Server
from pypods.worker.streams import Streams


def count() -> Iterator[int]:
    yield from range(3)


def run_with_a_switch_after_each_step(function: Callable[[], object]) -> None:
    """Run it on four threads that take turns after every bytecode, as Python 3.8 may have them."""

    def trace(frame: Any, event: str, _: Any) -> Any:
        frame.f_trace_opcodes = True
        if event == "opcode":
            time.sleep(0)
        return trace

    def run() -> None:
        sys.settrace(trace)
        try:
            for _ in range(20):
                function()
        finally:
            sys.settrace(None)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def test_streams_of_several_threads_have_numbers_of_their_own():
    streams = Streams()
    numbers: list[int] = []

    def export() -> None:
        exported = streams.export(count())
        assert exported is not None
        numbers.append(exported[1]["stream"])

    run_with_a_switch_after_each_step(export)
    assert sorted(numbers) == list(range(1, 81))


def test_an_answer_that_cannot_be_sent_closes_no_stream_of_another_thread():
    streams = Streams()
    first = streams.next_number
    streams.export(count())
    thread = threading.Thread(target=streams.export, args=(count(),))
    thread.start()
    thread.join()
    streams.forget_since(first)
    assert streams.more(2, 5)["items"] == [0, 1, 2]
    assert streams._generators == {}


class Asked:
    """Stands in for what runs calls side by side: notes the numbers of what is asked."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def current_call(self, owner: int) -> int:
        return owner

    def ask(self, number: int, ask: int, frame: bytes) -> None:
        self.numbers.append(ask)


def test_what_several_threads_ask_has_numbers_of_its_own():
    server = Server(MemoryChannel(), {}, PodClasses())
    asked: Any = Asked()
    server._concurrency = asked

    def ask() -> None:
        with pytest.raises(SystemExit, match="the host has ended"):
            server.ask("pull", 1, {})

    run_with_a_switch_after_each_step(ask)
    assert sorted(asked.numbers) == list(range(1, 81))


class OneThread:
    """A server with one thread for calls; this test is its host and its reading thread."""

    def __init__(self, function: Callable[[Server], object]) -> None:
        self.host, channel = memory_channels()
        server = Server(channel, {"run": lambda: function(server)}, PodClasses())
        self.concurrency = server._concurrency = Concurrency(server, channel)
        self.concurrency.start_threads(1)

    def send(self, number: int, **document: Any) -> None:
        self.concurrency.take_in(numbered_frame(number, encode_document(document)))

    def call(self, number: int) -> None:
        no_arguments = encode_document({"args": [], "kwargs": {}})
        self.concurrency.take_in(call_frame(number, call_head("run"), no_arguments))

    def receive(self) -> dict[str, Any]:
        """Return the next frame of the pod, once it is there."""
        until = time.monotonic() + 60
        while not self.host.queued and time.monotonic() < until:
            time.sleep(0.001)
        return decode_document(self.host.queued.popleft())

    def close(self) -> None:
        self.concurrency._queue.put(None)


@pytest.fixture
def one_thread() -> Iterator[Callable[[Callable[[Server], object]], OneThread]]:
    made: list[OneThread] = []

    def make(function: Callable[[Server], object]) -> OneThread:
        made.append(OneThread(function))
        return made[-1]

    yield make
    for each in made:
        each.close()


def ask_once(server: Server) -> object:
    return server.ask("callback", 0, {})["value"]


def test_a_thread_that_waits_for_an_answer_is_interrupted(one_thread):
    pod = one_thread(ask_once)
    pod.call(1)
    asked = pod.receive()
    pod.send(1, kind="cancel")
    failure = pod.receive()
    assert (failure["id"], failure["error"]["type"]) == (1, "CallInterrupted")
    # The answer comes all the same, and is no answer to the next call's question.
    pod.call(2)
    assert pod.receive()["ask"] != asked["ask"]
    pod.send(1, kind="answer", ask=asked["ask"], value="late", error=None)
    pod.send(2, kind="answer", ask=asked["ask"], value="forged", error=None)
    pod.send(2, kind="answer", ask=asked["ask"] + 1, value="right", error=None)
    assert pod.receive() == {"id": 2, "kind": "result", "value": "right"}


TRACED = """
import sys, threading
from test_threads import OneThread, ask_once

pod = OneThread(ask_once)
pod.call(1)
pod.receive()
pod.send(1, kind="cancel")
assert pod.receive()["error"]["type"] == "CallInterrupted"
begun = []
sys.settrace(lambda frame, event, arg: begun.append(event))
(lambda: None)()
sys.settrace(None)
pod.close()
print(begun)
"""


def test_an_interrupt_leaves_no_mark_on_the_interpreter():
    # In 3.11 a traced function would never begin: under coverage or a debugger all hangs.
    run = subprocess.run(
        [sys.executable, "-c", TRACED],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.stdout, run.stderr) == ("['call']\n", "")
