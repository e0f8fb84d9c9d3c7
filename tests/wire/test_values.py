"""Kinds and contents, stand-ins for classes of the other side, and what is refused."""

from __future__ import annotations

import datetime as dt
import sys
from collections import OrderedDict, namedtuple
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath, PurePosixPath, PureWindowsPath
from zoneinfo import ZoneInfo

import pytest
from bson import Decimal128, Int64, ObjectId, Regex, Timestamp

from pypods.errors import ProtocolError, ValueTransferError
from pypods.pods.codec import HostClasses, HostCodec, encode_document
from pypods.wire.documents import decode_document
from pypods.wire.documents import encode_document as encode_in_standard_library
from pypods.wire.rebuilding import Classes, rebuild
from pypods.wire.stand_ins import BsonValue, EnumMember, Record
from pypods.wire.values import ARRAY_KINDS, BYTES_KINDS, DOCUMENT_KINDS, reduce, shown

Pair = namedtuple("Pair", ["left", "right"])
PARIS = ZoneInfo("Europe/Paris")


# --- classes of one side only -------------------------------------------------------------------


def test_the_pods_own_classes_arrive_as_stand_ins(echo, echo_pod):
    red, green, high, access, point = echo.call("members")
    assert red == EnumMember("pods.echo.pod", "Color", "RED", 1)
    assert green == EnumMember("pods.echo.pod", "Color", "GREEN", (2, "two"))
    assert high == EnumMember("pods.echo.pod", "Level", "HIGH", 2)
    assert (type(access), access.qualname, access.value) == (EnumMember, "Access", 3)
    assert point == Record("pods.echo.pod", "Point", {"x": 1, "y": [red]})
    assert point.y == [red]
    # Sent back, they are the pod's own again.
    names = echo.call("class_names", [red, green, high, access, point])
    assert names == ["Color", "Color", "Level", "Access", "Point"]


def test_a_class_that_the_host_names_is_rebuilt_here(echo_with_classes, echo_pod):
    red, green, high, access, point = echo_with_classes.call("members")
    assert (red, green) == (echo_pod.Color.RED, echo_pod.Color.GREEN)
    assert red is echo_pod.Color.RED
    assert high is echo_pod.Level.HIGH
    assert access == echo_pod.Access.READ | echo_pod.Access.WRITE
    assert type(point) is echo_pod.Point
    assert point == echo_pod.Point(1, [echo_pod.Color.RED])


def test_the_hosts_own_members_and_records_become_the_pods_and_come_back(
    echo_with_classes, echo_pod
):
    values = [
        echo_pod.Color.RED,
        {echo_pod.Color.GREEN: echo_pod.Access.RUN},
        echo_pod.Frozen("f", echo_pod.Point(echo_pod.Level.LOW)),
    ]
    seen, back = echo_with_classes.call("echo", values)
    assert back == values
    assert seen == [echo_pod.canonical(value) for value in values]
    assert echo_with_classes.call("class_names", values) == ["Color", "dict", "Frozen"]


def test_a_member_whose_class_differs_on_this_side_stays_a_stand_in(echo_pod):
    classes = HostClasses([echo_pod.Color, echo_pod.Access, echo_pod.Point])
    for member in (
        EnumMember("m", "Color", "BLUE", 7),  # No such member.
        EnumMember("m", "Color", "RED", 2),  # Another value.
        EnumMember("m", "Access", None, 64),  # A bit that this side lacks.
        EnumMember("m", "Point", "x", 1),  # No enum at all.
        EnumMember("m", "Level", "LOW", 1),  # Not named to the host.
    ):
        assert rebuild(ord("e"), reduce(member)[1], classes) == member
    for record in (
        Record("m", "Point", {"x": 1}),  # Fewer fields.
        Record("m", "Point", {"x": 1, "z": 2}),
        Record("m", "Color", {"x": 1}),  # No dataclass.
    ):
        assert rebuild(ord("c"), reduce(record)[1], classes) == record
    flag = echo_pod.Access.READ | echo_pod.Access.RUN
    assert rebuild(ord("e"), reduce(flag)[1], classes) == flag


