"""Blocks of shared memory: where they lie, who has them, when they come back."""

from __future__ import annotations

import gc
import mmap
import os
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire import huge_pages
from pypods.wire.arena import (
    BLOCK_BYTES,
    REFERENCE,
    SERIAL,
    Arena,
    ArenaReader,
    ArenaWriter,
    Parcel,
)

SIZE = 64 * BLOCK_BYTES


def make_arenas(size=SIZE, count=2):
    """Return arenas over one file, as the two sides of a direction have them."""
    with tempfile.TemporaryFile() as file:
        os.ftruncate(file.fileno(), size)
        return [Arena(os.dup(file.fileno()), size) for _ in range(count)]


def count_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def make_sides(size=SIZE, **options):
    theirs, ours = make_arenas(size)
    return ArenaWriter(theirs), ArenaReader(ours, **options)


def put(writer, data, letter=b"y"):
    """Write data and return its serial, offset and length."""
    content = Parcel(writer, max_inline_bytes=2**20).export(letter, data)
    return REFERENCE.unpack(content)[1:]


# --- an arena -----------------------------------------------------------------------------------


def test_an_arena_is_mapped_when_it_is_first_used_and_then_has_one_descriptor():
    (arena,) = make_arenas(count=1)
    before = count_descriptors() if sys.platform == "linux" else None
    assert not arena.is_mapped
    assert len(arena.mapping) == SIZE
    assert arena.is_mapped
    assert arena.mapping is arena.mapping
    if before is not None:
        assert count_descriptors() == before
    arena.close()


@pytest.mark.parametrize("used", [False, True])
def test_a_closed_arena_cannot_be_mapped(used):
    (arena,) = make_arenas(count=1)
    if used:
        assert arena.mapping
    arena.close()
    arena.close()
    with pytest.raises(OSError, match="closed"):
        _ = arena.mapping


def test_a_file_that_is_too_short_is_no_arena():
    with tempfile.TemporaryFile() as file:
        arena = Arena(os.dup(file.fileno()), SIZE)
    with pytest.raises(OSError, match=r".+"):
        _ = arena.mapping


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_an_arena_that_nobody_has_leaves_no_descriptor():
    before = count_descriptors()
    unused, used = make_arenas()
    assert used.mapping
    del unused, used
    gc.collect()
    assert count_descriptors() == before


# --- the writer ---------------------------------------------------------------------------------


def test_blocks_are_whole_pages_and_the_first_that_fits_is_taken():
    writer, _ = make_sides()
    first, second, third = (writer.allocate(length) for length in (1, BLOCK_BYTES, BLOCK_BYTES + 1))
    assert [first, second, third] == [(1, 0), (2, BLOCK_BYTES), (3, 2 * BLOCK_BYTES)]
    assert writer.used_bytes == 4 * BLOCK_BYTES
    writer.release([1])
    assert writer.allocate(5) == (4, 0)


def test_where_there_is_no_room_there_is_no_block():
    writer, _ = make_sides()
    assert writer.allocate(SIZE + 1) is None
    assert writer.allocate(SIZE) == (1, 0)
    assert writer.allocate(1) is None
    writer.release([1])
    assert writer.allocate(1) is not None


def test_serials_that_are_not_lent_say_nothing():
    writer, _ = make_sides()
    writer.allocate(1)
    writer.release([1])
    writer.release([1, 0, 99, 2**64 - 1])
    assert writer.used_bytes == 0
    assert writer.allocate(SIZE) == (2, 0)


@pytest.mark.parametrize("packed", ["text", None, b"1234567", 5, [1]])
def test_a_release_that_is_none_is_a_broken_peer(packed):
    writer, _ = make_sides()
    with pytest.raises(ProtocolError, match="names no blocks"):
        writer.release_packed(packed)


