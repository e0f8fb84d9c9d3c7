"""Values of the BSON types that Python lacks, as pymongo's classes have them; needs no pymongo.

Where ``bson`` is not loaded such a value is a :class:`~pypods.wire.stand_ins.BsonValue`, which is
passed on as it came.
"""

from __future__ import annotations

import sys
from struct import Struct

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.stand_ins import BsonValue

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["decode_rare", "encode_bson_class"]

_BSON_ELEMENTS = {"ObjectId": 0x07, "Regex": 0x0B, "Timestamp": 0x11, "Decimal128": 0x13}
_REGEX_FLAGS = ((2, "i"), (4, "l"), (8, "m"), (16, "s"), (32, "u"), (64, "x"))
_timestamp = Struct("<II")
_unpack_int64 = Struct("<q").unpack_from


def encode_bson_class(key: bytes, value: Any) -> bytes | None:
    """Return the element of a value of one of pymongo's own classes, or None for others."""
    name = type(value).__name__
    element_type = _BSON_ELEMENTS.get(name)
    if element_type is None:
        return None
    data: bytes
    if name == "ObjectId":
        data = value.binary
    elif name == "Decimal128":
        data = value.bid
    elif name == "Timestamp":
        data = _timestamp.pack(value.inc, value.time)
    else:
        if isinstance(value.pattern, bytes) or "\0" in value.pattern:
            raise ValueTransferError("a Regex of bytes, or with a zero, cannot cross by value")
        pattern = value.pattern.encode()
        flags = "".join(letter for bit, letter in _REGEX_FLAGS if value.flags & bit)
        data = pattern + b"\0" + flags.encode() + b"\0"
    return bytes([element_type]) + key + data


def decode_rare(data: bytes, position: int, last: int, kind: int) -> tuple[Any, int]:
    """Read a value of the BSON types that pypods never writes of its own accord."""
    if kind == 0x09:  # Milliseconds since 1970, UTC: read as pymongo does, without a zone.
        from datetime import datetime, timedelta

        moment = timedelta(milliseconds=_unpack_int64(data, position)[0])
        return datetime(1970, 1, 1) + moment, position + 8  # noqa: DTZ001 - as pymongo
    if kind in (0x07, 0x11, 0x13):
        end = position + {0x07: 12, 0x11: 8, 0x13: 16}[kind]
    elif kind == 0x0B:
        end = data.index(0, data.index(0, position, last) + 1, last) + 1
    else:
        raise ProtocolError(f"there is no use of BSON type 0x{kind:02x}")
    if end > last:
        raise ProtocolError("a value runs over the end of its document")
    return _bson_class_value(kind, data[position:end]), end


def _bson_class_value(kind: int, raw: bytes) -> Any:
    """Return an instance of this side's own bson class where it has loaded one."""
    if "bson" not in sys.modules:
        return BsonValue(kind, raw)
    try:
        return _made_by_bson(kind, raw)
    except ImportError:  # An old bson, or another package of that name.
        return BsonValue(kind, raw)


def _made_by_bson(kind: int, raw: bytes) -> Any:
    if kind == 0x07:
        from bson.objectid import ObjectId

        return ObjectId(raw)
    if kind == 0x13:
        from bson.decimal128 import Decimal128

        return Decimal128.from_bid(raw)
    if kind == 0x11:
        from bson.timestamp import Timestamp

        increment, time = _timestamp.unpack(raw)
        return Timestamp(time, increment)
    from bson.regex import Regex

    pattern, flags = raw[:-1].split(b"\0")
    return Regex(pattern.decode(), "".join(sorted(flags.decode())))
