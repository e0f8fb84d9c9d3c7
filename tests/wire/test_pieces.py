"""Large bytes that are put together of pieces: the same bytes, and no more copies than needed."""

from __future__ import annotations

import array
import dataclasses
import tracemalloc

import bson
import numpy as np
import pytest

from pypods.pods.codec import HostCodec
from pypods.wire import envelopes
from pypods.wire.documents import (
    decode_document,
    encode_document,
    encode_field,
    encode_in_pieces,
)
from pypods.wire.pieces import LARGE_BYTES, Pieces, join, whole

MIB = 2**20
LARGE = bytes(range(256)) * (LARGE_BYTES // 256)


@dataclasses.dataclass
class Parcel:
    """A dataclass around something large."""

    content: object


def test_pieces_are_put_together_and_cut_as_bytes_are():
    pieces = b"ab" + Pieces([b"cdefg", memoryview(b"hij")], 8) + b"klm"
    assert len(pieces) == 13
    assert whole(pieces) == b"abcdefghijklm"
    assert whole(pieces[1:]) == b"bcdefghijklm"
    assert whole(pieces[:-1]) == b"abcdefghijkl"
    assert (len(pieces[1:]), len(pieces[:-1])) == (12, 12)
    assert whole(b"as it is") == b"as it is"


def test_joined_pieces_keep_their_order_and_small_parts_become_one():
    pieces = join([b"a", b"b", Pieces([b"c", b"d"], 2), Pieces([b"e"], 1), b"f", b"g"])
    assert pieces.parts == [b"ab", b"c", b"d", b"e", b"fg"]
    assert len(pieces) == 7


@pytest.mark.parametrize("extra", [-1, 0, 1, LARGE_BYTES], ids=str)
def test_large_values_have_the_bytes_that_pymongo_writes(extra):
    data = (LARGE * 2)[: LARGE_BYTES + extra]
    text = "é" * (len(data) // 2)
    for value in (
        data,
        text,
        [data],
        {"a": {"b": [1, data, "x", data], "c": None}, "d": text},
        {str(number): "x" * 40 for number in range(len(data) // 40)},
    ):
        document = {"v": value, "w": 1}
        assert encode_document(document) == bson.encode(document)
        assert whole(encode_in_pieces(document)) == bson.encode(document)
        assert encode_field("v", value) == bson.encode({"v": value})[4:-1]


def wrappings(value):
    return {
        "alone": value,
        "in lists": [[[[[[value]]]]]],
        "in dicts": {"a": {"b": {"c": value}}},
        "in tuples": ((((value,),),),),
        "in kinds": {1: {2: {3: value}}},
        "in rows": [{"a": 1, "b": value}] * 16,
        "in a dataclass": {"p": Parcel((value, 1))},
    }


@pytest.mark.parametrize("name", wrappings(b""))
def test_what_is_large_comes_back_from_any_depth(name):
    for large in (LARGE, bytearray(LARGE), memoryview(LARGE), array.array("B", LARGE)):
        value = wrappings(large)[name]
        frame = encode_document({"v": value})
        if name == "in a dataclass":
            assert decode_document(frame)["v"]["p"].content == (large, 1)
        else:
            assert decode_document(frame) == {"v": value}
            assert HostCodec().decode(frame) == {"v": value}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", ["alone", "in kinds", "in lists"])
def test_a_large_array_comes_back_in_its_order(name, order):
    large = np.arange(2 * LARGE_BYTES // 8, dtype="f8").reshape(64, -1).copy(order)
    back = decode_document(encode_document({"v": wrappings(large)[name]}))["v"]
    while type(back) in (list, dict):
        back = next(iter(back if type(back) is list else back.values()))
    assert np.array_equal(back, large)
    assert back.flags.f_contiguous == (order == "F")
    halves = decode_document(encode_document({"v": large[::2]}))["v"]
    assert np.array_equal(halves, large[::2])


def test_a_result_and_a_call_of_something_large_are_frames():
    frame = envelopes.result_frame(7, [LARGE])
    assert decode_document(frame) == {"id": 7, "kind": "result", "value": [LARGE]}
    arguments = encode_in_pieces({"args": [LARGE], "kwargs": {}})
    assert type(arguments) is Pieces
    head = envelopes.call_head("f")
    frame = envelopes.call_frame(3, head, arguments)
    assert envelopes.split_call(frame) == ("f", [LARGE], {})
    inside = envelopes.call_frame(4, head, envelopes.within_call(arguments, 9))
    assert decode_document(inside)["within"] == 9
    request = envelopes.numbered_frame(5, encode_in_pieces({"kind": "answer", "value": LARGE}))
    assert decode_document(request) == {"id": 5, "kind": "answer", "value": LARGE}


def test_an_array_can_grow_while_its_frame_is_not_joined_yet():
    numbers = array.array("B", LARGE)
    pieces = encode_in_pieces({"v": numbers})
    numbers.append(1)
    assert decode_document(whole(pieces))["v"] == numbers[:-1]


def peak_of(function):
    """Return what a function returns, and how many bytes Python had at once meanwhile."""
    tracemalloc.start()
    try:
        result = function()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["alone", "in lists", "in kinds", "in a dataclass"])
@pytest.mark.parametrize("make", [np.ndarray.tobytes, np.asarray], ids=["bytes", "array"])
def test_what_is_large_is_copied_once_however_deep_it_is(name, make):
    large = make(np.arange(MIB, dtype="f8"))
    value = wrappings(large)[name]
    frame, peak = peak_of(lambda: envelopes.result_frame(1, value))
    assert peak < 1.1 * len(frame)
    _, peak = peak_of(lambda: decode_document(frame))
    assert peak < 1.1 * len(frame)


def test_the_host_copies_a_large_result_once():
    frame = envelopes.result_frame(1, np.arange(MIB, dtype="f8"))
    document, peak = peak_of(lambda: HostCodec().decode(frame))
    assert np.array_equal(document["value"], np.arange(MIB, dtype="f8"))
    assert peak < 1.1 * len(frame)
