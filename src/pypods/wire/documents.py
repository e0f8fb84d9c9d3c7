"""BSON documents to bytes and back, in the standard library; nothing of frames or messages.

The format is BSON 1.1 (https://bsonspec.org/spec.html). What BSON lacks is a binary of the
user-defined subtype 0x80: the kind's byte, then its content (see :mod:`pypods.wire.values`). The
worker uses this codec for everything; the host uses it for what the C codec of pymongo would
change or refuse, and for the content of kinds.
"""

from __future__ import annotations

import struct
from struct import Struct

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.context import SHARED_MINIMUM_BYTES, current
from pypods.wire.pieces import LARGE_BYTES, InlineBinary, Pieces, join, whole
from pypods.wire.places import place_in_kind, why_too_deep
from pypods.wire.rebuilding import NO_CLASSES, Classes, rebuild
from pypods.wire.rows import MINIMUM_ROWS, pack_list
from pypods.wire.stand_ins import BsonValue
from pypods.wire.values import ARRAY_KINDS, BYTES_KINDS, DOCUMENT_KINDS, reduce

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

    from pypods.wire.pieces import BytesOrPieces

__all__ = [
    "KIND_SUBTYPE",
    "MAX_DEPTH",
    "MAX_SCALARS",
    "ArrayElements",
    "decode_document",
    "decode_inner_document",
    "decode_kind",
    "encode_document",
    "encode_field",
    "encode_field_in_pieces",
    "encode_in_pieces",
    "encode_scalars",
]

#: Containers inside containers; a value nested deeper is refused.
MAX_DEPTH = 256
#: Columns nest five levels for the two of an array of documents, so deep down they are not used.
MAX_PACKED_DEPTH = 32
#: BSON's binary subtype of a value that is a kind and a content.
KIND_SUBTYPE = 0x80
UUID_SUBTYPE = 4
TUPLE_KIND = ord("t")
BYTEARRAY_KIND = ord("b")

_double = Struct("<d")
_int32 = Struct("<i")
_int64 = Struct("<q")
_pack_double, _unpack_double = _double.pack, _double.unpack_from
_pack_int32, _unpack_int32 = _int32.pack, _int32.unpack_from
_pack_int64, _unpack_int64 = _int64.pack, _int64.unpack_from
INDEX_KEYS_COUNT = 1024
#: As many scalars as an array is quickly written of, one by one.
MAX_SCALARS = 64
_INDEX_KEYS = [str(index).encode() + b"\0" for index in range(INDEX_KEYS_COUNT)]


class ArrayElements(bytes):
    """The elements of an array, encoded: a value of which nothing is left to look at."""

    __slots__ = ()


class _TooDeepError(Exception):
    """Deeper than MAX_DEPTH; says nothing of the place, which would have as many steps."""


# Encoding --------------------------------------------------------------------------------------


def encode_document(document: dict[str, Any]) -> bytes:
    """Return the bytes of a document.

    Raises ValueTransferError, with the place, for a value that cannot cross.
    """
    try:
        encoded = _encode_dict(document, 0, True)
    except (_TooDeepError, RecursionError):
        raise ValueTransferError(*why_too_deep(document, MAX_DEPTH)) from None
    return encoded if type(encoded) is bytes else whole(encoded)


def encode_in_pieces(document: dict[str, Any]) -> BytesOrPieces:
    """Return the bytes of a document, for those who put more to them and then make them whole."""
    try:
        return _encode_dict(document, 0, True)
    except (_TooDeepError, RecursionError):
        raise ValueTransferError(*why_too_deep(document, MAX_DEPTH)) from None


def encode_field(name: str, value: Any) -> bytes:
    """Return the bytes of one element of a document, for those who write the rest themselves."""
    return whole(encode_field_in_pieces(name, value))


def encode_field_in_pieces(name: str, value: Any) -> BytesOrPieces:
    """Return the bytes of one element of a document as ``encode_in_pieces`` does."""
    try:
        return _encode_element(name.encode() + b"\0", value, 0)
    except ValueTransferError as error:
        raise error.within(name) from None
    except (_TooDeepError, RecursionError):
        raise ValueTransferError(*why_too_deep({name: value}, MAX_DEPTH)) from None


