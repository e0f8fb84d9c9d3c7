"""Python values that BSON lacks, to a kind and a content and back; nothing of bytes on the wire.

BSON has None, bool, int up to 64 bits, float, str, bytes, list and dict with text keys. Every other
value is reduced to a *kind* (one byte) and a *content* that BSON does have, and is rebuilt from
the two on the other side, equal and of the same type:

====  ==================================  =====================================================
kind  type                                content
====  ==================================  =====================================================
i     int beyond 64 bits                  bytes, two's complement, little-endian
j     complex                             bytes, two doubles: real, imaginary
u     str with lone surrogates            bytes, UTF-8 with surrogates passed through
b     bytearray                           bytes
D     datetime.datetime                   bytes: year, month … microsecond, fold, zone
d     datetime.date                       bytes: year, month, day
T     datetime.time                       bytes: hour … microsecond, fold, zone
E     datetime.timedelta                  bytes: days, seconds, microseconds
x     decimal.Decimal                     bytes, its text
p     pathlib path                        bytes: class letter, then its text
.     Ellipsis                            bytes, empty
I     bson.int64.Int64                    bytes, 64 bits
t     tuple                               array
s, f  set, frozenset                      array
m, o  dict with other keys, OrderedDict   array: key, value, key, value …
r, l  range, slice                        array: start, stop, step
q     fractions.Fraction                  array: numerator, denominator
n     namedtuple                          document: name, fields, values
e     enum member                         document: module, qualname, name, value
c     dataclass instance                  document: module, qualname, fields
V     long list of values of one type     array: one column (see pypods.wire.rows)
R     long list of like dicts or tuples   document: keys, count, columns
B     large bytes, bytearray, data        bytes: a block of memory (see pypods.wire.buffers)
v, a  memoryview, array.array             document: format and shape, or typecode; data
A, g  NumPy's array, NumPy's scalars      document: dtype, shape, data (see pypods.wire.arrays)
w     what speaks Arrow's interface       document: origin, form, type, groups (pypods.wire.arrow)
P     pandas' frames, indexes, scalars …  document: type, … (see pypods.wire.pandas_values)
k     function of the host               document: number, call, name
h     iterator of the host               document: call, index, name
G     generator of the pod               document: stream, name
====  ==================================  =====================================================

The last three are no values but handles, made by whoever encodes (``pypods.wire.context``) and
taken by the receiving side's ``Classes``.

A class is never imported or looked up by a name from the wire: an enum member or a dataclass
instance becomes the real thing only through the receiving side's own ``Classes``, and otherwise
an :class:`EnumMember` or a :class:`Record`. A fixed offset of a class of its own (psycopg2, pytz)
arrives as ``datetime.timezone`` of the same offset and name; every other foreign ``tzinfo`` is
refused.
"""

from __future__ import annotations

# ruff: noqa: ARG001, ARG005 - the entries of a table have one signature
import sys
from struct import Struct

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.context import current
from pypods.wire.rows import list_from_column, rows_from_content

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = [
    "ARRAY_KINDS",
    "BYTES_KINDS",
    "DOCUMENT_KINDS",
    "BsonValue",
    "Classes",
    "EnumMember",
    "Record",
    "rebuild",
    "rebuild_zone",
    "reduce",
    "reduce_zone",
    "shown",
]

BYTES_KINDS = frozenset(b"ijubDdTExp.IB")
ARRAY_KINDS = frozenset(b"tsfmorlqV")
DOCUMENT_KINDS = frozenset(b"necRvaAgwPkhGO")

MAX_SHOWN_CHARACTERS = 80
MAX_NAMEDTUPLE_FIELDS = 4096
#: Names and fields of the namedtuple classes that are kept for the next value.
MAX_REMEMBERED_FIELDS = 65_536

_complex = Struct("<dd")
_date = Struct("<HBB")
_datetime = Struct("<HBBBBBIB")
_time = Struct("<BBBIB")
_timedelta = Struct("<iii")
_int64 = Struct("<q")


