"""The short ways around the codec write and read what the codec does."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.envelopes import (
    NO_SCALAR,
    NONE_RESULT_TAIL,
    RESULT_HEAD,
    TAIL_START,
    call_frame,
    call_head,
    forget_frame,
    frame_id,
    numbered_frame,
    parent_call,
    result_frame,
    scalar_result,
    split_call,
    within_call,
)
from pypods.wire.messages import Call, Cancel, Failure, Message, Ready, Result, message_to_document


def canonical(message: Message) -> bytes:
    """Return the bytes of a message as any codec writes them, but for an id's width."""
    document = message_to_document(message)
    number = document.pop("id")
    plain = encode_document(document)
    element = b"\x12id\0" + struct.pack("<q", number)
    return struct.pack("<i", len(plain) + len(element)) + element + plain[4:]


CALLS = [
    Call(1, "f"),
    Call(2**40, "größe", [1, (2, "x")], {"to": {None}}),
    Call(3, "", [[]], {}),
    Call(4, "f", [], {"a": 1}),
    Call(5, "f", [b"x" * 5000], {}),
]


@pytest.mark.parametrize("call", CALLS, ids=repr)
def test_a_calls_frame_is_the_messages(call):
    arguments = None
    if call.args or call.kwargs:
        arguments = encode_document({"args": call.args, "kwargs": call.kwargs})
    frame = call_frame(call.id, call_head(call.name), arguments)
    assert frame == canonical(call)
    assert frame_id(frame) == call.id
    assert split_call(frame) == (call.name, call.args, call.kwargs)
    assert decode_document(frame) == message_to_document(call)


def test_a_call_without_arguments_may_spell_them_out():
    arguments = encode_document({"args": [], "kwargs": {}})
    assert call_frame(7, call_head("f"), arguments) == call_frame(7, call_head("f"))


@pytest.mark.parametrize("value", [None, 1, "x", [None], {"a": (1,)}, b"\0" * 1000])
def test_a_results_frame_is_the_messages(value):
    frame = result_frame(9, value)
    assert frame == canonical(Result(9, value))
    assert frame.startswith(RESULT_HEAD, TAIL_START)
    assert frame.startswith(NONE_RESULT_TAIL, TAIL_START) is (value is None)


def test_a_result_that_cannot_cross_is_named():
    with pytest.raises(ValueTransferError) as caught:
        result_frame(1, {"a": object()})
    assert caught.value.place == 'value["a"]'


@pytest.mark.parametrize("message", [Cancel(5), Failure(0, {"text": "no"})], ids=repr)
def test_a_numbered_frame_is_the_messages(message):
    document = message_to_document(message)
    del document["id"]
    assert numbered_frame(message.id, encode_document(document)) == canonical(message)


def test_a_frame_without_an_id_has_none():
    assert frame_id(encode_document(message_to_document(Ready(["f", "g"])))) is None
    assert frame_id(encode_document({})) is None
    assert frame_id(encode_document({"id": 1})) is None  # As an int32, which no side writes.
    assert frame_id(encode_document({"id": 2**40})) == 2**40


UNUSUAL = {
    "another kind": encode_document({"id": 2**40, "kind": "cancel"}),
    "kwargs first": encode_document(
        {"id": 2**40, "kind": "call", "name": "f", "kwargs": {}, "args": []}
    ),
    "kwargs of other keys": encode_document(
        {"id": 2**40, "kind": "call", "name": "f", "args": [1], "kwargs": {"$ref": 1}}
    ),
    "more than a call": encode_document(
        {"id": 2**40, "kind": "call", "name": "f", "args": [1], "kwargs": {}, "more": 1}
    ),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_is_not_in_the_usual_form_is_left_to_the_codec(name):
    assert split_call(UNUSUAL[name]) is None


@settings(max_examples=200, derandomize=True)
@given(place=st.integers(TAIL_START, 80), byte=st.integers(0, 255), cut=st.integers(0, 5))
def test_a_broken_call_is_left_to_the_codec_or_refused(place, byte, cut):
    data = bytearray(call_frame(1, call_head("f"), encode_document({"args": [1], "kwargs": {}})))
    data[place % len(data)] = byte
    frame = bytes(data[: len(data) - cut])
    try:
        call = split_call(frame)
    except (ProtocolError, ValueTransferError):
        return
    assert call is None or len(call) == 3


@pytest.mark.parametrize(
    "value", [True, False, 0, -1, 2**31 - 1, -(2**31), 0.0, -0.5, float("inf")]
)
def test_a_result_that_is_a_number_is_read_without_a_codec(value):
    frame = result_frame(7, value)
    found = scalar_result(frame)
    assert (type(found), found) == (type(value), value)
    assert decode_document(frame)["value"] == value
    for broken in (frame[:-1] + b"\1", frame + b"\0", frame[:-1]):
        assert scalar_result(broken) is NO_SCALAR


@pytest.mark.parametrize("value", [None, "x", 2**31, 2**80, [1], b"", (1,), {"a": 1}])
def test_any_other_result_is_left_to_the_codec(value):
    assert scalar_result(result_frame(7, value)) is NO_SCALAR


def test_a_bool_that_is_none_is_left_to_the_codec():
    assert scalar_result(result_frame(7, True)[:-2] + b"\2\0") is NO_SCALAR


@pytest.mark.parametrize("counts", [b"", bytes(24), bytes(range(240))], ids=len)
def test_a_forget_is_what_the_codec_writes(counts):
    assert forget_frame(counts) == encode_document({"kind": "forget", "counts": counts})


def test_a_call_within_another_is_read_at_once():
    head = call_head("f")
    for document in ({"args": [1], "kwargs": {}}, {"args": [], "kwargs": {"a": 1}}):
        frame = call_frame(1, head, within_call(encode_document(document), 7))
        assert split_call(frame) == ("f", document["args"], document["kwargs"])
        assert parent_call(frame) == 7
