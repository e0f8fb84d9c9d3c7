"""Pods that talk nonsense, stall, lie or flood: an error, the pod stopped, the host unharmed."""

from __future__ import annotations

import datetime as dt
import math
import struct
import sys
import zoneinfo
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pypods.errors import (
    PodCallError,
    PodDiedError,
    PodError,
    PodStartError,
    PodTimeoutError,
    ProtocolError,
    ValueTransferError,
)
from pypods.pods import PodLoader, describe
from pypods.pods.environment import Environment
from pypods.wire.documents import encode_document
from pypods.wire.envelopes import numbered_frame
from pypods.wire.frames import PROTOCOL_VERSION

# What a fake pod does, step by step: bytes are written, a number is slept, the rest is named.
FAKE = """#!{python} -IS
import os, struct, sys, time
def read_frame():
    data = b""
    while len(data) < 4 or len(data) < struct.unpack_from("<i", data)[0]:
        more = os.read(0, 65536)
        if not more: os._exit(0)
        data += more
def write(fd, data):
    while data: data = data[os.write(fd, data):]
for step in {steps!r}:
    if isinstance(step, bytes): write(1, step)
    elif isinstance(step, (int, float)): time.sleep(step)
    elif step == "read": read_frame()
    elif step == "close": os.close(1)
    elif step[0] == "exit": os._exit(step[1])
    elif step[0] == "for ever":
        while True: write(step[1], step[2])
"""
SILENCE = 60
READ = "read"
EXIT = ("exit", 3)

HELLO_DOCUMENT = {
    "kind": "hello",
    "protocol": PROTOCOL_VERSION,
    "python": "3.12.1",
    "implementation": "cpython",
    "pid": 1,
    "platform": "linux",
}
HELLO = encode_document(HELLO_DOCUMENT)
READY = encode_document({"kind": "ready", "functions": ["f", "g"]})
LOG_DOCUMENT = {
    "kind": "log",
    "logger": "x",
    "level": 50,
    "message": "m",
    "created": 1.0,
    "path": "p.py",
    "line": 1,
    "function": "f",
}
FAILURE_DOCUMENT = {
    "module": "builtins",
    "type": "ValueError",
    "builtin": "ValueError",
    "args": ["a"],
    "text": "a",
    "traceback": "Traceback",
    "notes": [],
    "cause": None,
    "context": None,
    "suppress_context": False,
    "exceptions": [],
}


def frame(**document: Any) -> bytes:
    return encode_document(document)


def reply(number: int = 1, **document: Any) -> bytes:
    return numbered_frame(number, encode_document(document))


def result(number: int, value: Any) -> bytes:
    return reply(number, kind="result", value=value)


def without(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != name}


def nested_frame(levels: int) -> bytes:
    """A document in a document, and so on: closed properly, all of them."""
    head = b""
    size = 5 + 8 * levels
    total = size
    for _ in range(levels):
        head += struct.pack("<i", size) + b"\x03" + b"d\0"
        size -= 8
    return (head + b"\x05\0\0\0\0" + b"\0" * levels)[:total]


class FakeLoader(PodLoader):
    """A loader whose interpreter is a script that takes the steps it is told to."""

    script: Path

    def _prepare(self) -> Environment:
        return Environment(self.script, self.script.parent.parent, (3, 12, 1))


LoadFake = Callable[..., FakeLoader]


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[LoadFake]:
    """Return a function from steps to a loader."""
    (tmp_path / "pods" / "subject").mkdir(parents=True)
    (tmp_path / "pods" / "subject" / "pod.py").touch()
    loaders: list[FakeLoader] = []

    def make(*steps: Any, **options: Any) -> FakeLoader:
        loader = FakeLoader("subject", pods_directory=tmp_path / "pods", **options)
        loader.script = tmp_path / f"fake{len(loaders)}"
        loader.script.write_text(FAKE.format(python=sys.executable, steps=steps))
        loader.script.chmod(0o755)
        loaders.append(loader)
        return loader

    yield make
    for loader in loaders:
        loader.unload_pod()