def test_no_class_is_found_by_default():
    assert Classes().find("builtins", "dict") is None


# --- stand-ins ----------------------------------------------------------------------------------


def test_stand_ins_compare_hash_and_print():
    member = EnumMember("m", "C", "A", 1)
    assert (member, hash(member)) == (
        EnumMember("m", "C", "A", 1),
        hash(EnumMember("m", "C", "A", 1)),
    )
    assert member != EnumMember("m", "C", "B", 1)
    assert member != 1
    assert repr(member) == "<C.A: 1>"
    record = Record("m", "C", {"x": 1})
    assert (record, hash(record)) == (Record("m", "C", {"x": 1}), hash(Record("m", "C", {"x": 1})))
    assert record != Record("m", "D", {"x": 1})
    assert record != 1
    assert repr(record) == "C(x=1)"
    assert record.x == 1
    with pytest.raises(AttributeError, match="'y' is no field"):
        _ = record.y
    with pytest.raises(AttributeError):
        _ = Record.__new__(Record).fields
    raw = BsonValue(7, b"x")
    assert (raw, hash(raw)) == (BsonValue(7, b"x"), hash(BsonValue(7, b"x")))
    assert raw != BsonValue(7, b"y")
    assert raw != b"x"
    assert repr(raw) == "BsonValue(0x07, b'x')"


# --- bson's own types ---------------------------------------------------------------------------

BSON_VALUES = {
    "ObjectId": ObjectId(b"0123456789ab"),
    "Decimal128": Decimal128("1.10"),
    "Regex": Regex("^a$", "imsx"),
    "Timestamp": Timestamp(1_700_000_000, 7),
    "Int64": Int64(5),
}


@pytest.mark.parametrize("name", BSON_VALUES)
def test_a_bson_value_passes_through_a_pod_without_bson(echo, name):
    value = BSON_VALUES[name]
    seen, back = echo.call("echo", [value, {1: [value]}])
    assert seen[0].startswith("BsonValue BsonValue(0x")
    assert back[0] == value
    assert type(back[0]) is type(value)
    assert echo.call("class_names", [value]) == ["BsonValue"]


@pytest.mark.parametrize("name", BSON_VALUES)
def test_a_bson_value_is_itself_on_a_side_that_has_bson(name):
    value = BSON_VALUES[name]
    for decode in (decode_document, HostCodec().decode):
        back = decode(encode_document({"value": value}))["value"]
        assert back == value
        assert type(back) is type(value)


def test_another_package_called_bson_leaves_bson_values_as_they_came(monkeypatch):
    encoded = encode_document({"a": BSON_VALUES["Decimal128"], "b": Int64(5)})
    for name in ("bson.decimal128", "bson.int64"):
        monkeypatch.setitem(sys.modules, name, None)  # Its import fails.
    back = decode_document(encoded)
    assert back["a"] == BsonValue(0x13, BSON_VALUES["Decimal128"].bid)
    assert back["b"] == BsonValue(0x12, (5).to_bytes(8, "little"))
    assert encode_in_standard_library(back) == encoded


@pytest.mark.parametrize("pattern", [b"a", "a\0b"])
def test_a_regex_that_bson_cannot_hold_is_refused(pattern):
    with pytest.raises(ValueTransferError, match=r"value: a Regex of bytes, or with a zero"):
        encode_document({"value": Regex(pattern)})


# --- the table of kinds -------------------------------------------------------------------------


def test_each_kind_belongs_to_one_group():
    kinds = [*BYTES_KINDS, *ARRAY_KINDS, *DOCUMENT_KINDS]
    assert len(set(kinds)) == len(kinds)


