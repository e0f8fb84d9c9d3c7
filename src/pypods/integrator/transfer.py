"""One part of an integration moved: read ahead, counted, written.

The target pulls. Of batches the host has handles only, and no more than two that wait.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Condition, Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from pypods.errors import IntegrationError, PodTimeoutError
from pypods.integrator.steps import StepError

if TYPE_CHECKING:
    from pypods.integrator.sides import Side

__all__ = ["Counts", "Part", "ReadAhead", "RestartError", "StoppedError", "Transfer"]

#: Batches that wait while the target writes one; one more may be in the reader's hand.
BATCHES_AHEAD = 1
#: How long a source may take to come to the end of its batch once nobody wants it.
CLOSE_SECONDS = 30.0


class StoppedError(Exception):
    """Something else failed, or the user wants no more of it; said to nobody."""


class RestartError(Exception):
    """What was staged cannot be continued; the run has to begin anew."""

    def __init__(self, failure: StepError) -> None:
        super().__init__(str(failure))
        self.failure = failure


@dataclass
class Part:
    """One partition, and how far it is; what an earlier attempt staged included."""

    name: str
    partition: dict[str, Any] | None = None
    worker: int = 0
    rows: int = 0
    bytes: int = 0
    batches: int = 0
    bad: int = 0
    position: list[Any] | None = None
    rows_read: int = 0
    bytes_read: int = 0
    is_done: bool = False
    #: Since when the target has had something to do, by the clock that only goes on.
    target_busy_since: float | None = None
    #: What is raised in place of the death of a target's worker that was ended for its silence.
    silence: PodTimeoutError | None = None

    def begin(self) -> None:
        """Note that the target begins to write."""
        self.silence = None
        self.target_busy_since = monotonic()

    def found(self, staged: dict[str, Any] | None) -> None:
        """Take over what the target says of this part; nothing is what it says of no part."""
        staged = staged or {}
        self.rows = self.rows_read = int(staged.get("rows") or 0)
        self.bytes = self.bytes_read = int(staged.get("bytes") or 0)
        self.batches = int(staged.get("batches") or 0)
        self.bad = int(staged.get("bad") or 0)
        self.rows_read += self.bad
        # A part that was begun, and of which nothing is there, has an empty one.
        self.position = staged.get("position") or None

    def has_lost(self, staged: dict[str, Any] | None) -> bool:
        """Tell whether the target has less of this part than it had committed.

        Of a server that was killed the last transactions may be gone, each of them as a whole.
        """
        there = Part(self.name)
        there.found(staged)
        return there.batches < self.batches and there.rows_read < self.rows + self.bad

    def can_go_on(self, reading: Reading) -> bool:
        """Tell whether what is staged can be continued: nothing can, and what has an order."""
        return not (self.rows or self.bad) or (reading.can_go_on and bool(self.position))

    def lose_snapshot(self) -> bool:
        """Read what is there from now on, as who held the snapshot has ended.

        False where the part's range means nothing in another snapshot.
        """
        partition = self.partition
        if partition is None or "snapshot" not in partition:
            return True
        self.partition = {name: value for name, value in partition.items() if name != "snapshot"}
        return partition.get("stable") is not False


class Counts:
    """The parts' counts together."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.retries = 0
        self.lock = Lock()

    def total(self, name: str) -> int:
        """Return the sum of one count over all parts."""
        return sum(getattr(part, name) for part in self.parts)


@dataclass(frozen=True)
class Reading:
    """How every part is read: what the source's ``read`` gets."""

    columns: list[str] | None
    where: list[list[Any]]
    order_by: list[str]
    limit: int | None
    query: str | None
    batch_rows: int
    names: dict[str, str]
    #: What ``order_by`` is called in the batches.
    position: list[str] = field(default_factory=list)
    #: Whether reading can go on after any row.
    can_go_on: bool = False


