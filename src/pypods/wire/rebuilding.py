"""Values from the kinds and contents of ``pypods.wire.values``; nothing of bytes on the wire."""

from __future__ import annotations

# ruff: noqa: ARG001, ARG005 - the entries of a table have one signature
import sys

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.rows import list_from_column, rows_from_content
from pypods.wire.stand_ins import BsonValue, EnumMember, Record
from pypods.wire.values import (
    COMPLEX,
    DATE,
    DATETIME,
    HOLDS_MORE_THAN_FIELDS,
    INT64,
    PATH_CLASSES,
    TIME,
    TIMEDELTA,
    arrays_module,
    arrow_module,
    buffers_module,
)

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["NO_CLASSES", "Classes", "rebuild", "rebuild_zone"]

MAX_NAMEDTUPLE_FIELDS = 4096
#: Names and fields of the namedtuple classes that are kept for the next value.
MAX_REMEMBERED_FIELDS = 65_536


class Classes:
    """What one side lends to rebuild values: classes, by default none, and shared memory."""

    #: Where the blocks are that frames refer to (``pypods.wire.shared.SharedMemory``).
    shared: Any = None
    #: Whether arrays and views arrive writable.
    writable = False
    #: Whether what the other side says of Arrow data is believed without a look.
    trusts = False
    #: The libraries whose Arrow values arrive as what they were, where they are installed.
    arrow_libraries: tuple[str, ...] = ("polars",)

    def find(self, module: str, qualname: str) -> type | None:  # noqa: ARG002 - for others
        """Return this side's class of that name, or None."""
        return None

    def take_handle(self, kind: int, content: dict[str, Any]) -> object:  # noqa: ARG002
        """Return what stands for a function, an iterator or a generator of the other side."""
        raise ProtocolError(f"a handle of kind {bytes([kind])!r} has no place here")


NO_CLASSES = Classes()


def rebuild(kind: Any, content: Any, classes: Any = NO_CLASSES) -> Any:
    """Return the value of a kind and content; ``kind`` is the byte as an int.

    Raises ProtocolError for a kind that does not exist. A content that does not fit its kind
    raises whatever the type's own constructor raises; the decoder makes that a ProtocolError.
    """
    rebuilder = _REBUILDERS.get(kind)
    if rebuilder is None:
        raise ProtocolError(f"there is no kind of value {bytes([kind])!r}")
    return rebuilder(content, classes)


def rebuild_zone(data: Any) -> Any:
    """Return the tzinfo of its bytes, see ``reduce_zone``."""
    from datetime import timedelta, timezone

    if not data:
        return None
    if data[:1] == b"o":
        offset = timedelta(microseconds=INT64.unpack(data[1:])[0])
        return timezone(offset) if offset else timezone.utc
    if data[:1] == b"n":
        offset = timedelta(microseconds=INT64.unpack_from(data, 1)[0])
        return timezone(offset, data[9:].decode("utf-8", "surrogatepass"))
    if data[:1] != b"z":
        raise ProtocolError("a time zone is neither an offset nor a key")
    key = data[1:].decode()
    try:
        from zoneinfo import ZoneInfo
    except ImportError:
        try:
            from backports.zoneinfo import ZoneInfo  # type: ignore[import-not-found, no-redef]
        except ImportError:
            raise ValueTransferError(
                f"a datetime in the zone {key} cannot arrive here: this Python has no zoneinfo; "
                "add backports.zoneinfo to the pod's requirements"
            ) from None
    try:
        return ZoneInfo(key)
    except (KeyError, OSError) as exc:
        raise ValueTransferError(
            f"a datetime in the zone {key} cannot arrive here: no such zone on this side ({exc}); "
            "the package tzdata has them all"
        ) from None


def _rebuild_datetime(data: Any, classes: Any) -> Any:
    from datetime import datetime

    year, month, day, hour, minute, second, microsecond, fold = DATETIME.unpack_from(data)
    zone = rebuild_zone(data[DATETIME.size :])
    return datetime(year, month, day, hour, minute, second, microsecond, zone, fold=fold)


def _rebuild_date(data: Any, classes: Any) -> Any:
    from datetime import date

    return date(*DATE.unpack(data))


