"""How far a cursor was read, and the batches in which its rows are sent; reads no rows."""

from __future__ import annotations

import sys

from pypods.wire.documents import MAX_SCALARS, ArrayElements, encode_scalars
from pypods.wire.envelopes import BATCH_BACK, BATCH_ITSELF, BATCH_NUMBERED, BATCH_STOP
from pypods.worker.driver_cursors import attributes_of

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Reading", "Stop", "compacted", "count_holders", "make_batch"]


class Stop:
    """What ends a batch: no more rows, or the error (its document) that comes in their place."""

    def __init__(self, error: dict[str, Any] | None = None) -> None:
        self.error = error


class Reading:
    """How far one cursor was read, since it was last executed."""

    def __init__(self) -> None:
        #: The host counts what it executes, and says to which result a number belongs.
        self.generation = 0
        #: Rows, and perhaps a stop, that are not known to have arrived; the first one's number.
        self.items: list[Any] = []
        self.first = 0
        #: The document in which they were last sent.
        self.sent: dict[str, Any] | ArrayElements | None = None
        #: Rows read from the driver for the host's single fetches.
        self.read = 0
        #: Whether the driver holds all rows, and can be told to go back.
        self.goes_back = False
        #: Whether the last row came at once.
        self.is_quick = True
        self.iterators: dict[int, Any] = {}
        self.iterators_made = 0
        #: How many references the cursor had when nobody else in the pod could have one.
        self.holders = _ALONE


def count_holders(objects: dict[int, Any], number: int) -> int:
    """Return how many references there are to an object that the host holds."""
    return sys.getrefcount(objects[number])


#: Of an object that only the host can reach; no number where Python does not count.
_ALONE = count_holders({0: object()}, 0) if hasattr(sys, "getrefcount") else -1


def make_batch(
    reading: Reading,
    cursor: Any,
    wanted: Any,
    attributes: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the document of the items that have not arrived."""
    items = reading.items
    batch: dict[str, Any] = {}
    if items:
        last = items[-1]
        if type(last) is not Stop:
            batch["rows"] = items[:]
        else:
            batch["rows"] = items[:-1]
            batch["stop"] = True
            if last.error is not None:
                batch["error"] = last.error
    if wanted:
        attributes = attributes_of(cursor, wanted)
    if attributes:
        batch["attributes"] = attributes
    reading.sent = batch
    return batch


_COMPACT = frozenset({"rows", "stop", "itself", "back", "rownumber"})


def compacted(reading: Reading, batch: dict[str, Any]) -> dict[str, Any] | ArrayElements:
    """Return a batch that is only a few rows of scalars as one array, else as it is."""
    if not _COMPACT.issuperset(batch):
        return batch
    rows = batch.get("rows", ())
    width = len(rows[0]) if rows and type(rows[0]) is tuple else 0
    if rows and not 0 < width * len(rows) <= MAX_SCALARS - 4:
        return batch
    bits = 0
    if "itself" in batch:
        bits = BATCH_ITSELF
    if "back" in batch:
        bits |= BATCH_BACK
    if "stop" in batch:
        bits |= BATCH_STOP
    values = [bits, width]
    if "rownumber" in batch:
        values = [bits | BATCH_NUMBERED, width, *batch["rownumber"]]
    for row in rows:
        if type(row) is not tuple or len(row) != width:
            return batch
        values += row
    elements = encode_scalars(values)
    if elements is None:
        return batch
    reading.sent = compact = ArrayElements(elements)
    return compact
