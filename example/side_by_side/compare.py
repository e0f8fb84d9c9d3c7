"""Are two batches of rows the same, values and types; nothing of pods or printing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import zip_longest
from uuid import UUID

# Of each column, the list of its values.
Batch = Sequence[Sequence[object]]

MISSING = object()

# Within one of these types, `==` says all there is to say. Not so for 0.0 == -0.0, nan != nan,
# Decimal("1.0") == Decimal("1.00"), or a container with 1 == True inside: there, repr does.
TYPES_WITH_EXACT_EQUALITY = frozenset({type(None), bool, bytes, date, int, str, UUID})


def count_rows(batch: Batch) -> int:
    """Return how many rows a batch has."""
    return len(batch[0]) if batch else 0


def find_unequal(left: Batch, right: Batch) -> list[int]:
    """Return the positions of the rows that differ, every value compared."""
    unequal: set[int] = set()
    for ours, theirs in zip_longest(left, right, fillvalue=()):
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