class EnumMember:
    """An enum member whose class this side does not have: equal to another of the same name."""

    __slots__ = ("module", "name", "qualname", "value")

    def __init__(self, module: str, qualname: str, name: str | None, value: object) -> None:
        self.module = module
        self.qualname = qualname
        self.name = name
        self.value = value

    def __eq__(self, other: object) -> bool:
        if type(other) is not EnumMember:
            return NotImplemented
        return (self.module, self.qualname, self.name, self.value) == (
            other.module,
            other.qualname,
            other.name,
            other.value,
        )

    def __hash__(self) -> int:
        return hash((self.module, self.qualname, self.name))

    def __repr__(self) -> str:
        return f"<{self.qualname}.{self.name}: {self.value!r}>"


class Record:
    """A dataclass instance whose class this side does not have; its fields are attributes."""

    __slots__ = ("fields", "module", "qualname")

    def __init__(self, module: str, qualname: str, fields: dict[str, object]) -> None:
        self.module = module
        self.qualname = qualname
        self.fields = fields

    def __getattr__(self, name: str) -> object:
        # Slots that are not set yet (a copy under construction) must not recurse into here.
        if name not in Record.__slots__ and name in self.fields:
            return self.fields[name]
        raise AttributeError(f"{name!r} is no field of this record")

    def __eq__(self, other: object) -> bool:
        if type(other) is not Record:
            return NotImplemented
        return (self.module, self.qualname, self.fields) == (
            other.module,
            other.qualname,
            other.fields,
        )

    def __hash__(self) -> int:
        return hash((self.module, self.qualname, *self.fields.items()))

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self.fields.items())
        return f"{self.qualname}({inside})"


class BsonValue:
    """A value of a BSON type for which this side has no class, passed on as it came.

    ``element_type`` is BSON's own number of the type and ``data`` the bytes of the value.
    """

    __slots__ = ("data", "element_type")

    def __init__(self, element_type: int, data: bytes) -> None:
        self.element_type = element_type
        self.data = data

    def __eq__(self, other: object) -> bool:
        if type(other) is not BsonValue:
            return NotImplemented
        return (self.element_type, self.data) == (other.element_type, other.data)

    def __hash__(self) -> int:
        return hash((self.element_type, self.data))

    def __repr__(self) -> str:
        return f"BsonValue(0x{self.element_type:02x}, {self.data!r})"


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


# Reducing: value -> (kind, content) ------------------------------------------------------------


def reduce(value: object) -> tuple[bytes, object]:
    """Return the kind and content of a value that BSON lacks.

    Raises ValueTransferError when the value cannot cross by copy.
    """
    cls = type(value)
    reducer = _REDUCERS.get(cls)
    if reducer is None:
        reducer = _find_reducer(cls)
        if reducer is None:
            handle = None if current.export is None else current.export(value)
            if handle is not None:
                return handle
            if _speaks_arrow(cls):
                reducer = _arrow().reduce_arrow
    try:
        if reducer is None:
            raise ValueTransferError(f"{_class_name(cls)} cannot cross by value")
        reduced: tuple[bytes, object] = reducer(value)
    except ValueTransferError as exc:
        handle = None if current.refer is None or exc.is_too_large else current.refer(value)
        if handle is None:
            raise
        return handle
    return reduced


def _find_reducer(cls: Any) -> Any:
    """Find the reducer of a class that is not in the table by identity.

    The classes of ``datetime``, ``decimal`` … are known by name, so that a worker that never
    meets one never imports its module.
    """
    known = _REDUCERS_BY_NAME.get((cls.__module__, cls.__qualname__))
    if known is not None and getattr(sys.modules.get(cls.__module__), cls.__name__, None) is cls:
        _REDUCERS[cls] = known
        return known
    if issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple):
        return _reduce_namedtuple
    enum = sys.modules.get("enum")
    if enum is not None and issubclass(cls, enum.Enum):
        return _reduce_enum
    if "__dataclass_fields__" in cls.__dict__ and not issubclass(cls, _HOLDS_MORE_THAN_FIELDS):
        return _reduce_dataclass
    if "pandas" in sys.modules:
        known = _pandas_values().find_reducer(cls)
        if known is not None:
            _REDUCERS[cls] = known
            return known
    numpy = sys.modules.get("numpy")
    if numpy is not None and cls.__module__ == "numpy" and issubclass(cls, numpy.generic):
        return _arrays().reduce_scalar
    return None


