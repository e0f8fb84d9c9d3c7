"""Arrow data that crosses, and what a library makes of it; arrays of every type at random."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pypods.wire.arena import Arena
from pypods.wire.arrow import schemas, serving, structures
from pypods.wire.arrow.serving import array_capsules, schema_capsule, stream_capsule
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.rebuilding import Classes
from pypods.wire.shared import SharedMemory

ARENA_BYTES = 2**24


class HostSide(Classes):
    """As a host is: nothing is believed, and arrives as what it was only where it is named."""

    arrow_libraries = ()


class PodSide(Classes):
    """As a pod is that has the libraries."""

    trusts = True
    arrow_libraries = ("pyarrow", "polars")


SIDES = {"host": HostSide, "pod": PodSide}


class Ours:
    """An Arrow value through our own callbacks, as where pyarrow is not loaded."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __arrow_c_schema__(self) -> Any:
        return schema_capsule(self.value.field)

    def __arrow_c_array__(self, requested_schema: Any = None) -> Any:
        return array_capsules(self.value.field, *next(self.value.nodes()))

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return stream_capsule(self.value.field, self.value.nodes())


# --- crossing -------------------------------------------------------------------------------------


def cross_inline(value: Any, side: str = "host") -> Any:
    """Return what arrives of a value on a side that shares no memory."""
    return decode_document(encode_document({"v": value}), SIDES[side]())["v"]


@contextlib.contextmanager
def memory() -> Iterator[Callable[..., Any]]:
    """Give a function that lets a value cross through shared memory."""
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as other:
        sides = []
        for names in ((file, other), (other, file)):
            for each in names:
                each.truncate(ARENA_BYTES)
            arenas = [Arena(os.dup(each.fileno()), ARENA_BYTES) for each in names]
            sides.append(SharedMemory(*arenas, max_frame_bytes=2**24))
    here, there = sides

    def cross(value: Any, side: str = "host") -> Any:
        classes = SIDES[side]()
        classes.shared = there
        return decode_document(here.pack(encode_document, {"v": value}), classes)["v"]

    def lent_bytes() -> int:
        """Return what is lent after everything was given back that can be."""
        gc.collect()
        here.release(there.reader.take_returned(10_000))
        return here.writer.used_bytes

    cross.lent_bytes = lent_bytes  # type: ignore[attr-defined]
    yield cross
    here.close()
    there.close()


@pytest.fixture
def shared() -> Iterator[Callable[..., Any]]:
    """Return a function that lets a value cross through shared memory."""
    with memory() as cross:
        yield cross