def encode_scalars(values: Any, depth: int = 0) -> bytes | None:
    """Return the elements of an array of small scalars, and of tuples of these.

    None where there is anything else, or more of it: then any other way is as good. The bytes are
    those of ``encode_document``.
    """
    if len(values) > MAX_SCALARS or depth > 1:
        return None
    parts = []
    try:
        for key, value in zip(_INDEX_KEYS, values):
            cls = type(value)
            if cls is str:
                if len(value) >= SHARED_MINIMUM_BYTES:
                    return None
                data = value.encode()
                parts.append(b"\x02" + key + _pack_int32(len(data) + 1) + data + b"\0")
            elif cls is int:
                if -0x80000000 <= value <= 0x7FFFFFFF:
                    parts.append(b"\x10" + key + _pack_int32(value))
                else:
                    parts.append(b"\x12" + key + _pack_int64(value))
            elif cls is float:
                parts.append(b"\x01" + key + _pack_double(value))
            elif value is None:
                parts.append(b"\x0a" + key)
            elif cls is bool:
                parts.append(b"\x08" + key + (b"\x01" if value else b"\x00"))
            elif cls is bytes and len(value) < SHARED_MINIMUM_BYTES:
                parts.append(b"\x05" + key + _pack_int32(len(value)) + b"\x00" + value)
            elif cls is tuple:
                inner = encode_scalars(value, depth + 1)
                if inner is None:
                    return None
                size = len(inner) + 5
                head = _pack_int32(size + 1) + b"\x80t" + _pack_int32(size)
                parts.append(b"\x05" + key + head + inner + b"\0")
            else:
                return None
    except (UnicodeEncodeError, struct.error):  # Lone surrogates and long ints have kinds.
        return None
    return b"".join(parts)


def _encode_dict(document: dict[str, Any], depth: int, top: bool = False) -> BytesOrPieces:
    parts: list[Any] = []
    key = ""
    try:
        for key, value in document.items():
            parts.append(_encode_element(key.encode() + b"\0", value, depth))
    except ValueTransferError as error:
        raise error.within(key if top else f'["{key}"]') from None
    try:
        body: BytesOrPieces = b"".join(parts)
    except TypeError:
        body = join(parts)
    size = len(body) + 5
    if size >= LARGE_BYTES:
        body = _in_pieces(body)
    return _pack_int32(size) + body + b"\0"


def _encode_list(values: Any, depth: int) -> BytesOrPieces:
    parts: list[Any] = []
    count = len(values)
    if count <= INDEX_KEYS_COUNT:
        keys = _INDEX_KEYS
    else:
        keys = [b"%d\0" % index for index in range(count)]
    index = 0
    try:
        for value in values:
            parts.append(_encode_element(keys[index], value, depth))
            index += 1
    except ValueTransferError as error:
        raise error.within(f"[{index}]") from None
    try:
        body: BytesOrPieces = b"".join(parts)
    except TypeError:
        body = join(parts)
    size = len(body) + 5
    if size >= LARGE_BYTES:
        body = _in_pieces(body)
    return _pack_int32(size) + body + b"\0"


def _encode_element(key: bytes, value: Any, depth: int) -> BytesOrPieces:
    data: bytes
    cls = type(value)
    if cls is str:
        try:
            data = value.encode()
        except UnicodeEncodeError:
            return _encode_kind(key, value, depth)
        return b"\x02" + key + _pack_int32(len(data) + 1) + data + b"\0"
    if cls is int:
        if -0x80000000 <= value <= 0x7FFFFFFF:
            return b"\x10" + key + _pack_int32(value)
        if -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
            return b"\x12" + key + _pack_int64(value)
        return _encode_kind(key, value, depth)
    if cls is float:
        return b"\x01" + key + _pack_double(value)
    if value is None:
        return b"\x0a" + key
    if cls is bool:
        return b"\x08" + key + (b"\x01" if value else b"\x00")
    if cls is bytes:
        data = value
        if len(data) >= SHARED_MINIMUM_BYTES:
            return _encode_large(key, data)
        return b"\x05" + key + _pack_int32(len(data)) + b"\x00" + data
    if depth >= MAX_DEPTH:
        raise _TooDeepError
    if cls is list:
        if len(value) >= MINIMUM_ROWS and depth < MAX_PACKED_DEPTH:
            packed = _encode_packed(key, value, depth)
            if packed is not None:
                return packed
        return b"\x04" + key + _encode_list(value, depth + 1)
    if cls is tuple:  # Written out, so that a level of nesting costs two stack frames, not three.
        return _binary(key, b"t" + _encode_list(value, depth + 1))
    if cls is dict and _is_plain_mapping(value):
        return b"\x03" + key + _encode_dict(value, depth + 1)
    if cls.__module__ == "uuid" and cls.__name__ == "UUID":
        data = value.bytes
        return b"\x05" + key + b"\x10\x00\x00\x00\x04" + data
    if str(cls.__module__).startswith("bson."):
        from pypods.wire.bson_classes import encode_bson_class

        element = encode_bson_class(key, value)
        if element is not None:
            return element
    if cls is InlineBinary:
        return _inline(key, value.data)
    if cls is BsonValue:
        if value.element_type == 0x12:
            return _binary(key, b"I" + value.data)
        data = value.data
        return bytes([value.element_type]) + key + data
    return _encode_kind(key, value, depth)


