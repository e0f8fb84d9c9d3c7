"""Binaries and views to a kind and a content and back; nothing of where blocks lie.

====  =================  =====================================================================
kind  type               content
====  =================  =====================================================================
B     a large binary     bytes: a letter, then serial, offset and length of a block (u64 each)
v     memoryview         document: format, shape, data
a     array.array        document: typecode, itemsize, data
====  =================  =====================================================================

The letter says what becomes of the block: ``y`` bytes, ``b`` a bytearray, ``v`` a view, which is
what ``data`` of another kind is. ``o`` is a view of what the receiver wrote, handed back, and ``f``
one of what another pod wrote, handed on by the host: the block is in another arena then. A binary
below ``SHARED_MINIMUM_BYTES``, or one for which there is no room or no shared memory, is in the
frame: bytes as BSON has them, a bytearray as kind ``b``, ``data`` as bytes. Arrays of NumPy are in
:mod:`pypods.wire.arrays`.
"""

from __future__ import annotations

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.arena import REFERENCE
from pypods.wire.context import SHARED_MINIMUM_BYTES, current
from pypods.wire.pieces import LARGE_BYTES, InlineBinary

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "Reference",
    "check_inline",
    "place",
    "rebuild_array",
    "rebuild_block",
    "rebuild_memoryview",
    "reduce_array",
    "reduce_bytearray",
    "reduce_memoryview",
]

#: What a frame can hold where nobody says less: BSON's own limit, less what surrounds a value.
MAX_INLINE_BYTES = 2**31 - 2**16
#: The formats that ``memoryview.cast`` knows.
VIEW_FORMATS = frozenset("cbB?hHiIlLqQnNPefd")
MAX_DIMENSIONS = 64


class Reference:
    """A binary in a block: what refers to it, ready to be written."""

    __slots__ = ("content",)

    def __init__(self, content: bytes) -> None:
        self.content = content


def place(data: Any, length: int) -> Any:
    """Put the bytes of a C-contiguous view into a block or, from where they are, into the frame."""
    parcel = current.arena
    if parcel is not None and length >= SHARED_MINIMUM_BYTES:
        content = parcel.hand_on(data, length) if type(data) is memoryview else None
        content = content or parcel.export(b"v", data)
        if content is not None:
            return Reference(content)
    check_inline(length)
    if length >= LARGE_BYTES and type(data) is memoryview:
        return InlineBinary(data)
    return bytes(data)


def check_inline(length: int) -> None:
    """Raise ValueTransferError for more bytes than a frame can take."""
    parcel = current.arena
    limit = MAX_INLINE_BYTES if parcel is None else parcel.max_inline_bytes
    if length > limit:
        error = ValueTransferError(
            f"takes {length} bytes, for which there is no room in shared memory nor in a frame of "
            f"{limit} bytes; send less at once, let go of arrays, or raise max_shared_bytes or "
            "max_frame_bytes"
        )
        error.is_too_large = True
        raise error


# Reducing --------------------------------------------------------------------------------------


def reduce_bytearray(value: Any) -> Any:
    """Return kind and content of a bytearray."""
    parcel = current.arena
    if parcel is not None and len(value) >= SHARED_MINIMUM_BYTES:
        content = parcel.export(b"b", value)
        if content is not None:
            return b"B", content
    check_inline(len(value))
    return b"b", bytes(value)


def reduce_memoryview(value: Any) -> Any:
    """Return kind and content of a memoryview; what is not contiguous is made so."""
    try:
        code = value.format.lstrip("@")
    except ValueError as exc:
        raise ValueTransferError(f"a memoryview cannot cross: {exc}") from None
    if code not in VIEW_FORMATS:
        raise ValueTransferError(
            f"a memoryview of format {value.format!r} cannot cross by value; "
            'cast it to "B", or pass the array that it is a view of'
        )
    shape = list(value.shape)
    if 0 in shape and len(shape) > 1:
        raise ValueTransferError("an empty memoryview of several dimensions cannot cross by value")
    if not value.nbytes:
        data: Any = b""
    elif value.c_contiguous:
        data = place(value.cast("B"), value.nbytes)
    else:
        data = place(value.tobytes(), value.nbytes)
    return b"v", {"format": code, "shape": shape, "data": data}


