"""Long lists of like things, to packed columns and back; nothing of BSON.

A list of dicts with the same keys in the same order, or of tuples of one length (what database
drivers return) crosses as its columns, kind ``R``; a list of values of one type, None among them,
as one column, kind ``V``. A column whose values are of one type is packed by the C code of the
standard library, many times faster than value by value, and so it is on the way back. A column of
mixed types stays an array of values.

The content of ``R`` is a document: ``keys`` (None for tuples), ``count``, and ``columns``, each an
array of a layout letter, a mask, then what that layout needs; that of ``V`` is one such array:

======  =====================================================================
letter  layout
======  =====================================================================
q       int of at most 64 bits: signed 64-bit integers
d       float: doubles
?       bool: one byte each
s       str without NUL: their UTF-8, joined by NUL
S       any other str: the characters' counts, then the joined UTF-8
y       bytes: the lengths, then the joined bytes
x       Decimal: their texts, joined by NUL
D, Z    datetime without zone, in ``timezone.utc``: microseconds since 1970
e       date: proleptic Gregorian ordinals
t       time without zone: microseconds since midnight
E       timedelta: microseconds
u       UUID: 16 bytes each
v       values of any types, an array
======  =====================================================================

The mask is None where every row has a value, and otherwise one byte a row, 0 where the value is
None and left out of what follows.
"""

from __future__ import annotations

import sys
from itertools import accumulate, repeat
from struct import error as struct_error
from struct import pack

from pypods.errors import ProtocolError

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["MINIMUM_ROWS", "list_from_column", "pack_list", "rows_from_content"]

#: Shorter lists are not worth the look.
MINIMUM_ROWS = 16
ROWS_AT_ONCE = 256
#: As many numbers are packed by one call, which takes a copy of the list.
NUMBERS_AT_ONCE = 65_536
#: Rebuilt rows may take at most this many times the bytes of their content, so that a small frame
#: cannot fill the receiver's memory. Rows that would take more cross one by one.
MAX_EXPANSION = 32
#: What CPython sets aside for a row: the estimate behind MAX_EXPANSION.
TUPLE_BYTES, DICT_BYTES, SLOT_BYTES = 64, 296, 8

_NONE = type(None)
_BIG_ENDIAN = sys.byteorder == "big"


def pack_list(values: list[Any]) -> tuple[bytes, Any] | None:
    """Return the kind and content of a long list of like things, or None if it is not one."""
    types = set(map(type, values))
    if types == {dict}:
        keys = list(values[0])
        if not keys or set(map(type, keys)) != {str} or len(set(map(tuple, values))) != 1:
            return None
        return _pack_rows(keys, _turn(values, dict.values), len(values))
    if types == {tuple}:
        width = len(values[0])
        if not width or set(map(len, values)) != {width}:
            return None
        return _pack_rows(None, _turn(values, None), len(values))
    column = _pack_column(values, types)
    return None if column is None else (b"V", column)


def _turn(rows: list[Any], values_of: Any) -> list[Any]:
    """Return the columns of rows.

    By the few, which stay in the processor's cache: half the time of all at once.
    """
    columns: list[Any] = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        parts = zip(*(some if values_of is None else map(values_of, some)))
        if not columns:
            columns = list(map(list, parts))
        else:
            for column, part in zip(columns, parts):
                column += part
    return columns


def _pack_rows(keys: list[str] | None, columns: list[Any], count: int) -> tuple[bytes, Any] | None:
    packed = [
        _pack_column(column, set(map(type, column))) or ["v", None, column] for column in columns
    ]
    if _expansion(count, len(packed), keys, packed) > MAX_EXPANSION:
        return None
    return b"R", {"keys": keys, "count": count, "columns": packed}


def list_from_column(packed: list[Any]) -> list[Any]:
    """Return the list that one column is. Raises ProtocolError for a malformed column."""
    return list(_unpack_column(packed, None))


def rows_from_content(content: dict[str, Any]) -> list[Any]:
    """Return the rows of a content. Raises ProtocolError where the columns do not fit together."""
    keys, count, packed = content["keys"], content["count"], content["columns"]
    if type(count) is not int or not packed or (keys is not None and len(keys) != len(packed)):
        raise ProtocolError("rows whose keys, count and columns do not fit together")
    if count < 0 or _expansion(count, len(packed), keys, packed) > MAX_EXPANSION:
        raise ProtocolError("rows that would take far more memory than they came in")
    columns = [_unpack_column(column, count) for column in packed]
    if keys is None:
        return list(zip(*columns))
    return list(map(dict, map(zip, repeat(keys), zip(*columns))))


