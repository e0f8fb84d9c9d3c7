"""Bytes, bytearrays, views and arrays of every size, in frames and in blocks."""

from __future__ import annotations

import array
import contextlib
import gc
import os
import sys
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire import buffers
from pypods.wire.arena import Arena
from pypods.wire.context import SHARED_MINIMUM_BYTES, current
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.rebuilding import Classes
from pypods.wire.shared import SharedMemory

SIZE = 2**23
LARGE = SHARED_MINIMUM_BYTES
#: Around nothing, an item, a page, the threshold.
LENGTHS = sorted(
    {0, 1, 7, 8, 16, *(near + d for near in (4096, LARGE, 2 * LARGE) for d in (-8, -1, 0, 1, 8))}
)


@pytest.fixture(params=["shared", "inline"])
def cross(request):
    """Return a function that lets a value cross, with and without shared memory."""
    if request.param == "inline":
        yield lambda value, writable=False: cross_inline(value, writable)
        return
    with two_sides() as (here, there):

        def cross_shared(value, writable=False):
            there.writable = there.shared.reader.writable = writable
            frame = here.shared.pack(encode_document, {"v": value})
            back = decode_document(frame, there)["v"]
            here.shared.release(there.shared.reader.take_returned(1000))
            return back

        yield cross_shared


def cross_inline(value, writable=False):
    classes = Classes()
    classes.writable = writable
    return decode_document(encode_document({"v": value}), classes)["v"]


@contextlib.contextmanager
def two_sides():
    """Give the classes of a side that writes and of one that reads."""
    sides = []
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as other:
        for names in ((file, other), (other, file)):
            for each in names:
                each.truncate(SIZE)
            arenas = [Arena(os.dup(each.fileno()), SIZE) for each in names]
            side = Classes()
            side.shared = SharedMemory(*arenas, max_frame_bytes=2**24)
            sides.append(side)
    yield sides
    gc.collect()
    for side in sides:
        side.shared.close()


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("make", [bytes, bytearray, memoryview], ids=lambda make: make.__name__)
def test_a_binary_of_any_length_comes_back(cross, make, length):
    value = make(os.urandom(length))
    back = cross(value)
    assert type(back) is make
    assert back == value
    if make is memoryview:
        assert back.readonly
        assert (back.format, back.shape) == (value.format, value.shape)


@pytest.mark.parametrize("code", array.typecodes.replace("u", "").replace("w", ""))
@pytest.mark.parametrize("items", [0, 1, 3, LARGE])
def test_an_array_of_any_typecode_comes_back(cross, code, items):
    value = array.array(code, [1]) * items
    back = cross(value)
    assert type(back) is array.array
    assert (back.typecode, back) == (code, value)
    back.extend(value[:1])  # It is an array like any other.


def test_an_array_of_characters_comes_back(cross):
    value = array.array("u", "aé€") * 20_000
    assert cross(value) == value


@pytest.mark.parametrize("code", sorted(buffers.VIEW_FORMATS - {"e"}))
@pytest.mark.parametrize("items", [0, 1, 6, LARGE])
def test_a_view_of_any_format_comes_back(cross, code, items):
    value = memoryview(bytes(16 * items)).cast(code) if items else memoryview(b"").cast(code)
    back = cross(value)
    assert (back.format, back.shape, back.readonly) == (value.format, value.shape, True)
    assert back == value


@settings(deadline=None, max_examples=50)
@given(
    shape=st.lists(st.integers(1, 40), max_size=4),
    code=st.sampled_from("bBhHiIqQfd?c"),
    fill=st.integers(0, 255),
)
def test_a_view_of_any_shape_comes_back(shape, code, fill):
    items = 1
    for dimension in shape:
        items *= dimension
    size = memoryview(bytes(8)).cast(code).itemsize
    fill = fill % 2 if code == "?" else fill % 120
    value = memoryview(bytes([fill]) * (items * size)).cast(code, shape)
    with two_sides() as (here, there):
        frame = here.shared.pack(encode_document, {"v": value})
        for back in (decode_document(frame, there)["v"], cross_inline(value)):
            assert (back.format, back.shape) == (value.format, value.shape)
            assert back.tobytes() == value.tobytes()
        del back


