"""Both directions of shared memory, as a side uses them around its frames."""

from __future__ import annotations

import gc
import os
import tempfile
import uuid
from array import array

import bson
import pytest

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.arena import BLOCK_BYTES, Arena
from pypods.wire.context import SHARED_MINIMUM_BYTES, current
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.frames import FrameReader
from pypods.wire.rebuilding import Classes
from pypods.wire.shared import MAX_RELEASED, SharedMemory, references_in

SIZE = 2**22
LARGE = SHARED_MINIMUM_BYTES


def make_sides(size=SIZE, max_frame_bytes=2**24, **options):
    """Return the classes of two sides that share memory."""
    files = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115 - closed below
    sides = []
    for order in (files, files[::-1]):
        arenas = []
        for file in order:
            file.truncate(size)
            arenas.append(Arena(os.dup(file.fileno()), size))
        classes = Classes()
        classes.shared = SharedMemory(*arenas, max_frame_bytes=max_frame_bytes, **options)
        classes.writable = options.get("writable", False)
        sides.append(classes)
    for file in files:
        file.close()
    return sides


def pack(side, value):
    return side.shared.pack(encode_document, {"v": value})


def give_back(reader, writer):
    """Let the reader say what it returns, and the writer hear it."""
    for frame in FrameReader().feed(reader.shared.with_releases(b"\5\0\0\0\0")):
        document = decode_document(frame)
        if document:
            assert document["kind"] == "release"
            writer.shared.release(document["blocks"])


def test_a_large_binary_leaves_the_frame_and_its_block_comes_back():
    here, there = make_sides()
    frame = pack(here, b"x" * LARGE)
    assert len(frame) < 100
    assert here.shared.writer.used_bytes == LARGE
    assert decode_document(frame, there) == {"v": b"x" * LARGE}
    assert there.shared.returned
    give_back(there, here)
    assert here.shared.writer.used_bytes == 0
    assert not there.shared.returned


def test_a_binary_below_the_threshold_stays():
    here, _ = make_sides()
    frame = pack(here, b"x" * (LARGE - 1))
    assert len(frame) > LARGE
    assert here.shared.writer.used_bytes == 0


def test_where_there_is_no_room_the_frame_takes_it():
    here, there = make_sides()
    value = b"x" * (SIZE + 1)
    assert decode_document(pack(here, value), there) == {"v": value}
    taken = pack(here, b"y" * SIZE)
    frame = pack(here, b"z" * LARGE)
    assert len(frame) > LARGE
    assert decode_document(frame, there) == {"v": b"z" * LARGE}
    assert decode_document(taken, there) == {"v": b"y" * SIZE}


def test_an_encode_that_fails_leaves_nothing_lent_and_no_context():
    here, _ = make_sides()
    with pytest.raises(ValueTransferError, match="object cannot cross"):
        pack(here, [b"x" * LARGE, object()])
    assert here.shared.writer.used_bytes == 0
    assert current.arena is None


def test_rows_that_cannot_be_packed_leave_no_block_behind():
    here, _ = make_sides()
    rows = [{"blob": b"x" * LARGE, "what": 1 if index else object()} for index in range(20)]
    with pytest.raises(ValueTransferError) as caught:
        pack(here, rows)
    assert caught.value.place == 'v[0]["what"]'
    assert here.shared.writer.used_bytes == 0


