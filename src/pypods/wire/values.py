"""Python values that BSON lacks, to a kind and a content; nothing of bytes on the wire.

BSON has None, bool, int up to 64 bits, float, str, bytes, list and dict with text keys. Every other
value is reduced to a *kind* (one byte) and a *content* that BSON does have, and is rebuilt from
the two on the other side (``pypods.wire.rebuilding``), equal and of the same type:

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
taken by the receiving side's ``Classes`` (``pypods.wire.rebuilding``).

A class is never imported or looked up by a name from the wire: an enum member or a dataclass
instance becomes the real thing only through the receiving side's own ``Classes``, and otherwise
an ``EnumMember`` or a ``Record`` (``pypods.wire.stand_ins``). A fixed offset of a class of its own
(psycopg2, pytz) arrives as ``datetime.timezone`` of the same offset and name; every other foreign
``tzinfo`` is refused.
"""

from __future__ import annotations

# ruff: noqa: ARG005 - the entries of a table have one signature
import sys
from struct import Struct

from pypods.errors import ValueTransferError
from pypods.wire.context import current
from pypods.wire.stand_ins import EnumMember, Record

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = [
    "ARRAY_KINDS",
    "BYTES_KINDS",
    "DOCUMENT_KINDS",
    "reduce",
    "reduce_zone",
    "shown",
]

BYTES_KINDS = frozenset(b"ijubDdTExp.IB")
ARRAY_KINDS = frozenset(b"tsfmorlqV")
DOCUMENT_KINDS = frozenset(b"necRvaAgwPkhGO")

MAX_SHOWN_CHARACTERS = 80

COMPLEX = Struct("<dd")
DATE = Struct("<HBB")
DATETIME = Struct("<HBBBBBIB")
TIME = Struct("<BBBIB")
TIMEDELTA = Struct("<iii")
INT64 = Struct("<q")


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
                reducer = arrow_module().reduce_arrow
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
    if "__dataclass_fields__" in cls.__dict__ and not issubclass(cls, HOLDS_MORE_THAN_FIELDS):
        return _reduce_dataclass
    if "pandas" in sys.modules:
        known = _pandas_values().find_reducer(cls)
        if known is not None:
            _REDUCERS[cls] = known
            return known
    numpy = sys.modules.get("numpy")
    if numpy is not None and cls.__module__ == "numpy" and issubclass(cls, numpy.generic):
        return arrays_module().reduce_scalar
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
        return b"o" + INT64.pack(microseconds)
    return b"n" + INT64.pack(microseconds) + name.encode("utf-8", "surrogatepass")


def _reduce_datetime(value: Any) -> Any:
    return b"D", DATETIME.pack(
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
    return b"T", TIME.pack(
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
HOLDS_MORE_THAN_FIELDS = (
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


def buffers_module() -> Any:
    """Return the module of binaries, loaded when the first one crosses."""
    from pypods.wire import buffers

    return buffers


def arrays_module() -> Any:
    from pypods.wire import arrays

    return arrays


def arrow_module() -> Any:
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


_reduce_dict = _reduce_pairs(b"m")

_REDUCERS: dict[Any, Callable[[Any], Any]] = {
    int: _reduce_int,
    str: lambda value: (b"u", value.encode("utf-8", "surrogatepass")),
    complex: lambda value: (b"j", COMPLEX.pack(value.real, value.imag)),
    bytearray: lambda value: buffers_module().reduce_bytearray(value),
    memoryview: lambda value: buffers_module().reduce_memoryview(value),
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


PATH_CLASSES = {
    b"P": "PosixPath",
    b"p": "PurePosixPath",
    b"W": "WindowsPath",
    b"w": "PureWindowsPath",
}

_REDUCERS_BY_NAME: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("datetime", "datetime"): _reduce_datetime,
    ("datetime", "time"): _reduce_time,
    ("datetime", "date"): lambda v: (b"d", DATE.pack(v.year, v.month, v.day)),
    ("datetime", "timedelta"): lambda v: (b"E", TIMEDELTA.pack(v.days, v.seconds, v.microseconds)),
    ("decimal", "Decimal"): lambda v: (b"x", str(v).encode()),
    ("fractions", "Fraction"): lambda v: (b"q", [v.numerator, v.denominator]),
    ("collections", "OrderedDict"): _reduce_pairs(b"o"),
    ("bson.int64", "Int64"): lambda v: (b"I", INT64.pack(v)),
    ("array", "array"): lambda v: buffers_module().reduce_array(v),
    ("pypods.wire.buffers", "Reference"): lambda v: (b"B", v.content),
    ("pypods.wire.arrays", "ArrayValue"): lambda v: arrays_module().reduce_array_value(v),
    ("pypods.wire.arrays", "ScalarValue"): lambda v: arrays_module().reduce_scalar_value(v),
    **{
        ("pypods.wire.arrow.values", name): lambda v: arrow_module().reduce_arrow_value(v)
        for name in ("ArrowSchemaValue", "ArrowValue", "ArrowArrayValue")
    },
    ("numpy", "ndarray"): lambda v: arrays_module().reduce_ndarray(v),
    ("pypods.wire.pandas_stand_ins", "PandasValue"): lambda v: (b"P", v.content),
}
for _letter, _name in PATH_CLASSES.items():
    for _module in ("pathlib", "pathlib._local"):  # The second is where Python 3.13 defines them.
        _REDUCERS_BY_NAME[(_module, _name)] = _path_reducer(_letter)