def reduce_array(value: Any) -> Any:
    """Return kind and content of an ``array.array``."""
    length = len(value) * value.itemsize
    if length:
        with memoryview(value) as items, items.cast("B") as flat:
            data = place(flat, length)
            if type(data) is InlineBinary:  # Its view would keep the array from growing.
                data = bytes(flat)
    else:
        data = b""
    return b"a", {"typecode": value.typecode, "itemsize": value.itemsize, "data": data}


# Rebuilding ------------------------------------------------------------------------------------


def rebuild_block(content: Any, classes: Any) -> Any:
    """Return the bytes, bytearray or view of a block."""
    shared = classes.shared
    if shared is None:
        raise ProtocolError("a block of shared memory, where none is shared")
    letter, serial, offset, length = REFERENCE.unpack_from(content)
    if letter == b"o":
        return shared.look_back(serial, offset, length)
    if letter == b"f" and classes.trusts:
        return shared.look_on(serial, offset, length, content[REFERENCE.size :])
    if letter == b"y":
        return shared.reader.copy(serial, offset, length)
    if letter == b"v":
        return shared.reader.view(serial, offset, length)
    if letter != b"b":
        raise ProtocolError(f"there is no use of a block for {letter!r}")
    value = bytearray()
    shared.reader.copy_into(value.extend, serial, offset, length)
    return value


def check_shape(shape: Any) -> int:
    """Return how many items a shape has. Raises ProtocolError for what is no shape."""
    if type(shape) is not list or len(shape) > MAX_DIMENSIONS:
        raise ProtocolError("a shape is no list, or of too many dimensions")
    items = 1
    for dimension in shape:
        if type(dimension) is not int or not 0 <= dimension < 2**63:
            raise ProtocolError("a dimension is no natural number")
        items *= dimension
    return items


def rebuild_memoryview(content: Any, classes: Any) -> Any:
    """Return the memoryview of a content, read-only unless asked otherwise."""
    code, shape = content["format"], content["shape"]
    items = check_shape(shape)
    if type(code) is not str or code not in VIEW_FORMATS:
        raise ProtocolError(f"there is no format {code!r:.80}")
    view = as_view(content["data"], classes)
    if not items and len(shape) > 1:
        raise ProtocolError("an empty view of several dimensions")
    try:
        if not items:
            return memoryview(bytes(16)).cast(code)[:0]  # type: ignore[call-overload]
        flat = view.cast(code)
    except ValueError:
        raise ValueTransferError(
            f'a memoryview of format "{code}" cannot arrive here: this Python has none'
        ) from None
    if items != len(flat):
        raise ProtocolError("a view's shape does not fit its bytes")
    return flat if shape == [items] else flat.cast("B").cast(code, shape)


def as_view(data: Any, classes: Any) -> Any:
    """Return the data of a content as a view of its bytes, writable if that is asked for."""
    if type(data) is memoryview:
        return data
    if type(data) is not bytes:
        raise ProtocolError("the data of an array are no bytes")
    return memoryview(bytearray(data) if classes.writable else data)


def rebuild_array(content: Any, classes: Any) -> Any:  # noqa: ARG001 - the table's signature
    """Return the ``array.array`` of a content."""
    import warnings
    from array import array, typecodes

    code, data = content["typecode"], content["data"]
    if type(code) is not str or type(data) not in (bytes, memoryview):
        raise ProtocolError("an array without typecode or data")
    if len(code) != 1 or code not in typecodes:
        raise ValueTransferError(
            f"an array of typecode {code!r:.20} cannot arrive here: this Python has none"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Typecode "u": the sender knows.
        value = array(code)
    if value.itemsize != content["itemsize"]:
        raise ValueTransferError(
            f'an array of typecode "{code}" cannot arrive here: its items are of '
            f"{value.itemsize} bytes and not of {content['itemsize']!r:.20}"
        )
    value.frombytes(data)
    return value
