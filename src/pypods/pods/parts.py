"""Long results that come in parts: what has come of each, put together at its end; no frames."""

from __future__ import annotations

from typing import Any

from pypods.errors import ProtocolError, ValueTransferError

__all__ = ["ResultParts"]


class _Rows:
    """What has come of one result."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.weight = 0
        self.error: ValueTransferError | None = None


class ResultParts(dict[int, _Rows]):
    """What has come of the results of the calls under way, by these calls' numbers.

    A dict, so that most calls find out at no cost that there are no parts.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        #: What all parts of a result may weigh: what the result could as a whole.
        self._limit = limit

    def announce(self, number: int, weight: int) -> bool:
        """Note that a part has come; say whether it is worth decoding.

        It is not behind one that could not be. Raises ProtocolError beyond the limit.
        """
        found = self.get(number)
        if found is None:
            found = self[number] = _Rows()
        found.weight += weight
        if found.weight > self._limit:
            raise ProtocolError(f"a result in parts is longer than {self._limit} bytes")
        return found.error is None

    def add(self, number: int, rows: Any) -> None:
        """Take the rows of an announced part. Raises ProtocolError for what are none."""
        if type(rows) is not list:
            raise ProtocolError("a part of a result is no list of rows")
        self[number].rows += rows

    def fail(self, number: int, error: ValueTransferError) -> None:
        """Note that an announced part cannot be had here; its caller is told at the end."""
        found = self[number]
        found.rows, found.error = [], error

    def whole(self, number: int, value: Any) -> Any:
        """Return the result of which ``value`` came last, as the list or tuple that it is.

        Raises the error of a part, and ProtocolError for any other value behind parts.
        """
        found = self.pop(number, None)
        if found is None:
            return value
        if found.error is not None:
            raise found.error
        if type(value) not in (list, tuple):
            raise ProtocolError("a result in parts is no list or tuple")
        found.rows += value
        return found.rows if type(value) is list else tuple(found.rows)

    def forget(self, number: int) -> None:
        """Let go of what has come of a result that nobody will have."""
        self.pop(number, None)
