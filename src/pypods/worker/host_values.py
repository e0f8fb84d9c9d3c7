"""Iterators of the host, and what it answers; no frames.

An iterator is used while the call runs that it was passed to.
"""

from __future__ import annotations

from pypods.errors import HostCallError
from pypods.wire.remote_errors import error_from_document

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

    Ask = Callable[[str, int, dict[str, Any]], dict[str, Any]]

__all__ = ["HostIterator", "value_of"]

#: How many items are pulled at once, at the most: it begins with one and doubles.
MAX_PULLED_ITEMS = 256


class HostIterator:
    """An iterator of the host, pulled from as the pod goes."""

    def __init__(self, ask: Ask, content: dict[str, Any]) -> None:
        self._ask = ask
        self._call = content["call"]
        self._index = content["index"]
        self._name = content["name"]
        self._items: list[Any] = []
        self._count = 1
        self._done = False
        self._error: Any = None

    def __iter__(self) -> HostIterator:
        return self

    def __next__(self) -> Any:
        if not self._items:
            if self._error is not None:
                error, self._error = self._error, None
                raise _error_of(error)
            if self._done:
                raise StopIteration
            request = {"owner": self._call, "index": self._index, "items": self._count}
            batch = value_of(self._ask("pull", self._call, request))
            self._items = batch["items"][::-1]
            self._done, self._error = batch["done"], batch["error"]
            self._count = min(self._count * 2, MAX_PULLED_ITEMS)
            return next(self)
        return self._items.pop()

    def __repr__(self) -> str:
        return f"<iterator {self._name} of the host>"


def value_of(answer: dict[str, Any]) -> Any:
    """Return the value of an answer, or raise its error."""
    error = answer.get("error")
    if error is not None:
        raise _error_of(error)
    return answer["value"]


def _error_of(document: dict[str, Any]) -> BaseException:
    error: BaseException = error_from_document(
        document, pod_name="", origin="the host", root=HostCallError
    )
    return error