def shown(value: object) -> str:
    """Return the beginning of a value's repr, for the text of an error."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a class of the user's, which may raise anything
        return f"<{type(value).__name__}>"
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[:MAX_SHOWN_CHARACTERS] + "…"


def _class_name(cls: type) -> str:
    return (
        cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    )


def _reduce_int(value: Any) -> Any:
    return b"i", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)


def reduce_zone(zone: Any, of: Any) -> Any:
    """Return the bytes of a tzinfo: nothing, a fixed offset, one with a name, or a zone's key."""
    if zone is None:
        return b""
    cls = type(zone)
    if cls.__name__ == "ZoneInfo" and cls.__module__ in ("zoneinfo", "backports.zoneinfo"):
        if zone.key is None:
            raise ValueTransferError(f"{of} in a ZoneInfo without a key cannot cross by value")
        return b"z" + zone.key.encode()
    try:
        offset = zone.utcoffset(None)
    except Exception:  # noqa: BLE001 - a foreign tzinfo may raise anything when asked without a date.
        offset = None
    if offset is None:
        raise ValueTransferError(
            f"{of} in the zone {shown(zone)} of class {_class_name(cls)} cannot cross by value; "
            "use zoneinfo.ZoneInfo or a fixed offset"
        )
    microseconds = (offset.days * 86_400 + offset.seconds) * 1_000_000 + offset.microseconds
    if cls.__module__ == "datetime":  # A name that was given, even if it is the usual one.
        name = (*zone.__getinitargs__(), None)[1]
    else:
        name = zone.tzname(None)
    if name is None:
        return b"o" + _int64.pack(microseconds)
    return b"n" + _int64.pack(microseconds) + name.encode("utf-8", "surrogatepass")


def _reduce_datetime(value: Any) -> Any:
    return b"D", _datetime.pack(
        value.year,
        value.month,
        value.day,
        value.hour,
        value.minute,
        value.second,
        value.microsecond,
        value.fold,
    ) + reduce_zone(value.tzinfo, "a datetime")


def _reduce_time(value: Any) -> Any:
    return b"T", _time.pack(
        value.hour, value.minute, value.second, value.microsecond, value.fold
    ) + reduce_zone(value.tzinfo, "a time")


def _reduce_pairs(kind: Any) -> Any:
    def reduce_pairs(value: Any) -> Any:
        flat: list[object] = []
        for pair in value.items():
            flat += pair
        return kind, flat

    return reduce_pairs


def _reduce_namedtuple(value: Any) -> Any:
    cls = type(value)
    return b"n", {
        "name": cls.__name__,
        "fields": list(cls._fields),
        "values": list(tuple.__iter__(value)),
    }


def _reduce_enum(value: Any) -> Any:
    cls = type(value)
    return b"e", {
        "module": cls.__module__,
        "qualname": cls.__qualname__,
        "name": value.name,
        "value": value.value,
    }


def _reduce_dataclass(value: Any) -> Any:
    from dataclasses import fields

    cls = type(value)
    content = {}
    for field in fields(value):
        try:
            content[field.name] = getattr(value, field.name)
        except AttributeError:
            raise ValueTransferError(
                f"field {field.name!r} has no value", f".{field.name}"
            ) from None
    return b"c", {"module": cls.__module__, "qualname": cls.__qualname__, "fields": content}


#: A dataclass that is one of these too would lose that part without a word.
_HOLDS_MORE_THAN_FIELDS = (
    BaseException,
    bytearray,
    bytes,
    complex,
    dict,
    float,
    frozenset,
    int,
    list,
    set,
    str,
    tuple,
)


