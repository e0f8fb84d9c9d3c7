"""What several threads of a worker return, and ask, at once."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pypods.wire.memory import MemoryChannel
from pypods.worker.pod_module import PodClasses
from pypods.worker.serve import Server
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