KINDS = [
    (2**64, b"i", bytes(8) + b"\1"),
    (-(2**63) - 1, b"i", b"\xff" * 7 + b"\x7f\xff"),
    (1j, b"j", bytes(14) + b"\xf0\x3f"),
    ("\ud800", b"u", b"\xed\xa0\x80"),
    (bytearray(b"a"), b"b", b"a"),
    (dt.datetime(2024, 2, 3, 4, 5, 6, 7), b"D", bytes.fromhex("e807 02 03 04 05 06 07000000 00")),
    (
        dt.datetime(1, 1, 1, fold=1, tzinfo=dt.UTC),
        b"D",
        bytes.fromhex("0100 01 01 00 00 00 00000000 01 6f") + bytes(8),
    ),
    (dt.date(2024, 2, 3), b"d", bytes.fromhex("e807 02 03")),
    (
        dt.time(1, 2, 3, 4, tzinfo=dt.timezone(dt.timedelta(microseconds=1), "X")),
        b"T",
        bytes.fromhex("01 02 03 04000000 00 6e 01") + bytes(7) + b"X",
    ),
    (dt.time(1, tzinfo=PARIS), b"T", bytes.fromhex("01 00 00 00000000 00") + b"zEurope/Paris"),
    (dt.timedelta(-1, 2, 3), b"E", bytes.fromhex("ffffffff 02000000 03000000")),
    (Decimal("-1.50"), b"x", b"-1.50"),
    (PurePosixPath("a"), b"p", b"pa"),
    (PosixPath("a"), b"p", b"Pa"),
    (PureWindowsPath("a"), b"p", b"wa"),
    (..., b".", b""),
    (Int64(1), b"I", b"\1" + bytes(7)),
    ((1,), b"t", [1]),
    ({1}, b"s", [1]),
    (frozenset({1}), b"f", [1]),
    ({1: 2}, b"m", [1, 2]),
    (OrderedDict(a=1), b"o", ["a", 1]),
    (range(1), b"r", [0, 1, 1]),
    (slice(1), b"l", [None, 1, None]),
    (Fraction(1, 2), b"q", [1, 2]),
    (Pair(1, 2), b"n", {"name": "Pair", "fields": ["left", "right"], "values": [1, 2]}),
    (EnumMember("m", "C", "A", 1), b"e", {"module": "m", "qualname": "C", "name": "A", "value": 1}),
    (Record("m", "C", {"x": 1}), b"c", {"module": "m", "qualname": "C", "fields": {"x": 1}}),
]


@pytest.mark.parametrize(("value", "kind", "content"), KINDS, ids=lambda each: shown(each)[:30])
def test_a_kind_has_this_content(value, kind, content):
    assert reduce(value) == (kind, content)
    back = rebuild(kind[0], content)
    assert (type(back).__name__, back) == (type(value).__name__, value)


def test_every_kind_is_in_the_table():
    listed = {kind[0] for _, kind, _ in KINDS}
    assert listed == (BYTES_KINDS | ARRAY_KINDS | DOCUMENT_KINDS) - set(b"khGOVRBvaAgwP")


# --- zones --------------------------------------------------------------------------------------


class OwnOffset(dt.tzinfo):
    """A fixed offset as drivers bring their own."""

    def __init__(self, minutes: int, name: str | None) -> None:
        self.minutes, self.name = minutes, name

    def utcoffset(self, when: object) -> dt.timedelta:
        return dt.timedelta(minutes=self.minutes)

    def tzname(self, when: object) -> str | None:
        return self.name

    def dst(self, when: object) -> None:
        return None


class NeedsADate(dt.tzinfo):
    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta:
        assert when is not None
        return dt.timedelta(hours=when.month)

    def __repr__(self) -> str:
        raise OSError("cannot be printed either")