def _rebuild_time(data: Any, classes: Any) -> Any:
    from datetime import time

    hour, minute, second, microsecond, fold = TIME.unpack_from(data)
    zone = rebuild_zone(data[TIME.size :])
    return time(hour, minute, second, microsecond, zone, fold=fold)


def _rebuild_timedelta(data: Any, classes: Any) -> Any:
    from datetime import timedelta

    return timedelta(*TIMEDELTA.unpack(data))


def _rebuild_decimal(data: Any, classes: Any) -> Any:
    from decimal import Decimal

    return Decimal(data.decode("ascii"))


def _rebuild_path(data: Any, classes: Any) -> Any:
    import pathlib

    text = data[1:].decode("utf-8", "surrogatepass")
    cls = getattr(pathlib, PATH_CLASSES[data[:1]])
    try:
        return cls(text)
    except NotImplementedError:  # The other system's concrete path; its pure one exists here.
        return cls.__bases__[-1](text)


def _rebuild_fraction(content: Any, classes: Any) -> Any:
    from fractions import Fraction

    numerator, denominator = map(_exact_int, content)
    if denominator < 1:
        raise ProtocolError("a fraction's denominator is not positive")
    # Not through the constructor: the greatest common divisor of two numbers of a hundred
    # megabytes, which only a hostile pod sends, would hold the host for hours.
    fraction = Fraction()
    fraction._numerator, fraction._denominator = numerator, denominator  # type: ignore[attr-defined]
    return fraction


def _exact_int(value: Any) -> Any:
    if type(value) is not int:
        raise ProtocolError("a number that must be an int is not")
    return value


