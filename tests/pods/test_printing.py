"""What a running pod prints and logs, as the host's logging has it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pypods.errors import PodStartError

LoadPod = Callable[..., Any]


@pytest.fixture(autouse=True)
def quiet_again() -> Iterator[None]:
    """Leave the loggers as they were: records of a test's pods are that test's."""
    names = ["pypods", "pypods.pod", "pypods.pod.subject", "pypods.pod.other"]
    yield
    for name in names:
        logger = logging.getLogger(name)
        logger.setLevel(logging.NOTSET)
        logger.filters.clear()


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, int, str]]]:
    """Let every record through and return a function to the pods' records so far."""
    caplog.set_level(logging.DEBUG, logger="pypods")

    def so_far() -> list[tuple[str, int, str]]:
        return [each for each in caplog.record_tuples if each[0].startswith("pypods.pod.")]

    return so_far


Records = Callable[[], list[tuple[str, int, str]]]


def info(*lines: str) -> list[tuple[str, int, str]]:
    return [("pypods.pod.subject", logging.INFO, line) for line in lines]


# Where it is heard -----------------------------------------------------------------------------

SOURCE = """
import logging, os, subprocess, sys, threading, time

print("at import")
logging.getLogger("mine").warning("logged at import")

def say(*words, **options): print(*words, **options)
def complain(): print("to stderr", file=sys.stderr)
def by_descriptor(): os.write(1, b"by descriptor\\n")
def by_child(): subprocess.run(["echo", "by child"])
def by_system(): os.system("echo by system")
def log(level, message): logging.getLogger("mine.own").log(level, message)
def configure():
    logging.basicConfig(level="DEBUG", format="%(message)s")
    logging.debug("configured")
def level(): return logging.getLogger().getEffectiveLevel()

def much(megabytes, line=999):
    text = "x" * line + "\\n"
    for _ in range(megabytes * 1_000_000 // len(text)): sys.stdout.write(text)
    return "done"

def much_by_c(megabytes):
    for _ in range(megabytes): os.write(2, b"x" * 999_999 + b"\\n")
    return "done"

def in_background(lines, size=99):
    def run():
        for number in range(lines): print("x" * size)
        global finished
        finished = True
    global finished
    finished = False
    threading.Thread(target=run, daemon=True).start()

def has_finished(): return finished
def same(x): return x
def read_stdin(): return sys.stdin.read(), os.read(0, 10)
def interleave(count):
    for number in range(count):
        print("printed", number)
        logging.warning("logged %d", number)
"""


def test_what_is_printed_is_in_logging_before_the_call_returns(
    bare_pod: LoadPod, records: Records
) -> None:
    pod = bare_pod(SOURCE)
    assert sorted(records()) == sorted(
        [*info("at import"), ("pypods.pod.subject", logging.WARNING, "logged at import")]
    )
    for number in range(200):
        before = len(records())
        pod.say("number", number)
        assert records()[before:] == info(f"number {number}")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("complain", "to stderr"),
        ("by_descriptor", "by descriptor"),
        ("by_child", "by child"),
        ("by_system", "by system"),
    ],
)
def test_whoever_prints_in_the_pod_is_heard(
    bare_pod: LoadPod, records: Records, name: str, line: str
) -> None:
    pod = bare_pod(SOURCE)
    getattr(pod, name)()
    assert records()[-1:] == info(line)
    assert pod.same(1) == 1


def test_half_a_line_waits_for_its_end(bare_loader: LoadPod, records: Records) -> None:
    loader = bare_loader(SOURCE)
    pod = loader.load_pod()
    before = len(records())
    pod.say("half", end="", flush=True)
    assert records()[before:] == []
    pod.say(" and half")
    assert records()[before:] == info("half and half")
    pod.say("the last", end="", flush=True)
    loader.unload_pod()
    assert records()[before:] == info("half and half", "the last")


@pytest.mark.parametrize("level", [10, 20, 25, 30, 40, 50])
def test_records_keep_their_level(bare_pod: LoadPod, records: Records, level: int) -> None:
    bare_pod(SOURCE).log(level, "100% of it")
    assert records()[-1] == ("pypods.pod.subject", level, "100% of it")


