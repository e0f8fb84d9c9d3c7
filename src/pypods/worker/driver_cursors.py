"""What is asked of a driver's cursor, and what its answers tell; nothing of what was read ahead."""

from __future__ import annotations

from pypods.wire.weights import weight_of
from pypods.worker.cursor_classes import WAYS, kind_of

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = [
    "FETCHONE",
    "attributes_of",
    "can_go_back",
    "has_description",
    "is_over",
    "may_read_ahead",
    "named_attributes",
    "taker",
    "weight_of_row",
]

#: DB-API's errors for a cursor or connection that is not used as it may be.
_MISUSE = frozenset({"InterfaceError", "ProgrammingError"})
#: Rows counts from here on are drivers' ways to say that they do not know.
_MAX_ROWCOUNT = 2**63 - 1
FETCHONE, NEXT = 0, -1
#: Attributes that may come along, by the bits that ask for them.
KEPT = ("description", "rowcount", "lastrowid")


def may_read_ahead(cursor: Any, goes_back: bool) -> bool:
    """Whether nobody can tell that rows were read, but by when."""
    kind = kind_of(type(cursor))
    if not (kind.is_plain or (kind.has_ways and goes_back)):
        return False
    own = getattr(cursor, "__dict__", None)
    if own and not own.keys().isdisjoint(WAYS):
        return False
    return has_description(cursor)


def has_description(cursor: Any) -> bool:
    """Whether there is a result to fetch from."""
    return getattr(cursor, "description", None) is not None


def can_go_back(cursor: Any) -> bool:
    """Whether a cursor that was just executed has all its rows, and can be moved among them."""
    rowcount = getattr(cursor, "rowcount", None)
    return (
        type(rowcount) is int
        and 0 <= rowcount < _MAX_ROWCOUNT
        and has_description(cursor)
        and callable(getattr(cursor, "scroll", None))
    )


def is_over(cursor: Any, error: Exception, take: Callable[[], Any]) -> bool:
    """Whether an error says that the result cannot be fetched from at all.

    Then the rows before, which were read ahead, would not have come either.
    """
    names = [each.__name__ for each in type(error).__mro__]
    if not _MISUSE.isdisjoint(names) or not has_description(cursor):
        return True
    try:
        take()
    except Exception as exc:  # noqa: BLE001 - the driver's
        return type(exc) is type(error)
    return False


def taker(cursor: Any, iterators: dict[int, Any], way: int) -> Callable[[], Any]:
    """Return what takes the next row: ``fetchone``, ``next``, or that of one of the iterators."""
    if way == FETCHONE:
        take: Callable[[], Any] = cursor.fetchone
        return take
    iterator = cursor if way == NEXT else iterators[way]
    return lambda: next(iterator)


def named_attributes(bits: int) -> list[str]:
    """Return the attributes that the host asks for with a set of bits."""
    return [name for bit, name in enumerate(KEPT) if bits >> bit & 1] if bits else []


def attributes_of(cursor: Any, wanted: list[str]) -> dict[str, Any]:
    """Return those attributes that the cursor has."""
    found = {}
    for name in wanted:
        try:
            found[name] = getattr(cursor, name)
        except Exception:  # noqa: BLE001 - whoever asks for it is told then
            continue
    return found


def weight_of_row(row: Any) -> int:
    """Return about how many bytes a row takes."""
    cls = type(row)
    values = row.values() if cls is dict else row
    if cls is not tuple and cls is not dict and cls is not list:
        return 64 + weight_of(row)
    weight = 64
    for value in values:
        cls = type(value)
        weight += 16
        if cls is str:
            weight += len(value) * (1 if value.isascii() else 4)
        elif cls is bytes or cls is memoryview or cls is bytearray:
            weight += len(value)
    return weight