def _encode_large(key: bytes, data: bytes) -> BytesOrPieces:
    """Return the element of large bytes: in shared memory if there is any, else in the frame."""
    if current.arena is not None:
        content = current.arena.export(b"y", data)
        if content is not None:
            return _binary(key, b"B" + content)
    return _inline(key, data)


def _inline(key: bytes, data: Any) -> Pieces:
    head = b"\x05" + key + _pack_int32(len(data)) + b"\x00"
    return Pieces([head, data], len(head) + len(data))


def _in_pieces(body: BytesOrPieces) -> BytesOrPieces:
    return Pieces([body], len(body)) if type(body) is bytes else body


def _encode_packed(key: bytes, values: list[Any], depth: int) -> BytesOrPieces | None:
    """Return the element of a long list as columns, or None where it stays an array."""
    packed = pack_list(values)
    if packed is None:
        return None
    kind, content = packed
    encode: Any = _encode_dict if kind == b"R" else _encode_list
    parcel = current.arena
    mark = 0 if parcel is None else len(parcel.serials)
    try:
        return _binary(key, kind + encode(content, depth + 1))
    except ValueTransferError:
        if parcel is not None and current.arena.serials:
            current.arena.roll_back(mark)
        return None  # Written as an array, the place of what cannot cross is the list's own.


def _is_plain_mapping(value: dict[Any, Any]) -> bool:
    """Whether a dict is a BSON document as it is, and is one again to every reader.

    A "$ref" makes it a reference to another database for BSON's own readers.
    """
    for key in value:
        if type(key) is not str or "\0" in key or not (key.isascii() or _is_utf8(key)):
            return False
    return "$ref" not in value


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _binary(key: bytes, payload: BytesOrPieces) -> BytesOrPieces:
    return b"\x05" + key + _pack_int32(len(payload)) + b"\x80" + payload


def _encode_kind(key: bytes, value: Any, depth: int) -> BytesOrPieces:
    content: Any
    kind, content = reduce(value)
    if not kind:  # It is something that needs no kind, but for its class.
        return _encode_element(key, content, depth)
    cls = type(content)
    if cls is bytes:
        if len(content) >= LARGE_BYTES:
            content = Pieces([content], len(content))
        return _binary(key, kind + content)
    encode: Any = _encode_dict if cls is dict else _encode_list
    try:
        return _binary(key, kind + encode(content, depth + 1))
    except ValueTransferError as error:
        raise place_in_kind(error, kind, content) from None


# Decoding --------------------------------------------------------------------------------------

#: What a malformed document raises on the way; whoever reads it is told one thing.
_MALFORMED = (
    struct.error,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    MemoryError,
    SyntaxError,  # A namedtuple's fields that Python takes for the same name.
)


def decode_document(data: bytes, classes: Classes = NO_CLASSES) -> dict[str, Any]:
    """Return the document of bytes that hold exactly one.

    Raises ProtocolError where the bytes are not BSON as written here, and ValueTransferError
    where a value cannot be had on this side.
    """
    try:
        document: dict[str, Any]
        document, end = _decode(data, 0, len(data), classes, False, 0)
        if end != len(data):
            raise ProtocolError(f"{len(data) - end} bytes follow the document")
        return document
    except (ProtocolError, ValueTransferError):
        raise
    except _MALFORMED as exc:
        raise ProtocolError(f"malformed document: {type(exc).__name__}: {exc}") from exc


