"""What a pod says of Arrow data is looked through on the host before a library follows it."""

from __future__ import annotations

import subprocess
import sys
from array import array
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.arrow import schemas
from pypods.wire.arrow.libraries import made_by
from pypods.wire.arrow.schemas import MAX_DEPTH, field_from_content
from pypods.wire.arrow.values import rebuild_arrow, reduce_arrow, reduce_arrow_value
from pypods.wire.context import SHARED_MINIMUM_BYTES
from pypods.wire.rebuilding import Classes

HERE = Path(__file__).parent


class Host(Classes):
    arrow_libraries = ()


class Pod(Classes):
    trusts = True
    arrow_libraries = ()


def content_of(value):
    return reduce_arrow(value)[1]


def arrive(content, classes=Host):
    """Return what pyarrow makes of a content, which it looks through as well."""
    value = rebuild_arrow(content, classes())
    made = pa.chunked_array(value)
    made.validate(full=True)
    return made


def with_numbers(value, changes):
    """Return the content of a value, some of its numbers changed."""
    content = content_of(value)
    numbers = array("q", content["groups"][0][0][0])
    for index, number in changes.items():
        numbers[index] = number
    content["groups"][0][0][0] = numbers.tobytes()
    return content


def with_data(value, place, data):
    """Return the content of a value, some of its bytes changed."""
    content = content_of(value)
    changed = bytearray(content["groups"][0][1])
    changed[place : place + len(data)] = data
    content["groups"][0][1] = bytes(changed)
    return content


def int32(*numbers):
    return array("i", numbers).tobytes()


# --- numbers --------------------------------------------------------------------------------------

INTS = pa.array([1, None, 3], pa.int32())
# Its numbers: length, null count, offset, buffers, then position and size of bitmap and data.


@pytest.mark.parametrize(
    "changes",
    [
        {0: -1}, {0: 4}, {0: 2**56}, {2: -1}, {2: 1}, {2: 2**62}, {3: 1}, {3: 3}, {3: -1},
        {3: 2**40}, {4: -2}, {4: 2**62}, {5: -1}, {5: 0}, {5: 2**62}, {6: 66}, {7: 11},
    ],
    ids=str,
)  # fmt: skip
def test_numbers_that_lead_out_of_the_data_are_refused(changes):
    with pytest.raises(ProtocolError):
        arrive(with_numbers(INTS, changes))


@pytest.mark.parametrize("nulls", [-1, 1, 2, 3, 10**9, -5])
def test_a_count_of_nulls_is_believed_by_nobody(nulls):
    assert arrive(with_numbers(INTS, {1: nulls})).to_pylist() == [1, None, 3]


def test_without_nulls_no_bitmap_is_looked_at():
    content = with_numbers(INTS, {1: 0, 5: 0})
    (node, _), = rebuild_arrow(content, Host()).nodes()  # fmt: skip
    assert node.buffers[0] is None


@pytest.mark.parametrize("cut", [b"", b"\0", bytes(8), bytes(64)])
def test_numbers_that_are_cut_short_or_too_many_are_refused(cut):
    content = content_of(INTS)
    content["groups"][0][0][0] = cut
    with pytest.raises(ProtocolError):
        arrive(content)
    content = content_of(INTS)
    content["groups"][0][0][0] += bytes(8)
    with pytest.raises(ProtocolError, match="left over"):
        arrive(content)


# --- what leads through an array ------------------------------------------------------------------

