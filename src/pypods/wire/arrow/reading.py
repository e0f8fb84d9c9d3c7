"""Arrow data of another library, read through the C data interface into bytes that can cross.

A batch is written as numbers, node by node and depth first: length, null count, offset, how many
buffers, and of each its position in the data and its size (-1 for none). The buffers of one or of
several batches lie in one stretch of data, each at a multiple of 64 bytes.
"""

from __future__ import annotations

import sys
from array import array as numbers_of
from ctypes import (
    CFUNCTYPE,
    POINTER,
    addressof,
    byref,
    c_char,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_void_p,
    cast,
    memmove,
    string_at,
)

from pypods.errors import ValueTransferError
from pypods.wire.arrow.checks import has_null
from pypods.wire.arrow.layouts import INLINE_VIEW_BYTES
from pypods.wire.arrow.schemas import Field, field_from_c
from pypods.wire.arrow.structures import (
    ARRAY_CAPSULE,
    SCHEMA_CAPSULE,
    STREAM_CAPSULE,
    ArrowArray,
    ArrowArrayStream,
    ArrowSchema,
    capsule_pointer,
    release,
)
from pypods.wire.buffers import Reference, check_inline
from pypods.wire.context import SHARED_MINIMUM_BYTES, current
from pypods.wire.pieces import LARGE_BYTES, InlineBinary

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

__all__ = ["arrays_from_c", "read_array", "read_schema", "read_stream", "stream_from_c"]

#: Where a buffer may begin: what Arrow recommends.
ALIGNMENT_BYTES = 64
#: What is carried along per item, used or not, rather than looking at each view.
MAX_CARRIED_BYTES = 64

_get_schema = CFUNCTYPE(c_int, POINTER(ArrowArrayStream), POINTER(ArrowSchema))
_get_next = CFUNCTYPE(c_int, POINTER(ArrowArrayStream), POINTER(ArrowArray))
_get_last_error = CFUNCTYPE(c_char_p, POINTER(ArrowArrayStream))
# As ctypes has it, but other threads run meanwhile.
_copy = CFUNCTYPE(c_void_p, c_void_p, c_void_p, c_size_t)(cast(memmove, c_void_p).value or 0)
_INTEGERS = {4: c_int32, 8: c_int64}


def read_stream(capsule: Any) -> tuple[Field, list[Any]]:
    """Return the type in a stream's capsule, and the groups of its batches."""
    return stream_from_c(capsule_pointer(capsule, STREAM_CAPSULE))


def stream_from_c(stream: Any) -> tuple[Field, list[Any]]:
    """Return the same of a C structure, which stays its owner's."""
    schema = ArrowSchema()
    _check(stream, _get_schema(stream.get_schema)(stream, byref(schema)))
    try:
        field = field_from_c(schema)
    finally:
        release(schema)
    next_batch = _get_next(stream.get_next)
    parcels = _Groups(field)
    try:
        while True:
            batch = ArrowArray()
            _check(stream, next_batch(stream, byref(batch)))
            if not batch.release:
                return field, parcels.finish()
            parcels.add(batch)
    finally:
        parcels.release()


def read_array(schema_capsule: Any, array_capsule: Any) -> tuple[Field, list[Any]]:
    """Return the type in a schema's capsule, and the group of the one array in the other's."""
    field = read_schema(schema_capsule)
    parcels = _Groups(field)
    # The array stays the capsule's, which releases it.
    parcels.plan.add(field, capsule_pointer(array_capsule, ARRAY_CAPSULE))
    return field, parcels.finish()


def arrays_from_c(field: Field, arrays: Iterator[Any]) -> list[Any]:
    """Return the groups of some C structures, each of which is released."""
    parcels = _Groups(field)
    try:
        for array in arrays:
            parcels.add(array)
        return parcels.finish()
    finally:
        parcels.release()


def read_schema(capsule: Any) -> Field:
    """Return the type in a schema's capsule."""
    return field_from_c(capsule_pointer(capsule, SCHEMA_CAPSULE))


def _check(stream: Any, code: int) -> None:
    if code:
        text = _get_last_error(stream.get_last_error)(stream) or b""
        reason = text.decode("utf-8", "replace").strip() or f"error {code}"
        raise ValueTransferError(f"an Arrow stream cannot be read: {reason}")