def fail_to_load(loader: FakeLoader) -> PodError:
    with pytest.raises(PodError) as caught:
        loader.load_pod()
    assert loader.state == "STOPPED"
    assert loader.pid is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value


def fail_to_call(loader: FakeLoader, **options: Any) -> BaseException:
    pod = loader.load_pod()
    pid = loader.pid
    with pytest.raises(PodError) as caught:
        pod.f.options(**options)()
    assert loader.state == "DIED"
    assert not Path(f"/proc/{pid}").exists()
    return caught.value


# No frames, no documents -----------------------------------------------------------------------

NO_FRAME = {
    "text": b"Traceback (most recent call last):\n",
    "2 GiB announced": struct.pack("<i", 2**31 - 1) + b"\x10",
    "more than the limit": struct.pack("<i", 2**20 + 1),
    "a negative length": struct.pack("<i", -1),
    "no room for a document": struct.pack("<i", 4),
    "zeros": bytes(100),
}
NO_DOCUMENT = {
    "nothing in a document's length": struct.pack("<i", 50) + bytes(46),
    "an unknown type of element": struct.pack("<i", 9) + b"\x7ex\0\0\0"[:5],
    "a name without an end": struct.pack("<i", 12) + b"\x10abcdefg",
    "a string beyond the end": struct.pack("<i3s", 20, b"\x02a\0") + b"\x84\3\0\0" + b"x" * 9,
    "a list beyond the end": struct.pack("<i3s", 20, b"\x04a\0") + b"\x84\3\0\0" + b"x" * 9,
    "bytes that are no text": struct.pack("<i", 14) + b"\x02a\0\x02\0\0\0\xff\0\0",
    "the empty document": b"\x05\0\0\0\0",
    "nested a hundred thousand times": nested_frame(100_000),
    "nested a thousand times": nested_frame(1_000),
}  # fmt: skip
NO_MESSAGE = {
    "no kind": frame(x=1),
    "an unknown kind": frame(kind="greeting"),
    "a kind that is no text": frame(kind=7),
    "a call": reply(1, kind="call", name="f", args=[], kwargs={}),
    "a field too many": frame(**HELLO_DOCUMENT, more=1),
    "a log without a message": frame(**without(LOG_DOCUMENT, "message")),
    "a log whose level is text": frame(**{**LOG_DOCUMENT, "level": "high"}),
    "a log whose time is text": frame(**{**LOG_DOCUMENT, "created": "now"}),
    "a kind of value that does not exist": frame(kind="log", x=b"").replace(
        b"\x05x\0\0\0\0\0\0", b"\x05x\0\x01\0\0\0\x80~"
    ),
}
NONSENSE = {**NO_FRAME, **NO_DOCUMENT, **NO_MESSAGE}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_in_place_of_a_greeting_is_a_protocol_error(fake: LoadFake, name: str) -> None:
    error = fail_to_load(fake(NONSENSE[name], SILENCE, max_frame_bytes=2**20))
    assert isinstance(error, ProtocolError)
    assert 'pod "subject" was stopped before it was ready: ' in str(error)


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_in_place_of_a_reply_is_a_protocol_error(fake: LoadFake, name: str) -> None:
    error = fail_to_call(fake(HELLO, READY, READ, NONSENSE[name], SILENCE, max_frame_bytes=2**20))
    assert isinstance(error, ProtocolError)
    assert 'pod "subject" was stopped: ' in str(error)


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_behind_a_reply_is_a_protocol_error(fake: LoadFake, name: str) -> None:
    loader = fake(
        HELLO, READY, READ, result(1, "fine") + NONSENSE[name], SILENCE, max_frame_bytes=2**20
    )
    pod = loader.load_pod()
    with pytest.raises(ProtocolError):
        # Already of this one, where it came in the same piece as the result.
        assert pod.f() == "fine" == pod.f()
    assert loader.state == "DIED"


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(min_size=4, max_size=200), in_call=st.booleans())
def test_random_bytes_are_no_more_than_an_error(fake: LoadFake, data: bytes, in_call: bool) -> None:
    steps = [HELLO, READY, READ] if in_call else []
    loader = fake(*steps, data, EXIT, max_frame_bytes=2**20)
    with pytest.raises((ProtocolError, PodStartError, PodDiedError)) as caught:
        loader.load_pod().f()
    if not 5 <= struct.unpack_from("<i", data)[0] <= 2**20:
        assert isinstance(caught.value, ProtocolError)