LEADING = {
    "offsets below zero": (pa.array(["ab", "c"]), 0, int32(-1)),
    "offsets that fall": (pa.array(["ab", "c"]), 4, int32(3, 2)),
    "offsets beyond the text": (pa.array(["ab", "c"]), 8, int32(4)),
    "offsets beyond the items": (pa.array([[1], [2]]), 8, int32(3)),
    "an index beyond the dictionary": (pa.array(["a"]).dictionary_encode(), 0, int32(1)),
    "an index below zero": (pa.array(["a"]).dictionary_encode(), 0, int32(-1)),
    "a view of no buffer": (pa.array(["x" * 20], pa.string_view()), 8, int32(1)),
    "a view beyond its buffer": (pa.array(["x" * 20], pa.string_view()), 12, int32(1)),
    "a view before its buffer": (pa.array(["x" * 20], pa.string_view()), 12, int32(-1)),
    "a view of less than nothing": (pa.array(["x"], pa.string_view()), 0, int32(-1)),
    "a buffer shorter than it says": (
        pa.array(["x" * 20], pa.string_view()), 128, array("q", [2**40]).tobytes(),
    ),
    "a list beyond its items": (pa.array([[1]], pa.list_view(pa.int8())), 64, int32(2)),
    "a list before its items": (pa.array([[1]], pa.list_view(pa.int8())), 0, int32(-1)),
    "a member of no type": (
        pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]), 0, b"\5",
    ),
    "a member beyond its items": (
        pa.UnionArray.from_dense(
            pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])]
        ),
        64, int32(1),
    ),
    "runs that do not rise": (
        pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), ["a", "b"]), 0, int32(2),
    ),
    "runs that end early": (
        pa.RunEndEncodedArray.from_arrays(pa.array([1, 3], pa.int32()), ["a", "b"]), 4, int32(2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LEADING)
def test_what_leads_out_of_an_array_is_refused(name, ours):
    value, place, data = LEADING[name]
    arrive(content_of(value))
    content = with_data(value, place, data)
    with pytest.raises(ProtocolError):
        arrive(content)
    with pytest.raises(ProtocolError):
        list(rebuild_arrow(content, Host()).nodes())
    # Passed on to a pod, which believes the host, it is not believed there either.
    passed_on = reduce_arrow_value(rebuild_arrow(content, Host()))[1]
    with pytest.raises(ProtocolError):
        list(rebuild_arrow(passed_on, Pod()).nodes())
    assert rebuild_arrow(content_of(value), Pod()).is_trusted


def test_a_host_cannot_be_told_to_believe():
    content = {**content_of(INTS), "checked": True}
    assert not rebuild_arrow(content, Host()).is_trusted


def test_behind_a_null_there_may_be_anything():
    words = pa.array([None, "y"]).dictionary_encode()
    assert arrive(with_data(words, 64, int32(2**30))).to_pylist() == [None, "y"]
    views = pa.array([None, "y"], pa.string_view())
    assert arrive(with_data(views, 64, int32(99, 0, 99, 99))).to_pylist() == [None, "y"]


MAPS = pa.array([[("k", 1), ("l", 2)]], pa.map_(pa.string(), pa.int64()))


def test_a_null_among_the_keys_of_a_map_ends_no_process():
    """Arrow C++ ends the process at one."""
    content = content_of(MAPS)
    # The map's six numbers, then four and two of its pairs, then the keys.
    numbers = array("q", content["groups"][0][0][0])
    assert numbers[8 + 6 : 8 + 12] == array("q", [2, 0, 0, 3, -1, 0])
    for count, bits, is_refused in ((1, 1, True), (-1, 2, True), (-1, 3, False), (0, 0, False)):
        numbers[8 + 7], numbers[8 + 10], numbers[8 + 11] = count, 0, 1
        data = bytearray(content["groups"][0][1])
        changed = array("q", numbers)
        changed[8 + 10] = len(data)
        data += bytes([bits]) + bytes(63)
        hostile = {**content, "groups": [[[changed.tobytes()], bytes(data)]]}
        if is_refused:
            with pytest.raises(ProtocolError, match="key of an Arrow map is null"):
                arrive(hostile)
        else:
            assert arrive(hostile).to_pylist() == MAPS.to_pylist()


def test_keys_that_are_null_by_their_type_are_refused():
    content = content_of(pa.array([[(None, 1)]][:0], pa.map_(pa.int8(), pa.int64())))
    pairs = content["type"][4][0]
    pairs[4][0] = ["n", "key", 0, None, [], None]
    field_from_content(content["type"])
    content["groups"] = [[[array("q", [
        1, 0, 0, 2, -1, 0, 0, 8, 1, 0, 0, 1, -1, 0, 1, 1, 0, 0, 1, 0, 0, 2, -1, 0, 64, 8,
    ]).tobytes()], int32(0, 1) + bytes(120)]]  # fmt: skip
    with pytest.raises(ProtocolError, match="keys of an Arrow map are null"):
        arrive(content)


@given(bits=st.lists(st.booleans(), max_size=40), data=st.data())
@settings(deadline=None, max_examples=50)
def test_a_null_is_found_among_some_bits(bits, data):
    from pypods.wire.arrow.checks import has_null

    offset = data.draw(st.integers(0, len(bits)))
    length = data.draw(st.integers(0, len(bits) - offset))
    packed = sum(bit << place for place, bit in enumerate(bits)).to_bytes(6, "little")
    assert has_null(packed, offset, length) is not all(bits[offset : offset + length])


# --- types ----------------------------------------------------------------------------------------


def column(text, children=(), dictionary=None, metadata=None, flags=2, name=""):
    return [text, name, flags, metadata, list(children), dictionary]


@pytest.mark.parametrize(
    "content",
    [
        None, [], "i", column(1), column("i", name=1), column("i", name="\0"), column("i\0"),
        column("i", flags=8), column("i", flags=-1), column("i", flags=True), column("i", [None]),
        column("i", [column("i")]), column("+l"), column("+l", [column("i")] * 2), column("+r"),
        column("+m", [column("i")]), column("+m", [column("+s")]), column("+ud:0", []),
        column("f", dictionary=column("i")), column("i", dictionary=5), column("i", metadata=5),
        column("i", metadata=[b"k"]), column("i", metadata=["k", "v"]),
    ],
    ids=lambda content: repr(content)[:40],
)  # fmt: skip
def test_a_type_that_is_none_is_refused(content):
    with pytest.raises(ProtocolError):
        field_from_content(content)


@pytest.mark.parametrize(
    "text", ["", "?", "ii", "d:", "d:9", "d:9,2,99", "tsx:", "ts:", "w:", "w:-1", "+w:", "+ud:0,0",
             "+us:128", "tss:\n", "tss:\ud800", "tss:" + "x" * 300, "l "],
)  # fmt: skip
def test_a_format_that_is_not_known_is_refused(text):
    with pytest.raises(ValueTransferError, match="cannot cross"):
        field_from_content(column(text))


def test_types_are_neither_too_deep_nor_too_many(monkeypatch):
    monkeypatch.setattr(schemas, "MAX_FIELDS", 200)
    deep = column("i")
    for _ in range(MAX_DEPTH + 1):
        deep = column("+l", [deep])
    wide = column("+s", [column("i")] * 200)
    for content in (deep, wide):
        with pytest.raises(ValueTransferError, match="too deeply, or has too many"):
            field_from_content(content)
    assert field_from_content(deep[4][0]).format == "+l"


def test_the_type_that_an_old_pyarrow_unpickles_is_refused(inline):
    name = b"ARROW:extension:name"
    field = pa.field("x", pa.binary(), metadata={name: b"arrow.py_extension_type"})
    with pytest.raises(ValueTransferError, match="would unpickle"):
        inline(field)
    for metadata in ([], [b"a", b"b"], [name, b"arrow.uuid"]):
        hidden = column("z", metadata=[*metadata, name, b"arrow.py_extension_type"])
        with pytest.raises(ValueTransferError, match="would unpickle"):
            field_from_content(column("+s", [hidden]))


@pytest.mark.parametrize(
    "change",
    [{"form": "other"}, {"form": "array", "groups": []}, {"origin": 5}, {"type": "i"},
     {"groups": [["x", b""]]}, {"groups": [[[5], b""]]}, {"groups": [[[b""], "x"]]}],
    ids=str,
)  # fmt: skip
def test_a_content_that_is_none_is_refused(change):
    with pytest.raises(ProtocolError):
        rebuild_arrow({**content_of(INTS), **change}, Host())


def test_a_panic_of_a_library_is_an_error_like_others(inline):
    class Panic(BaseException):
        pass

    def panic(library, value):
        raise Panic("index out of bounds")

    def interrupt(library, value):
        raise KeyboardInterrupt

    with pytest.raises(ValueTransferError, match=r"polars .* refuses it .index out of bounds"):
        made_by(pl, inline(INTS), panic)
    with pytest.raises(KeyboardInterrupt):
        made_by(pl, inline(INTS), interrupt)


def test_a_column_of_countless_nulls_is_refused_by_polars():
    """By a panic, which is no Exception."""
    content = content_of(pl.DataFrame({"a": [1]}))
    content["type"][4][0] = column("n", name="a")
    content["groups"] = [[[array("q", [2**40, 0, 0, 1, -1, 0, 2**40, 0, 0, 0]).tobytes()], b""]]
    with pytest.raises(ValueTransferError, match=r"polars .* refuses it"):
        rebuild_arrow(content, Classes())


# --- what changes later ---------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["pyarrow", "ours"])
def test_what_leads_through_an_array_is_not_changed_by_who_sent_it(shared, ours, way):
    rows = SHARED_MINIMUM_BYTES
    table = pa.table({
        "s": ["ab"] * rows, "d": pa.array(["x", None] * (rows // 2)).dictionary_encode(),
        "l": [[1]] * rows, "v": pa.array(["y" * 20] * rows, pa.string_view()),
    })  # fmt: skip
    arrived = shared(table)
    made = pa.table(ours(arrived) if way == "ours" else arrived)
    for _, data in arrived.groups:
        # The block, as its writer has it.
        writable = (type_of_bytes(data)).from_address(pa.py_buffer(data).address)
        writable[:] = [0x7F] * data.nbytes
    made.validate()
    changed = made.to_pydict()
    assert {len(each) for each in changed["s"]} == {2}
    assert {len(each) for each in changed["l"]} == {1}
    assert {len(each) for each in changed["v"]} == {20}
    assert [each is None for each in changed["d"][:4]] == [False, True, False, True]
    assert changed["s"][0] == "\x7f\x7f"


def type_of_bytes(data):
    from ctypes import c_ubyte

    return c_ubyte * data.nbytes


# --- at random ------------------------------------------------------------------------------------

#: Seeds whose contents once ended the process.
ONCE_CRASHED = ["19259"]


def test_changed_contents_are_refused_or_sound():
    """In a process of their own, which must not crash."""
    program = [str(HERE / "programs" / "mutate.py"), str(HERE / "conftest.py")]
    done = subprocess.run(
        [sys.executable, *program, "0", "300", *ONCE_CRASHED],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "'refused: ProtocolError'" in done.stdout
    assert "'read'" in done.stdout
