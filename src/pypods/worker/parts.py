"""Long results in parts: which they are and where they are cut; encodes and sends nothing.

While the host decodes one part, the worker encodes the next.
"""

from __future__ import annotations

from pypods.errors import ValueTransferError

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["PART_CELLS", "placed", "rows_in_part"]

#: Values in a part: milliseconds of work, beside which a frame of its own costs nothing.
PART_CELLS = 32_768
#: A part has no fewer rows, however wide they are: less is not worth packing.
LEAST_ROWS = 256


def rows_in_part(value: Any) -> int:
    """Return how many rows of a list or tuple go at once; 0 where it goes as a whole."""
    first = value[0]
    if not isinstance(first, (tuple, list, dict)):
        return 0  # One column of numbers is packed in no time.
    rows = max(PART_CELLS // max(len(first), 1), LEAST_ROWS)
    return rows if len(value) >= 2 * rows else 0


def placed(error: ValueTransferError, start: int) -> ValueTransferError:
    """Return an error of the part that begins at a row, with the place within the whole."""
    index, bracket, rest = error.place[len("value[") :].partition("]")
    if not (error.place.startswith("value[") and index.isdigit() and bracket):
        return error
    return ValueTransferError(error.reason, f"value[{start + int(index)}]{rest}")