# Greetings -------------------------------------------------------------------------------------


def test_another_protocol_is_told_as_such(fake: LoadFake) -> None:
    error = fail_to_load(fake(frame(**{**HELLO_DOCUMENT, "protocol": 99}), READY, SILENCE))
    assert isinstance(error, ProtocolError)
    assert f"speaks protocol 99 and this host speaks {PROTOCOL_VERSION}" in str(error)


GREETINGS = {
    "ready before hello": [READY, HELLO],
    "hello twice": [HELLO + HELLO, READY],
    "a result before ready": [HELLO, result(1, 1)],
    "ready with a reply behind it": [HELLO + READY + result(1, 1)],
    "functions that are no list": [HELLO, frame(kind="ready", functions={"f": 1})],
    "a name that is a number": [HELLO, frame(kind="ready", functions=[1])],
    "a name that is no identifier": [HELLO, frame(kind="ready", functions=["a b"])],
    "a name of Python's own": [HELLO, frame(kind="ready", functions=["__class__"])],
    "a name of the pod's own": [HELLO, frame(kind="ready", functions=["_pypods_source"])],
    "an empty name": [HELLO, frame(kind="ready", functions=[""])],
    "a failure that is none": [HELLO, reply(0, kind="failure", error={})],
} | {
    f"hello without {name}": [frame(**without(HELLO_DOCUMENT, name)), READY]
    for name in HELLO_DOCUMENT
}


@pytest.mark.parametrize("name", GREETINGS)
def test_a_greeting_that_is_none_is_a_protocol_error(fake: LoadFake, name: str) -> None:
    assert isinstance(fail_to_load(fake(*GREETINGS[name], SILENCE)), ProtocolError)


@pytest.mark.parametrize(
    "steps",
    [[], [HELLO[:20]], [HELLO], [HELLO, READY[:10]], [struct.pack("<h", 9)]],
    ids=["nothing", "half a hello", "no ready", "half a ready", "half a length"],
)
def test_silence_is_timed_out_and_an_end_is_told(fake: LoadFake, steps: list[Any]) -> None:
    error = fail_to_load(fake(*steps, SILENCE, start_timeout=0.2))
    assert isinstance(error, PodTimeoutError)
    error = fail_to_load(fake(*steps, EXIT))
    assert isinstance(error, PodStartError)
    assert "exit status 3" in str(error)


def test_a_pod_that_hangs_up_but_goes_on_is_stopped(
    fake: LoadFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypods.pods.session_end.INTERRUPT_GRACE_SECONDS", 0.2)
    assert "killed by SIGKILL" in str(fail_to_load(fake(HELLO, "close", SILENCE)))
    error = fail_to_call(fake(HELLO, READY, READ, "close", SILENCE))
    assert isinstance(error, PodDiedError)


@pytest.mark.parametrize(
    "flood",
    [
        ("for ever", 1, frame(**LOG_DOCUMENT)),
        ("for ever", 2, b"x" * 1000),
        ("for ever", 2, b"x\n" * 1000),
        ("for ever", 1, bytes(1000)),
    ],
    ids=["records", "output", "lines", "zeros"],
)
@pytest.mark.parametrize("when", ["start", "call"])
def test_a_flood_does_not_put_off_the_end(fake: LoadFake, flood: Any, when: str) -> None:
    if when == "start":
        error: BaseException = fail_to_load(fake(flood, start_timeout=0.2))
    else:
        loader = fake(HELLO, READY, READ, flood)
        error = fail_to_call(loader, timeout=0.2)
    assert isinstance(error, ProtocolError if flood[2][:1] == b"\0" else PodTimeoutError)


# Replies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [result(2, 1), result(0, 1), result(-1, 1), result(2**63 - 1, 1)],
    ids=["the next", "zero", "negative", "large"],
)
def test_a_reply_to_a_call_never_made_is_a_protocol_error(fake: LoadFake, data: bytes) -> None:
    error = fail_to_call(fake(HELLO, READY, READ, data, SILENCE))
    assert isinstance(error, ProtocolError)
    assert "never made" in str(error)


