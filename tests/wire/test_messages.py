"""Messages to documents and back, and documents that are no message."""

from __future__ import annotations

import pytest

from pypods.errors import ProtocolError
from pypods.wire.messages import (
    Answer,
    Call,
    Callback,
    Cancel,
    Close,
    Define,
    Describe,
    Drop,
    Failure,
    Forget,
    Hello,
    Log,
    Map,
    Message,
    More,
    Part,
    Pull,
    Ready,
    Release,
    Result,
    message_from_document,
    message_to_document,
)
from pypods.worker.serve import hello_document

MESSAGES: list[Message] = [
    Hello(1, "3.8.18", "cpython", 4242, "linux"),
    Ready(["foo", "bar"]),
    Log("pod.sub", 30, "watch out", 1_700_000_000.5, "/pods/x/pod.py", 7, "foo"),
    Call(1, "foo", [1, 2], {"c": 3}),
    Describe(2, "foo"),
    Describe(2),
    Cancel(1),
    Map(3, "foo", [[1], [2]]),
    More(4, 1, 16),
    Close(1, 5),
    Close(1),
    Callback(1, 1, 3, [7]),
    Pull(1, 2, 1, 1, 4),
    Answer(1, 1, 49),
    Answer(1, 2, None, {"text": "no"}),
    Define("f 1", "f.py", 3, "def f(): pass", 0, bytes(5)),
    Drop(bytes(16)),
    Forget(bytes(24)),
    Release(bytes(8)),
    Part(1, [[1, 2], [3, 4]]),
    Result(1, 3),
    Failure(1, {"text": "no"}),
]


@pytest.mark.parametrize("message", MESSAGES, ids=repr)
def test_a_message_is_a_document_and_back(message):
    document = message_to_document(message)
    assert document["kind"] == message.kind
    assert next(iter(document)) == ("kind" if getattr(message, "id", None) is None else "id")
    assert message_from_document(document) == message


def test_every_message_is_among_the_examples():
    assert {type(message) for message in MESSAGES} == set(Message.__args__)


def test_the_worker_says_a_whole_hello():
    hello = message_from_document(hello_document())
    assert isinstance(hello, Hello)
    assert hello.protocol == 1


@pytest.mark.parametrize("kind", [None, 1, [], "", "nothing", "x" * 1000])
def test_a_kind_that_does_not_exist_is_a_protocol_error(kind):
    with pytest.raises(ProtocolError, match="no message of kind") as caught:
        message_from_document({"kind": kind})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"kind": "ready"}, "a ready has the fields functions, names, not"),
        (
            {"kind": "cancel", "id": 1, "more": 2},
            r"a cancel has the fields id, not \['id', 'more'\]",
        ),
        ({"kind": "cancel", "id": "1"}, "cancel: id must be int, not str"),
        ({"kind": "hello", "protocol": None}, "hello: protocol must be int, not NoneType"),
        ({"kind": "log", "created": 1}, "log: created must be float, not int"),
        ({"kind": "result", "id": 1, "self": 2}, "a result has the fields"),
        ({"kind": "failure", "id": 1, "error": []}, "failure: error must be dict, not list"),
        ({"kind": "cancel", "id": 1, "a b": 2}, "a cancel has the fields id"),
    ],
)
def test_fields_that_do_not_fit_are_a_protocol_error(document, reason):
    with pytest.raises(ProtocolError, match=reason):
        message_from_document(document)