def decode_inner_document(
    data: bytes, position: int, classes: Classes, *, as_list: bool
) -> tuple[Any, int]:
    """Return the document or array that begins at a position, and the position after it."""
    try:
        return _decode(data, position, len(data), classes, as_list, 0)
    except (ProtocolError, ValueTransferError):
        raise
    except _MALFORMED as exc:
        raise ProtocolError(f"malformed document: {type(exc).__name__}: {exc}") from exc


def decode_kind(payload: bytes, classes: Classes = NO_CLASSES) -> Any:
    """Return the value of a binary of subtype 0x80; errors as of decode_document."""
    try:
        return _decode_kind(payload, 0, len(payload), classes, 0)
    except (ProtocolError, ValueTransferError):
        raise
    except _MALFORMED as exc:
        raise ProtocolError(f"malformed value: {type(exc).__name__}: {exc}") from exc


def _decode(
    data: bytes, start: int, limit: int, classes: Classes, as_list: bool, depth: int
) -> tuple[Any, int]:
    """Read one document or array; return it and the position after it."""
    size = _unpack_int32(data, start)[0]
    end = start + size
    if size < 5 or end > limit or data[end - 1] or depth > MAX_DEPTH + 1:
        raise ProtocolError("a document's length does not fit, or it is nested too deeply")
    last = end - 1
    position = start + 4
    values: list[Any] = []
    keys: list[str] = []
    find = data.index
    while position < last:
        kind = data[position]
        name_end = find(0, position + 1, last)
        if not as_list:
            keys.append(data[position + 1 : name_end].decode())
        position = name_end + 1
        if kind == 0x10:
            value: Any = _unpack_int32(data, position)[0]
            position += 4
        elif kind == 0x02:
            length = _unpack_int32(data, position)[0]
            position += 4 + length
            if length < 1 or position > last or data[position - 1]:
                raise ProtocolError("a text's length does not fit")
            value = data[position - length : position - 1].decode()
        elif kind == 0x0A:
            value = None
        elif kind == 0x01:
            value = _unpack_double(data, position)[0]
            position += 8
        elif kind == 0x12:
            value = _unpack_int64(data, position)[0]
            position += 8
        elif kind == 0x08:
            value = data[position] == 1
            position += 1
        elif kind == 0x03:
            value, position = _decode(data, position, last, classes, False, depth + 1)
        elif kind == 0x04:
            value, position = _decode(data, position, last, classes, True, depth + 1)
        elif kind == 0x05:
            length = _unpack_int32(data, position)[0]
            subtype = data[position + 4]
            position += 5 + length
            if length < 0 or position > last:
                raise ProtocolError("a binary's length does not fit")
            if subtype:
                if subtype == KIND_SUBTYPE:
                    # Where it lies: a copy for each level would multiply what a frame may take.
                    start = position - length
                    if data[start] == TUPLE_KIND:
                        content, end_of_tuple = _decode(
                            data, start + 1, position, classes, True, depth + 1
                        )
                        if end_of_tuple != position:
                            raise ProtocolError("bytes follow a tuple")
                        value = tuple(content)
                    else:
                        value = _decode_kind(data, start, position, classes, depth)
                elif subtype == UUID_SUBTYPE:
                    from uuid import UUID

                    value = UUID(bytes=data[position - length : position])
                else:
                    raise ProtocolError(f"there is no use of binary subtype {subtype}")
            else:
                value = data[position - length : position]
        else:
            from pypods.wire.bson_classes import decode_rare

            value, position = decode_rare(data, position, last, kind)
        values.append(value)
    if position != last:
        raise ProtocolError("a value runs over the end of its document")
    return (values if as_list else dict(zip(keys, values))), end


def _decode_kind(data: bytes, start: int, end: int, classes: Classes, depth: int) -> Any:
    """Read the kind and content between two positions."""
    kind = data[start]
    if kind in BYTES_KINDS:
        if kind == BYTEARRAY_KIND:
            return bytearray(memoryview(data)[start + 1 : end])
        return rebuild(kind, data[start + 1 : end], classes)
    if kind not in ARRAY_KINDS and kind not in DOCUMENT_KINDS:
        raise ProtocolError(f"there is no kind of value {bytes([kind])!r}")
    as_list = kind in ARRAY_KINDS
    content, content_end = _decode(data, start + 1, end, classes, as_list, depth + 1)
    if content_end != end:
        raise ProtocolError("bytes follow a value's content")
    return rebuild(kind, content, classes)