def test_two_replies_to_one_call_in_one_piece_are_a_protocol_error(fake: LoadFake) -> None:
    error = fail_to_call(fake(HELLO, READY, READ, result(1, 1) + result(1, 2), SILENCE))
    assert isinstance(error, ProtocolError)
    assert "two replies to call 1" in str(error)


def test_two_replies_to_one_call_in_two_pieces_are_a_protocol_error(fake: LoadFake) -> None:
    loader = fake(HELLO, READY, READ, result(1, "first"), 0.1, result(1, "second"), SILENCE)
    pod = loader.load_pod()
    assert pod.f() == "first"
    with pytest.raises(
        ProtocolError, match="a reply to call 1, which was never made or is answered"
    ):
        pod.f()
    assert loader.state == "DIED"


REPLIES = {
    "a hello": reply(1, **HELLO_DOCUMENT),
    "a ready": reply(1, kind="ready", functions=[]),
    "a cancel": reply(1, kind="cancel"),
    "no value": reply(1, kind="result"),
    "another's value": reply(1, kind="result", values=1),
    "a failure that is text": reply(1, kind="failure", error="bad"),
    "a failure without a document": reply(1, kind="failure"),
    "a value nested too deeply": result(1, None)[:16]
    + b"\x02kind\0\x07\0\0\0result\0\x03value\0"
    + nested_frame(5_000),
} | {
    f"a failure whose {name} is {value!r:.20}": reply(
        1, kind="failure", error={**FAILURE_DOCUMENT, name: value}
    )
    for name, value in [
        ("module", 1),
        ("type", None),
        ("builtin", 7),
        ("text", b"t"),
        ("traceback", []),
        ("args", "text"),
        ("args", None),
        ("notes", 5),
        ("notes", "note"),
        ("exceptions", 5),
        ("exceptions", [1]),
        ("cause", {}),
        ("context", {"type": "x"}),
        ("exceptions", [{}]),
    ]
} | {
    f"a failure without {name}": reply(1, kind="failure", error=without(FAILURE_DOCUMENT, name))
    for name in ("module", "type", "builtin", "args", "text", "traceback")
}  # fmt: skip


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_that_is_none_is_a_protocol_error(fake: LoadFake, name: str) -> None:
    data = REPLIES[name]
    data = struct.pack("<i", len(data)) + data[4:]
    assert isinstance(fail_to_call(fake(HELLO, READY, READ, data, SILENCE)), ProtocolError)


def test_half_a_reply_is_a_death_or_a_timeout(fake: LoadFake) -> None:
    half = result(1, "x" * 1000)[:500]
    error = fail_to_call(fake(HELLO, READY, READ, half, EXIT))
    assert isinstance(error, PodDiedError)
    assert error.exit_status == 3
    error = fail_to_call(fake(HELLO, READY, READ, half, SILENCE), timeout=0.2)
    assert isinstance(error, PodTimeoutError)
    assert "the pod was stopped" in str(error)


# Parts of replies ------------------------------------------------------------------------------


def part(value: Any, number: int = 1) -> bytes:
    return reply(number, kind="part", value=value)


ROWS = [(1, "a"), (2, "b")]


def test_parts_and_what_ends_them_are_one_result(fake: LoadFake) -> None:
    pod = fake(HELLO, READY, READ, part(ROWS) + part([3]), part([]), result(1, [4])).load_pod()
    assert pod.f() == [*ROWS, 3, 4]