def test_the_pod_sends_what_the_host_shows_and_no_more(
    bare_pod: LoadPod, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, logger="pypods.pod.subject")
    pod = bare_pod(SOURCE)
    assert pod.level() == logging.ERROR
    pod.log(logging.WARNING, "not shown")
    pod.log(logging.ERROR, "shown")
    assert [record.getMessage() for record in caplog.records] == ["shown"]


def test_a_pod_may_configure_logging_as_ever(bare_pod: LoadPod, records: Records) -> None:
    bare_pod(SOURCE).configure()
    assert records()[-1] == ("pypods.pod.subject", logging.DEBUG, "configured")


def test_what_is_printed_before_a_start_fails_is_heard(
    bare_loader: LoadPod, records: Records
) -> None:
    with pytest.raises(PodStartError):
        bare_loader("print('so far')\n1 / 0").load_pod()
    assert records() == info("so far")


def test_stdin_is_empty(bare_pod: LoadPod) -> None:
    assert bare_pod(SOURCE).read_stdin() == ("", b"")


def test_prints_and_records_of_two_pods_are_told_apart(
    bare_loader: LoadPod, records: Records
) -> None:
    one, other = bare_loader("def say(x): print(x)"), bare_loader("def say(x): print(x)", "other")
    one.load_pod().say("one")
    other.load_pod().say("two")
    assert records() == [
        ("pypods.pod.subject", logging.INFO, "one"),
        ("pypods.pod.other", logging.INFO, "two"),
    ]


def test_prints_and_records_keep_their_own_order(bare_pod: LoadPod, records: Records) -> None:
    bare_pod(SOURCE).interleave(500)
    assert [m for _, level, m in records() if level == 20][1:] == [
        f"printed {number}" for number in range(500)
    ]
    assert [m for _, level, m in records() if level == 30][1:] == [
        f"logged {number}" for number in range(500)
    ]


# Much ------------------------------------------------------------------------------------------


class Count(logging.Handler):
    """Counts what comes, and keeps none of it."""

    def __init__(self) -> None:
        super().__init__()
        self.characters = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.characters += len(record.getMessage()) + 1


@pytest.mark.parametrize("name", ["much", "much_by_c"])
def test_a_pod_that_prints_100_mb_stalls_nobody(bare_loader: LoadPod, name: str) -> None:
    """Neither itself nor another pod, which is called all the while."""
    logger, count = logging.getLogger("pypods.pod.subject"), Count()
    logger.setLevel(logging.INFO)
    logger.addHandler(count)
    logger.propagate = False
    try:
        pod = bare_loader(SOURCE).load_pod()
        other = bare_loader(SOURCE, "other").load_pod()
        count.characters = 0
        results: list[Any] = []
        printing = threading.Thread(target=lambda: results.append(getattr(pod, name)(100)))
        printing.start()
        calls = 0
        while printing.is_alive():
            assert other.same(calls) == calls
            calls += 1
        assert results == ["done"]
        assert calls > 20
        assert count.characters >= 99_000_000
        assert pod.same(1) == 1
    finally:
        logger.removeHandler(count)
        logger.propagate = True


def test_what_is_printed_between_calls_comes_with_the_next(
    bare_pod: LoadPod, records: Records
) -> None:
    pod = bare_pod(SOURCE)
    pod.in_background(100)
    deadline = time.monotonic() + 20
    while not pod.has_finished() and time.monotonic() < deadline:
        time.sleep(0.01)
    pod.same(1)
    assert records()[-100:] == info(*["x" * 99] * 100)


def test_a_thread_that_prints_more_than_the_pipe_holds_waits_and_is_not_lost(
    bare_loader: LoadPod, records: Records
) -> None:
    """Nobody else waits: calls are answered, and the pod can be stopped."""
    loader = bare_loader(SOURCE)
    pod = loader.load_pod()
    before = len(records())
    pod.in_background(5_000)
    time.sleep(0.2)
    deadline = time.monotonic() + 20
    while not pod.has_finished() and time.monotonic() < deadline:
        time.sleep(0.01)
    pod.same(1)
    assert len(records()) - before == 5_000
    pod.in_background(5_000)
    time.sleep(0.1)
    loader.unload_pod()
