"""Are two rows the same, values and types; nothing of pods or printing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import zip_longest
from uuid import UUID

Row = tuple[object, ...]

MISSING = object()

# Within one of these types, `==` says all there is to say. Not so for 0.0 == -0.0, nan != nan,
# Decimal("1.0") == Decimal("1.00"), or a container with 1 == True inside: there, repr does.
TYPES_WITH_EXACT_EQUALITY = frozenset({type(None), bool, bytes, date, int, str, UUID})


def find_unequal(left: Sequence[Row], right: Sequence[Row]) -> list[int]:
    """Return the positions at which two batches of rows differ, every value compared."""
    unequal = set(range(min(len(left), len(right)), max(len(left), len(right))))
    columns = zip_longest(zip(*left, strict=False), zip(*right, strict=False), fillvalue=())
    for ours, theirs in columns:
        if not _is_same(ours, theirs):
            pairs = zip_longest(ours, theirs, fillvalue=MISSING)
            unequal.update(i for i, (a, b) in enumerate(pairs) if not _is_same([a], [b]))
    return sorted(unequal)


def _is_same(left: Sequence[object], right: Sequence[object]) -> bool:
    types = list(map(type, left))
    if types != list(map(type, right)):
        return False
    if TYPES_WITH_EXACT_EQUALITY.issuperset(types):
        return left == right
    return list(map(repr, left)) == list(map(repr, right))
