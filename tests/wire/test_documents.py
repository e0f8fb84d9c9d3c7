"""Documents and their bytes, places of what cannot cross, and bytes that are no documents."""

from __future__ import annotations

import dataclasses
import enum
import struct
from collections import OrderedDict, namedtuple

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypods.errors import ProtocolError, ValueTransferError
from pypods.pods.codec import HostCodec
from pypods.wire.documents import (
    MAX_DEPTH,
    decode_document,
    decode_inner_document,
    decode_kind,
    encode_document,
    encode_field,
    encode_scalars,
)
from pypods.wire.frames import FrameReader
from pypods.wire.rebuilding import NO_CLASSES
from pypods.wire.stand_ins import Record

Pair = namedtuple("Pair", ["left", "right"])

# Each with the bytes of its document, in hexadecimal: spec examples first (bsonspec.org).
DOCUMENTS = [
    ({}, "05000000 00"),
    ({"hello": "world"}, "16000000 02 68656c6c6f00 06000000 776f726c6400 00"),
    (
        {"BSON": ["awesome", 5.05, 1986]},
        (
            "31000000 04 42534f4e00 26000000 02 3000 08000000 617765736f6d6500"
            "01 3100 3333333333331440 10 3200 c2070000 00 00"
        ),
    ),
    ({"v": None}, "08000000 0a 7600 00"),
    ({"v": True}, "09000000 08 7600 01 00"),
    ({"v": False}, "09000000 08 7600 00 00"),
    ({"v": -1}, "0c000000 10 7600 ffffffff 00"),
    ({"v": 2**31}, "10000000 12 7600 0000008000000000 00"),
    ({"v": 2**63}, "17000000 05 7600 0a000000 80 69 000000000000008000 00"),
    ({"v": -0.0}, "10000000 01 7600 0000000000000080 00"),
    ({"v": b"\0\1"}, "0f000000 05 7600 02000000 00 0001 00"),
    ({"v": {"a": {}}}, "15000000 03 7600 0d000000 03 6100 05000000 00 00 00"),
    ({"v": (1,)}, "1a000000 05 7600 0d000000 80 74 0c000000 10 3000 01000000 00 00"),
    ({"v": {1: None}}, "1d000000 05 7600 10000000 80 6d 0f000000 10 3000 01000000 0a 3100 00 00"),
    ({"v": ...}, "0e000000 05 7600 01000000 80 2e 00"),
    (
        {"v": Record("m", "C", {"x": 1})},
        (
            "45000000 05 7600 38000000 80 63 37000000"
            "02 6d6f64756c6500 02000000 6d00 02 7175616c6e616d6500 02000000 4300"
            "03 6669656c647300 0c000000 10 7800 01000000 00 00 00"
        ),
    ),
    ({"v": bson.ObjectId(b"0123456789ab")}, "14000000 07 7600 303132333435363738396162 00"),
    ({"é": 1}, "0d000000 10 c3a900 01000000 00"),
]


def named(document: object) -> str:
    return repr(document)[:40]


@pytest.mark.parametrize(("document", "hexadecimal"), DOCUMENTS, ids=named)
def test_a_document_has_these_bytes(document, hexadecimal):
    data = bytes.fromhex(hexadecimal)
    assert encode_document(document).hex(" ") == data.hex(" ")
    assert decode_document(data) == document


@pytest.mark.parametrize(("document", "hexadecimal"), DOCUMENTS, ids=named)
def test_a_document_fed_byte_by_byte_is_one_frame(document, hexadecimal):
    data = bytes.fromhex(hexadecimal)
    reader = FrameReader()
    frames = [frame for byte in data for frame in reader.feed(bytes([byte]))]
    assert frames == [data]
    assert reader.missing == 0


def test_an_element_is_written_alone_for_those_who_write_the_rest():
    assert encode_field("v", 1) == encode_document({"v": 1})[4:-1]


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.binary(),
    st.text(st.characters(exclude_categories=["Cs"])),
)  # fmt: skip


