"""Buffers whose sizes lie around each limit: the shared minimum, half an arena, its end, a frame.

Whatever the way, a value comes back equal, what is kept is never written over, and at the end no
block is lent. PYPODS_TEST_EXAMPLES is how many ways of coming and going are tried.
"""

from __future__ import annotations

import array
import contextlib
import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypods.errors import ValueTransferError
from pypods.pods.codec import HostClasses
from pypods.pods.startup import start_session
from pypods.wire.arena import BLOCK_BYTES, Arena
from pypods.wire.context import SHARED_MINIMUM_BYTES
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.envelopes import call_head
from pypods.wire.rebuilding import Classes
from pypods.wire.shared import SharedMemory

EXAMPLES = int(os.environ.get("PYPODS_TEST_EXAMPLES", "15"))
#: A small arena, whose end is soon reached.
SIZE = 4 * SHARED_MINIMUM_BYTES
FRAME_BYTES = 2 * SIZE

SIZES = st.builds(
    lambda near, difference: max(0, near + difference),
    st.sampled_from([0, BLOCK_BYTES, SHARED_MINIMUM_BYTES, SIZE // 2, SIZE, FRAME_BYTES]),
    st.one_of(st.integers(-17, 17), st.sampled_from([-BLOCK_BYTES, BLOCK_BYTES])),
)
DTYPES = st.sampled_from(["u1", "?", "<i2", ">f4", "<f8", ">c16", "<M8[s]", "S3", "<U2"])


@contextlib.contextmanager
def two_sides(size: int = SIZE, *, writable: bool = False) -> Iterator[list[Classes]]:
    """Give the classes of a side that writes and of one that reads."""
    sides = []
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as other:
        for names in ((file, other), (other, file)):
            for each in names:
                each.truncate(size)
            arenas = [Arena(os.dup(each.fileno()), size) for each in names]
            side = Classes()
            side.writable = writable
            side.shared = SharedMemory(*arenas, max_frame_bytes=FRAME_BYTES, writable=writable)
            sides.append(side)
    try:
        yield sides
    finally:
        gc.collect()
        for side in sides:
            side.shared.close()


def bytes_of(length: int, seed: int) -> bytes:
    return np.random.default_rng(seed).integers(0, 2, length, dtype="u1").tobytes()


def make_value(kind: str, length: int, seed: int, dtype: str, order: str) -> Any:
    """Return a value of about so many bytes."""
    if kind == "array":
        items = length // np.dtype(dtype).itemsize
        data = bytes_of(items * np.dtype(dtype).itemsize, seed)
        if dtype == "<U2":  # Code points.
            data = np.frombuffer(data, "u1")[: items * 2].astype("<u4").tobytes()
        flat = np.frombuffer(data, dtype)
        columns = 3 if flat.size % 3 == 0 else 1
        return np.asarray(flat.reshape(-1, columns), order=order)
    data = bytes_of(length, seed)
    if kind == "array.array":
        return array.array("B", data)
    return {"bytes": bytes, "bytearray": bytearray, "memoryview": memoryview}[kind](data)


KINDS = st.sampled_from(["array", "array.array", "bytes", "bytearray", "memoryview"])
VALUES = st.builds(make_value, KINDS, SIZES, st.integers(0, 99), DTYPES, st.sampled_from("CF"))


def content(value: Any) -> bytes:
    return value.tobytes("A") if isinstance(value, np.ndarray) else bytes(value)


def assert_same(back: Any, value: Any) -> None:
    assert type(back) is type(value)
    assert content(back) == content(value)
    if isinstance(value, np.ndarray):
        assert (back.dtype, back.shape) == (value.dtype, value.shape)
        assert back.flags.c_contiguous == value.flags.c_contiguous or not value.size


@pytest.mark.timeout(120 + EXAMPLES)
@settings(deadline=None, max_examples=EXAMPLES)
@given(
    steps=st.lists(st.one_of(VALUES, st.integers(0, 9)), min_size=1, max_size=12),
    writable=st.booleans(),
)
def test_what_is_kept_stays_as_it_is_whatever_comes_and_goes(steps: list[Any], writable: bool):
    """A step is a value that crosses and is kept, or which of the kept ones is dropped."""
    with two_sides(writable=writable) as (here, there):
        kept: list[tuple[Any, bytes]] = []
        for step in steps:
            if type(step) is int:
                if kept:
                    kept.pop(step % len(kept))
                continue
            here.shared.release(there.shared.reader.take_returned(1000))
            try:
                frame = here.shared.pack(encode_document, {"v": step})
            except ValueTransferError as exc:
                assert "no room" in str(exc)  # noqa: PT017 - else the value crosses
                assert content_bytes(step) > FRAME_BYTES
                continue
            back = decode_document(frame, there)["v"]
            assert_same(back, step)
            kept.append((back, content(step)))
            assert all(content(each) == before for each, before in kept)
            assert here.shared.writer.used_bytes <= SIZE
            del back
        kept.clear()
        gc.collect()
        here.shared.release(there.shared.reader.take_returned(1000))
        assert here.shared.writer.used_bytes == 0
        assert there.shared.reader.held_bytes == 0


def content_bytes(value: Any) -> int:
    return value.nbytes if hasattr(value, "nbytes") else len(memoryview(value).cast("B"))


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, np.frombuffer])
@pytest.mark.parametrize("difference", [-1, 0, 1])
def test_what_fills_the_arena_leaves_the_frame_and_one_byte_more_does_not(make, difference):
    data = make(bytes_of(SIZE + difference, 5)) if make is not np.frombuffer else None
    value = np.frombuffer(bytes_of(SIZE + difference, 5), "u1") if data is None else data
    with two_sides() as (here, there):
        frame = here.shared.pack(encode_document, {"v": value})
        assert (len(frame) < 1000) is (difference <= 0)
        assert_same(decode_document(frame, there)["v"], value)
        again = here.shared.pack(encode_document, {"v": value})  # No room is left, or never was.
        assert len(again) > SIZE + difference