@pytest.mark.parametrize("items", [10, 4 * LARGE])
def test_a_view_that_is_not_contiguous_is_made_so(cross, items):
    value = memoryview(bytes(range(256)) * (items // 256 + 1))[::-3]
    back = cross(value)
    assert back == value
    assert back.contiguous


@pytest.mark.parametrize("length", [10, LARGE])
def test_a_view_is_writable_if_that_is_asked_for(cross, length):
    back = cross(memoryview(b"x" * length), writable=True)
    back[0] = 65
    assert bytes(back[:2]) == b"Ax"


@pytest.mark.parametrize("length", [10, LARGE])
def test_views_inside_containers_cross(cross, length):
    value = {"a": [memoryview(b"x" * length), (bytearray(length), {1: b"y" * length})]}
    assert cross(value) == value


# --- what cannot cross -------------------------------------------------------------------------


def released_view():
    view = memoryview(b"gone")
    view.release()
    return view


def struct_view():
    import ctypes

    return memoryview((ctypes.c_int32 * 3)())


def empty_table():
    import numpy as np

    return memoryview(np.zeros((0, 3)))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (released_view, "released memoryview"),
        (struct_view, "a memoryview of format '<i' cannot cross by value; cast it to \"B\""),
        (empty_table, "an empty memoryview of several dimensions"),
    ],
)
def test_a_view_that_cannot_cross_is_refused(cross, make, reason):
    with pytest.raises(ValueTransferError, match=reason) as caught:
        cross([make()])
    assert caught.value.place == "v[0]"


@pytest.mark.parametrize("make", [bytearray, memoryview, array.array])
def test_what_fits_neither_arena_nor_frame_names_both_options(make):
    value = array.array("b", bytes(SIZE + 1)) if make is array.array else make(bytes(SIZE + 1))
    with two_sides() as (here, _):
        here.shared.max_inline_bytes = SIZE
        with pytest.raises(ValueTransferError, match="max_shared_bytes or max_frame_bytes"):
            here.shared.pack(encode_document, {"v": value})
    assert current.arena is None


def test_without_shared_memory_the_limit_is_bsons_own():
    with pytest.raises(ValueTransferError, match="no room in shared memory nor in a frame"):
        buffers.check_inline(2**31)


# --- what a peer may make up --------------------------------------------------------------------


def malformed(kind, content):
    """Return a document with a kind and a content that no sender writes."""
    inner = kind + encode_document(content)
    body = b"\x05v\0" + len(inner).to_bytes(4, "little") + b"\x80" + inner + b"\0"
    return (len(body) + 4).to_bytes(4, "little") + body


VIEW = {"format": "B", "shape": [2], "data": b"ab"}
ARRAY = {"typecode": "b", "itemsize": 1, "data": b"ab"}


@pytest.mark.parametrize(
    ("kind", "content", "error"),
    [
        (b"v", {**VIEW, "format": "<i"}, ProtocolError),
        (b"v", {**VIEW, "format": 5}, ProtocolError),
        (b"v", {**VIEW, "format": "BB"}, ProtocolError),
        (b"v", {**VIEW, "shape": [3]}, ProtocolError),
        (b"v", {**VIEW, "shape": [2, -1]}, ProtocolError),
        (b"v", {**VIEW, "shape": [2**63]}, ProtocolError),
        (b"v", {**VIEW, "shape": [True, 2]}, ProtocolError),
        (b"v", {**VIEW, "shape": "ab"}, ProtocolError),
        (b"v", {**VIEW, "shape": [1] * 65}, ProtocolError),
        (b"v", {**VIEW, "shape": [0, 2], "data": b""}, ProtocolError),
        (b"v", {**VIEW, "format": "h", "data": b"abc"}, ProtocolError),
        (b"v", {**VIEW, "data": "ab"}, ProtocolError),
        (b"v", {"format": "B"}, ProtocolError),
        (b"a", {**ARRAY, "typecode": 5}, ProtocolError),
        (b"a", {**ARRAY, "typecode": "bb"}, ValueTransferError),
        (b"a", {**ARRAY, "typecode": ""}, ValueTransferError),
        (b"a", {**ARRAY, "itemsize": 2}, ValueTransferError),
        (b"a", {**ARRAY, "data": "ab"}, ProtocolError),
        (b"a", {**ARRAY, "typecode": "h", "itemsize": 2, "data": b"abc"}, ProtocolError),
    ],
)
def test_a_content_that_makes_no_sense_is_refused(kind, content, error):
    with pytest.raises(error):
        decode_document(malformed(kind, content))


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python has the format")
def test_a_format_that_this_python_lacks_cannot_arrive():
    with pytest.raises(ValueTransferError, match='format "e" cannot arrive here'):
        decode_document(malformed(b"v", {"format": "e", "shape": [1], "data": b"ab"}))
