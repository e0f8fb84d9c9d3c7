"""Cursors of a pod's database driver: their methods and attributes, with rows that were read ahead.

What is here is believed only while nothing else was asked of the pod since it came; then the driver
is asked again.
"""

from __future__ import annotations

import re
from typing import Any

from pypods.errors import PodCallError, ValueTransferError
from pypods.pods.rows_ahead import END, FETCHONE, KEPT, RowsAhead
from pypods.wire.envelopes import BATCH_BACK, BATCH_ITSELF, START, call_head

__all__ = ["MAX_PREFETCH_ROWS", "CursorRows"]

#: What begins another result: the driver lets go of rows that were not fetched.
STARTS = frozenset(
    {"execute", "executemany", "executescript", "callproc", "nextset", "execute_async"}
)
#: What has nothing to do with a cursor's rows, in any driver that has it.
_HARMLESS = frozenset(
    {"commit", "rollback", "begin", "cancel", "interrupt"}
    | {"mogrify", "setinputsizes", "setoutputsize"}
)
#: From here on a row count is a driver's way to say that it does not know.
MAX_ROWCOUNT = 2**63 - 1
#: More would be no faster.
MAX_PREFETCH_ROWS = 100_000


class CursorRows(RowsAhead):
    """What the host has of one cursor. It does not hold the cursor's proxy."""

    # Rows, many at once ------------------------------------------------------------------------

    def take_many(self, name: str, args: Any, kwargs: Any, timeout: float | None = None) -> Any:
        """Do what ``fetchmany`` and ``fetchall`` do, with the rows that are here first."""
        if not self.limit or not self._enter(timeout):
            return self.plain(name, args, kwargs, timeout)
        self._at_once = None
        try:
            if not self.unread:
                quiet = self._is_quiet()
                before, self._attributes = self._latest, {}
                value = self._use(name, tuple(args), timeout, kwargs)
                if type(value) in (list, tuple):
                    self._move(len(value))
                else:
                    self._place = None
                if not quiet:
                    self._latest = before
                self._is_new = False
                return value
            if not self._goes_back and self._rows and not self._is_quiet():
                self._fetch(self._way, timeout)
            back = self._taken if self._goes_back else -1
            here = len(self._rows)
            request = (name, list(args), dict(kwargs), self._generation, self._received, here, back)
            self._is_new = False
            answer = self._use("+rest", request, timeout)
            if type(answer) is not dict:
                raise self._broken("no document")
            if back >= 0:
                self._forget()
                self._place = None
                return answer.get("value")
            return self._with_rest(answer)
        finally:
            self._leave()

    def _with_rest(self, answer: dict[str, Any]) -> Any:
        rest, size = answer.get("rows"), answer.get("size")
        if type(rest) is not list or type(size) is not int:
            raise self._broken("no list of rows")
        self._attributes = {}
        self._received += len(rest)
        if answer.get("stop") is True and answer.get("error") is not None:
            self._received += 1
            self._stop = self._error_of(answer["error"])
        self._rows.extend(rest)
        count = len(self._rows) if size < 0 else min(size, len(self._rows))
        stop = self._stop
        if stop is not None and (size < 0 or size > count):
            self._stop = None
            if stop is not END:
                self._forget()
                raise stop
        rows = [self._rows.popleft() for _ in range(count)]
        self._taken += count
        self._move(count)
        if self._numbered is not None and self._numbered[1] == 0:
            self._at_once = count, self._taken
        return tuple(rows) if answer.get("tuple") is True else rows

    # Other methods -----------------------------------------------------------------------------

    def start(
        self, name: str, args: Any, kwargs: Any, proxy: Any, timeout: float | None = None
    ) -> Any:
        """Call what begins another result; what is unread is gone, as the driver has it."""
        if not self.limit or not self._enter(timeout):
            return self.plain(name, args, kwargs, timeout)
        try:
            back = self._taken if self.unread and self._goes_back else -1
            ahead = 1 if self._followed else 0
            request = START.pack(self._generation + 1, back, ahead, self._asked)
            self._asked = self._again = 0
            try:
                answer = self._use("+call", (name, request, *args), timeout, kwargs)
            except PodCallError:
                if back >= 0:
                    self._forget()
                raise
            except ValueTransferError as exc:
                raise _placed(exc) from None
            except BaseException:
                self._begin()  # Nobody knows whether it has begun.
                raise
            self._begin()
            self._is_new = True
            bits = self._take_in(answer, ahead, 0)
            self._goes_back = bits & BATCH_BACK != 0
            if bits & BATCH_ITSELF:
                return proxy
            return answer.get("value") if type(answer) is dict else None
        finally:
            self._leave()

    def _begin(self) -> None:
        self._forget()
        self._held = False
        self._generation += 1
        self._received = self._taken = self._ahead = 0
        self._goes_back = self._moves = self._followed = False
        self._attributes, self._numbered, self._at_once = {}, None, None
        self._place = 0

    def close(self, args: Any, kwargs: Any, timeout: float | None = None) -> Any:
        """Close the cursor; what is unread is gone."""
        if self._goes_back:
            self.settle()
        value = self.plain("close", args, kwargs, timeout)
        self._begin()
        return value

    def scroll(self, args: Any, kwargs: Any, timeout: float | None = None) -> Any:
        """Move the cursor, from where the program is."""
        self._at_once = None
        mode = args[1] if len(args) == 2 else kwargs.get("mode", "relative")
        is_usual = len(args) in (1, 2) and type(args[0]) is int and mode in ("relative", "absolute")
        if is_usual and self._rows and not self._goes_back and not self._held:
            return self._scroll_ahead(args[0], mode, timeout)
        self.settle()
        place, self._place = self._place, None
        value = self.plain("scroll", args, kwargs, timeout)
        if is_usual and mode == "absolute":
            self._place = args[0]
        elif is_usual and place is not None:
            self._place = place + args[0]
        return value

    def _scroll_ahead(self, value: int, mode: str, timeout: float | None) -> Any:
        """Move a cursor that has gone past rows which the program has not had."""
        distance = value if mode == "relative" else value - self._place_of_next()
        rowcount = self.attribute("rowcount")
        if self._way != FETCHONE and type(rowcount) is int and 0 <= rowcount < MAX_ROWCOUNT:
            # The driver itself iterates over batches of the server's, and moves from their end.
            distance = len(self._rows) + 1 if mode == "absolute" else value + len(self._rows)
        # Who has no row numbers asks its server, which may refuse to move to where it is.
        least = 1 if mode == "absolute" and not self._is_numbered else 0
        if least <= distance <= len(self._rows):
            for _ in range(distance):
                self._next()
            return None
        place = None if self._place is None else self._place + distance
        if mode == "relative":
            value = distance - len(self._rows)
        answer = self.plain("scroll", (value, mode), {}, timeout)
        self._forget()
        self._place = place
        return answer

    @property
    def _is_numbered(self) -> bool:
        """Whether the row number says where the program is, not what the last fetch brought."""
        return self._numbered is not None and self._numbered[1] == 1

    def _place_of_next(self) -> int:
        """Return how many rows lie before the program's next one. Raises ValueTransferError."""
        if self._is_numbered:
            return int(self.attribute("rownumber"))
        if self._place is None:
            raise ValueTransferError(self.why_not())
        return self._place

    def call(
        self, name: str, args: Any, kwargs: Any, proxy: Any, timeout: float | None = None
    ) -> Any:
        """Call any method of the cursor, with what is here taken into account."""
        if name == "fetchone" and not args and not kwargs:
            row = self.take(FETCHONE, timeout)
            return None if row is END else row
        if name in ("fetchmany", "fetchall"):
            return self.take_many(name, args, kwargs, timeout)
        if name in STARTS:
            return self.start(name, args, kwargs, proxy, timeout)
        if name == "close":
            return self.close(args, kwargs, timeout)
        if name == "scroll":
            return self.scroll(args, kwargs, timeout)
        if name not in _HARMLESS or self._goes_back:
            self.settle()
            self._place = None
        return self.plain(name, args, kwargs, timeout)

    def settle(self) -> None:
        """Put back what was read ahead. Raises ValueTransferError where the driver cannot."""
        if not self.unread:
            return
        if not self._goes_back:
            raise ValueTransferError(self.why_not())
        if not self._enter():
            raise ValueTransferError(self.why_not())
        try:
            self._use("+back", (self._generation, self._received, self._taken))
            self._forget()
            self._ahead = 0
        finally:
            self._leave()

    @property
    def goes_back(self) -> bool:
        """Whether what was read ahead can be put back."""
        return self._goes_back

    def why_not(self) -> str:
        """Say why the pod may not use the cursor now."""
        return (
            f"is a cursor of which {len(self._rows) or 'some'} rows were read ahead that the "
            "pod would miss; fetch them first, or load the pod with prefetch_rows=0"
        )

    # Attributes --------------------------------------------------------------------------------

    def attribute(self, name: str) -> Any:
        """Return an attribute of the cursor, as it is where the program is."""
        quiet = self.limit > 0 and self._is_quiet()
        if name in KEPT:
            self._asked |= KEPT[name]
            self._again |= KEPT[name]
            if quiet and name in self._attributes:
                return self._attributes[name]
        elif name == "rownumber" and self._at_once is not None and self._at_once[1] == self._taken:
            return self._at_once[0]
        elif name == "rownumber" and self._numbered is not None and self._rows:
            number, step, taken = self._numbered
            return number + step * (self._taken - taken)
        elif self._goes_back and self.unread:
            self.settle()
        number, value = self.mirrors.session().use_cursor(
            call_head(f"#{self.number}.={name}"), (), self.mirrors.timeout
        )
        if quiet:
            self._latest = number
            if name in KEPT:
                self._attributes[name] = value
        return value

    def set_attribute(self, name: str, value: Any) -> None:
        """Set an attribute of the cursor; rows that were read ahead were read without it."""
        if name != "arraysize":
            self.settle()
        self.plain("__setattr__", (name, value))
        self._attributes = {}

    def begin_iteration(self) -> int:
        """Return the number of an iterator over the cursor, 0 where it is its own."""
        finished, self.finished = self.finished, []
        quiet = self._is_quiet()
        number, way = self.mirrors.session().use_cursor(
            call_head(f"#{self.number}.+iter"), (finished,), self.mirrors.timeout
        )
        if quiet:
            self._latest = number
        if type(way) is not int or way < 0:
            raise self._broken("no number of an iterator")
        return way


def _placed(error: ValueTransferError) -> ValueTransferError:
    """Return the error with the place as the caller wrote it: two arguments were put before."""
    found = re.match(r"args\[(\d+)\]", error.place)
    if found is None:
        return error
    place = f"args[{int(found[1]) - 2}]{error.place[found.end() :]}"
    return ValueTransferError(error.reason, place)
