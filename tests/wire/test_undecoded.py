"""Frames that are not decoded, or cannot be: what is in them is found and let go of."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.context import current
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.rebuilding import Classes
from pypods.wire.undecoded import find_kinds, give_up, handles_in


class Handle:
    def __init__(self, kind: str, number: int) -> None:
        self.kind, self.number = kind, number


class Taker(Classes):
    def __init__(self) -> None:
        self.taken: list[tuple[int, Any]] = []

    def take_handle(self, kind: int, content: dict[str, Any]) -> object:
        self.taken.append((kind, content["number"]))
        return object()


def export(value: Any) -> Any:
    if type(value) is not Handle:
        return None
    return value.kind.encode(), {"number": value.number}


def encode(value: Any) -> bytes:
    current.export = export
    try:
        return encode_document({"value": value})
    finally:
        current.export = None


WHEN = dt.datetime(2024, 1, 1, tzinfo=ZoneInfo.no_cache("Europe/Paris"))
K1, H2, G3, O4, K5 = (Handle(kind, n) for n, kind in enumerate("khGOk", 1))
VALUE = [K1, {"a": (H2, "k"), 5: [G3]}, {O4: 1}, [1, b"\x80k", "text"], K5]
FOUND = [(ord("k"), 1), (ord("h"), 2), (ord("G"), 3), (ord("O"), 4), (ord("k"), 5)]


def test_handles_are_found_in_order():
    frame = encode(VALUE)
    assert [(kind, content["number"]) for kind, content in handles_in(frame)] == FOUND
    only = [content["number"] for _, content in handles_in(frame, b"k")]
    assert only == [1, 5]
    taker = Taker()
    decode_document(frame, taker)
    assert taker.taken == FOUND


def test_where_there_are_none_none_are_found():
    assert handles_in(encode([b"\x80k\x80h", "text", (1,)])) == []


@pytest.mark.parametrize("position", range(6))
def test_what_a_failed_decode_did_not_come_to_is_taken_once(position):
    value = [*VALUE[:position], WHEN, *VALUE[position:]]
    frame = encode(value).replace(b"Paris", b"Pariz")
    taker = Taker()
    with pytest.raises(ValueTransferError, match="Pariz"):
        decode_document(frame, taker)
    assert len(taker.taken) == sum(n <= (0, 1, 3, 4, 4, 5)[position] for n in range(1, 6))
    assert isinstance(give_up(frame, taker), ValueTransferError)
    assert taker.taken == FOUND


def test_of_a_frame_that_can_be_decoded_or_is_none_nothing_is_taken():
    taker = Taker()
    assert give_up(encode(VALUE), taker) is None
    assert isinstance(give_up(encode(VALUE)[:-9], taker), ProtocolError)
    assert taker.taken == []


def test_in_a_broken_frame_the_search_ends():
    frame = encode(VALUE)
    for end in range(len(frame)):
        for _, start, stop in find_kinds(frame[:end], b"khGO"):
            assert 0 < start <= stop <= end