def _reduce_record(value: Any) -> Any:
    return b"c", {"module": value.module, "qualname": value.qualname, "fields": value.fields}


def _reduce_enum_member(value: Any) -> Any:
    return b"e", {
        "module": value.module,
        "qualname": value.qualname,
        "name": value.name,
        "value": value.value,
    }


def _buffers() -> Any:
    """Return the module of binaries, loaded when the first one crosses."""
    from pypods.wire import buffers

    return buffers


def _arrays() -> Any:
    from pypods.wire import arrays

    return arrays


def _arrow() -> Any:
    from pypods.wire.arrow import values

    return values


_ARROW_METHODS = (
    "__arrow_c_stream__",
    "__arrow_c_array__",
    "__arrow_c_schema__",
    "_export_to_c",  # Of pyarrow before version 14.
)


def _speaks_arrow(cls: Any) -> bool:
    return any(hasattr(cls, method) for method in _ARROW_METHODS) or (
        cls.__module__ == "pyarrow.lib" and cls.__name__ in ("Table", "ChunkedArray")
    )


def _pandas_values() -> Any:
    from pypods.wire import pandas_values

    return pandas_values


def _pandas_arrivals() -> Any:
    from pypods.wire import pandas_arrivals

    return pandas_arrivals


_reduce_dict = _reduce_pairs(b"m")

_REDUCERS: dict[Any, Callable[[Any], Any]] = {
    int: _reduce_int,
    str: lambda value: (b"u", value.encode("utf-8", "surrogatepass")),
    complex: lambda value: (b"j", _complex.pack(value.real, value.imag)),
    bytearray: lambda value: _buffers().reduce_bytearray(value),
    memoryview: lambda value: _buffers().reduce_memoryview(value),
    type(...): lambda value: (b".", b""),
    tuple: lambda value: (b"t", list(value)),
    set: lambda value: (b"s", list(value)),
    frozenset: lambda value: (b"f", list(value)),
    dict: _reduce_dict,
    # An int each: before Python 3.10 the stop of range(True) is True.
    range: lambda value: (b"r", [int(value.start), int(value.stop), int(value.step)]),
    slice: lambda value: (b"l", [value.start, value.stop, value.step]),
    EnumMember: _reduce_enum_member,
    Record: _reduce_record,
}


def _path_reducer(letter: Any) -> Any:
    return lambda value: (b"p", letter + str(value).encode("utf-8", "surrogatepass"))


_PATH_CLASSES = {
    b"P": "PosixPath",
    b"p": "PurePosixPath",
    b"W": "WindowsPath",
    b"w": "PureWindowsPath",
}

_REDUCERS_BY_NAME: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("datetime", "datetime"): _reduce_datetime,
    ("datetime", "time"): _reduce_time,
    ("datetime", "date"): lambda v: (b"d", _date.pack(v.year, v.month, v.day)),
    ("datetime", "timedelta"): lambda v: (b"E", _timedelta.pack(v.days, v.seconds, v.microseconds)),
    ("decimal", "Decimal"): lambda v: (b"x", str(v).encode()),
    ("fractions", "Fraction"): lambda v: (b"q", [v.numerator, v.denominator]),
    ("collections", "OrderedDict"): _reduce_pairs(b"o"),
    ("bson.int64", "Int64"): lambda v: (b"I", _int64.pack(v)),
    ("array", "array"): lambda v: _buffers().reduce_array(v),
    ("pypods.wire.buffers", "Reference"): lambda v: (b"B", v.content),
    ("pypods.wire.arrays", "ArrayValue"): lambda v: _arrays().reduce_array_value(v),
    ("pypods.wire.arrays", "ScalarValue"): lambda v: _arrays().reduce_scalar_value(v),
    **{
        ("pypods.wire.arrow.values", name): lambda v: _arrow().reduce_arrow_value(v)
        for name in ("ArrowSchemaValue", "ArrowValue", "ArrowArrayValue")
    },
    ("numpy", "ndarray"): lambda v: _arrays().reduce_ndarray(v),
    ("pypods.wire.pandas_stand_ins", "PandasValue"): lambda v: (b"P", v.content),
}
for _letter, _name in _PATH_CLASSES.items():
    for _module in ("pathlib", "pathlib._local"):  # The second is where Python 3.13 defines them.
        _REDUCERS_BY_NAME[(_module, _name)] = _path_reducer(_letter)