class ReadAhead(Iterator[Any]):
    """Takes batches from an iterator on a thread of its own, a few ahead.

    Else a source would wait while the target writes. ``close`` ends the thread; what the iterator
    raises is raised in its place.
    """

    def __init__(self, batches: Iterator[Any], ahead: int = BATCHES_AHEAD) -> None:
        self._batches = batches
        self._ahead = ahead
        self._ready: deque[Any] = deque()
        self._changed = Condition()
        self._error: BaseException | None = None
        self._ended = self._closed = False
        self._thread = Thread(target=self._read, name="pypods read-ahead", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for batch in self._batches:
                with self._changed:
                    while len(self._ready) >= self._ahead and not self._closed:
                        self._changed.wait()
                    if self._closed:
                        break
                    self._ready.append(batch)
                    self._changed.notify_all()
        except BaseException as exc:  # noqa: BLE001 - raised where the batches are taken
            self._error = exc
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def __next__(self) -> Any:
        with self._changed:
            while not self._ready and not self._ended:
                self._changed.wait()
            if self._ready:
                batch = self._ready.popleft()
                self._changed.notify_all()
                return batch
            error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopIteration

    def close(self, end: Callable[[], object] | None = None) -> None:
        """Take no more, and close the iterator once it has come to an end.

        ``end`` is called where that takes long, and has to make it end.
        """
        with self._changed:
            self._closed = True
            self._ready.clear()
            self._changed.notify_all()
        if end is not None:
            self._thread.join(CLOSE_SECONDS)
            if self._thread.is_alive():
                end()
        self._thread.join()
        close = getattr(self._batches, "close", None)
        if close is not None:
            # What ended the transfer is what is told, not what ends with it.
            with contextlib.suppress(Exception):
                close()


class Transfer:
    """Moves parts from the source to the target, each on the thread that calls ``move``."""

    def __init__(
        self,
        source: Side,
        target: Side,
        reading: Reading,
        *,
        run: str,
        attempt: int | None,
        collects_bad_rows: bool,
        max_bad_rows: int | None,
        stop: Event,
        counts: Counts,
        publish: Callable[..., None],
        snapshot_holder: int | None,
    ) -> None:
        self.source = source
        self.target = target
        self.reading = reading
        self.run = run
        self.attempt = attempt
        self.collects_bad_rows = collects_bad_rows
        self.max_bad_rows = max_bad_rows
        self.stop = stop
        self.counts = counts
        self.publish = publish
        self.snapshot_holder = snapshot_holder

    def move(self, part: Part) -> None:
        """Move what is left of a part.

        Raises StepError for what failed, StoppedError where something else had.
        """
        limit = self.reading.limit
        if limit is not None:
            limit -= part.rows + part.bad
            if limit <= 0:
                part.is_done = True
                return
        source_failure: list[BaseException] = []
        source_worker = part.worker if self.snapshot_holder is None else part.worker + 1
        optional = {} if self.attempt is None else {"attempt": self.attempt}
        try:
            batches = self._open(part, source_worker, limit)
        except Exception as exc:
            raise StepError("reading", self.source, exc) from exc
        ahead = ReadAhead(batches)
        part.begin()
        try:
            self.target.call(
                "write",
                self.target.stream,
                self._counted(part, ahead, source_failure),
                worker=part.worker,
                run=self.run,
                part=part.name,
                position=self.reading.position,
                bad_rows="collect" if self.collects_bad_rows else "fail",
                max_bad_rows=self.max_bad_rows if self.collects_bad_rows else 0,
                committed=self._committed(part),
                **optional,
            )
        except Exception as exc:
            if self.stop.is_set():
                raise StoppedError from exc
            if source_failure:
                cause = source_failure[0]
                if isinstance(cause, PodTimeoutError):
                    self.source.end_worker(source_worker)
                    cause = self.source.silence()
                raise StepError("reading", self.source, cause) from cause
            raise StepError("writing", self.target, part.silence or exc) from exc
        finally:
            part.target_busy_since = None
            ahead.close(lambda: self.source.end_worker(source_worker))
        if self.stop.is_set():
            raise StoppedError
        if part.rows + part.bad != part.rows_read:
            text = (
                f"{part.rows_read} rows were read and {part.rows} written"
                + (f" ({part.bad} were bad)" if part.bad else "")
                + "; the connector lost or doubled some, please report it"
            )
            raise StepError("writing", self.target, IntegrationError(text))
        part.is_done = True
        self.publish("checkpoint", part=part.name, message=f"part {part.name} is staged")

    def end_silent_targets(self) -> None:
        """End the target's workers that have had something to do for too long.

        While a target waits for the source, that one's silence counts.
        """
        if self.target.timeout is None:
            return
        for part in self.counts.parts:
            since = part.target_busy_since
            if since is not None and monotonic() - since > self.target.timeout:
                part.target_busy_since = None
                part.silence = self.target.silence()  # Before who writes hears of the end.
                self.target.end_worker(part.worker)

    def _open(self, part: Part, source_worker: int, limit: int | None) -> Iterator[Any]:
        reading = self.reading
        optional: dict[str, Any] = {
            "columns": reading.columns,
            "where": reading.where or None,
            "order_by": reading.order_by or None,
            "after": part.position if reading.can_go_on else None,
            "partition": part.partition,
            "limit": limit,
            "query": reading.query,
            "names": reading.names or None,
        }
        given = {name: value for name, value in optional.items() if value is not None}
        stream: Iterator[Any] = self.source.call(
            "read", self.source.stream, worker=source_worker, batch_rows=reading.batch_rows, **given
        )
        return stream

    def _counted(
        self, part: Part, batches: ReadAhead, failure: list[BaseException]
    ) -> Iterator[Any]:
        while True:
            part.target_busy_since = None
            try:
                batch = next(batches)
            except StopIteration:
                part.target_busy_since = monotonic()
                return
            except BaseException as exc:  # noqa: BLE001 - told when the write has ended
                failure.append(exc)
                # The target's pod need not know more; it gives up what it has not committed.
                raise RuntimeError("the source failed") from None
            if self.stop.is_set():
                raise RuntimeError("the integration was stopped")
            rows = getattr(batch, "num_rows", None)
            part.rows_read += len(batch) if rows is None else rows
            part.bytes_read += getattr(batch, "nbytes", 0)
            self.publish("batch_read", part=part.name)
            part.target_busy_since = monotonic()
            yield batch

    def _committed(self, part: Part) -> Callable[[int, int, int], None]:
        def committed(rows: int, nbytes: int, bad: int) -> None:
            part.rows += rows
            part.bytes += nbytes
            part.bad += bad
            part.batches += 1
            part.target_busy_since = monotonic()
            self.publish("batch_written", part=part.name)
            if bad:
                self.publish("bad_rows", part=part.name, message=f"{bad} rows were set aside")
            if self.stop.is_set():
                raise RuntimeError("the integration was stopped")

        return committed
