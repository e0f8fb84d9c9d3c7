"""Lent memory handed back to who wrote it, and on to a third side: no processes."""

from __future__ import annotations

import gc
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire import foreign
from pypods.wire.arena import FOREIGN, REFERENCE, Arena
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.frames import FrameReader
from pypods.wire.rebuilding import Classes
from pypods.wire.shared import SharedMemory

SIZE = 2**22
VALUE = np.arange(100_000.0)

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc here")


class PodSide(Classes):
    """What a worker believes of its host."""

    trusts = True


class Link:
    """A host's side and a pod's side of the memory that they share, in one process."""

    def __init__(self, number, *, hands_on=True, **options):
        with tempfile.TemporaryFile() as down, tempfile.TemporaryFile() as up:
            for file in (down, up):
                file.truncate(SIZE)
            ours = [
                Arena(os.dup(f.fileno()), SIZE, number=number + i) for i, f in ((0, down), (1, up))
            ]
            theirs = [Arena(os.dup(f.fileno()), SIZE) for f in (up, down)]
        self.host, self.pod = Classes(), PodSide()
        self.host.shared = SharedMemory(*ours, max_frame_bytes=2**24, **options)
        self.pod.shared = SharedMemory(*theirs, max_frame_bytes=2**24, **options)
        self.host.writable = self.pod.writable = options.get("writable", False)
        self.host.shared.writer.hands_on = hands_on

    def to_pod(self, value):
        return cross(self.host, self.pod, value)

    def to_host(self, value):
        return cross(self.pod, self.host, value)

    def settle(self):
        """Let both sides say what they return, and hear it."""
        gc.collect()
        for _ in range(2):
            for giver, taker in ((self.host, self.pod), (self.pod, self.host)):
                for frame in FrameReader().feed(giver.shared.with_releases(b"\5\0\0\0\0")):
                    if len(frame) > 5:
                        assert taker.shared.take_release(frame)
            gc.collect()

    def books(self):
        """Return the bytes that are out, of both sides."""
        return [
            (side.shared.writer.used_bytes, side.shared.writer.handed_bytes)
            for side in (self.host, self.pod)
        ]

    def close(self):
        self.host.shared.close()
        self.pod.shared.close()


NOTHING = [(0, 0), (0, 0)]


def cross(sender, receiver, value):
    return decode_document(sender.shared.pack(encode_document, {"v": value}), receiver)["v"]


@pytest.fixture
def link():
    link = Link(1000)
    yield link
    link.close()


@pytest.fixture
def other():
    link = Link(2000)
    yield link
    link.close()


@pytest.fixture
def host_is_here(monkeypatch):
    """Let the pods' side of the test find the descriptors of this process."""
    monkeypatch.setattr(foreign, "descriptors_of_the_host", lambda: "/proc/self/fd")


def test_an_array_that_is_returned_is_not_copied(link):
    there = link.to_pod(VALUE)
    back = link.to_host(there)
    assert np.array_equal(back, VALUE)
    assert np.shares_memory(back, np.frombuffer(link.host.shared.writer.arena.mapping))
    assert link.books() == [(802_816, 0), (0, VALUE.nbytes)]
    assert not link.pod.shared.writer.arena.is_mapped
    del there
    link.settle()
    assert link.books()[0][0]  # The pod has let go of it, and holds it for the host.
    assert np.array_equal(back, VALUE)
    del back
    link.settle()
    assert link.books() == NOTHING


@pytest.mark.parametrize(
    "cut",
    [
        lambda array: array[20_000:50_000],
        lambda array: array.reshape(100, 1000),
        lambda array: array.reshape(100, 1000).T,
        lambda array: array.view("i8"),
        lambda array: memoryview(array),
        lambda array: memoryview(array).cast("B")[80_000:400_000],
    ],
    ids=["slice", "shape", "transposed", "dtype", "view", "part of a view"],
)
def test_a_part_of_it_is_handed_back_too(link, cut):
    back = link.to_host(cut(link.to_pod(VALUE)))
    assert np.array_equal(back, cut(VALUE))
    assert link.books()[1] == (0, memoryview(back).nbytes)
    del back
    link.settle()
    assert link.books() == NOTHING


@pytest.mark.parametrize(
    "change",
    [lambda array: array[::2], lambda array: array.copy(), lambda array: array + 1],
    ids=["strided", "copy", "another"],
)
def test_what_does_not_lie_there_is_copied(link, change):
    back = link.to_host(change(link.to_pod(VALUE)))
    assert np.array_equal(back, change(VALUE))
    assert link.books()[1][1] == 0


def test_a_small_part_is_in_the_frame(link):
    assert np.array_equal(link.to_host(link.to_pod(VALUE)[:10]), VALUE[:10])
    assert link.books()[1] == (0, 0)


def test_where_arrays_are_writable_nothing_is_handed_on(host_is_here):
    link, other = Link(1000, writable=True), Link(2000, writable=True)
    back = link.to_host(link.to_pod(VALUE))
    back[0] = 5
    there = other.to_pod(back)
    back[0] = 6
    assert there[0] == 5
    assert link.books()[1][1] == other.books()[0][1] == 0
    link.close()
    other.close()


def test_an_array_of_one_pod_goes_to_another_as_it_is(link, other, host_is_here):
    made = link.to_host(VALUE)
    there = other.to_pod(made[1000:])
    assert np.array_equal(there, VALUE[1000:])
    assert not other.host.shared.writer.arena.is_mapped
    assert other.books()[0] == (0, VALUE.nbytes - 8000)
    del made
    link.settle()
    assert link.books()[1][0]  # The other pod still looks into it.
    del there
    other.settle()
    link.settle()
    assert link.books() == other.books() == NOTHING


