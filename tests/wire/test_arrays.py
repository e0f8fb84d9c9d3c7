"""Arrays of every dtype, order and shape; with and without NumPy and shared memory."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire import arrays
from pypods.wire.arena import Arena
from pypods.wire.arrays import ArrayValue, ScalarValue
from pypods.wire.context import SHARED_MINIMUM_BYTES
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.rebuilding import Classes
from pypods.wire.shared import SharedMemory

SIZE = 2**23
LARGE = SHARED_MINIMUM_BYTES

POINT = np.dtype([("x", "<f8"), ("name", "U5"), ("when", "M8[ns]")])
DTYPES = [
    *("?", "i1", "<i2", ">i4", "<i8", "u1", ">u2", "u4", "u8", "<f2", ">f4", "f8", "c8", ">c16"),
    *(np.longdouble, np.clongdouble, "S1", "S7", "U1", ">U3", "V5", "M8[ns]", "M8[25s]", "<M8"),
    *("m8[D]", ">m8[us]"),
    POINT,
    np.dtype("i1, f8", align=True),
    np.dtype([("a", "i4", (2, 3)), ("b", POINT, 2)]),
    np.dtype({"names": ["b", "a"], "formats": ["i2", "i4"], "offsets": [6, 1], "itemsize": 11}),
    np.dtype([(("a title", "a"), "i4"), ("b", "i1")]),
    np.dtype({"names": ["low", "all"], "formats": ["u1", "u4"], "offsets": [0, 0]}),
]


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


def cross_inline(value):
    return decode_document(encode_document({"v": value}))["v"]


@pytest.fixture(params=["shared", "inline"])
def cross(request):
    """Return a function that lets a value cross, with and without shared memory."""
    if request.param == "inline":
        yield cross_inline
        return
    with two_sides() as (here, there):

        def cross_shared(value):
            return decode_document(here.shared.pack(encode_document, {"v": value}), there)["v"]

        yield cross_shared


def assert_same(back, value):
    """Compare two arrays by what they are: type, dtype, shape, items with their padding aside."""
    assert type(back) is type(value)
    assert back.dtype == value.dtype
    assert back.shape == value.shape
    if value.dtype.names is None:
        assert back.tobytes() == np.asarray(value).tobytes()
    else:
        for name in value.dtype.names:
            assert np.asarray(back[name]).tobytes() == np.asarray(value[name]).tobytes()


def filled(dtype, count):
    """Return an array of a dtype whose bytes are all sorts, and valid."""
    dtype = np.dtype(dtype)
    if dtype.kind == "?":
        return np.arange(count) % 3 == 0
    if dtype.kind == "U" or dtype.names or dtype.kind == "V":
        return np.zeros(count, dtype)
    if dtype.kind == "S":
        return np.array([b"%d" % (index % 10) for index in range(count)], dtype)
    return (np.arange(count) % 100).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(np.dtype(dtype))[:40])
@pytest.mark.parametrize("count", [0, 1, 5, LARGE])
def test_an_array_of_any_dtype_comes_back_read_only(cross, dtype, count):
    value = filled(dtype, count)
    back = cross(value)
    assert_same(back, value)
    assert not back.flags.writeable
    assert back.dtype.isalignedstruct == value.dtype.isalignedstruct
    assert back.dtype.fields == value.dtype.fields


@pytest.mark.parametrize("side", [3, 128])
def test_order_is_kept_and_what_is_not_contiguous_is_made_so(cross, side):
    c_order = np.arange(side * side * 8.0).reshape(side, side, 8)
    f_order = np.asfortranarray(c_order)
    for value, is_c in ((c_order, True), (f_order, False)):
        back = cross(value)
        assert (back.flags.c_contiguous, back.flags.f_contiguous) == (is_c, not is_c)
        assert np.array_equal(back, value)
    for part in (c_order[::2, 1:], c_order[:, ::-1], c_order.swapaxes(0, 1), c_order[..., 0]):
        back = cross(part)
        assert back.flags.c_contiguous
        assert np.array_equal(back, part)
    fields = np.zeros((side, side), POINT)[:, ::2]
    assert_same(cross(fields), fields)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0, 2), (1, 1), (1,) * 32])
def test_an_array_of_any_shape_comes_back(cross, shape):
    value = np.ones(shape, "f4")
    assert_same(cross(value), value)


@settings(deadline=None, max_examples=300)
@given(
    hnp.arrays(
        dtype=st.one_of(
            hnp.scalar_dtypes(), hnp.byte_string_dtypes(), hnp.unicode_string_dtypes(),
            hnp.array_dtypes(),
        ),
        shape=hnp.array_shapes(min_dims=0, min_side=0, max_dims=4, max_side=5),
        elements=None,
        fill=st.nothing(),
    )
)  # fmt: skip
def test_whatever_array_there_is_comes_back(value):
    if value.dtype.hasobject:
        return
    back = cross_inline(value)
    assert_same(back, value)


@settings(deadline=None, max_examples=60)
@given(
    near=st.sampled_from([4096, LARGE, 2 * LARGE]),
    difference=st.integers(-2, 2),
    dtype=st.sampled_from(["u1", "<i2", ">f4", "f8", "c16", "M8[s]", "S3", "?"]),
    columns=st.integers(1, 3),
    order=st.sampled_from("CF"),
    step=st.sampled_from([1, 2, -1]),
)
def test_sizes_around_page_and_threshold_come_back(near, difference, dtype, columns, order, step):
    dtype = np.dtype(dtype)
    rows = near // dtype.itemsize // columns + difference
    value = filled(dtype, rows * columns * abs(step)).reshape(-1, columns, order=order)[::step]
    with two_sides() as (here, there):
        frame = here.shared.pack(encode_document, {"v": value})
        assert (len(frame) < value.nbytes) is (value.nbytes >= LARGE)
        back = decode_document(frame, there)["v"]
        assert_same(back, value)
        del back
        gc.collect()
        here.shared.release(there.shared.reader.take_returned(10))
        assert here.shared.writer.used_bytes == 0


def test_a_part_of_an_array_keeps_its_block():
    with two_sides() as (here, there):
        value = np.arange(LARGE)
        back = decode_document(here.shared.pack(encode_document, {"v": value}), there)["v"]
        part = back[5:10].reshape(5, 1)
        del back
        gc.collect()
        assert not there.shared.returned
        assert part.ravel().tolist() == [5, 6, 7, 8, 9]
        del part
        assert list(there.shared.returned) == [1]


@pytest.mark.parametrize("count", [5, LARGE])
def test_an_array_is_writable_if_that_is_asked_for(count):
    with two_sides() as (here, there):
        there.writable = there.shared.reader.writable = True
        frame = here.shared.pack(encode_document, {"v": np.zeros(count)})
        back = decode_document(frame, there)["v"]
        back += 1
        assert back.sum() == count
        del back


# --- scalars --------------------------------------------------------------------------------------

SCALARS = [
    np.bool_(True), np.int8(-5), np.uint64(2**64 - 1), np.float16(1.5), np.float32(0.1),
    np.float64("nan"), np.longdouble(1) / 3, np.complex64(1 - 2j), np.complex128(3j),
    np.datetime64("2024-02-29T12:30", "ns"), np.datetime64("NaT"), np.timedelta64(-3, "D"),
    np.str_("é€"), np.str_(""), np.str_("zero\0"), np.str_("\ud800"), np.bytes_(b"a\0"),
    np.bytes_(b""), np.void(b"abc"), np.zeros(1, POINT)[0], np.bytes_(b"x" * LARGE),
]  # fmt: skip


def show(value):
    return f"{type(value).__name__} {value!r:.20}"


@pytest.mark.parametrize("value", SCALARS, ids=show)
def test_a_scalar_comes_back_as_itself(cross, value):
    back = cross([value])[0]
    assert type(back) is type(value)
    assert back.dtype == value.dtype
    assert back.tobytes() == value.tobytes()
    if isinstance(value, (str, bytes)):
        assert back == value


# --- what cannot cross ----------------------------------------------------------------------------


class Meters(np.ndarray):
    """An array that is more than one."""


RECORD = np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.array([object()]), "it holds Python objects"),
        (np.array([(1, "x")], dtype=[("a", "i4"), ("b", "O")]), "it holds Python objects"),
        (np.zeros(2).view(Meters), "Meters cannot cross by value"),
        (np.ma.masked_array([1], [True]), "MaskedArray cannot cross by value"),
        (RECORD, "recarray cannot cross by value"),
        (np.asarray(RECORD).view(np.ndarray), r"dtype .*record.* cannot cross by value"),
        (np.array(["text"], dtype="T"), r"dtype .*String.* cannot cross by value"),
        (np.dtype("f8"), "Float64DType cannot cross by value"),
    ],
    ids=["objects", "object field", "subclass", "masked", "recarray", "record", "text", "dtype"],
)
def test_an_array_that_cannot_cross_is_refused(cross, value, reason):
    with pytest.raises(ValueTransferError, match=reason) as caught:
        cross({"table": value})
    assert caught.value.place == 'v["table"]'


def test_a_structure_of_too_many_fields_is_refused():
    value = np.zeros(1, [(f"f{index}", "u1") for index in range(arrays.MAX_FIELDS + 1)])
    with pytest.raises(ValueTransferError, match="cannot cross by value"):
        cross_inline(value)


# --- what a peer may make up ----------------------------------------------------------------------


def malformed(kind, content):
    """Return a document with a kind and a content that no sender writes."""
    inner = kind + encode_document(content)
    body = b"\x05v\0" + len(inner).to_bytes(4, "little") + b"\x80" + inner + b"\0"
    return (len(body) + 4).to_bytes(4, "little") + body


def structure(**changes):
    plain = {
        "names": ["a", "b"],
        "formats": ["<i2", "|S2"],
        "offsets": [0, 2],
        "titles": None,
        "itemsize": 4,
        "aligned": False,
    }
    return {**plain, **changes}


def nested(depth):
    dtype = "|u1"
    for _ in range(depth):
        dtype = [dtype, [1]]
    return dtype


BAD_DTYPES = [
    "|O", "O8", "<f8,<f8", "(2,)f8", "<x4", "f8", "=f8", "<f", "<f-8", "<f8 ", "<f٣", "", "<", 5,
    None,
    "<i8[ns]", "<M8[ns", "<M8]", "<M8[n s]", "<M8[]", "object", "numpy.float64", "<f" + "8" * 50,
    "|V4294967296", "<U1073741824", ["<f8"], ["<f8", [2], 3], ["<f8", "2"], ["<f8", [-1]],
    ["|V65536", [65536]], nested(17), {}, structure(extra=1), structure(names=["a"]),
    structure(names=["a", "a"]), structure(names=["a", 5]), structure(names="ab"),
    structure(formats=["<i2", "|O"]), structure(offsets=[0, 3]), structure(offsets=[0, -1]),
    structure(offsets=[0, 1.5]), structure(itemsize=3), structure(itemsize="4"),
    structure(itemsize=-1, names=[], formats=[], offsets=[]), structure(aligned=1),
    structure(titles=["x"]), structure(titles=["b", None]), structure(titles=[5, None]),
    structure(itemsize=2**31),
]  # fmt: skip


@pytest.mark.parametrize("dtype", BAD_DTYPES, ids=lambda each: str(each)[:40])
@pytest.mark.parametrize("kind", [b"A", b"g"])
def test_what_is_no_dtype_never_reaches_numpy(kind, dtype, monkeypatch):
    monkeypatch.setattr(arrays, "_build_dtype", lambda *_: pytest.fail("it reached NumPy"))
    content = {"dtype": dtype, "shape": [1], "order": "C", "data": b"\0\0\0\0"}
    if kind == b"g":
        content = {"dtype": dtype, "data": b"\0\0\0\0"}
    with pytest.raises(ProtocolError):
        decode_document(malformed(kind, content))


MISALIGNED = structure(aligned=True, offsets=[1, 3], itemsize=5)
GOOD = {"dtype": "<i2", "shape": [2], "order": "C", "data": b"abcd"}


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [3]},
        {"shape": [2, 2]},
        {"shape": []},
        {"shape": [-2]},
        {"shape": [2**63]},
        {"shape": None},
        {"order": "K"},
        {"order": None},
        {"data": b"abc"},
        {"data": "abcd"},
        {"dtype": "<i4"},
    ],
    ids=str,
)
def test_an_array_whose_parts_do_not_fit_is_refused(change):
    assert decode_document(malformed(b"A", GOOD))["v"].tolist() == [25185, 25699]
    with pytest.raises(ProtocolError):
        decode_document(malformed(b"A", {**GOOD, **change}))


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (b"A", {**GOOD, "dtype": "<f3", "data": b"abc", "shape": [1]}),
        (b"A", {**GOOD, "shape": [0, 2**62, 2**62], "data": b""}),
        (b"A", {**GOOD, "dtype": MISALIGNED, "shape": [0], "data": b""}),
        (b"A", {**GOOD, "dtype": "<M4", "shape": [1]}),
        (b"g", {"dtype": "<f3", "data": b"abc"}),
        (b"g", {"dtype": "<M8[zz]", "data": bytes(8)}),
    ],
    ids=lambda each: str(each)[:60],
)  # fmt: skip
def test_what_numpy_refuses_cannot_arrive_and_breaks_nothing(kind, content):
    with pytest.raises(ValueTransferError, match=r"cannot arrive here: NumPy \d"):
        decode_document(malformed(kind, content))


def test_a_scalar_whose_parts_do_not_fit_is_refused():
    for content in ({"dtype": "<i2", "data": b"abc"}, {"dtype": "<i2", "data": "ab"}):
        with pytest.raises(ProtocolError):
            decode_document(malformed(b"g", content))


# --- without NumPy --------------------------------------------------------------------------------


@pytest.fixture
def no_numpy(monkeypatch):
    """Let NumPy be found nowhere while a value arrives."""
    monkeypatch.setattr(arrays, "find_numpy", lambda: None)
    # What was learnt with it, a side without it does not know.
    monkeypatch.setattr(arrays, "_known_dtypes", {})


@pytest.mark.parametrize(
    "value", [np.arange(6).reshape(2, 3), np.zeros(3, POINT), np.zeros((0, 2))]
)
def test_without_numpy_an_array_has_a_stand_in_that_becomes_it_again(value, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(arrays, "find_numpy", lambda: None)
        stand_in = cross_inline(value)
        again = cross_inline(stand_in)
    assert type(stand_in) is ArrayValue
    assert stand_in == again
    assert stand_in.shape == value.shape
    assert stand_in.nbytes == value.nbytes
    assert stand_in.tobytes() == stand_in.data == value.tobytes()
    assert_same(cross_inline(stand_in), value)


def test_a_stand_in_says_what_it_is(no_numpy):
    stand_in = cross_inline(np.arange(6, dtype="<i8").reshape(2, 3))
    assert repr(stand_in) == "<array <i8 (2, 3) without NumPy>"
    assert stand_in != cross_inline(np.arange(6, dtype="<i8"))
    assert stand_in != 5
    with pytest.raises(TypeError, match="unhashable"):
        hash(stand_in)


@pytest.mark.parametrize(
    "value",
    [value for value in SCALARS if value.dtype.kind in "biufcSU" and value.dtype.itemsize <= 32],
    ids=show,
)
def test_a_stand_in_of_a_scalar_knows_its_value(no_numpy, value):
    stand_in = cross_inline(value)
    assert type(stand_in) is ScalarValue
    if value.dtype.char in "gG":
        with pytest.raises(TypeError, match="without NumPy there is no value"):
            stand_in.item()
        return
    if isinstance(value, (str, bytes)):
        item = value[:]  # NumPy's own item() lacks zeros at the end.
    else:
        item = value.item()
    assert type(stand_in.item()) is type(item)
    assert stand_in.item() == item or item != item
    assert stand_in == cross_inline(stand_in)
    assert hash(stand_in) == hash(cross_inline(value))


def test_a_stand_in_of_a_scalar_is_a_number(no_numpy):
    stand_in = cross_inline(np.float32(1.5))
    assert (float(stand_in), int(stand_in), bool(stand_in)) == (1.5, 1, True)
    assert repr(stand_in) == "<scalar <f4 b'\\x00\\x00\\xc0?' without NumPy>"
    assert stand_in != 1.5
    with pytest.raises(TypeError, match="without NumPy there is no value"):
        cross_inline(np.datetime64("2024")).item()
    with pytest.raises(TypeError, match="without NumPy there is no value"):
        cross_inline(np.zeros(1, POINT)[0]).item()


@pytest.mark.parametrize("value", SCALARS, ids=show)
def test_a_stand_in_of_a_scalar_becomes_it_again(value, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(arrays, "find_numpy", lambda: None)
        stand_in = cross_inline(value)
    back = cross_inline(stand_in)
    assert type(back) is type(value)
    assert back.tobytes() == value.tobytes()


def run(code, *, extra_path=""):
    """Run code in a Python that finds pypods, and nothing else that is installed."""
    source = Path(arrays.__file__).parents[2]
    script = f"import sys; sys.path[:0] = [{str(source)!r}, {extra_path!r}]\n{code}"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True
    ).stdout


ARRIVES = f"""
from pypods.wire.documents import decode_document
document = bytes.fromhex({malformed(b"A", GOOD).hex()!r})
print([type(decode_document(document)["v"]).__name__ for _ in range(2)], "numpy" in sys.modules)
"""


def test_a_python_without_numpy_looks_for_it_once():
    assert run(ARRIVES + "from pypods.wire import installed; print(installed.absent)") == (
        "['ArrayValue', 'ArrayValue'] False\n['numpy']\n"
    )


def test_a_broken_numpy_is_as_good_as_none(tmp_path):
    (tmp_path / "numpy.py").write_text("raise RuntimeError('broken')\n")
    assert run(ARRIVES, extra_path=str(tmp_path)) == "['ArrayValue', 'ArrayValue'] False\n"