def _expansion(count: int, width: int, keys: Any, packed: list[Any]) -> float:
    """Return how many times its content's bytes the rows would take, at the most."""
    content_bytes = 1
    for column in packed:
        for part in column:
            if isinstance(part, bytes):
                content_bytes += len(part)
            elif isinstance(part, list):
                content_bytes += 4 * len(part)
    row_bytes = (TUPLE_BYTES if keys is None else DICT_BYTES) + width * SLOT_BYTES
    return count * row_bytes / content_bytes


# Packing ---------------------------------------------------------------------------------------


def _pack_column(values: Any, types: set[type]) -> list[Any] | None:
    """Return letter, mask and parts of values of one type, or None if there is no such layout."""
    mask = None
    if _NONE in types and len(types) <= 2:
        mask = bytes([value is not None for value in values])
        if len(types) == 1:
            return ["q", mask, b""]
        types = types - {_NONE}
        values = [value for value in values if value is not None]
    if len(types) != 1:
        return None
    (cls,) = types
    packer = _PACKERS.get(cls) or _PACKERS_BY_NAME.get((cls.__module__, cls.__qualname__))
    layout = packer(values) if packer is not None else None
    return None if layout is None else [layout[0], mask, *layout[1:]]


def _pack_numbers(code: str, values: list[Any]) -> bytes:
    """Return numbers by a letter of ``struct``: in half the time that an array takes for it."""
    if len(values) <= NUMBERS_AT_ONCE:
        return pack(f"<{len(values)}{code}", *values)
    starts = range(0, len(values), NUMBERS_AT_ONCE)
    return b"".join([_pack_numbers(code, values[at : at + NUMBERS_AT_ONCE]) for at in starts])


def _pack_lengths(values: list[Any]) -> bytes:
    return _pack_numbers("q", list(map(len, values)))


def _pack_ints(values: Any) -> Any:
    try:
        return "q", _pack_numbers("q", values)
    except struct_error:
        return None


def _pack_texts(values: Any) -> Any:
    joined = "\0".join(values)
    try:
        data = joined.encode()
    except UnicodeEncodeError:
        return None
    if joined.count("\0") == len(values) - 1:
        return "s", data
    return "S", _pack_lengths(values), "".join(values).encode()


def _pack_datetimes(values: Any) -> Any:
    from datetime import datetime, timedelta, timezone

    zone = values[0].tzinfo
    if zone is not None and zone is not timezone.utc:
        return None
    # By identity: a zone of the same offset and another name is equal.
    if any(value.tzinfo is not zone or value.fold for value in values):
        return None
    epoch = datetime(1970, 1, 1, tzinfo=zone)
    microsecond = timedelta(microseconds=1)
    numbers = [(value - epoch) // microsecond for value in values]
    return ("D" if zone is None else "Z"), _pack_numbers("q", numbers)


def _pack_times(values: Any) -> Any:
    if any(value.tzinfo is not None or value.fold for value in values):
        return None
    return "t", _pack_numbers(
        "q",
        [((v.hour * 60 + v.minute) * 60 + v.second) * 1_000_000 + v.microsecond for v in values],
    )


def _pack_timedeltas(values: Any) -> Any:
    try:
        return "E", _pack_numbers(
            "q", [(v.days * 86_400 + v.seconds) * 1_000_000 + v.microseconds for v in values]
        )
    except struct_error:
        return None


_PACKERS: dict[type, Callable[[Any], Any]] = {
    int: _pack_ints,
    float: lambda values: ("d", _pack_numbers("d", values)),
    bool: lambda values: ("?", bytes(values)),
    str: _pack_texts,
    bytes: lambda values: ("y", _pack_lengths(values), b"".join(values)),
}
_PACKERS_BY_NAME: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("decimal", "Decimal"): lambda values: ("x", "\0".join(map(str, values)).encode()),
    ("datetime", "datetime"): _pack_datetimes,
    ("datetime", "date"): lambda values: (
        "e",
        _pack_numbers("i", [value.toordinal() for value in values]),
    ),
    ("datetime", "time"): _pack_times,
    ("datetime", "timedelta"): _pack_timedeltas,
    ("uuid", "UUID"): lambda values: ("u", b"".join([value.bytes for value in values])),
}