def test_it_goes_back_to_its_own_pod_too(link):
    made = link.to_host(VALUE)
    assert np.array_equal(link.to_pod(made), VALUE)
    assert link.books()[0] == (0, VALUE.nbytes)


def test_an_arena_is_found_once(link, other, host_is_here, monkeypatch):
    opened = []
    really_open = os.open
    monkeypatch.setattr(foreign.os, "open", lambda *a: opened.append(a) or really_open(*a))
    for number in range(5):
        made = link.to_host(VALUE + number)
        assert np.array_equal(other.to_pod(made), VALUE + number)
    assert len(opened) == 1


def test_a_pod_cannot_change_what_another_one_wrote(link, other, host_is_here):
    made = link.to_host(VALUE)
    there = other.to_pod(made)
    with pytest.raises(ValueError, match="read-only"):
        there[0] = 1
    # By force it changes a copy of its own.
    block = there.base
    block[0:8] = b"\1" * 8
    assert there[0] != 0
    assert made[0] == 0


def test_where_the_pod_cannot_find_it_it_is_copied(link):
    other = Link(2000, hands_on=False)
    there = other.to_pod(link.to_host(VALUE))
    assert np.array_equal(there, VALUE)
    assert other.books()[0] == (802_816, 0)
    other.close()


def test_an_arena_that_cannot_be_found_is_an_error_of_the_value(link, other, monkeypatch):
    monkeypatch.setattr(foreign, "descriptors_of_the_host", lambda: "/nowhere")
    with pytest.raises(ValueTransferError, match="memory of another pod cannot be had here"):
        other.to_pod(link.to_host(VALUE))


def test_after_the_end_of_a_pod_its_memory_is_still_handed_on(link, other, host_is_here):
    made = link.to_host(VALUE)
    frame = other.host.shared.pack(encode_document, {"v": made})
    link.close()
    del made
    gc.collect()
    there = decode_document(frame, other.pod)["v"]  # Its descriptor is kept for that.
    assert np.array_equal(there, VALUE)


def test_what_is_made_after_the_end_of_a_pod_is_copied(link, other, host_is_here):
    made = link.to_host(VALUE)
    link.close()
    assert np.array_equal(other.to_pod(made), VALUE)
    assert other.books()[0][1] == 0


def test_the_end_of_a_pod_gives_back_what_it_was_handed(link, other, host_is_here):
    there = other.to_pod(link.to_host(VALUE))
    other.close()
    del there
    link.settle()
    assert link.books() == NOTHING


def test_a_frame_that_is_dropped_gives_back_what_it_hands_on(link):
    frame = link.pod.shared.pack(encode_document, {"v": link.to_pod(VALUE)})
    link.host.shared.discard(frame)
    link.settle()
    assert link.books() == NOTHING
    link.pod.shared.take_back(link.pod.shared.pack(encode_document, {"v": link.to_pod(VALUE)}))
    link.settle()
    assert link.books() == NOTHING


def test_an_encode_that_fails_gives_back_what_it_handed_on(link):
    there = link.to_pod(VALUE)
    with pytest.raises(ValueTransferError):
        link.pod.shared.pack(encode_document, {"v": [there, object()]})
    assert link.books()[1] == (0, 0)


def test_no_more_is_handed_back_at_one_time_than_the_arena_holds(link):
    there = link.to_pod(VALUE)
    values = link.to_host([there] * 7)
    assert all(np.array_equal(value, VALUE) for value in values)
    (used, handed) = link.books()[1]
    assert handed == 5 * VALUE.nbytes  # The others are copied.
    assert used == 2 * 802_816


def reference(letter, serial, offset, length, found=b""):
    """Return a document that refers to memory as a hostile side would write it."""
    content = b"B" + REFERENCE.pack(letter, serial, offset, length) + found
    element = b"\x05v\0" + len(content).to_bytes(4, "little") + b"\x80" + content
    return (len(element) + 5).to_bytes(4, "little") + element + b"\0"


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, SIZE + 1), (SIZE, 1), (1, SIZE), (0, 0), (2**63, 1), (0, 2**63)],
)
def test_the_host_looks_at_no_more_than_it_wrote(link, offset, length):
    link.to_pod(VALUE)
    with pytest.raises(ProtocolError, match="to be handed on"):
        decode_document(reference(b"o", 1, offset, length), link.host)


def test_the_host_takes_no_more_than_an_arena_of_it(link):
    link.to_pod(VALUE)
    held = [decode_document(reference(b"o", serial, 0, SIZE // 2), link.host) for serial in (1, 2)]
    with pytest.raises(ProtocolError, match="more is handed on"):
        decode_document(reference(b"o", 3, 0, 4096), link.host)
    with pytest.raises(ProtocolError, match="lent twice"):
        decode_document(reference(b"o", 1, 0, 4096), link.host)
    del held
    link.settle()
    assert decode_document(reference(b"o", 3, 0, 4096), link.host)


def test_the_host_looks_nowhere_else(link, host_is_here):
    link.to_pod(VALUE)
    found = FOREIGN.pack(0, 1001, SIZE)
    with pytest.raises(ProtocolError, match="there is no use of a block"):
        decode_document(reference(b"f", 1, 0, 4096, found), link.host)


def test_without_ctypes_nothing_is_handed_on(link, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pypods.wire.loans", None)
    there = link.to_pod(VALUE)
    assert np.array_equal(link.to_host(there), VALUE)
    assert link.books()[1][1] == 0
    with pytest.raises(ValueTransferError, match="ctypes"):
        decode_document(reference(b"o", 9, 0, 4096), link.host)