# Rebuilding: (kind, content) -> value ----------------------------------------------------------


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
        offset = timedelta(microseconds=_int64.unpack(data[1:])[0])
        return timezone(offset) if offset else timezone.utc
    if data[:1] == b"n":
        offset = timedelta(microseconds=_int64.unpack_from(data, 1)[0])
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

    year, month, day, hour, minute, second, microsecond, fold = _datetime.unpack_from(data)
    zone = rebuild_zone(data[_datetime.size :])
    return datetime(year, month, day, hour, minute, second, microsecond, zone, fold=fold)


def _rebuild_date(data: Any, classes: Any) -> Any:
    from datetime import date

    return date(*_date.unpack(data))


def _rebuild_time(data: Any, classes: Any) -> Any:
    from datetime import time

    hour, minute, second, microsecond, fold = _time.unpack_from(data)
    zone = rebuild_zone(data[_time.size :])
    return time(hour, minute, second, microsecond, zone, fold=fold)


def _rebuild_timedelta(data: Any, classes: Any) -> Any:
    from datetime import timedelta

    return timedelta(*_timedelta.unpack(data))


def _rebuild_decimal(data: Any, classes: Any) -> Any:
    from decimal import Decimal

    return Decimal(data.decode("ascii"))


def _rebuild_path(data: Any, classes: Any) -> Any:
    import pathlib

    text = data[1:].decode("utf-8", "surrogatepass")
    cls = getattr(pathlib, _PATH_CLASSES[data[:1]])
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
        and not issubclass(cls, _HOLDS_MORE_THAN_FIELDS)
    ):
        from dataclasses import fields

        if {field.name for field in fields(cls)} == set(values):
            instance = object.__new__(cls)  # As copy does: neither __new__ nor __init__ runs.
            for name, value in values.items():
                object.__setattr__(instance, name, value)  # Also when frozen.
            return instance
    return Record(module, qualname, values)


def _rebuild_int64(data: Any, classes: Any) -> Any:
    (number,) = _int64.unpack(data)
    if "bson" in sys.modules:
        try:
            from bson.int64 import Int64
        except ImportError:  # An old bson, or another package of that name.
            return BsonValue(0x12, bytes(data))
        return Int64(number)
    return BsonValue(0x12, bytes(data))


_REBUILDERS: dict[int, Callable[[Any, Any], Any]] = {
    ord("i"): lambda data, classes: int.from_bytes(data, "little", signed=True),
    ord("j"): lambda data, classes: complex(*_complex.unpack(data)),
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
    ord("B"): lambda data, classes: _buffers().rebuild_block(data, classes),
    ord("v"): lambda content, classes: _buffers().rebuild_memoryview(content, classes),
    ord("a"): lambda content, classes: _buffers().rebuild_array(content, classes),
    ord("A"): lambda content, classes: _arrays().rebuild_ndarray(content, classes),
    ord("g"): lambda content, classes: _arrays().rebuild_scalar(content, classes),
    ord("w"): lambda content, classes: _arrow().rebuild_arrow(content, classes),
    ord("P"): lambda content, classes: _pandas_arrivals().rebuild(content),
    ord("k"): lambda content, classes: classes.take_handle(ord("k"), content),
    ord("h"): lambda content, classes: classes.take_handle(ord("h"), content),
    ord("G"): lambda content, classes: classes.take_handle(ord("G"), content),
    ord("O"): lambda content, classes: classes.take_handle(ord("O"), content),
    ord("V"): lambda content, classes: list_from_column(content),
    ord("R"): lambda content, classes: rows_from_content(content),
}