def _rebuild_mapping(content: Any, classes: Any) -> Any:
    if len(content) % 2:
        raise ProtocolError("a mapping has a key without a value")
    return _all_kept(dict(zip(content[::2], content[1::2])), len(content) // 2)


def _all_kept(container: Any, count: int) -> Any:
    """Return the container, or refuse it if values that differed over there are equal here."""
    if len(container) != count:
        raise ValueTransferError(
            "a set or mapping holds values that differ on the other side and are equal here"
        )
    return container


def _rebuild_ordered(content: Any, classes: Any) -> Any:
    from collections import OrderedDict

    return OrderedDict(_rebuild_mapping(content, classes))


def _rebuild_set(content: Any, classes: Any) -> Any:
    return _all_kept(set(content), len(content))


_namedtuple_classes: dict[tuple[str, ...], Any] = {}


def _rebuild_namedtuple(content: Any, classes: Any) -> Any:
    name, fields, values = content["name"], content["fields"], content["values"]
    if type(fields) is not list or type(values) is not list:
        raise ProtocolError("a namedtuple's fields and values are no lists")
    key = (name, *fields)
    cls = _namedtuple_classes.get(key) or _make_namedtuple_class(key)
    if len(values) != len(fields):
        raise ProtocolError("a namedtuple has more or fewer values than fields")
    return tuple.__new__(cls, values)


def _make_namedtuple_class(key: Any) -> Any:
    name, *fields = key
    if len(fields) > MAX_NAMEDTUPLE_FIELDS or any(type(part) is not str for part in key):
        raise ProtocolError("a namedtuple's name or fields are not text, or too many")
    from collections import namedtuple

    # It checks that name and fields are identifiers; "rename" lets its own _0, _1 … pass.
    cls: Any = namedtuple(name, fields, rename=True)  # type: ignore[misc]
    if list(cls._fields) != fields:
        raise ProtocolError("a namedtuple's fields are no identifiers")
    if sum(map(len, _namedtuple_classes), len(key)) > MAX_REMEMBERED_FIELDS:
        _namedtuple_classes.clear()  # A pod that makes up names must not fill the memory.
    _namedtuple_classes[key] = cls
    return cls


def _rebuild_enum(content: Any, classes: Any) -> Any:
    module, qualname = _class_names(content)
    name, value = content["name"], content["value"]
    if not isinstance(name, (str, type(None))):
        raise ProtocolError("an enum member's name is no text")
    cls = classes.find(module, qualname)
    enum = sys.modules.get("enum")
    if cls is not None and enum is not None and issubclass(cls, enum.Enum):
        member = cls.__members__.get(name)
        if member is None and issubclass(cls, enum.Flag) and type(value) is int:
            try:
                member = cls(value)
            except ValueError:
                member = None  # The other side's class has bits that this one lacks.
        if isinstance(member, cls) and member.value == value:
            return member
    return EnumMember(module, qualname, name, value)


def _class_names(content: Any) -> Any:
    names = content["module"], content["qualname"]
    if any(type(name) is not str for name in names):
        raise ProtocolError("a class's names are no text")
    return names


def _rebuild_record(content: Any, classes: Any) -> Any:
    module, qualname = _class_names(content)
    values = content["fields"]
    if type(values) is not dict or not {str}.issuperset(map(type, values)):
        raise ProtocolError("a record's fields are no document")
    cls = classes.find(module, qualname)
    if (
        cls is not None
        and "__dataclass_fields__" in cls.__dict__
        and not issubclass(cls, HOLDS_MORE_THAN_FIELDS)
    ):
        from dataclasses import fields

        if {field.name for field in fields(cls)} == set(values):
            instance = object.__new__(cls)  # As copy does: neither __new__ nor __init__ runs.
            for name, value in values.items():
                object.__setattr__(instance, name, value)  # Also when frozen.
            return instance
    return Record(module, qualname, values)


def _rebuild_int64(data: Any, classes: Any) -> Any:
    (number,) = INT64.unpack(data)
    if "bson" in sys.modules:
        try:
            from bson.int64 import Int64
        except ImportError:  # An old bson, or another package of that name.
            return BsonValue(0x12, bytes(data))
        return Int64(number)
    return BsonValue(0x12, bytes(data))


def _pandas_arrivals() -> Any:
    from pypods.wire import pandas_arrivals

    return pandas_arrivals


_REBUILDERS: dict[int, Callable[[Any, Any], Any]] = {
    ord("i"): lambda data, classes: int.from_bytes(data, "little", signed=True),
    ord("j"): lambda data, classes: complex(*COMPLEX.unpack(data)),
    ord("u"): lambda data, classes: data.decode("utf-8", "surrogatepass"),
    ord("b"): lambda data, classes: bytearray(data),
    ord("D"): _rebuild_datetime,
    ord("d"): _rebuild_date,
    ord("T"): _rebuild_time,
    ord("E"): _rebuild_timedelta,
    ord("x"): _rebuild_decimal,
    ord("p"): _rebuild_path,
    ord("."): lambda data, classes: ...,
    ord("I"): _rebuild_int64,
    ord("t"): lambda content, classes: tuple(content),
    ord("s"): _rebuild_set,
    ord("f"): lambda content, classes: frozenset(_rebuild_set(content, classes)),
    ord("m"): _rebuild_mapping,
    ord("o"): _rebuild_ordered,
    ord("r"): lambda content, classes: range(*map(_exact_int, content)),
    ord("l"): lambda content, classes: slice(*content),
    ord("q"): _rebuild_fraction,
    ord("n"): _rebuild_namedtuple,
    ord("e"): _rebuild_enum,
    ord("c"): _rebuild_record,
    ord("B"): lambda data, classes: buffers_module().rebuild_block(data, classes),
    ord("v"): lambda content, classes: buffers_module().rebuild_memoryview(content, classes),
    ord("a"): lambda content, classes: buffers_module().rebuild_array(content, classes),
    ord("A"): lambda content, classes: arrays_module().rebuild_ndarray(content, classes),
    ord("g"): lambda content, classes: arrays_module().rebuild_scalar(content, classes),
    ord("w"): lambda content, classes: arrow_module().rebuild_arrow(content, classes),
    ord("P"): lambda content, classes: _pandas_arrivals().rebuild(content),
    ord("k"): lambda content, classes: classes.take_handle(ord("k"), content),
    ord("h"): lambda content, classes: classes.take_handle(ord("h"), content),
    ord("G"): lambda content, classes: classes.take_handle(ord("G"), content),
    ord("O"): lambda content, classes: classes.take_handle(ord("O"), content),
    ord("V"): lambda content, classes: list_from_column(content),
    ord("R"): lambda content, classes: rows_from_content(content),
}