def test_a_column_of_rows_leaves_the_frame_as_one():
    here, there = make_sides()
    rows = [{"blob": os.urandom(LARGE // 4), "n": index} for index in range(16)]
    frame = pack(here, rows)
    assert here.shared.writer.used_bytes == 4 * LARGE
    assert decode_document(frame, there) == {"v": rows}


def test_an_encode_within_an_encode_has_its_own_parcel():
    here, _ = make_sides()

    def outer():
        before = current.arena
        pack(here, b"x" * LARGE)
        assert current.arena is before
        return b""

    assert here.shared.pack(outer) == b""
    assert here.shared.writer.used_bytes == LARGE


def test_a_release_is_taken_in_by_its_bytes():
    here, there = make_sides()
    decode_document(pack(here, b"x" * LARGE), there)
    (frame,) = FrameReader().feed(there.shared.with_releases(b""))
    assert not here.shared.take_release(frame[:20])
    assert not here.shared.take_release(frame + b"\0")
    assert not here.shared.take_release(encode_document({"kind": "release"}))
    assert not here.shared.take_release(pack(here, 1))
    assert here.shared.writer.used_bytes == LARGE
    assert here.shared.take_release(frame)
    assert here.shared.writer.used_bytes == 0
    with pytest.raises(ProtocolError, match="names no blocks"):
        here.shared.take_release(encode_document({"kind": "release", "blocks": b"short"}))


# --- what is never sent, and what is never read ---------------------------------------------------


def test_what_was_never_sent_is_taken_back_and_said_again():
    here, there = make_sides()
    decode_document(pack(there, b"theirs" * LARGE), here)
    frame = here.shared.with_releases(pack(here, b"x" * LARGE))
    assert not here.shared.returned
    here.shared.take_back(frame)
    assert list(here.shared.returned) == [1]
    assert here.shared.writer.used_bytes == 0


def test_a_frame_that_nobody_decodes_gives_its_blocks_back():
    here, there = make_sides()
    there.shared.discard(pack(here, [b"x" * LARGE, {"a": (b"y" * LARGE, 1)}]))
    give_back(there, here)
    assert here.shared.writer.used_bytes == 0


def test_a_frame_that_cannot_be_decoded_gives_back_all_its_blocks():
    here, there = make_sides()
    large = b"x" * LARGE
    frame = pack(here, [large, memoryview(large), array("b", [1]), {1: large}])
    frame = frame.replace(b"typecode\0\2\0\0\0b", b"typecode\0\2\0\0\0Z")
    with pytest.raises(ValueTransferError, match="typecode 'Z' cannot arrive"):
        decode_document(frame, there)
    gc.collect()
    there.shared.discard(frame)
    give_back(there, here)
    assert here.shared.writer.used_bytes == 0


def test_a_block_in_use_is_not_given_back_with_its_frame():
    here, there = make_sides()
    frame = pack(here, memoryview(b"x" * LARGE))
    view = decode_document(frame, there)["v"]
    there.shared.discard(frame)
    give_back(there, here)
    assert here.shared.writer.used_bytes == LARGE
    assert view == b"x" * LARGE
    del view
    give_back(there, here)
    assert here.shared.writer.used_bytes == 0


def test_more_than_one_release_can_hold_goes_with_the_next_frames():
    here, there = make_sides(max_frame_bytes=4096)
    there.shared.returned.extend(range(1000))
    first = there.shared.with_releases(b"")
    assert len(first) < 4096
    assert 0 < len(there.shared.returned) < 1000
    while there.shared.returned:
        give_back(there, here)
    assert MAX_RELEASED > 1000


# --- references in a document -------------------------------------------------------------------


def test_references_are_found_in_every_corner():
    here, _ = make_sides()
    large = b"x" * LARGE
    value = {
        "scalars": [1, 2**40, 1.5, None, True, "text", uuid.uuid4(), b"bytes", 2**70],
        "bson": [
            bson.ObjectId(),
            bson.Decimal128("1"),
            bson.Timestamp(1, 2),
            bson.Regex("a", "i"),
        ],
        "tuple": (large, {2: large}),
        "deep": [[[bytearray(large)]]],
        "rows": [(large[:30_000], index) for index in range(16)],
    }
    assert sorted(references_in(pack(here, value))) == [1, 2, 3, 4]


def test_a_document_without_references_has_none():
    assert references_in(encode_document({"a": [1, (2,)], "b": b"x" * 100})) == []


@pytest.mark.parametrize("cut", range(10, 100, 7))
def test_in_a_broken_document_the_search_ends(cut):
    here, _ = make_sides()
    frame = pack(here, [b"x" * LARGE, {"a": b"y" * LARGE}])
    for broken in (frame[:cut], frame[:cut] + b"\xff" * 8 + frame[cut + 8 :]):
        assert len(references_in(broken)) <= 2


def test_an_unknown_type_ends_the_search():
    here, _ = make_sides()
    frame = bytearray(pack(here, b"x" * LARGE))
    frame[4] = 0x7F
    assert references_in(bytes(frame)) == []
    frame[4:16] = b"\x02v\0\xff\xff\xff\xff" + bytes(frame[11:16])
    assert references_in(bytes(frame)) == []


# --- sides that share nothing -------------------------------------------------------------------


def test_a_reference_where_nothing_is_shared_is_a_broken_peer():
    here, _ = make_sides()
    with pytest.raises(ProtocolError, match="where none is shared"):
        decode_document(pack(here, b"x" * LARGE))


def test_a_use_of_a_block_that_does_not_exist_is_a_broken_peer():
    here, there = make_sides()
    frame = pack(here, b"x" * LARGE).replace(b"\x80By", b"\x80B?")
    with pytest.raises(ProtocolError, match="no use of a block"):
        decode_document(frame, there)
    with pytest.raises(ProtocolError, match="malformed"):
        decode_document(encode_document({"v": b"xx"}).replace(b"\0xx", b"\x80Bx"), there)


def test_a_closed_side_puts_everything_into_frames():
    here, there = make_sides()
    here.shared.close()
    frame = pack(here, b"x" * LARGE)
    assert decode_document(frame, there) == {"v": b"x" * LARGE}
    assert BLOCK_BYTES < LARGE