@pytest.fixture(params=["shared", "inline"])
def cross(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Return a function that lets a value cross, with and without shared memory."""
    if request.param == "inline":
        yield cross_inline
        return
    with memory() as function:
        yield function


@pytest.fixture(scope="session")
def inline() -> Callable[..., Any]:
    """Return a function that lets a value cross without shared memory."""
    return cross_inline


@pytest.fixture(scope="session")
def ours() -> type[Ours]:
    """Return what takes an Arrow value through our own callbacks."""
    return Ours


@pytest.fixture(scope="session")
def held() -> Callable[[], int]:
    """Return a function that says how much C structures of ours still hold."""

    def count() -> int:
        kept = (serving._held, structures._in_capsules, schemas._held)
        if any(kept):
            gc.collect()
        return sum(map(len, kept))

    return count


@pytest.fixture(autouse=True, scope="module")
def nothing_stays_held(held: Callable[[], int]) -> Iterator[None]:
    """Fail a module after which a structure is left that nobody released."""
    before = held()
    yield
    assert held() == before


# --- arrays at random -----------------------------------------------------------------------------

FIXED = [
    pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(),
    pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.date32(), pa.date64(),
    pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"), pa.timestamp("s"),
    pa.timestamp("ms", "UTC"), pa.timestamp("us", "+05:30"), pa.timestamp("ns", "Europe/Berlin"),
    pa.duration("s"), pa.duration("ms"), pa.duration("us"), pa.duration("ns"),
    pa.month_day_nano_interval(), pa.decimal32(9, 2), pa.decimal64(18, 0), pa.decimal128(38, 10),
    pa.decimal128(20, -3), pa.decimal256(76, 5), pa.binary(7), pa.binary(0),
]  # fmt: skip
LARGEST = {"date64": 0, "time32[s]": 86_400, "time32[ms]": 86_400_000, "time64[us]": 86_400_000_000}
PLAIN = [
    *FIXED, pa.bool_(), pa.null(), pa.string(), pa.large_string(), pa.string_view(), pa.binary(),
    pa.large_binary(), pa.binary_view(),
]  # fmt: skip


class Shuffler:
    """Makes types and arrays from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.numpy = np.random.default_rng(seed)

    # Types

    def type(self, depth: int = 2) -> Any:
        if depth == 0 or self.random.random() < 0.3:
            return self.random.choice(PLAIN)
        return getattr(self, self.random.choice(NESTED))(depth - 1)

    def field(self, name: str, depth: int) -> Any:
        metadata = {b"k\0": b"\xff\0"} if self.random.random() < 0.3 else None
        return pa.field(name, self.type(depth), metadata=metadata)

    def list_type(self, depth: int) -> Any:
        return pa.list_(self.field("item", depth))

    def large_list_type(self, depth: int) -> Any:
        return pa.large_list(self.field("element", depth))

    def list_view_type(self, depth: int) -> Any:
        return pa.list_view(self.field("item", depth))

    def large_list_view_type(self, depth: int) -> Any:
        return pa.large_list_view(self.field("item", depth))

    def fixed_list_type(self, depth: int) -> Any:
        return pa.list_(self.field("item", depth), self.random.choice([0, 1, 3]))

    def struct_type(self, depth: int) -> Any:
        count = self.random.choice([0, 1, 3])
        return pa.struct([self.field(f"é{index}", depth) for index in range(count)])

    def map_type(self, depth: int) -> Any:
        keys = [pa.string(), pa.int16(), pa.large_binary(), pa.struct([pa.field("a", pa.int8())])]
        sorted_ = self.random.random() < 0.5
        return pa.map_(self.random.choice(keys), self.field("value", depth), keys_sorted=sorted_)

    def dictionary_type(self, depth: int) -> Any:
        index = self.random.choice([pa.int8(), pa.uint8(), pa.int16(), pa.int32(), pa.int64()])
        return pa.dictionary(index, self.type(depth), ordered=self.random.random() < 0.5)

    def runs_type(self, depth: int) -> Any:
        ends = self.random.choice([pa.int16(), pa.int32(), pa.int64()])
        values = self.type(depth)
        while pa.types.is_run_end_encoded(values):
            values = self.type(depth)
        return pa.run_end_encoded(ends, values)

    def dense_type(self, depth: int) -> Any:
        codes = self.random.sample(range(128), 3)
        return pa.dense_union([self.field(f"d{index}", depth) for index in range(3)], codes)

    def sparse_type(self, depth: int) -> Any:
        codes = self.random.sample(range(128), 2)
        return pa.sparse_union([self.field(f"s{index}", depth) for index in range(2)], codes)

    # Arrays

    def array(self, type_: Any, length: int, *, nulls: bool = True) -> Any:
        """Return an array of a type, of which the first items were cut off at times."""
        before, after = self.random.choice([(0, 0), (0, 0), (1, 0), (9, 2), (3, 17)])
        made = self.whole(type_, before + length + after, nulls=nulls)
        return made.slice(before, length)

    def whole(self, type_: Any, length: int, *, nulls: bool = True) -> Any:
        mask = None
        if nulls and self.random.random() < 0.7:
            mask = pa.array(self.numpy.random(length) < 0.3, pa.bool_())
        if pa.types.is_null(type_):
            return pa.nulls(length)
        if pa.types.is_dictionary(type_):
            values = self.array(type_.value_type, self.random.choice([1, 5]))
            indices = self.numpy.integers(0, len(values), length).astype(f"i{8}")
            indices = pa.array(indices, mask=None if mask is None else mask.to_numpy(False))
            return pa.DictionaryArray.from_arrays(
                indices.cast(type_.index_type), values, ordered=type_.ordered
            )
        if pa.types.is_run_end_encoded(type_):
            return self.runs(type_, length)
        if pa.types.is_union(type_):
            return self.union(type_, length)
        if pa.types.is_struct(type_):
            return self.struct(type_, length, mask)
        if pa.types.is_nested(type_):
            return self.lists(type_, length, mask)
        return self.plain(type_, length, mask)

    def plain(self, type_: Any, length: int, mask: Any) -> Any:
        if type_ not in FIXED:
            return self.texts(type_, length, mask)
        width = type_.bit_width // 8
        data = self.numpy.bytes(width * length)
        if pa.types.is_decimal(type_):
            low = self.numpy.integers(-99_999, 99_999, length).tolist()
            data = b"".join(each.to_bytes(width, "little", signed=True) for each in low)
        elif pa.types.is_floating(type_):
            data = self.numpy.random(length).astype(f"f{width}").tobytes()
        elif type_ == pa.date64():
            data = (self.numpy.integers(-9999, 9999, length) * 86_400_000).tobytes()
        elif pa.types.is_time(type_):
            data = self.numpy.integers(0, 86_400, length).astype(f"i{width}").tobytes()
        return self.from_buffers(type_, length, mask, [data])

    def from_buffers(self, type_: Any, length: int, mask: Any, data: list[Any]) -> Any:
        bitmap = None
        if mask is not None:
            bits = np.packbits(~mask.to_numpy(False), bitorder="little").tobytes()
            bitmap = pa.py_buffer(bits)
        buffers = [pa.py_buffer(each) for each in data]
        return pa.Array.from_buffers(type_, length, [bitmap, *buffers])

    def texts(self, type_: Any, length: int, mask: Any) -> Any:
        if pa.types.is_boolean(type_):
            values: list[Any] = (self.numpy.random(length) < 0.5).tolist()
        else:
            values = ["é€x" * size for size in self.numpy.choice([0, 1, 2, 3, 30], length).tolist()]
        if mask is not None:
            pairs = zip(values, mask.to_pylist(), strict=True)
            values = [None if is_null else value for value, is_null in pairs]
        return pa.array(values, type_)

    def struct(self, type_: Any, length: int, mask: Any) -> Any:
        if type_.num_fields == 0:
            return self.from_buffers(type_, length, mask, [])
        parts = [self.array(field.type, length) for field in type_]
        return pa.StructArray.from_arrays(parts, fields=list(type_), mask=mask)

    def union(self, type_: Any, length: int) -> Any:
        names = [field.name for field in type_]
        which = self.numpy.integers(0, type_.num_fields, length)
        codes = pa.array(np.array(type_.type_codes)[which].astype("i1"), pa.int8())
        if type_.mode == "sparse":
            parts = [self.array(field.type, length) for field in type_]
            made = pa.UnionArray.from_sparse(codes, parts, names, type_.type_codes)
        else:
            counts = [int((which == index).sum()) for index in range(type_.num_fields)]
            offsets = np.zeros(length, "i4")
            for index in range(type_.num_fields):
                offsets[which == index] = np.arange(counts[index])
            parts = [
                self.array(field.type, count + 1)
                for field, count in zip(type_, counts, strict=True)
            ]
            made = pa.UnionArray.from_dense(
                codes, pa.array(offsets, pa.int32()), parts, names, type_.type_codes
            )
        return made

    def runs(self, type_: Any, length: int) -> Any:
        ends = sorted({*self.numpy.integers(1, length + 1, 4).tolist(), length}) if length else []
        values = self.array(type_.value_type, len(ends))
        return pa.RunEndEncodedArray.from_arrays(pa.array(ends, type_.run_end_type), values)

    def lists(self, type_: Any, length: int, mask: Any) -> Any:
        if pa.types.is_fixed_size_list(type_):
            values = self.array(type_.value_type, length * type_.list_size)
            if type_.list_size == 0:
                return pa.FixedSizeListArray.from_buffers(type_, length, [None], children=[values])
            return pa.FixedSizeListArray.from_arrays(values, type=type_, mask=mask)
        sizes = self.numpy.choice([0, 1, 2, 5], length)
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        total = int(offsets[-1])
        if pa.types.is_map(type_):
            keys = self.array(type_.key_type, total, nulls=False)
            pairs = pa.StructArray.from_arrays(
                [keys, self.array(type_.item_type, total)],
                fields=[type_.key_field, type_.item_field],
            )
            bits = None
            if mask is not None:
                bits = pa.py_buffer(np.packbits(~mask.to_numpy(False), bitorder="little").tobytes())
            starts = pa.py_buffer(offsets.astype("i4").tobytes())
            return pa.MapArray.from_buffers(type_, length, [bits, starts], children=[pairs])
        values = self.array(type_.value_type, total)
        is_large = pa.types.is_large_list(type_) or pa.types.is_large_list_view(type_)
        width = pa.int64() if is_large else pa.int32()
        if pa.types.is_list_view(type_) or pa.types.is_large_list_view(type_):
            order = self.numpy.permutation(length)
            cls = pa.LargeListViewArray if is_large else pa.ListViewArray
            return cls.from_arrays(
                pa.array(offsets[:-1][order], width), pa.array(sizes[order], width), values,
                type=type_, mask=mask,
            )  # fmt: skip
        cls = pa.LargeListArray if is_large else pa.ListArray
        return cls.from_arrays(pa.array(offsets, width), values, type=type_, mask=mask)


NESTED = [
    "list_type", "large_list_type", "list_view_type", "large_list_view_type", "fixed_list_type",
    "struct_type", "map_type", "dictionary_type", "runs_type", "dense_type", "sparse_type",
]  # fmt: skip


@pytest.fixture(scope="session")
def shuffle() -> type[Shuffler]:
    """Return what makes types and arrays from a seed."""
    return Shuffler


@pytest.fixture(scope="session")
def plain_types() -> list[Any]:
    """Return every type that has no type inside it."""
    return PLAIN
