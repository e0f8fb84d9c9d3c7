"""Floats of all kinds, and how the contract sorts them: NULL, numbers, NaN."""

from __future__ import annotations

import math
from typing import Any

FLOATS = [None, float("nan"), -math.inf, -1.5, -0.0, 0.0, 2.0, math.inf]


def as_key(value: float | None) -> tuple[Any, ...]:
    """Return what sorts a float as the contract has it."""
    if value is None:
        return (0, 0.0)
    return (2, 0.0) if value != value else (1, value)
