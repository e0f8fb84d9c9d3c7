"""The host's codec: pymongo's C code where it keeps a value, ours where it would not."""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from decimal import Decimal

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypods.errors import ProtocolError, ValueTransferError
from pypods.pods import codec
from pypods.pods.codec import HostClasses, HostCodec, encode_document, is_plain
from pypods.wire.documents import encode_document as encode_in_standard_library
from pypods.wire.rows import MINIMUM_ROWS
from pypods.wire.stand_ins import Record

PLAIN_VALUES = [
    None,
    True,
    -5,
    2**63 - 1,
    0.5,
    "text",
    b"bytes",
    [],
    {},
    [1, [2, {"a": None}]],
    {"a": {"b": [b""]}},
    {"": {"$where": 1, "a.b": 2}},
]
OTHER_VALUES = [
    (1,),
    [(1,)],
    {"a": {1}},
    {1: 2},
    {"$ref": "c"},
    [{"x": {"$ref": 1}}],
    bytearray(),
    dt.datetime(2024, 1, 1),
    Decimal(1),
    uuid.UUID(int=1),
    list(range(MINIMUM_ROWS)),
    bson.Int64(1),
    type("Text", (str,), {})("x"),
    type("Flag", (int,), {})(1),
]


@pytest.mark.parametrize("value", PLAIN_VALUES, ids=repr)
def test_a_plain_value_is_left_to_the_c_codec(value, monkeypatch):
    assert is_plain(value)
    monkeypatch.setattr(codec, "encode_in_standard_library", None)
    data = encode_document({"v": value})
    assert data == encode_in_standard_library({"v": value})
    assert HostCodec().decode(data) == {"v": value}


@pytest.mark.parametrize("value", OTHER_VALUES, ids=repr)
def test_what_the_c_codec_would_change_is_not(value):
    assert not is_plain(value)
    assert not is_plain({"deeper": [value]})


def test_what_is_nested_deeply_is_left_to_the_other_codec():
    value: object = None
    for _ in range(200):
        value = [value]
    assert not is_plain(value)
    assert HostCodec().decode(encode_document({"v": value})) == {"v": value}


@pytest.mark.parametrize("value", [2**63, "\ud800", {"a\0b": 1}, {"\udfff": [1]}, [-(2**200)]])
def test_what_the_c_codec_refuses_is_written_by_the_other(value):
    assert is_plain(value)
    data = encode_document({"v": value})
    assert data == encode_in_standard_library({"v": value})
    assert HostCodec().decode(data) == {"v": value}


def test_what_cannot_cross_is_named_by_its_place():
    with pytest.raises(ValueTransferError) as caught:
        encode_document({"args": [{"conn": object()}], "kwargs": {}})
    assert caught.value.place == 'args[0]["conn"]'


def test_a_64_bit_integer_is_an_int_and_a_uuid_a_uuid():
    value = HostCodec().decode(bson.encode({"n": bson.Int64(5), "m": 2**40}))
    assert [type(each) for each in value.values()] == [int, int]
    identifier = uuid.UUID(int=7)
    assert HostCodec().decode(encode_document({"u": identifier})) == {"u": identifier}


def test_values_inside_kinds_and_kinds_inside_values_are_decoded():
    value = {"rows": [({"a": (1, [2**70])}, {3: {"b": (4,)}})], "t": (None, {"x": [()]})}
    assert HostCodec().decode(encode_document(value)) == value


def test_only_the_named_classes_are_rebuilt():
    import dataclasses

    @dataclasses.dataclass
    class Point:
        x: int

    record = Record("some.module", Point.__qualname__, {"x": 1})
    data = encode_document({"v": (record,)})
    assert HostCodec().decode(data) == {"v": (record,)}
    assert HostCodec(HostClasses([Point])).decode(data) == {"v": (Point(1),)}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "malformed document"),
        (b"\6\0\0\0\0", "length does not fit"),
        (struct.pack("<i", 2**31 - 1) + b"\0", "length does not fit"),
        (bson.encode({"v": bson.Binary(b"", 99)}), "no use of binary subtype 99"),
        (bson.encode({"v": bson.Binary(b"?", 128)}), "no kind of value"),
        (bson.encode({"v": bson.Binary(b"x?", 128)}), "malformed"),
        (bson.encode({"v": 1}) + b"\0", "1 bytes follow the document"),
    ],
)
def test_bytes_that_are_no_document_are_a_protocol_error(data, reason):
    with pytest.raises(ProtocolError, match=reason):
        HostCodec().decode(data)


def test_a_value_that_cannot_be_had_here_is_told_from_a_broken_frame():
    payload = bytes.fromhex("01 00 00 00000000 00") + b"zMars/Olympus"
    with pytest.raises(ValueTransferError, match="no such zone on this side"):
        HostCodec().decode(bson.encode({"v": bson.Binary(b"T" + payload, 128)}))


def test_what_only_the_c_codec_refuses_is_a_protocol_error_too(monkeypatch):
    def refuse(*_: object) -> None:
        raise bson.errors.InvalidBSON("not to my taste")

    monkeypatch.setattr(codec.bson, "decode", refuse)
    with pytest.raises(ProtocolError, match="malformed document: not to my taste"):
        HostCodec().decode(encode_document({"v": 1}))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    data=st.binary(max_size=80)
    | st.binary(max_size=60).map(lambda body: struct.pack("<i", len(body) + 5) + body + b"\0")
)
def test_random_bytes_are_a_document_or_one_of_our_errors(data):
    try:
        document = HostCodec().decode(data)
    except (ProtocolError, ValueTransferError):
        return
    assert isinstance(document, dict)
