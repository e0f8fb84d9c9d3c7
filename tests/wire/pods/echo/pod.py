"""Sends back what it is sent, and says how it saw it."""

import dataclasses
import enum
import struct
from collections import OrderedDict


class Color(enum.Enum):
    RED = 1
    GREEN = (2, "two")


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Access(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4


@dataclasses.dataclass
class Point:
    x: object
    y: object = 0


@dataclasses.dataclass(frozen=True)
class Frozen:
    name: str
    point: object


def echo(values):
    """Return the values, and how each looked here."""
    return [canonical(value) for value in values], values


def class_names(values):
    """Return the names of the values' classes here."""
    return [type(value).__name__ for value in values]


def members():
    """Return values whose classes only this side has."""
    return [Color.RED, Color.GREEN, Level.HIGH, Access.READ | Access.WRITE, Point(1, [Color.RED])]


def joined(texts):
    return "[" + ", ".join(texts) + "]"


def canonical(value):
    """Return a text that two values share only if they are equal and of the same type.

    The same on every Python: nothing in it depends on the order of a set or on how a version
    prints. A class of one side only is the same as its stand-in on the other.
    """
    cls = type(value)
    name = cls.__name__
    if cls in (list, tuple):
        return name + " " + joined(map(canonical, value))
    if cls in (set, frozenset):
        return name + " " + joined(sorted(map(canonical, value)))
    if cls in (dict, OrderedDict):
        return name + " " + joined(canonical(k) + ":" + canonical(v) for k, v in value.items())
    if cls is float:
        return "float " + struct.pack("<d", value).hex()
    if cls is complex:
        return "complex " + struct.pack("<dd", value.real, value.imag).hex()
    if cls is slice:
        return "slice " + canonical([value.start, value.stop, value.step])
    if isinstance(value, tuple) and hasattr(cls, "_fields"):
        return "namedtuple " + name + canonical([list(cls._fields), list(value)])
    if isinstance(value, enum.Enum) or name == "EnumMember":
        qualname = value.qualname if name == "EnumMember" else cls.__qualname__
        return "enum " + qualname + canonical(value.value)
    if name == "Record":
        return "record " + value.qualname + canonical(value.fields)
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return "record " + cls.__qualname__ + canonical(fields)
    return name + " " + ascii(value)