@pytest.mark.parametrize("make", [bytearray, memoryview, lambda data: np.frombuffer(data, "u1")])
@pytest.mark.parametrize("difference", [-1, 0, 1])
def test_where_there_is_no_room_a_frame_takes_up_to_its_limit(make, difference):
    value = make(bytes(FRAME_BYTES + difference))
    with two_sides() as (here, there):
        if difference > 0:
            with pytest.raises(ValueTransferError, match="max_shared_bytes or max_frame_bytes"):
                here.shared.pack(encode_document, {"v": value})
        else:
            frame = here.shared.pack(encode_document, {"v": value})
            assert_same(decode_document(frame, there)["v"], value)
        assert here.shared.writer.used_bytes == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("thresholds")
    (folder / "pod.py").write_text("def echo(x): return x\n")
    return folder


@pytest.mark.parametrize(
    "max_shared_bytes", [0, BLOCK_BYTES - 1, BLOCK_BYTES, SHARED_MINIMUM_BYTES - 1, SIZE, 2**26]
)
def test_with_any_amount_of_shared_memory_all_sizes_cross(
    folder: Path, outer_python: Path, max_shared_bytes: int
):
    session = start_session(
        "thresholds", folder, outer_python, timeout=60, max_frame_bytes=2**22,
        max_shared_bytes=max_shared_bytes, classes=HostClasses(),
    )  # fmt: skip
    try:
        assert (session.shared is None) is (max_shared_bytes < BLOCK_BYTES)
        kept = []
        for near in (0, BLOCK_BYTES, SHARED_MINIMUM_BYTES, SIZE // 2, SIZE):
            for difference in (-1, 0, 1):
                for kind, dtype, order in (("bytearray", "u1", "C"), ("array", ">f4", "F")):
                    value = make_value(kind, max(0, near + difference), near, dtype, order)
                    back = session.call(call_head("echo"), (value,), {})
                    assert_same(back, value)
                    kept = [*kept[-3:], (back, content(value))]
                    assert all(content(each) == before for each, before in kept)
    finally:
        session.stop()
