"""About how many bytes an item of a stream takes, so that a batch of them is none too long."""

from __future__ import annotations

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["LIGHT", "MAX_BATCH_BYTES", "weight_of"]

#: A batch ends with the item that brings it here; an item of so many bytes goes alone.
MAX_BATCH_BYTES = 2**20
#: Of these there is nothing to ask; what is in a container is not looked at.
LIGHT = frozenset({int, float, bool, type(None), dict, list, tuple, set})
_SIZED = (bytes, str, bytearray)


def weight_of(item: Any) -> int:
    """Return what an item takes, if it knows: text, binaries, arrays, tables and frames do."""
    cls = type(item)
    if cls in LIGHT:
        return 0
    if cls in _SIZED:
        return len(item)
    try:
        if hasattr(cls, "nbytes"):
            weight = item.nbytes
        elif hasattr(cls, "estimated_size"):  # polars
            weight = item.estimated_size()
        elif hasattr(cls, "memory_usage"):  # pandas
            usage = item.memory_usage()
            weight = int(usage if isinstance(usage, int) else usage.sum())
        else:
            return 0
    except Exception:  # noqa: BLE001 - a class of anybody's, which may raise anything
        return 0
    return weight if isinstance(weight, int) else 0