# Unpacking -------------------------------------------------------------------------------------


def _unpack_column(packed: list[Any], count: int | None) -> Any:
    """Return the values of a column, ``count`` of them where that is known."""
    letter, mask, *parts = packed
    unpacker = _UNPACKERS.get(letter)
    if unpacker is None:
        raise ProtocolError(f"there is no column layout {letter!r}")
    if mask is None:
        values = unpacker(*parts)
    else:
        # A joined text has one part even of no values, so it is not asked where there are none.
        present = unpacker(*parts) if any(mask) or any(parts) else ()
        if len(present) != len(mask) - mask.count(0):
            raise ProtocolError("a column's mask does not fit its values")
        each = iter(present)
        values = [next(each) if there else None for there in mask]
    if count is not None and len(values) != count:
        raise ProtocolError("a column has more or fewer values than there are rows")
    return values


def _numbers(typecode: str, data: bytes) -> Any:
    # Imported here: on Python 3.13 it takes collections.abc with it, which a pod may do without.
    from array import array

    numbers = array(typecode)
    numbers.frombytes(data)
    if _BIG_ENDIAN:
        numbers.byteswap()
    return numbers


def _unpack_counted_texts(lengths: bytes, data: bytes) -> list[str]:
    return _cut(data.decode(), lengths)


def _unpack_bytes(lengths: bytes, data: bytes) -> list[bytes]:
    return _cut(data, lengths)


def _cut(joined: Any, lengths: bytes) -> list[Any]:
    """Return the pieces that were joined. Lengths that overlap could ask for any memory."""
    numbers = _numbers("q", lengths)
    ends = list(accumulate(numbers))
    if ends and (min(numbers) < 0 or ends[-1] != len(joined)):
        raise ProtocolError("a column's lengths do not fit its values")
    return [joined[start:end] for start, end in zip([0, *ends], ends)]


def _unpack_decimals(data: bytes) -> list[Any]:
    from decimal import Decimal

    return list(map(Decimal, data.decode("ascii").split("\0")))


def _unpack_datetimes(in_utc: bool) -> Any:
    def unpack(data: bytes) -> list[Any]:
        from datetime import datetime, timedelta, timezone

        epoch = datetime(1970, 1, 1, tzinfo=timezone.utc if in_utc else None)
        return [epoch + timedelta(0, 0, number) for number in _numbers("q", data)]

    return unpack


def _unpack_dates(data: bytes) -> list[Any]:
    from datetime import date

    return list(map(date.fromordinal, _numbers("i", data)))


def _unpack_times(data: bytes) -> list[Any]:
    from datetime import datetime, timedelta

    # Through a datetime, whose arithmetic is in C, and which refuses what is no time of day.
    midnight = datetime(1, 1, 1)  # noqa: DTZ001 - a time of day has no zone here
    values = [midnight + timedelta(0, 0, number) for number in _numbers("q", data)]
    if any(value.toordinal() != 1 for value in values):
        raise ProtocolError("a time of day is not within a day")
    return [value.time() for value in values]


def _unpack_timedeltas(data: bytes) -> list[Any]:
    from datetime import timedelta

    return [timedelta(0, 0, number) for number in _numbers("q", data)]


def _unpack_uuids(data: bytes) -> list[Any]:
    from uuid import UUID

    return [UUID(bytes=data[start : start + 16]) for start in range(0, len(data), 16)]


_UNPACKERS: dict[str, Callable[..., Any]] = {
    "q": lambda data: _numbers("q", data),
    "d": lambda data: _numbers("d", data),
    "?": lambda data: list(map(bool, data)),
    "s": lambda data: data.decode().split("\0"),
    "S": _unpack_counted_texts,
    "y": _unpack_bytes,
    "x": _unpack_decimals,
    "D": _unpack_datetimes(False),
    "Z": _unpack_datetimes(True),
    "e": _unpack_dates,
    "t": _unpack_times,
    "E": _unpack_timedeltas,
    "u": _unpack_uuids,
    "v": lambda values: values,
}