@given(st.lists(st.one_of(SCALARS, st.tuples(), st.lists(SCALARS).map(tuple)), max_size=15))
def test_scalars_are_written_as_any_array_is(values):
    elements = encode_scalars(values)
    assert elements is not None
    array = encode_field("value", values)[len(b"\x04value\0") :]
    assert struct.pack("<i", len(elements) + 5) + elements + b"\0" == array


@pytest.mark.parametrize(
    "values",
    [
        [[]],
        [{}],
        [2**63],
        ["\ud800"],
        ["x" * 65_536],
        [b"x" * 65_536],
        [bytearray()],
        [((1,),), [((),)]],
        [(((),),)],
        [Pair(1, 2)],
        [float],
        list(range(65)),
        [tuple(range(65))],
        [(1, "\udfff")],
    ],
    ids=lambda values: repr(values)[:30],
)
def test_more_than_a_few_small_scalars_are_left_to_others(values):
    assert encode_scalars(values) is None


def test_an_inner_document_is_read_where_it_lies():
    outer = encode_document({"a": [1, 2], "b": {"c": 3}})
    values, position = decode_inner_document(outer, 7, NO_CLASSES, as_list=True)
    assert values == [1, 2]
    inner, end = decode_inner_document(outer, position + 3, NO_CLASSES, as_list=False)
    assert (inner, end) == ({"c": 3}, len(outer) - 1)


# --- the same bytes as pymongo's ----------------------------------------------------------------

