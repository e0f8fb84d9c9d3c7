"""The iterators among a call's arguments, from which its pod may pull until the call ends.

Where the call returned a stream, until that ends. Functions live longer: ``pypods.pods.functions``.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import Any

from pypods.wire.failures import describe_failure
from pypods.wire.weights import MAX_BATCH_BYTES, weight_of

__all__ = ["CallExports"]

#: A batch pulled for the pod is handed over after this long, however few items are in it.
PULL_SECONDS = 0.005


class CallExports:
    """The iterators passed to one call, by their index."""

    def __init__(self, number: int) -> None:
        self.number = number
        #: How many streams of the call's result still run, and may use what it passed.
        self.streams = 0
        self._values: list[Any] = []
        #: Heavy items that ended a batch, and are the next one, by their iterator's index.
        self._held_back: dict[int, Any] = {}

    def __bool__(self) -> bool:
        return bool(self._values)

    def export(self, value: Any) -> tuple[bytes, dict[str, Any]] | None:
        """Return the kind and content of an iterator; None for anything else."""
        if isinstance(value, type) or not isinstance(value, Iterator):
            return None
        self._values.append(value)
        name = getattr(value, "__qualname__", None) or type(value).__qualname__
        return b"h", {"call": self.number, "index": len(self._values) - 1, "name": str(name)}

    def pull(self, request: dict[str, Any]) -> Any:
        """Return what a pod pulls from one of the iterators.

        Raises LookupError, TypeError or KeyError for a request that asks for what was not passed.
        """
        index = request["index"]
        if type(index) is not int or not 0 <= index < len(self._values):
            raise LookupError(f"nothing was passed under number {index!r}")
        return self._pull(index, self._values[index], request["items"])

    def _pull(self, index: int, iterator: Iterator[Any], count: int) -> dict[str, Any]:
        """Return the next items, at most ``count`` and not for long, and what ended them."""
        items: list[Any] = []
        if index in self._held_back:
            items.append(self._held_back.pop(index))
            return {"items": items, "done": False, "error": None}
        until = monotonic() + PULL_SECONDS
        weight = 0
        try:
            for item in iterator:
                heavy = weight_of(item)
                weight += heavy
                if heavy >= MAX_BATCH_BYTES and items:
                    self._held_back[index] = item
                    break
                items.append(item)
                if len(items) >= count or weight >= MAX_BATCH_BYTES or monotonic() >= until:
                    break
            else:
                return {"items": items, "done": True, "error": None}
        except Exception as exc:  # noqa: BLE001 - it arrives at its place, in the pod
            return {"items": items, "done": True, "error": describe_failure(exc)}
        return {"items": items, "done": False, "error": None}