@pytest.mark.parametrize("name", [None, "", "MEZ", "UTC"])
def test_a_fixed_offset_of_a_class_of_its_own_arrives_as_timezone(name):
    value = dt.datetime(2024, 1, 1, tzinfo=OwnOffset(90, name))
    back = decode_document(encode_document({"value": value}))["value"]
    assert back == value
    assert type(back.tzinfo) is dt.timezone
    assert back.utcoffset() == value.utcoffset()
    assert back.tzname() == ("UTC+01:30" if name is None else name)


@pytest.mark.parametrize("value", [dt.datetime(2024, 1, 1), dt.time(1)])
def test_a_zone_that_is_neither_is_refused(value):
    with pytest.raises(ValueTransferError, match=r"value: a \w+ in the zone <NeedsADate> of class"):
        encode_document({"value": value.replace(tzinfo=NeedsADate())})


def test_a_zoneinfo_without_a_key_is_refused(tmp_path):
    with open("/usr/share/zoneinfo/Europe/Paris", "rb") as file:  # noqa: PTH123
        zone = ZoneInfo.from_file(file)
    with pytest.raises(ValueTransferError, match="ZoneInfo without a key"):
        encode_document({"value": dt.datetime(2024, 1, 1, tzinfo=zone)})


@pytest.mark.parametrize("key", ["Mars/Olympus", "Europe", "a" * 300])
def test_a_zone_that_this_side_lacks_is_a_values_error(key):
    payload = reduce(dt.time(1))[1] + b"z" + key.encode()
    with pytest.raises(ValueTransferError, match="cannot arrive here"):
        rebuild(ord("T"), payload)


def test_a_side_without_zoneinfo_takes_backports_or_says_so(monkeypatch):
    content = reduce(dt.time(1, tzinfo=PARIS))[1]
    monkeypatch.setitem(sys.modules, "zoneinfo", None)
    with pytest.raises(ValueTransferError, match=r"no zoneinfo; add backports\.zoneinfo"):
        rebuild(ord("T"), content)
    backports = type(sys)("backports.zoneinfo")
    backports.ZoneInfo = ZoneInfo
    monkeypatch.setitem(sys.modules, "backports", type(sys)("backports"))
    monkeypatch.setitem(sys.modules, "backports.zoneinfo", backports)
    assert rebuild(ord("T"), content) == dt.time(1, tzinfo=PARIS)


# --- paths of the other system ------------------------------------------------------------------


def test_a_concrete_path_of_the_other_system_arrives_as_its_pure_one():
    assert rebuild(ord("p"), b"WC:\\a") == PureWindowsPath("C:\\a")


# --- refused ------------------------------------------------------------------------------------


class MyInt(int): ...


class MyList(list): ...


class MyStr(str): ...


class MyTuple(tuple): ...


