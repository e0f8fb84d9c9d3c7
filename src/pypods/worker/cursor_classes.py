"""Which classes are DB-API cursors, and what of them is their driver's own; calls nothing."""

from __future__ import annotations

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["WAYS", "is_cursor", "kind_of", "ways_of"]

#: What DB-API 2.0 gives every cursor, besides attributes, which may be its instances' own.
_OFFERS = ("execute", "executemany", "fetchone", "fetchmany", "fetchall", "close")
WAYS = ("fetchone", "fetchmany", "fetchall", "__iter__", "__next__")
#: What an own class below the driver's may have and still be the driver's in all it does.
_HARMLESS = frozenset(
    {
        *("__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__slots__"),
        *("__init__", "__repr__", "__str__", "__annotations__", "__annotate_func__"),
        *("__firstlineno__", "__static_attributes__"),
    }
)


def is_cursor(cls: type) -> bool:
    """Whether a class offers what DB-API 2.0 says that a cursor has."""
    return all(callable(getattr(cls, name, None)) for name in _OFFERS)


def ways_of(cls: type) -> list[str]:
    """Return the methods of a class by which rows come, and of which one may replace another.

    None where a class below the driver's has replaced some of them and not the others: what they
    give may differ.
    """
    if not is_cursor(cls) or type(cls.__getattribute__) is not _IN_C:
        return []
    owner = _owner(cls, "fetchone")
    ways = [name for name in WAYS if hasattr(cls, name)]
    same = [name for name in ways if _is_of(cls, name, owner)]
    if not {"fetchone", "fetchmany", "fetchall"}.issubset(same):
        return []
    if "__iter__" in ways and "__iter__" not in same:
        return []
    return same


def _owner(cls: type, name: str) -> type | None:
    return next((each for each in cls.__mro__ if name in vars(each)), None)


def _is_of(cls: type, name: str, owner: type | None) -> bool:
    """Whether a method gives the rows of the class that has ``fetchone``."""
    found = _owner(cls, name)
    if found is owner:
        return True
    # A driver's own iteration in Python goes by way of ``fetchone``; one in C need not.
    return (
        name in ("__iter__", "__next__")
        and found is not None
        and isinstance(vars(found)[name], type(_is_of))
        and _package(found) == _package(owner) != "pods"
    )


#: What looks up attributes of a class that has not changed that in Python.
_IN_C: Any = type(object.__getattribute__)


class _Kind:
    """What is found out of a class once."""

    def __init__(self, cls: type) -> None:
        self.has_ways = bool(ways_of(cls))
        #: Whether all of its methods are its driver's, which know nothing of other rows.
        self.is_plain = self.has_ways and _find_out_whether_plain(cls)


_kinds: dict[type, _Kind] = {}


def kind_of(cls: type) -> _Kind:
    """Return what was found out of a class."""
    kind = _kinds.get(cls)
    if kind is None:
        if len(_kinds) > 1000:
            _kinds.clear()
        kind = _kinds[cls] = _Kind(cls)
    return kind


def _find_out_whether_plain(cls: type) -> bool:
    owner = _owner(cls, "fetchone")
    package = _package(owner)
    for each in cls.__mro__:
        if each is owner:
            break
        # The driver's own subclasses, for rows as dicts say, are as good; a pod's are not.
        if _package(each) == package and package != "pods":
            continue
        if not _HARMLESS.issuperset(vars(each)):
            return False
    return True


def _package(cls: type | None) -> str:
    return str(getattr(cls, "__module__", "")).partition(".")[0]
