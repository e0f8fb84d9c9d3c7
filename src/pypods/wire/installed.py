"""Libraries that a side may have or not: NumPy, pandas, pyarrow, polars."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["find_library"]

#: What was looked for in vain, not to be looked for at every value.
absent: list[str] = []


def find_library(name: str) -> Any:
    """Return a library's module where it can be imported, else None."""
    if name in absent and name not in sys.modules:
        return None
    try:
        return __import__(name)  # Which waits for another thread that is importing it.
    except Exception:  # noqa: BLE001 - a broken installation raises anything; there are stand-ins
        absent.append(name)
        return None