REFUSED = {
    "object": (object(), "object cannot cross by value"),
    "class": (int, "type cannot cross by value"),
    "function": (len, "builtin_function_or_method cannot cross by value"),
    "module": (sys, "module cannot cross by value"),
    "generator": ((x for x in ()), "generator cannot cross by value"),
    "subclass of int": (MyInt(1), r"MyInt cannot cross by value"),
    "subclass of list": (MyList(), r"MyList cannot cross by value"),
    "subclass of str": (MyStr(), r"MyStr cannot cross by value"),
    "subclass of tuple": (MyTuple(), r"MyTuple cannot cross by value"),
    "sys.version_info": (sys.version_info, "sys.version_info cannot cross by value"),
    "re.Pattern": (__import__("re").compile("a"), "re.Pattern cannot cross by value"),
    "exception": (ValueError(1), "ValueError cannot cross by value"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_cross_is_refused_and_never_something_else(name):
    value, reason = REFUSED[name]
    with pytest.raises(ValueTransferError, match=reason):
        reduce(value)


def test_a_dataclass_that_holds_more_than_its_fields_is_refused():
    import dataclasses

    @dataclasses.dataclass
    class Table(dict):
        name: str

    with pytest.raises(ValueTransferError, match="Table cannot cross by value"):
        reduce(Table("t"))
    content = {"module": "m", "qualname": Table.__qualname__, "fields": {"name": "t"}}
    assert type(rebuild(ord("c"), content, HostClasses([Table]))) is Record


def test_a_dataclass_with_a_field_without_a_value_is_refused_at_that_field():
    import dataclasses

    @dataclasses.dataclass
    class Half:
        there: int
        missing: int = dataclasses.field(init=False)

    with pytest.raises(ValueTransferError) as caught:
        encode_document({"value": [Half(1)]})
    assert caught.value.place == "value[0].missing"


# --- malformed contents -------------------------------------------------------------------------

MALFORMED = {
    "no such kind": (ord("?"), b""),
    "neither offset nor key": (ord("T"), reduce(dt.time())[1] + b"?"),
    "a negative denominator": (ord("q"), [1, -1]),
    "denominator 0": (ord("q"), [1, 0]),
    "a Fraction of floats": (ord("q"), [1.0, 2]),
    "a Fraction of bool": (ord("q"), [True, 2]),
    "a range of texts": (ord("r"), ["a", "b", "c"]),
    "a key without a value": (ord("m"), [1]),
    "too many fields": (ord("n"), {"name": "N", "fields": ["a"] * 5000, "values": []}),
    "a field that is no text": (ord("n"), {"name": "N", "fields": [1], "values": [1]}),
    "a field that is no identifier": (ord("n"), {"name": "N", "fields": ["a b"], "values": [1]}),
    "a field that is a keyword": (ord("n"), {"name": "N", "fields": ["class"], "values": [1]}),
    "a field twice": (ord("n"), {"name": "N", "fields": ["a", "a"], "values": [1, 2]}),
    "fields that are one text": (ord("n"), {"name": "N", "fields": "zq", "values": [1, 2]}),
    "fewer values than fields": (ord("n"), {"name": "N", "fields": ["a", "b"], "values": [1]}),
    "a record's fields that are no document": (
        ord("c"),
        {"module": "m", "qualname": "C", "fields": [1]},
    ),
    "a record's field that is no name": (
        ord("c"),
        {"module": "m", "qualname": "C", "fields": {1: 1}},
    ),
    "a class that is no text": (ord("c"), {"module": [], "qualname": "C", "fields": {}}),
    "a member whose name is no text": (
        ord("e"),
        {"module": "m", "qualname": "C", "name": [], "value": 1},
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_content_that_does_not_fit_its_kind_is_a_protocol_error(name):
    with pytest.raises(ProtocolError):
        rebuild(*MALFORMED[name])


@pytest.mark.parametrize("kind", [b"s", b"f", b"m"])
def test_values_that_differ_over_there_and_are_equal_here_are_refused(kind):
    content = [1, 1.0] if kind != b"m" else [1, "a", 1.0, "b"]
    with pytest.raises(ValueTransferError, match="differ on the other side and are equal here"):
        rebuild(kind[0], content)


def test_namedtuple_classes_are_remembered_within_limits():
    from pypods.wire import rebuilding

    first = rebuild(ord("n"), {"name": "First", "fields": ["a"], "values": [1]})
    again = rebuild(ord("n"), {"name": "First", "fields": ["a"], "values": [2]})
    assert type(first) is type(again)
    for number in range(20):
        fields = [f"f{number}_{index}" for index in range(4000)]
        rebuild(ord("n"), {"name": "Many", "fields": fields, "values": fields})
    remembered = sum(map(len, rebuilding._namedtuple_classes))
    assert remembered <= rebuilding.MAX_REMEMBERED_FIELDS


@pytest.mark.parametrize("name", BSON_VALUES)
def test_a_bson_value_stays_as_it_came_where_bson_is_not_loaded(monkeypatch, name):
    encoded = encode_document({"value": BSON_VALUES[name]})
    monkeypatch.delitem(sys.modules, "bson")
    back = decode_document(encoded)
    assert type(back["value"]) is BsonValue
    assert encode_in_standard_library(back) == encoded