@settings(deadline=None)
@given(st.lists(st.one_of(st.integers(1, 20 * BLOCK_BYTES), st.integers(-40, -1)), max_size=200))
def test_blocks_never_overlap_and_all_room_comes_back(steps):
    """A positive step takes so many bytes, a negative one gives the nth lent block back."""
    writer, _ = make_sides()
    assert writer.arena.mapping  # So that pages are given back, too.
    lent = {}
    for step in steps:
        if step < 0:
            if lent:
                serial = sorted(lent)[step % len(lent)]
                del lent[serial]
                writer.release([serial])
            continue
        block = writer.allocate(step)
        pages = -(-step // BLOCK_BYTES)
        taken = {page for pages_of in lent.values() for page in pages_of}
        if block is None:
            free = [page for page in range(SIZE // BLOCK_BYTES) if page not in taken]
            runs = "".join("1" if page in free else "0" for page in range(SIZE // BLOCK_BYTES))
            assert "1" * pages not in runs
            continue
        serial, offset = block
        assert offset % BLOCK_BYTES == 0
        pages_of = set(range(offset // BLOCK_BYTES, offset // BLOCK_BYTES + pages))
        assert max(pages_of) < SIZE // BLOCK_BYTES
        assert not pages_of & taken
        assert serial not in lent
        lent[serial] = pages_of
        assert writer.used_bytes == BLOCK_BYTES * sum(map(len, lent.values()))
    writer.release(list(lent))
    assert writer.used_bytes == 0
    assert writer.allocate(SIZE) is not None


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="counts the pages of a memfd")
def test_pages_of_free_blocks_go_back_to_the_system_but_for_a_quarter():
    fd = os.memfd_create("test")
    os.ftruncate(fd, SIZE)
    writer = ArenaWriter(Arena(os.dup(fd), SIZE))

    def pages():
        return os.fstat(fd).st_blocks * 512 // BLOCK_BYTES

    try:
        blocks = [put(writer, b"x" * 8 * BLOCK_BYTES) for _ in range(8)]
        assert pages() == 64
        writer.release([blocks[index][0] for index in (1, 3, 5)])
        assert pages() == 64 - 8  # Of three free blocks two stay warm.
        writer.release([blocks[index][0] for index in (0, 2, 4, 6, 7)])
        assert pages() == 16
        assert writer.allocate(SIZE) is not None
    finally:
        os.close(fd)


def test_a_system_without_a_way_to_give_pages_back_keeps_them(monkeypatch):
    writer, _ = make_sides()
    serial = put(writer, b"x" * SIZE)[0]

    class Mapping:
        def madvise(self, *_):
            raise OSError("not here")

    monkeypatch.setattr(writer.arena, "_mapping", Mapping())
    writer.release([serial])
    assert writer.allocate(SIZE) is not None


def test_threads_never_get_the_same_block():
    writer, _ = make_sides(256 * BLOCK_BYTES)
    overlaps = []
    owners = {}

    def work():
        for _ in range(500):
            block = writer.allocate(3 * BLOCK_BYTES)
            if block is None:
                continue
            if owners.setdefault(block[1], block[0]) != block[0]:
                overlaps.append(block)
            owners.pop(block[1])
            writer.release([block[0]])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == []
    assert writer.used_bytes == 0


# --- a parcel -----------------------------------------------------------------------------------


def test_a_parcel_takes_back_what_was_put_since_a_mark():
    writer, _ = make_sides()
    parcel = Parcel(writer, max_inline_bytes=0)
    parcel.export(b"y", b"one")
    parcel.export(b"y", memoryview(b"two"))
    parcel.roll_back(1)
    assert writer.used_bytes == BLOCK_BYTES
    parcel.roll_back()
    assert writer.used_bytes == 0


def test_nothing_is_put_into_a_closed_arena():
    writer, _ = make_sides()
    writer.arena.close()
    parcel = Parcel(writer, max_inline_bytes=0)
    assert parcel.export(b"y", b"data") is None
    assert parcel.serials == []
    assert writer.used_bytes == 0


# --- the reader ---------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, BLOCK_BYTES, 5_000, 5 * 2**20])
def test_a_copy_is_equal_and_its_block_is_returned_at_once(length):
    writer, reader = make_sides(8 * 2**20)
    data = os.urandom(length)
    block = put(writer, data)
    assert reader.copy(*block) == data
    assert list(reader.returned) == [1]
    assert reader.held_bytes == length
    assert reader.take_returned(10) == SERIAL.pack(1)
    assert reader.held_bytes == 0


def test_what_fails_while_it_copies_returns_the_block_all_the_same():
    writer, reader = make_sides()
    with pytest.raises(ZeroDivisionError):
        reader.copy_into(lambda block: 1 // 0, *put(writer, b"data"))
    assert list(reader.returned) == [1]


def test_a_view_is_read_only_and_its_block_comes_back_with_the_last_one_who_looks():
    writer, reader = make_sides()
    view = reader.view(*put(writer, b"0123456789"))
    assert view == b"0123456789"
    assert view.readonly
    part = view[3:5]
    letters = part.cast("c")
    del view, part
    gc.collect()
    assert not reader.returned
    assert letters.tolist() == [b"3", b"4"]
    del letters
    assert list(reader.returned) == [1]
    assert reader.loans == {}


def test_a_view_may_be_writable():
    writer, reader = make_sides(writable=True)
    view = reader.view(*put(writer, b"0123456789"))
    view[0] = 65
    assert bytes(view[:2]) == b"A1"


@pytest.mark.parametrize("writable", [False, True])
def test_beyond_half_of_the_arena_a_view_is_of_a_copy(writable):
    writer, reader = make_sides(writable=writable)
    first = reader.view(*put(writer, b"a" * (SIZE // 2)))
    second = reader.view(*put(writer, b"b" * BLOCK_BYTES))
    assert list(reader.returned) == [2]
    assert bytes([first[0], second[0]]) == b"ab"
    assert second.readonly is not writable


def test_a_python_without_ctypes_copies(monkeypatch):
    monkeypatch.setitem(sys.modules, "pypods.wire.loans", None)
    writer, reader = make_sides()
    assert reader.view(*put(writer, b"data")) == b"data"
    assert list(reader.returned) == [1]


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (0, 0),
        (0, SIZE + 1),
        (SIZE, 1),
        (SIZE - 1, 2),
        (2**63, 1),
        (1, SIZE),
        (2**64 - 1, 2**64 - 1),
    ],
)
@pytest.mark.parametrize("how", ["copy", "view"])
def test_a_block_outside_the_arena_is_refused(how, offset, length):
    _, reader = make_sides()
    with pytest.raises(ProtocolError, match="is not within"):
        getattr(reader, how)(1, offset, length)
    assert reader.held_bytes == 0


def test_a_block_that_is_lent_is_not_lent_again():
    _, reader = make_sides()
    view = reader.view(7, 0, 100)
    with pytest.raises(ProtocolError, match="lent twice"):
        reader.copy(7, 0, 100)
    assert len(view) == 100


def test_blocks_that_overlap_cannot_make_the_reader_copy_without_end():
    _, reader = make_sides()
    reader.copy(1, 0, SIZE - 10)
    with pytest.raises(ProtocolError, match="more is lent"):
        reader.copy(2, 0, 11)
    reader.take_returned(10)
    assert len(reader.copy(3, 0, SIZE)) == SIZE


def test_a_reader_whose_arena_cannot_be_mapped_says_so():
    _, reader = make_sides()
    reader.arena.close()
    with pytest.raises(ValueTransferError, match="max_shared_bytes=0 does without"):
        reader.copy(1, 0, 1)


def test_a_view_outlives_the_reader_and_its_arena():
    writer, reader = make_sides()
    view = reader.view(*put(writer, b"still here"))
    reader.arena.close()
    writer.arena.close()
    returned = reader.returned
    del reader, writer
    gc.collect()
    assert view == b"still here"
    del view
    gc.collect()
    assert list(returned) in ([], [1])


def test_only_so_many_are_told_at_once():
    _, reader = make_sides()
    reader.returned.extend(range(5))
    assert reader.take_returned(3) == b"".join(map(SERIAL.pack, range(3)))
    assert list(reader.returned) == [3, 4]


def test_what_nobody_looked_at_is_given_back_and_what_is_in_use_is_not():
    writer, reader = make_sides()
    view = reader.view(*put(writer, b"used"))
    reader.give_back(1)
    reader.give_back(2)
    assert list(reader.returned) == [2]
    del view
    assert list(reader.returned) == [2, 1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_what_a_forked_child_looks_at_is_never_given_back():
    writer, reader = make_sides()
    view = reader.view(*put(writer, b"seen by two"))
    pid = os.fork()
    if not pid:
        os._exit(0 if view == b"seen by two" else 1)
    assert os.waitpid(pid, 0)[1] == 0
    del view
    gc.collect()
    assert not reader.returned
    later = reader.view(*put(writer, b"later"))
    del later
    assert list(reader.returned) == [2]


# --- huge pages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sys.implementation.name", "other"),
        ("sys.platform", "other"),
        ("ctypes.CDLL", "none"),
    ],
)
def test_without_huge_pages_it_is_a_copy_like_any_other(monkeypatch, name, value):
    with monkeypatch.context() as patch:
        patch.setattr(name, value if value == "other" else failing_library)
        copy = huge_pages._make_copier()
    assert copy is huge_pages.copy_plainly
    with mmap.mmap(-1, BLOCK_BYTES) as mapping:
        mapping[5:9] = b"data"
        assert copy(mapping, 5, 4) == b"data"


def failing_library(_):
    raise OSError("no library")
