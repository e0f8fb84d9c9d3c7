"""Rows of DB-API cursors that the host holds: read ahead, sent in batches, put back; no frames.

What is read ahead is kept until the host has said that it arrived, so an interrupt loses no row.
"""

from __future__ import annotations

# Not the functools module: it would take a worker's start some milliseconds.
from _functools import partial  # type: ignore[import-not-found]
from time import monotonic

from pypods.wire.envelopes import FETCH, START
from pypods.wire.failures import describe_failure
from pypods.wire.weights import MAX_BATCH_BYTES
from pypods.worker.cursor_batches import Reading, Stop, compacted, count_holders, make_batch
from pypods.worker.driver_cursors import (
    FETCHONE,
    attributes_of,
    can_go_back,
    has_description,
    is_over,
    may_read_ahead,
    named_attributes,
    taker,
    weight_of_row,
)

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

    from pypods.wire.documents import ArrayElements

__all__ = ["Cursors"]

#: A further row is read only while this has not passed since the first was asked for.
BATCH_SECONDS = 0.005


class Cursors:
    """What is read of the cursors that the host holds, by their numbers."""

    def __init__(self, objects: dict[int, Any], about: Callable[[BaseException], Any]) -> None:
        self._objects = objects
        self._about = about
        self._readings: dict[int, Reading] = {}
        self.max_bytes = MAX_BATCH_BYTES
        self._operations: dict[str, Callable[..., Any]] = {
            "+fetch": self.fetch,
            "+call": self.call,
            "+rest": self.rest,
            "+iter": self.iterate,
            "+back": self.put_back,
        }

    def function(self, number: int, operation: str) -> Callable[..., Any]:
        """Return what a call of ``#REF.+OPERATION`` calls. Raises LookupError for no such."""
        bound: Callable[..., Any] = partial(self._operations[operation], number)
        return bound

    def forget(self, number: int) -> object:
        """Return what was read of a cursor that the host holds no more, to be let go of."""
        return self._readings.pop(number, None)

    def shorten(self, batch: Any) -> dict[str, Any] | None:
        """Return less of a batch that cannot cross: its first row; None if it had no more.

        A row that cannot cross alone is dropped, as it would be had it been all that was asked.
        """
        for reading in list(self._readings.values()):
            if reading.sent is batch:
                reading.sent = None
                if len(reading.items) > 1:
                    return {"rows": reading.items[:1], "held": True}
                del reading.items[:1]
        return None

    # What the host asks ------------------------------------------------------------------------

    def fetch(self, number: int, packed: bytes) -> dict[str, Any] | ArrayElements:
        """Return the next row, and more that come at once; what is packed is on the page.

        Raises what the driver raises for the row that was asked for.
        """
        way, generation, received, ahead, go_back, check, bits = FETCH.unpack(packed)
        wanted = named_attributes(bits)
        reading = self._reading(number, generation, received)
        if go_back >= 0:
            self.put_back(number, generation, received, go_back)
        is_alone = reading.holders == count_holders(self._objects, number)
        batch = self._fetch(number, reading, way, ahead if is_alone else 0, bool(check), wanted)
        if is_alone:
            reading.holders = count_holders(self._objects, number)
        return compacted(reading, batch)

    def _fetch(
        self,
        number: int,
        reading: Reading,
        way: int,
        ahead: int,
        check: bool,
        wanted: list[str],
    ) -> dict[str, Any]:
        cursor = self._objects[number]
        items = reading.items
        if items and not check:
            return make_batch(reading, cursor, wanted)
        take = taker(cursor, reading.iterators, way)
        began = monotonic()
        if ahead and not may_read_ahead(cursor, reading.goes_back):
            ahead = 0
        try:
            row = take()
            if row is None and way == FETCHONE:
                items.append(Stop())
            else:
                items.append(row)
                reading.read += 1
        except StopIteration:
            items.append(Stop())
        except Exception as exc:
            if not check or is_over(cursor, exc, take):
                items.clear()
                raise
            items.append(Stop(describe_failure(exc, self._about)))
        if check and type(items[-1]) is Stop and not has_description(cursor):
            items.clear()
            return {"gone": True}
        reading.is_quick = monotonic() - began < BATCH_SECONDS
        if ahead and reading.is_quick and type(items[-1]) is not Stop:
            return self._read_ahead(reading, cursor, way, ahead, began + BATCH_SECONDS, wanted)
        return make_batch(reading, cursor, wanted)

    def _read_ahead(
        self,
        reading: Reading,
        cursor: Any,
        way: int,
        ahead: int,
        until: float,
        wanted: list[str],
    ) -> dict[str, Any]:
        """Read further rows while there is time; none after one that moves the row count.

        Nor one after which the row number is neither the same nor the next.
        """
        # As the program is to see them: before what it did not ask for.
        attributes = attributes_of(cursor, wanted)
        before = getattr(cursor, "rowcount", None)
        place: Any = getattr(cursor, "rownumber", None)
        at_first = place
        is_numbered = type(place) is int
        step: int | None = None
        has_moved = False
        items = reading.items
        take = taker(cursor, reading.iterators, way)
        weight = weight_of_row(items[-1]) if items else 0
        most = self.max_bytes
        try:
            while ahead > 0 and weight < most and monotonic() < until:
                row = take()
                if row is None and way == FETCHONE:
                    items.append(Stop())
                    break
                items.append(row)
                reading.read += 1
                ahead -= 1
                weight += weight_of_row(row)
                if getattr(cursor, "rowcount", None) != before:
                    has_moved = True
                    break
                if is_numbered:
                    place += 1 if step is None else step
                    found = cursor.rownumber
                    if step is None:
                        step = 0 if found == place - 1 else 1
                        place -= 1 - step
                    if found != place:
                        break
        except StopIteration:
            items.append(Stop())
        except Exception as exc:  # noqa: BLE001 - it arrives at its place among the rows
            items.append(Stop(describe_failure(exc, self._about)))
        batch = make_batch(reading, cursor, (), attributes)
        if has_moved:
            batch["rowcount"] = before
        if is_numbered:
            batch["rownumber"] = [at_first, step or 0]
        return batch

    def call(
        self, number: int, method: str, packed: bytes, *args: Any, **kwargs: Any
    ) -> dict[str, Any] | ArrayElements:
        """Call what begins another result, and say of it what the host will ask next."""
        generation, taken, ahead, bits = START.unpack(packed)
        wanted = named_attributes(bits) if bits else []
        reading = self._readings.get(number)
        if reading is None:
            reading = self._readings[number] = Reading()
        if taken >= 0:
            self.put_back(number, reading.generation, reading.first, taken)
        cursor = self._objects[number]
        value = getattr(cursor, method)(*args, **kwargs)
        reading.generation = generation
        reading.items, reading.sent = [], None
        reading.first = reading.read = 0
        reading.goes_back = goes_back = can_go_back(cursor)
        result = None
        if ahead and (goes_back or reading.is_quick):
            result = self._call_and_fetch(number, reading, wanted, value is cursor)
        if result is None:
            result = {"attributes": attributes_of(cursor, wanted)} if wanted else {}
        if value is cursor:
            result["itself"] = True
        elif value is not None:
            result["value"] = value
        if goes_back:
            result["back"] = True
        return compacted(reading, result)

    def _call_and_fetch(
        self, number: int, reading: Reading, wanted: list[str], is_itself: bool
    ) -> dict[str, Any] | None:
        """Return a batch with the first row, or None where somebody could tell that it was read."""
        # Held here by the caller's own names: the cursor, and once more the value if it is that.
        holders = count_holders(self._objects, number) - 1 - is_itself
        cursor = self._objects[number]
        if holders != reading.holders or not may_read_ahead(cursor, reading.goes_back):
            return None
        until = monotonic() + BATCH_SECONDS
        attributes = attributes_of(cursor, wanted) if wanted else None
        place = getattr(cursor, "rownumber", None)
        try:
            row = cursor.fetchone()
        except Exception as exc:  # noqa: BLE001 - it arrives where the row would
            row = Stop(describe_failure(exc, self._about))
        if row is None:
            row = Stop()
        if type(row) is not Stop:
            reading.read = 1
        reading.items.append(row)
        reading.is_quick = monotonic() < until
        batch = make_batch(reading, cursor, (), attributes)
        if type(place) is int:
            batch["rownumber"] = [place, 0]
        return batch

    def rest(
        self,
        number: int,
        method: str,
        args: list[Any],
        kwargs: dict[str, Any],
        generation: int,
        received: int,
        unread: int,
        taken: int,
    ) -> dict[str, Any]:
        """Fetch many or all where the host has ``unread`` rows; return what comes after those.

        Where the driver goes back, ``taken`` is not -1: it is then asked for all of them.
        """
        reading = self._reading(number, generation, received)
        cursor = self._objects[number]
        if taken >= 0:
            self.put_back(number, generation, received, taken)
            return {"value": getattr(cursor, method)(*args, **kwargs)}
        items, reading.items = reading.items, []
        reading.first += len(items)
        stop = items.pop() if items and type(items[-1]) is Stop else None
        size: Any = -1
        if method == "fetchmany":
            size = args[0] if args else kwargs.get("size")
            size = cursor.arraysize if size is None else size
        is_counted = type(size) is int and size > 0
        missing = size - unread - len(items) if is_counted else 1
        rows: Any = []
        if missing > 0:
            if stop is not None and stop.error is not None:
                return {"rows": items, "stop": True, "error": stop.error, "size": -1}
            if is_counted:
                rows = cursor.fetchmany(missing)
            else:
                rows = getattr(cursor, method)(*args, **kwargs)
        elif stop is not None:
            reading.items.append(stop)
            reading.first -= 1
        if not is_counted:
            size = 0 if size == 0 and not rows else -1  # What some drivers take for all of them.
        answer = {"rows": items + list(rows), "size": size}
        if type(rows) is tuple:
            answer["tuple"] = True
        return answer

    def iterate(self, number: int, finished: list[int]) -> int:
        """Return the number of a new iterator over a cursor; 0 where that is its own."""
        reading = self._readings.get(number)
        if reading is None:
            reading = self._readings[number] = Reading()
        for each in finished:
            reading.iterators.pop(each, None)
        is_alone = reading.holders == count_holders(self._objects, number)
        iterator = iter(self._objects[number])
        if iterator is self._objects[number]:
            return 0
        reading.iterators_made += 1
        reading.iterators[reading.iterators_made] = iterator
        del iterator
        if is_alone:
            reading.holders = count_holders(self._objects, number)
        return reading.iterators_made

    def put_back(self, number: int, generation: int, received: int, taken: int) -> None:
        """Let the driver go back to where the program is: behind the rows that it has taken."""
        reading = self._reading(number, generation, received)
        distance = taken - reading.read
        if distance:
            self._objects[number].scroll(distance)
        reading.read = taken
        reading.items.clear()
        reading.first = received

    def _reading(self, number: int, generation: int, received: int) -> Reading:
        reading = self._readings.get(number)
        if reading is None:
            reading = self._readings[number] = Reading()
        if reading.generation != generation:
            reading.generation = generation
            reading.items = []
            reading.first, reading.read, reading.goes_back = received, 0, False
        elif received > reading.first:
            del reading.items[: received - reading.first]
            reading.first = received
        return reading
