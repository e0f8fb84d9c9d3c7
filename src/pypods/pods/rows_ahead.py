"""Rows of a cursor that were read ahead: asked for, taken in, and given out one by one.

A row that was read ahead is given to whoever fetches next, in the driver's order.
"""

from __future__ import annotations

import sys
from collections import deque
from threading import RLock
from typing import TYPE_CHECKING, Any

from pypods.errors import PodCallError, PodError, PodTimeoutError, ProtocolError, ValueTransferError
from pypods.wire.envelopes import (
    BATCH_BACK,
    BATCH_ITSELF,
    BATCH_NUMBERED,
    BATCH_STOP,
    FETCH,
    call_head,
)
from pypods.wire.messages import Failure

if TYPE_CHECKING:
    from pypods.pods.references import Mirrors

__all__ = ["END", "FETCHONE", "KEPT", "NEXT", "RowsAhead"]

#: Attributes that come along with a result, once they were asked for.
KEPT = {"description": 1, "rowcount": 2, "lastrowid": 4}
FETCHONE, NEXT = 0, -1
#: Instead of a row, where there are no more.
END = object()


class RowsAhead:
    """The half of ``CursorRows`` that has its rows. It does not hold the cursor's proxy."""

    def __init__(self, mirrors: Mirrors, number: int, limit: int) -> None:
        self.mirrors = mirrors
        self.number = number
        self.limit = limit
        self._rows: deque[Any] = deque()
        #: What comes after the rows: None is not known, END, or an exception.
        self._stop: Any = None
        #: Whether the worker holds rows that are not here, or may: a request was interrupted.
        self._held = False
        self._generation = 0
        #: By which way the rows came.
        self._way = FETCHONE
        #: Of this result: rows and stops that have arrived, and rows that the program has taken.
        self._received = 0
        self._taken = 0
        #: Whether the driver can be told to go back.
        self._goes_back = False
        #: How many rows the next request may bring besides the one that is asked for.
        self._ahead = 0
        #: Whether the last result was fetched from at once, row by row.
        self._followed = False
        self._is_new = False
        #: The last request of this cursor's own.
        self._latest = 0
        self._attributes: dict[str, Any] = {}
        #: Which the program has asked for, of this result; and since the last request for rows.
        self._asked = self._again = 0
        #: The row number behind a row, how it grows, and how many rows were taken then.
        self._numbered: tuple[int, int, int] | None = None
        #: How many rows came at once, and how many were taken then, where a driver's row number
        #: is that within what was fetched last, and it was not the driver that was asked for all.
        self._at_once: tuple[int, int] | None = None
        #: How many rows of the result lie before the program's next one, if that is known.
        self._place: int | None = None
        #: Whether the row count is another one behind the last row that is here.
        self._moves = False
        self.finished: list[int] = []
        self._heads: dict[str, bytes] = {}
        self._lock = RLock()
        self._is_busy = False

    @property
    def unread(self) -> bool:
        """Whether rows were read ahead that the program has not had."""
        return bool(self._rows or self._stop is not None or self._held)

    def _is_quiet(self) -> bool:
        """Whether nothing else was asked of the pod since this cursor was used."""
        session = self.mirrors.session()
        return session.latest == self._latest

    def _enter(self, timeout: float | None = None) -> bool:
        """Take this thread's turn; False where waiting for it could be for ever.

        A thread that answers the pod may be what another thread's fetch is waiting for, and what
        an exporter or finalizer does within a fetch is that fetch's own thread.
        """
        if not self._lock.acquire(blocking=False):
            if self.mirrors.session().is_answered_here():
                return False
            if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
                raise PodTimeoutError(
                    f"another thread used this cursor for longer than {timeout} s"
                )
        if self._is_busy:
            self._lock.release()
            return False
        self._is_busy = True
        return True

    def _leave(self) -> None:
        self._is_busy = False
        self._lock.release()

    def _use(
        self,
        operation: str,
        args: tuple[Any, ...],
        timeout: float | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Ask the worker; what comes between is noticed. Raises what the driver raises."""
        head = self._heads.get(operation)
        if head is None:
            head = self._heads[operation] = call_head(f"#{self.number}.{operation}")
        session = self.mirrors.session()
        if timeout is None:
            timeout = session.timeout
        was_held, self._held = self._held, True
        try:
            number, value = session.use_cursor(head, args, timeout, kwargs)
        except (PodCallError, ValueTransferError):
            self._held = was_held
            raise
        self._held = False
        self._latest = number
        return value

    def plain(self, name: str, args: Any = (), kwargs: Any = None, timeout: Any = None) -> Any:
        """Call the cursor's own method, and nothing else."""
        path = f"#{self.number}.{name}"
        if timeout is None:
            return self.mirrors.use(path, args, kwargs)
        return self.mirrors.session().call(call_head(path), args, kwargs or {}, timeout)

    # Rows, one by one --------------------------------------------------------------------------

    def take(self, way: int, timeout: float | None = None) -> Any:
        """Return the next row, or END. Raises what the driver raises."""
        rows = self._rows
        # The usual case in the fewest steps: there is a row, and nobody else is in here.
        if rows and not self._moves and self._lock.acquire(False):
            try:
                if (
                    not self._is_busy
                    and rows  # Still, now that the lock is held.
                    and self.mirrors.session().latest == self._latest
                ):
                    self._followed = True
                    self._taken += 1
                    if self._place is not None:
                        self._place += 1
                    return rows.popleft()
            finally:
                self._lock.release()
        if not self._enter(timeout):
            return self._take_plainly(way, timeout)
        self._at_once = None
        try:
            if (self._rows or self._stop is not None) and self._is_quiet():
                self._followed = True
            else:
                self._fetch(way, timeout)
            return self._next()
        finally:
            self._leave()

    def _take_plainly(self, way: int, timeout: float | None) -> Any:
        if way > 0:
            raise PodError("a cursor is iterated that is in use; each needs a cursor of its own")
        if way == NEXT:
            return self.plain("__next__", timeout=timeout)
        self._place = None
        row = self.plain("fetchone", timeout=timeout)
        return END if row is None else row

    def _next(self) -> Any:
        if self._rows:
            self._taken += 1
            self._move(1)
            row = self._rows.popleft()
            if self._moves and not self._rows:
                self._attributes.pop("rowcount", None)
                self._moves = False
            return row
        stop, self._stop = self._stop, None
        if stop is END:
            return END
        raise stop

    def _move(self, rows: int) -> None:
        if self._place is not None:
            self._place += rows

    def _fetch(self, way: int, timeout: float | None) -> None:
        """Ask for more rows, or whether those that are here still hold."""
        quiet = self._is_quiet()
        has_rows = bool(self._rows) or self._stop is not None
        if has_rows and self._stop not in (None, END):
            return  # Nothing can be asked beyond the error that is to come.
        back = -1
        if (has_rows or self._held) and not quiet and self._goes_back:
            back = self._taken
        check = has_rows and back < 0
        ahead = 0
        if quiet and not check:
            ahead = self._ahead
            self._followed = self._followed or self._is_new
        self._is_new = False
        wanted, self._again = self._again, 0
        request = FETCH.pack(way, self._generation, self._received, ahead, back, check, wanted)
        try:
            batch = self._use("+fetch", (request,), timeout)
        except PodCallError:
            self._forget()
            raise
        if back >= 0:
            self._forget()
        self._attributes = {}
        self._moves, self._way = False, way
        if not self._rows:  # Else they go on counting as they did.
            self._numbered = None
        self._take_in(batch, ahead + 1, 1)
        if not self._rows and self._stop is None:
            raise self._broken("neither a row nor an end")
        self._ahead = min(2 * ahead + 1, self.limit)

    def _forget(self) -> None:
        self._rows.clear()
        self._stop = None

    def _take_in(self, batch: Any, most: int, asked: int) -> int:
        """Take over what a batch says, of which ``asked`` rows (0 or 1) were asked for.

        Return which of BATCH_BACK and BATCH_ITSELF it says. Raises ProtocolError for what no
        worker sends.
        """
        if type(batch) is list:
            return self._take_in_array(batch, most, asked)
        if type(batch) is not dict:
            raise self._broken("no document, and no array that stands for one")
        if batch.get("gone") is True:  # An execute that failed has let go of the result.
            self._forget()
            self._stop = END
        self._take_rows(batch.get("rows", []), most)
        if batch.get("stop") is True:
            self._received += 1
            error = batch.get("error")
            self._stop = END if error is None else self._error_of(error)
        if batch.get("held") is True:
            self._held = True
        attributes = batch.get("attributes", {})
        if type(attributes) is not dict or not KEPT.keys() >= attributes.keys():
            raise self._broken("attributes that are none of a cursor's")
        self._attributes.update(attributes)
        if "rowcount" in batch:
            self._attributes["rowcount"] = batch["rowcount"]
            self._moves = True
        if "rownumber" in batch:
            self._number(batch["rownumber"], asked)
        back = BATCH_BACK if batch.get("back") is True else 0
        return back | BATCH_ITSELF if batch.get("itself") is True else back

    def _take_in_array(self, batch: list[Any], most: int, asked: int) -> int:
        """Do the same with a batch that is a few rows of scalars and nothing besides."""
        if len(batch) < 2 or type(batch[0]) is not int or type(batch[1]) is not int:
            raise self._broken("an array that is no batch")
        bits, width = batch[:2]
        first = 2
        if bits & BATCH_NUMBERED:
            self._number(batch[2:4], asked)
            first = 4
        if width < 0 or (len(batch) - first) % (width or sys.maxsize):
            raise self._broken("an array that holds no whole rows")
        if width:
            starts = range(first, len(batch), width)
            self._take_rows([tuple(batch[start : start + width]) for start in starts], most)
        if bits & BATCH_STOP:
            self._received += 1
            self._stop = END
        return int(bits)

    def _take_rows(self, rows: Any, most: int) -> None:
        # What was sent before and did not arrive is sent again, and may have been more.
        if type(rows) is not list or len(rows) > max(most, self.limit + 1):
            raise self._broken("no list of rows, or more than were asked for")
        self._rows.extend(rows)
        self._received += len(rows)

    def _number(self, numbered: Any, asked: int) -> None:
        if type(numbered) is not list or list(map(type, numbered)) != [int, int]:
            raise self._broken("no number of a row")
        # Of the row that was asked for, which the program is given next.
        self._numbered = (*numbered, self._taken + asked)

    def _error_of(self, document: Any) -> Exception:
        session = self.mirrors.session()
        if type(document) is not dict:
            raise self._broken("an error that is no document")
        try:
            return session.error_of(Failure(0, document))
        except ProtocolError as exc:
            raise session.broken(exc) from None

    def _broken(self, what: str) -> PodError:
        """End the pod, whose worker is not what it should be."""
        self._forget()
        return self.mirrors.session().broken(ProtocolError(f"of a cursor: {what}"))