class _Groups:
    """Batches, gathered until together they are worth a block of shared memory."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._done: list[Any] = []
        self._open: list[Any] = []
        self.plan = _Plan()

    def add(self, batch: Any) -> None:
        self._open.append(batch)
        self.plan.add(self._field, batch)
        if self.plan.size >= SHARED_MINIMUM_BYTES:
            self._close()

    def _close(self) -> None:
        if self.plan.batches:
            self._done.append(self.plan.place())
            self.plan = _Plan()
        self.release()

    def finish(self) -> list[Any]:
        self._close()
        return self._done

    def release(self) -> None:
        """Give the batches back whose bytes are copied, or will not be."""
        while self._open:
            release(self._open.pop())


class _Plan:
    """Which bytes go where, before there is a place for them."""

    def __init__(self) -> None:
        self.size = 0
        #: The numbers of each batch; the last are those of the batch being added.
        self.batches: list[Any] = []
        self._numbers: Any = None
        #: Whose position: in which numbers, at which index; what to copy (an address, or bytes),
        #: and how much.
        self._pieces: list[tuple[Any, int, Any, int]] = []

    def add(self, field: Field, batch: Any) -> None:
        """Take in one batch, which must live until all is placed."""
        self._numbers = numbers_of("q")
        self.batches.append(self._numbers)
        self._add(field, batch, 0, batch.length)

    def place(self) -> list[Any]:
        """Put everything into a block, or into the frame; return packed numbers, and where."""
        data = self._placed()
        if sys.byteorder == "big":
            for numbers in self.batches:
                numbers.byteswap()
        return [[numbers.tobytes() for numbers in self.batches], data]

    def _placed(self) -> Any:
        parcel = current.arena
        if parcel is not None and self.size >= SHARED_MINIMUM_BYTES:
            handed = self._hand_on(parcel)
            if handed is not None:
                return Reference(handed)
            block = parcel.reserve(self.size)
            if block is not None:
                target = c_char.from_buffer(block[2], block[1])
                self._copy_to(addressof(target))
                return Reference(parcel.refer(b"v", block, self.size))
        check_inline(self.size)
        if not self.size:
            return b""
        data = bytearray(self.size)
        self._copy_to(addressof(c_char.from_buffer(data)))
        return InlineBinary(memoryview(data)) if self.size >= LARGE_BYTES else bytes(data)

    def _copy_to(self, start: int) -> None:
        for numbers, index, source, size in self._pieces:
            _copy(start + numbers[index], source, size)

    def _hand_on(self, parcel: Any) -> Any:
        """Return what refers to all of it where it lies, if that is what was lent here."""
        holder_of = getattr(sys.modules.get("pypods.wire.loans"), "holder_of", None)
        sources = [piece[2] for piece in self._pieces]
        if holder_of is None or bytes in map(type, sources):
            return None
        low = min(sources)
        length = max(source + size for _, _, source, size in self._pieces) - low
        block = holder_of(low, length)
        handed = None if block is None else parcel.hand_on(block, length, low)
        if handed is not None:
            for numbers, index, source, _ in self._pieces:
                numbers[index] = source - low
        return handed

    # Buffers -----------------------------------------------------------------------------------

    def _put(self, source: Any, size: int) -> None:
        """Note a buffer: its address or bytes, None for one that is not there."""
        if source is None:
            self._numbers.extend((-1, 0))
            return
        if size:
            self._pieces.append((self._numbers, len(self._numbers), source, size))
        self._numbers.extend((self.size if size else 0, size))
        if size:
            self.size += -(-size // ALIGNMENT_BYTES) * ALIGNMENT_BYTES

    def _add(
        self, field: Field, array: Any, start: int, length: int, whole_levels: int = 0
    ) -> None:
        """Note ``length`` items of an array from an item on, and what they need of its children.

        A bitmap is cut at a byte: up to seven items before the first come along, as its offset.
        On ``whole_levels`` from here down there may be no null: those of a map's pairs and keys.
        """
        layout = field.layout
        family = layout.family
        first = array.offset + start
        buffers = array.buffers
        is_whole = start == 0 and length == array.length
        validity = buffers[0] if layout.has_validity and length and array.null_count else None
        if whole_levels:
            _refuse_null(family, validity, first, length)
            validity = None
        shift = first % 8 if validity or (family == "bool" and length) else 0
        begin, count = first - shift, shift + length
        if family == "null":
            null_count = length
        elif not validity:
            null_count = 0
        else:
            null_count = array.null_count if is_whole else -1
        if family == "runs":  # Where a run ends is counted from the first one.
            shift = first
        self._numbers.extend((length, null_count, shift))
        buffer_count = len(self._numbers)
        self._numbers.append(0)
        if layout.has_validity:
            self._put(validity and validity + begin // 8, (count + 7) // 8)
        ranges = getattr(self, "_add_" + family)(layout, array, begin, count)
        self._numbers[buffer_count] = (len(self._numbers) - buffer_count - 1) // 2
        for index, child in enumerate(field.children):
            part = array.children[index].contents
            child_start, child_length = (0, part.length) if ranges is None else ranges
            inner_levels = max(0, whole_levels - 1) if index == 0 else 0
            if field.format == "+m":
                inner_levels = 2
            self._add(child, part, child_start, child_length, inner_levels)
        if field.dictionary is not None:
            values = array.dictionary.contents
            self._add(field.dictionary, values, 0, values.length)

    # Each returns the start and length of what is needed of the children, None for all of it.

    def _add_null(self, *_: Any) -> None:
        pass

    def _add_runs(self, *_: Any) -> None:
        pass

    def _add_struct(self, layout: Any, array: Any, begin: int, count: int) -> tuple[int, int]:  # noqa: ARG002
        return begin, count

    def _add_bool(self, layout: Any, array: Any, begin: int, count: int) -> None:  # noqa: ARG002
        self._put((array.buffers[1] or 0) + begin // 8, (count + 7) // 8)

    def _add_fixed(self, layout: Any, array: Any, begin: int, count: int) -> None:
        self._put((array.buffers[1] or 0) + begin * layout.width, count * layout.width)

    def _add_fixedlist(self, layout: Any, array: Any, begin: int, count: int) -> tuple[int, int]:  # noqa: ARG002
        return begin * layout.width, count * layout.width

    def _add_binary(self, layout: Any, array: Any, begin: int, count: int) -> None:
        low, high = self._put_offsets(array.buffers[1], layout.width, begin, count)
        self._put((array.buffers[2] or 0) + low, high - low)

    def _add_list(self, layout: Any, array: Any, begin: int, count: int) -> tuple[int, int]:
        low, high = self._put_offsets(array.buffers[1], layout.width, begin, count)
        return low, high - low

    def _put_offsets(self, address: Any, width: int, begin: int, count: int) -> tuple[int, int]:
        """Note offsets, which shall begin with zero; return where they begin and end."""
        if not address or not count:  # For no items there need not be even one.
            self._put(bytes(width), width)
            return 0, 0
        address += begin * width
        offsets: Any = (_INTEGERS[width] * (count + 1)).from_address(address)
        low, high = offsets[0], offsets[count]
        size = (count + 1) * width
        self._put(_moved(offsets, width, low) if low else address, size)
        return low, high

    def _add_listview(self, layout: Any, array: Any, begin: int, count: int) -> None:
        for index in (1, 2):
            address = (array.buffers[index] or 0) + begin * layout.width
            self._put(address, count * layout.width)

    def _add_sparse(self, layout: Any, array: Any, begin: int, count: int) -> tuple[int, int]:  # noqa: ARG002
        self._put((array.buffers[0] or 0) + begin, count)
        return begin, count

    def _add_dense(self, layout: Any, array: Any, begin: int, count: int) -> None:  # noqa: ARG002
        self._put((array.buffers[0] or 0) + begin, count)
        self._put((array.buffers[1] or 0) + begin * 4, count * 4)

    def _add_view(self, layout: Any, array: Any, begin: int, count: int) -> None:
        variadic = array.n_buffers - 3
        size = count * layout.width
        address = (array.buffers[1] or 0) + begin * layout.width
        if not variadic or not count:
            self._put(address, size)
            self._put(b"", 0)
            return
        sizes = (c_int64 * variadic).from_address(array.buffers[array.n_buffers - 1])[:]
        views, used = None, [(0, each) for each in sizes]
        if sum(sizes) > SHARED_MINIMUM_BYTES + count * MAX_CARRIED_BYTES:
            views, used = _narrowed((c_int32 * (4 * count)).from_address(address), sizes)
        self._put(views or address, size)
        for index, (low, high) in enumerate(used):
            self._put((array.buffers[2 + index] or 0) + low, high - low)
        lengths = [high - low for low, high in used]
        self._put(numbers_of("q", lengths).tobytes(), 8 * variadic)


def _refuse_null(family: str, validity: Any, first: int, length: int) -> None:
    """Raise ValueTransferError for a null among a map's keys: who gets it may end at that."""
    bitmap = string_at(validity, (first + length + 7) // 8) if validity else b""
    if (family == "null" and length) or (bitmap and has_null(bitmap, first, length)):
        raise ValueTransferError("an Arrow map with a null among its keys cannot cross")


def _moved(offsets: Any, width: int, base: int) -> bytes:
    """Return offsets less a base."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        moved = numpy.frombuffer(offsets, f"i{width}") - numpy.array(base, f"i{width}")
        return bytes(moved.tobytes())
    return numbers_of("i" if width == 4 else "q", [each - base for each in offsets]).tobytes()


def _narrowed(words: Any, sizes: list[int]) -> tuple[bytes | None, list[tuple[int, int]]]:
    """Return views into no more of each buffer than they need, and what that is.

    A view is four words: length, and where that is more than twelve, prefix, buffer and offset.
    A slice of a large array has all its buffers, whatever it uses of them. None stands for views
    that need not change.
    """
    flat = memoryview(words).cast("B").cast("i").tolist()
    lows, highs = list(sizes), [0] * len(sizes)
    long_views = []
    for index in range(0, len(flat), 4):
        length, _, which, offset = flat[index : index + 4]
        # Behind a null there may be anything.
        if (
            length > INLINE_VIEW_BYTES
            and 0 <= which < len(sizes)
            and 0 <= offset <= sizes[which] - length
        ):
            long_views.append(index)
            lows[which] = min(lows[which], offset)
            highs[which] = max(highs[which], offset + length)
    used = [(low, high) if high else (0, 0) for low, high in zip(lows, highs)]
    if not any(low for low, _ in used):
        return None, used
    for index in long_views:
        flat[index + 3] -= used[flat[index + 2]][0]
    return numbers_of("i", flat).tobytes(), used