@pytest.mark.parametrize(
    "data",
    [
        part(5),
        part(None),
        part({"a": 1}),
        part(tuple(ROWS)),
        reply(1, kind="part"),
        part(ROWS) + part("text"),
        part(ROWS) + result(1, 5),
        part(ROWS) + result(1, None),
        part(ROWS) + result(1, 2.5),
        part(ROWS) + result(1, {"rows": []}),
        part(ROWS, number=2),
        part(ROWS) + part(ROWS, number=2),
    ],
    ids=["an int", "null", "a document", "a tuple", "nothing", "text behind rows", "an int at last",
         "null at last", "a float at last", "a document at last", "of no call", "of another call"],
)  # fmt: skip
def test_parts_that_are_none_are_a_protocol_error(fake: LoadFake, data: bytes) -> None:
    assert isinstance(fail_to_call(fake(HELLO, READY, READ, data, SILENCE)), ProtocolError)


@pytest.mark.parametrize("way", ["call", "submit"])
def test_parts_without_end_are_stopped_at_the_limit(fake: LoadFake, way: str) -> None:
    flood = ("for ever", 1, part(ROWS * 1000))
    loader = fake(HELLO, READY, READ, flood, max_frame_bytes=2**20, max_shared_bytes=0)
    f = loader.load_pod().f
    with pytest.raises(ProtocolError, match="a result in parts is longer than 1048576 bytes"):
        f() if way == "call" else f.submit().result(60)
    assert loader.state == "DIED"


def test_parts_without_end_are_stopped_by_the_timeout(fake: LoadFake) -> None:
    loader = fake(HELLO, READY, READ, ("for ever", 1, part([])))
    assert isinstance(fail_to_call(loader, timeout=0.2), PodTimeoutError)


def test_a_failure_takes_the_place_of_the_parts_before(fake: LoadFake) -> None:
    failure = reply(1, kind="failure", error=FAILURE_DOCUMENT)
    pod = fake(HELLO, READY, READ, part(ROWS) + failure, READ, result(2, 5)).load_pod()
    with pytest.raises(PodCallError, match="a"):
        pod.f()
    assert pod.f() == 5


@pytest.mark.parametrize("way", ["call", "submit"])
def test_a_part_that_cannot_be_had_here_is_told_at_the_end(fake: LoadFake, way: str) -> None:
    with (Path(zoneinfo.TZPATH[0]) / "UTC").open("rb") as file:
        nowhere = zoneinfo.ZoneInfo.from_file(file, key="No/Where")
    bad = part([(dt.datetime(2000, 1, 1, tzinfo=nowhere),)])
    pod = fake(
        HELLO, READY, READ, part(ROWS) + bad + part(ROWS), result(1, []), READ, result(2, 5)
    ).load_pod()
    with pytest.raises(ValueTransferError, match="no such zone on this side"):
        pod.f() if way == "call" else pod.f.submit().result(60)
    assert pod.f() == 5