PLAIN = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(),
        st.text(st.characters(exclude_categories=["Cs"])),
        st.binary(),
    ),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).filter(
                lambda key: key != "$ref"
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(value=PLAIN)
def test_both_codecs_write_the_same_bytes_for_what_both_write(value):
    data = bson.encode({"value": value})
    assert encode_document({"value": value}) == data
    assert repr(decode_document(data)) == repr(bson.decode(data))
    assert repr(HostCodec().decode(data)) == repr(decode_document(data))


@pytest.mark.parametrize("number", [2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63 - 1, -(2**63)])
def test_both_codecs_choose_the_same_width_for_an_int(number):
    assert encode_document({"v": number}) == bson.encode({"v": number})


# --- places -------------------------------------------------------------------------------------


@dataclasses.dataclass
class Box:
    inside: object


class NoRepr:
    def __repr__(self) -> str:
        raise OSError("no repr")

    def __hash__(self) -> int:
        return 1


THING = NoRepr()
PLACES = [
    ({"args": [{"conn": THING}]}, 'args[0]["conn"]'),
    ({"args": [], "kwargs": {"to": THING}}, 'kwargs["to"]'),
    ({"args": [[1, [2, THING]]]}, "args[0][1][1]"),
    ({"args": [(1, (THING,))]}, "args[0][1][0]"),
    ({"args": [{THING}]}, "args[0][0]"),
    ({"args": [{1: {2: THING}}]}, "args[0][1][2]"),
    ({"args": [{("k", 1): THING}]}, "args[0][('k', 1)]"),
    ({"args": [{THING: 1}]}, "args[0].key(<NoRepr>)"),
    ({"args": [{(1, THING): 1}]}, "args[0].key(<tuple>)[1]"),
    ({"args": [OrderedDict(a=THING)]}, "args[0]['a']"),
    ({"args": [Box(THING)]}, "args[0].inside"),
    ({"args": [Box({"x": [Box(THING)]})]}, 'args[0].inside["x"][0].inside'),
    ({"args": [Record("m", "C", {"x": [THING]})]}, "args[0].x[0]"),
    ({"args": [Pair(1, [THING])]}, "args[0][1][0]"),
    ({"args": [slice(THING)]}, "args[0][1]"),
    ({"args": [[(i, i) for i in range(20)] + [(1, THING)]]}, "args[0][20][1]"),
    ({"args": [[{"a": i} for i in range(20)] + [{"a": THING}]]}, 'args[0][20]["a"]'),
]


@pytest.mark.parametrize(("document", "place"), PLACES, ids=[place for _, place in PLACES])
def test_a_value_that_cannot_cross_is_named_by_its_place(document, place):
    with pytest.raises(ValueTransferError) as caught:
        encode_document(document)
    assert caught.value.place == place
    assert str(caught.value) == f"{place}: {__name__}.NoRepr cannot cross by value"


def test_a_field_that_cannot_cross_is_named_too():
    with pytest.raises(ValueTransferError, match=r'^value\["a"\]: object cannot cross by value$'):
        encode_field("value", {"a": object()})


# --- depth --------------------------------------------------------------------------------------


def nest(levels: int, wrap: object) -> object:
    value: object = None
    for _ in range(levels):
        value = wrap(value)
    return value


def test_as_many_levels_as_allowed_cross_and_one_more_does_not():
    deepest = {"v": nest(MAX_DEPTH, lambda value: [value])}
    assert decode_document(encode_document(deepest)) == deepest
    with pytest.raises(ValueTransferError, match=r"v\[0\]\[0\]…: is nested deeper than 256"):
        encode_document({"v": [deepest["v"]]})
    with pytest.raises(ValueTransferError, match="is nested deeper than 256"):
        encode_field("v", [deepest["v"]])


@pytest.mark.parametrize("levels", [300, 100_000])
@pytest.mark.parametrize(
    "wrap", [lambda v: [v], lambda v: (v,), lambda v: {"a": v}, lambda v: {1: v}, Box]
)
def test_too_many_levels_are_refused_by_name(wrap, levels):
    value = nest(levels, wrap)
    try:
        with pytest.raises(ValueTransferError, match="is nested deeper than 256 levels"):
            encode_document({"v": value})
    finally:
        unwrap(value)


def unwrap(value: object) -> None:
    """Take a deep value apart from outside, which C code would do by recursion."""
    while value is not None:
        if isinstance(value, Box):
            inside, value.inside = value.inside, None
            value = inside
        elif isinstance(value, (list, dict)):
            value = value.popitem()[1] if isinstance(value, dict) else value.pop()
        else:
            value = value[0]


def test_documents_of_one_value_count_too():
    """A member's document is a level of its own, so half as many fit."""

    class Level(enum.Enum):
        ONE = 1

    for depth in range(200):
        Level = enum.Enum("Level", {"ONE": [Level.ONE, depth]})  # noqa: N806
    with pytest.raises(ValueTransferError, match="is nested deeper than 256 levels"):
        encode_document({"v": Level.ONE})


def test_a_set_nested_too_deeply_is_refused():
    with pytest.raises(ValueTransferError, match="is nested deeper than 256 levels"):
        encode_document({"v": nest(300, lambda value: frozenset([value]))})


def list_cycle() -> object:
    value: list[object] = [1]
    value.append(value)
    return value


def dict_cycle() -> object:
    value: dict[str, object] = {"a": [1, 2]}
    value["a"].append({"x": (value,)})
    return value


def key_cycle() -> object:
    value: dict[object, object] = {}
    value[2] = value
    return value


def namedtuple_cycle() -> object:
    value: list[object] = []
    value.append(Pair(1, value))
    return value


def slice_cycle() -> object:
    value: list[object] = []
    value.append(slice(value, None))
    return value


def dataclass_cycle() -> object:
    value = Box(1)
    value.inside = [value]
    return value


def cycle_after_others() -> object:
    value: list[object] = [[[1], (2, {"a": []})], [3]]
    value[1].append(value)
    return value


def record_cycle() -> object:
    value = Record("m", "C", {})
    value.fields["me"] = value
    return value


CYCLES = [
    (list_cycle, "v[1]"),
    (dict_cycle, 'v["a"][2]["x"][0]'),
    (key_cycle, "v[2]"),
    (namedtuple_cycle, "v[0][1]"),
    (slice_cycle, "v[0].start"),
    (dataclass_cycle, "v.inside[0]"),
    (record_cycle, "v.me"),
    (cycle_after_others, "v[1][1]"),
]


@pytest.mark.parametrize(("make", "place"), CYCLES, ids=[make.__name__ for make, _ in CYCLES])
def test_a_container_that_contains_itself_is_refused_with_the_place(make, place):
    with pytest.raises(ValueTransferError, match="contains itself cannot cross") as caught:
        encode_document({"v": make()})
    assert caught.value.place == place
    with pytest.raises(ValueTransferError, match="contains itself cannot cross") as caught:
        encode_field("v", make())
    assert caught.value.place == place


# --- bytes that are no documents ----------------------------------------------------------------


def document(body: bytes) -> bytes:
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def binary(payload: bytes, subtype: int = 0x80) -> bytes:
    return b"\x05v\0" + struct.pack("<i", len(payload)) + bytes([subtype]) + payload


MALFORMED = {
    "nothing": b"",
    "three bytes": b"\5\0\0",
    "length 0": bytes(5),
    "length -1": b"\xff\xff\xff\xff\0",
    "length beyond the end": b"\6\0\0\0\0",
    "no closing zero": b"\5\0\0\0\1",
    "bytes after the document": b"\5\0\0\0\0\0",
    "a name without end": document(b"\x0aabc"),
    "a name that is no UTF-8": document(b"\x0a\xff\0"),
    "a type that does not exist": document(b"\x20v\0"),
    "half an int32": document(b"\x10v\0\1"),
    "half an int64": document(b"\x12v\0\1"),
    "half a double": document(b"\x01v\0\1"),
    "a bool cut off": document(b"\x08v\0"),
    "a text longer than all": document(b"\x02v\0\xff\xff\xff\x7fa\0"),
    "a text of length 0": document(b"\x02v\0\0\0\0\0\0"),
    "a text of negative length": document(b"\x02v\0\xf0\xff\xff\xffa\0"),
    "a text without its zero": document(b"\x02v\0\1\0\0\0a"),
    "a text that is no UTF-8": document(b"\x02v\0\2\0\0\0\xff\0"),
    "a document longer than the outer": document(b"\x03v\0\xff\0\0\0\0"),
    "a binary longer than all": document(b"\x05v\0\xff\xff\xff\x7f\0a"),
    "a binary of negative length": document(b"\x05v\0\xf6\xff\xff\xff\0a"),
    "a binary cut off": document(b"\x05v\0\1"),
    "a binary of an old subtype": document(binary(bytes(16), 3)),
    "a UUID of 15 bytes": document(binary(bytes(15), 4)),
    "a value over the end": document(b"\x10v\0\1\0\0\0")[:-3] + b"\0",
    "an ObjectId over the end": document(b"\x07v\0abcdefghijkl")[:-4] + b"\0",
    "an ObjectId cut off": document(b"\x07v\0abc"),
    "a Regex without end": document(b"\x0bv\0abc"),
    "a time far beyond the years": document(b"\x09v\0" + b"\xff" * 7 + b"\x7f"),
    "a kind without a kind": document(binary(b"")),
    "a kind that does not exist": document(binary(b"\xff")),
    "bytes after a tuple": document(binary(b"t\5\0\0\0\0\0")),
    "bytes after a set": document(binary(b"s\5\0\0\0\0\0")),
    "a tuple of nothing": document(binary(b"t")),
    "an unhashable set member": document(binary(b"s" + document(b"\x04\x30\0" + document(b"")))),
    "a set member twice": document(binary(b"s" + document(b"\x0a0\0\x0a1\0"))),
    "a mapping without a value": document(binary(b"m" + document(b"\x0a0\0"))),
    "a mapping with a key twice": document(binary(b"m" + encode_document(dict.fromkeys("0123")))),
    "half a complex": document(binary(b"j1234")),
    "a month 13": document(binary(b"d\xe8\x07\x0d\1")),
    "a datetime cut off": document(binary(b"D\xe8\x07")),
    "an offset of years": document(binary(b"T" + bytes(8) + b"o" + bytes(6) + b"\x7f\0")),
    "an offset of 292,000 years": document(binary(b"T" + bytes(8) + b"o" + b"\xff" * 7 + b"\x7f")),
    "half an offset": document(binary(b"T" + bytes(8) + b"oab")),
    "a zone above the zones": document(binary(b"T" + bytes(8) + b"z../../etc/passwd")),
    "a zone from the root": document(binary(b"T" + bytes(8) + b"z/etc/passwd")),
    "a zone with NUL": document(binary(b"T" + bytes(8) + b"za\0b")),
    "a zone that is no text": document(binary(b"T" + bytes(8) + b"z\xff")),
    "a zone file that is none": document(binary(b"T" + bytes(8) + b"zzone.tab")),
    "a decimal of letters": document(binary(b"xabc")),
    "a decimal of no ASCII": document(binary(b"x\xff")),
    "a path of no class": document(binary(b"pXa")),
    "a Fraction over 0": document(binary(b"q" + document(b"\x100\0\1\0\0\0\x101\0\0\0\0\0"))),
    "a Fraction of one number": document(binary(b"q" + document(b"\x100\0\1\0\0\0"))),
    "a range of step 0": document(binary(b"r" + encode_document(dict.fromkeys("012", 0)))),
    "a slice of four": document(binary(b"l" + document(b"\x0a0\0\x0a1\0\x0a2\0\x0a3\0"))),
    "a namedtuple of nothing": document(binary(b"n" + document(b""))),
    "a member of nothing": document(binary(b"e" + document(b""))),
    "a record of nothing": document(binary(b"c" + document(b""))),
    "rows of nothing": document(binary(b"R" + document(b""))),
    "a column of nothing": document(binary(b"V" + document(b""))),
    "half an Int64": document(binary(b"I123")),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_bytes_that_are_no_document_are_refused_by_both_codecs(name):
    for decode in (decode_document, HostCodec().decode):
        with pytest.raises((ProtocolError, ValueTransferError)):
            decode(MALFORMED[name])


def test_javascript_is_refused():
    with pytest.raises(ProtocolError, match="no use of BSON type 0x0d"):
        decode_document(document(b"\x0dv\0\2\0\0\0a\0"))


NAMEDTUPLE = {"name": "N", "fields": ["a"], "values": [1]}
NAMEDTUPLES = [
    {**NAMEDTUPLE, "name": "class"},
    {**NAMEDTUPLE, "name": "a b"},
    {**NAMEDTUPLE, "name": "__import__('os')"},
    {**NAMEDTUPLE, "name": 1},
    {**NAMEDTUPLE, "fields": ["def"]},
    {**NAMEDTUPLE, "fields": ["_private"]},
    {**NAMEDTUPLE, "fields": ["a=print(1)"]},
    {**NAMEDTUPLE, "fields": ["fi", "ﬁ"], "values": [1, 2]},
    {**NAMEDTUPLE, "fields": {"a": 1}},
    {**NAMEDTUPLE, "values": {"a": 1}},
    {**NAMEDTUPLE, "fields": ["a"] * 1_000_000, "values": [1] * 1_000_000},
    {**NAMEDTUPLE, "fields": [f"f{i}" for i in range(10_000)], "values": [1] * 10_000},
]


@pytest.mark.parametrize("content", NAMEDTUPLES, ids=named)
def test_a_namedtuple_of_bad_names_is_refused_quickly(content):
    payload = b"n" + encode_document(content)
    with pytest.raises(ProtocolError):
        decode_kind(payload)


def test_a_fraction_of_giant_numbers_holds_nobody():
    """Their greatest common divisor would take longer than a test may."""
    content = [int.from_bytes(bytes(range(1, end)) * 9000, "little") for end in (252, 242)]
    payload = b"q" + encode_document({str(i): value for i, value in enumerate(content)})
    fraction = decode_kind(payload)
    assert [fraction.numerator, fraction.denominator] == content


def nested_bytes(levels: int, open_level: object) -> bytes:
    data = document(b"")
    parts_before = []
    parts_after = []
    size = len(data)
    for _ in range(levels):
        before, after = open_level(size)
        parts_before.append(before)
        parts_after.append(after)
        size += len(before) + len(after)
    return b"".join(reversed(parts_before)) + data + b"".join(parts_after)


def open_document(size: int) -> tuple[bytes, bytes]:
    return struct.pack("<i", size + 8) + b"\x03v\0", b"\0"


def open_list(size: int) -> tuple[bytes, bytes]:
    return struct.pack("<i", size + 8) + b"\x040\0", b"\0"


def open_tuple(size: int) -> tuple[bytes, bytes]:
    head = b"\x050\0" + struct.pack("<i", size + 1) + b"\x80t"
    return struct.pack("<i", size + len(head) + 5) + head, b"\0"


def open_set(size: int) -> tuple[bytes, bytes]:
    head = b"\x050\0" + struct.pack("<i", size + 1) + b"\x80s"
    return struct.pack("<i", size + len(head) + 5) + head, b"\0"


@pytest.mark.parametrize("open_level", [open_document, open_list, open_tuple, open_set])
def test_a_hundred_thousand_levels_are_refused_quickly(open_level):
    data = nested_bytes(100_000, open_level)
    for decode in (decode_document, HostCodec().decode):
        with pytest.raises(ProtocolError):
            decode(data)


def test_deep_levels_around_many_bytes_are_read_without_a_copy_each():
    """A copy for each level would let a frame take 256 times its own size."""
    import tracemalloc

    large = 2_000_000
    inner = document(b"\x050\0" + struct.pack("<i", large) + b"\0" + bytes(large))
    before, after, size = [], [], len(inner)
    for _ in range(100):
        head, tail = open_tuple(size)
        before.append(head)
        after.append(tail)
        size += len(head) + len(tail)
    data = b"".join(reversed(before)) + inner + b"".join(after)
    tracemalloc.start()
    try:
        value = decode_document(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * large
    while isinstance(value, (dict, tuple)):
        value = value["0"] if isinstance(value, dict) else value[0]
    assert value == bytes(large)


# --- fuzz ---------------------------------------------------------------------------------------

SEEDS = [bytes.fromhex(hexadecimal) for _, hexadecimal in DOCUMENTS] + [
    encode_document(
        {
            "id": 1,
            "kind": "call",
            "args": [
                {1, 2.5},
                (3, "x"),
                {None: b"y"},
                range(3),
                Pair(1, 2),
                Box({"a": 1}),
                1j,
                ...,
            ],
            "rows": [{"a": i, "b": str(i), "c": None} for i in range(20)],
            "column": [b"x" * i for i in range(20)],
        }
    )
]


def only_our_errors(decode: object, data: bytes) -> None:
    try:
        decode(data)
    except (ProtocolError, ValueTransferError):
        return


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    seed=st.sampled_from(SEEDS),
    changes=st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(0, 255), st.sampled_from("=+-")),
        min_size=1,
        max_size=8,
    ),
)
def test_a_mutated_document_is_a_document_or_one_of_our_errors(seed, changes):
    data = bytearray(seed)
    for place, byte, change in changes:
        place %= len(data)
        if change == "=":
            data[place] = byte
        elif change == "+":
            data.insert(place, byte)
        elif len(data) > 5:
            del data[place]
    # With a length that fits, so that more than the length is tried.
    fitting = struct.pack("<i", len(data)) + bytes(data[4:])
    for each in (bytes(data), fitting):
        only_our_errors(decode_document, each)
        only_our_errors(HostCodec().decode, each)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(b"ijubDdTExp.ItsfmorlqnecVR?"),
    content=st.binary(max_size=60)
    | st.lists(PLAIN, max_size=4).map(
        lambda values: encode_document({str(i): v for i, v in enumerate(values)})
    )
    | st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            (
                *("name", "fields", "values", "module", "qualname", "value"),
                *("keys", "count", "columns"),
            ),
            PLAIN,
        ),
    ).map(encode_document),
)
def test_any_content_of_any_kind_is_a_value_or_one_of_our_errors(kind, content):
    only_our_errors(decode_kind, bytes([kind]) + content)
