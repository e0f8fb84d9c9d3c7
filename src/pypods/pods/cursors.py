"""Cursors of a pod's database driver: rows that were read ahead, and what is known of a cursor.

A row that was read ahead is given to whoever fetches next, in the driver's order. What is here is
believed only while nothing else was asked of the pod since it came; then the driver is asked again.
"""

from __future__ import annotations

import re
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
    START,
    call_head,
)
from pypods.wire.messages import Failure

if TYPE_CHECKING:
    from pypods.pods.references import Mirrors

__all__ = ["END", "FETCHONE", "MAX_PREFETCH_ROWS", "NEXT", "CursorRows"]

#: What begins another result: the driver lets go of rows that were not fetched.
STARTS = frozenset(
    {"execute", "executemany", "executescript", "callproc", "nextset", "execute_async"}
)
#: What has nothing to do with a cursor's rows, in any driver that has it.
_HARMLESS = frozenset(
    {"commit", "rollback", "begin", "cancel", "interrupt"}
    | {"mogrify", "setinputsizes", "setoutputsize"}
)
#: Attributes that come along with a result, once they were asked for.
_KEPT = {"description": 1, "rowcount": 2, "lastrowid": 4}
FETCHONE, NEXT = 0, -1
#: From here on a row count is a driver's way to say that it does not know.
MAX_ROWCOUNT = 2**63 - 1
#: More would be no faster.
MAX_PREFETCH_ROWS = 100_000
#: Instead of a row, where there are no more.
END = object()


class CursorRows:
    """What the host has of one cursor. It does not hold the cursor's proxy."""

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
        if not self._enter(timeout):
            return self._take_plainly(way, timeout)
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
        self._take_in(self._opened(batch), ahead + 1, 1)
        if not self._rows and self._stop is None:
            raise self._broken("neither a row nor an end")
        self._ahead = min(2 * ahead + 1, self.limit)

    def _forget(self) -> None:
        self._rows.clear()
        self._stop = None

    def _take_in(self, batch: Any, most: int, asked: int) -> None:
        """Take over what a batch says, of which ``asked`` rows (0 or 1) were asked for.

        Raises ProtocolError for what no worker sends.
        """
        if batch.get("gone") is True:  # An execute that failed has let go of the result.
            self._forget()
            self._stop = END
        rows = batch.get("rows", [])
        # What was sent before and did not arrive is sent again, and may have been more.
        if type(rows) is not list or len(rows) > max(most, self.limit + 1):
            raise self._broken("no list of rows, or more than were asked for")
        self._rows.extend(rows)
        self._received += len(rows)
        if batch.get("stop") is True:
            self._received += 1
            error = batch.get("error")
            self._stop = END if error is None else self._error_of(error)
        if batch.get("held") is True:
            self._held = True
        attributes = batch.get("attributes", {})
        if type(attributes) is not dict or not _KEPT.keys() >= attributes.keys():
            raise self._broken("attributes that are none of a cursor's")
        self._attributes.update(attributes)
        if "rowcount" in batch:
            self._attributes["rowcount"] = batch["rowcount"]
            self._moves = True
        numbered = batch.get("rownumber")
        if numbered is not None:
            if type(numbered) is not list or list(map(type, numbered)) != [int, int]:
                raise self._broken("no number of a row")
            # Of the row that was asked for, which the program is given next.
            self._numbered = (*numbered, self._taken + asked)

    def _opened(self, batch: Any) -> dict[str, Any]:
        """Return a batch as a document, if it came as an array. Raises ProtocolError."""
        if type(batch) is dict:
            return batch
        if type(batch) is not list or len(batch) < 2 or list(map(type, batch[:2])) != [int, int]:
            raise self._broken("no document, and no array that stands for one")
        bits, width = batch[:2]
        found: dict[str, Any] = {}
        first = 2
        if bits & BATCH_NUMBERED:
            found["rownumber"] = batch[2:4]
            first = 4
        if width > 0:
            found["rows"] = [
                tuple(batch[start : start + width]) for start in range(first, len(batch), width)
            ]
        if width < 0 or (len(batch) - first) % (width or sys.maxsize):
            raise self._broken("an array that holds no whole rows")
        if bits & BATCH_ITSELF:
            found["itself"] = True
        if bits & BATCH_BACK:
            found["back"] = True
        if bits & BATCH_STOP:
            found["stop"] = True
        return found

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

    # Rows, many at once ------------------------------------------------------------------------

    def take_many(self, name: str, args: Any, kwargs: Any, timeout: float | None = None) -> Any:
        """Do what ``fetchmany`` and ``fetchall`` do, with the rows that are here first."""
        if not self.limit or not self._enter(timeout):
            return self.plain(name, args, kwargs, timeout)
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
                answer = self._opened(self._use("+call", (name, request, *args), timeout, kwargs))
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
            self._take_in(answer, ahead, 0)
            self._goes_back = answer.get("back") is True
            return proxy if answer.get("itself") is True else answer.get("value")
        finally:
            self._leave()

    def _begin(self) -> None:
        self._forget()
        self._held = False
        self._generation += 1
        self._received = self._taken = self._ahead = 0
        self._goes_back = self._moves = self._followed = False
        self._attributes, self._numbered = {}, None
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
        if name in _KEPT:
            self._asked |= _KEPT[name]
            self._again |= _KEPT[name]
            if quiet and name in self._attributes:
                return self._attributes[name]
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
            if name in _KEPT:
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