@pytest.mark.parametrize(
    "value",
    [{}, [], [1], "text", {"name": "f", "doc": 1, "parameters": None, "returns": None},
     {"name": "f", "doc": None, "parameters": [{}], "returns": None},
     {"name": "f", "doc": None, "parameters": 5, "returns": None},
     {"name": "f", "doc": None, "parameters": [{"name": "x y", "kind": 1, "annotation": None}],
      "returns": None},
     {"name": "f", "doc": None, "parameters": [{"name": "x", "kind": [], "annotation": None}],
      "returns": None},
     {"name": "f", "doc": None, "parameters": [], "returns": 5}],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_a_description_that_is_none_is_a_protocol_error(fake: LoadFake, value: Any) -> None:
    loader = fake(HELLO, READY, READ, result(1, value), SILENCE)
    pod = loader.load_pod()
    with pytest.raises(ProtocolError):
        assert pod.f.__doc__
    assert loader.state == "DIED"
    if value != []:
        with pytest.raises(ProtocolError):
            describe(pod)
        assert loader.state == "DIED"


# Functions of the host ---------------------------------------------------------------------------


def callback(**changes: Any) -> bytes:
    asked = {"kind": "callback", "ask": 1, "number": 1, "args": [], "kwargs": {}}
    return numbered_frame(1, encode_document({**asked, **changes}))


QUESTIONS = {
    f"number {number!r}": callback(number=number)
    for number in [2, 0, -1, 2**40, 2**80, True, "1", None, [], {}, 1.0]
} | {
    "args that are none": callback(args=5),
    "kwargs that are none": callback(kwargs=[1]),
    "no number": reply(1, kind="callback", ask=1, args=[], kwargs={}),
    "a pull of no call": reply(1, kind="pull", ask=1, owner=[], index=0, items=1),
    "a pull of nothing": reply(1, kind="pull", ask=1, owner=1, index=0, items=1),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_was_not_lent_is_not_called_and_the_pod_is_told(fake: LoadFake, name: str) -> None:
    called: list[object] = []
    steps = [QUESTIONS[name], READ, result(1, "fine"), SILENCE]
    loader = fake(HELLO, READY, READ, *steps)
    assert loader.load_pod().f(called.append) == "fine"
    assert called == []


def test_what_the_pod_let_go_of_is_not_called(fake: LoadFake) -> None:
    called: list[object] = []
    forget = frame(kind="forget", counts=struct.pack("<QQQ", 1, 1, 0))
    steps = [callback(), READ, forget + callback(), READ, result(1, "fine"), SILENCE]
    loader = fake(HELLO, READY, READ, *steps)
    assert loader.load_pod().f(lambda: called.append("once")) == "fine"
    assert called == ["once"]
    assert len(loader.session_at(0)._handles.functions) == 0


@pytest.mark.parametrize("counts", [b"x", bytes(25), "text", 5, None], ids=repr)
def test_counts_of_functions_that_are_none_are_a_protocol_error(fake: LoadFake, counts) -> None:
    forget = frame(kind="forget", counts=counts)
    error = fail_to_call(fake(HELLO, READY, READ, forget + result(1, 1), SILENCE))
    assert isinstance(error, ProtocolError)


@pytest.mark.parametrize("number", [1, 0, -1, "1", None, [], 2**80], ids=repr)
def test_a_function_that_was_never_lent_cannot_come_back(fake: LoadFake, number: Any) -> None:
    content = encode_document({"number": number})
    kind = b"\x05value\0" + struct.pack("<i", len(content) + 1) + b"\x80k" + content + b"\0"
    data = result(1, None).replace(b"\x0avalue\0\0", kind)
    data = struct.pack("<i", len(data)) + data[4:]
    assert isinstance(fail_to_call(fake(HELLO, READY, READ, data, SILENCE)), ProtocolError)


# Replies that are sound, though odd ------------------------------------------------------------


def test_a_failure_may_name_what_it_likes_and_nothing_is_looked_up(fake: LoadFake) -> None:
    error = {
        **FAILURE_DOCUMENT,
        "module": "os",
        "type": "system",
        "builtin": "SystemExit",
        "notes": [1, None],
        "context": "cause",
    }
    loader = fake(HELLO, READY, READ, reply(1, kind="failure", error=error), READ)
    with pytest.raises(PodCallError) as caught:
        loader.load_pod().f()
    assert type(caught.value) is PodCallError
    assert caught.value.type_name == "os.system"


def test_a_million_names_are_remembered_by_nobody(fake: LoadFake) -> None:
    names = [{**FAILURE_DOCUMENT, "builtin": f"Error{number}"} for number in range(5_000)]
    error = {**FAILURE_DOCUMENT, "exceptions": names, "args": [str(n) for n in range(10**6)]}
    loader = fake(HELLO, READY, READ, reply(1, kind="failure", error=error), READ)
    with pytest.raises(ValueError, match="a") as caught:
        loader.load_pod().f()
    assert len(caught.value.args) == 10**6
    from pypods.wire.remote_errors import _mirrored_class

    assert _mirrored_class.cache_info().currsize < 200


def test_a_long_chain_of_causes_is_no_recursion(fake: LoadFake) -> None:
    error: dict[str, Any] = FAILURE_DOCUMENT
    for _ in range(90):
        error = {**FAILURE_DOCUMENT, "cause": error, "context": error if _ < 3 else None}
    loader = fake(HELLO, READY, READ, reply(1, kind="failure", error=error), READ)
    with pytest.raises(ValueError, match="a"):
        loader.load_pod().f()


def test_records_may_hold_nonsense_that_is_of_the_right_type(
    fake: LoadFake, caplog: pytest.LogCaptureFixture
) -> None:
    odd = [
        {"created": math.nan},
        {"created": math.inf},
        {"created": -1e300},
        {"created": 1e300},
        {"level": 10**9},
        {"line": -(2**60)},
        {"message": "100% %s %d {}\0\ud800"},
        {"path": "\0", "function": "\n"},
    ]
    data = b"".join(frame(**{**LOG_DOCUMENT, **each}) for each in odd)
    loader = fake(HELLO, READY, READ, data + result(1, "fine"), READ)
    caplog.set_level(0)
    assert loader.load_pod().f() == "fine"
    assert len([r for r in caplog.records if r.name == "pypods.pod.subject"]) == len(odd)
    for record in caplog.records:
        assert caplog.handler.format(record)


def test_a_value_the_host_has_no_place_for_leaves_the_pod_running(fake: LoadFake) -> None:
    import datetime as dt
    from zoneinfo import ZoneInfo

    zone = ZoneInfo.no_cache("Europe/Paris")
    data = result(1, dt.datetime(2024, 1, 1, tzinfo=zone)).replace(b"Paris", b"Pariz")
    loader = fake(HELLO, READY, READ, data, READ, result(2, "fine"), READ)
    pod = loader.load_pod()
    with pytest.raises(ValueTransferError, match="Europe/Pariz"):
        pod.f()
    assert pod.f() == "fine"


# Memory ----------------------------------------------------------------------------------------


def peak_growth(work: Callable[[], Any]) -> int:
    """Return by how many bytes this process grew at most while the work was done."""
    Path("/proc/self/clear_refs").write_text("5")  # Resets the peak.
    before = resident_bytes("VmRSS")
    work()
    return resident_bytes("VmHWM") - before


def resident_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise AssertionError(field)


on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@on_linux
def test_a_frame_of_2_gib_announced_costs_nothing(fake: LoadFake) -> None:
    header = struct.pack("<i", 2**31 - 1)
    loader = fake(HELLO, READY, READ, header, ("for ever", 1, bytes(2**16)))
    loader.load_pod()
    assert peak_growth(lambda: fail_to_call(loader)) < 16 * 2**20


@on_linux
def test_a_frame_within_the_limit_that_never_ends_costs_what_has_come(fake: LoadFake) -> None:
    """Also where the limit is as large as it can be."""
    header = struct.pack("<i", 2**31 - 1)
    loader = fake(HELLO, READY, READ, header, bytes(2**16), SILENCE, max_frame_bytes=2**31 - 1)
    loader.load_pod()
    assert peak_growth(lambda: fail_to_call(loader, timeout=0.3)) < 16 * 2**20


@on_linux
def test_a_flood_stays_within_a_small_multiple_of_the_limit(fake: LoadFake) -> None:
    limit = 16 * 2**20
    header = struct.pack("<i", limit)
    loader = fake(HELLO, READY, READ, header, ("for ever", 1, bytes(2**16)), max_frame_bytes=limit)
    loader.load_pod()
    growth = peak_growth(lambda: fail_to_call(loader))
    assert growth < 4 * limit


@on_linux
def test_a_flood_of_output_costs_next_to_nothing(fake: LoadFake) -> None:
    loader = fake(HELLO, READY, READ, ("for ever", 2, b"x" * 2**16))
    loader.load_pod()
    assert peak_growth(lambda: fail_to_call(loader, timeout=0.5)) < 16 * 2**20
