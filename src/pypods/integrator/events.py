"""What happens while an operation runs, told to whoever listens; nothing of pods here."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from threading import Condition, Thread, current_thread
from time import monotonic, time
from typing import Any

__all__ = ["EVENTS", "Broker", "Event", "Observer"]

log = logging.getLogger("pypods.integrator")

#: In about the order in which they happen.
EVENTS = (
    "initialized",
    "started",
    "source_count",
    "truncated",
    "batch_read",
    "batch_written",
    "progress",
    "retry",
    "bad_rows",
    "checkpoint",
    "finished",
    "failed",
)
#: Those of which there may be any number; each tells all that the ones before it told.
CUMULATIVE = frozenset({"batch_read", "batch_written", "progress", "checkpoint"})
QUEUE_EVENTS = 10_000
#: How long the end of an execution waits for observers that are behind.
DRAIN_SECONDS = 10.0


@dataclass(frozen=True)
class Event:
    """One thing that happened; counts are of the integration (or execution) so far."""

    name: str
    execution_id: str
    operation: str
    #: None for an event of the whole execution.
    integration: str | None = None
    part: str | None = None
    #: Seconds since the epoch.
    at: float = field(default_factory=time)
    #: Seconds since the integration, or the execution, began.
    seconds: float = 0.0
    rows_read: int = 0
    rows_written: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    batches: int = 0
    bad_rows: int = 0
    retries: int = 0
    #: How many rows there will be, if anybody knows.
    rows_expected: int | None = None
    #: Of all pods of the integration together, in bytes, if it was measured.
    pod_memory: int | None = None
    message: str = ""

    def document(self) -> dict[str, Any]:
        """Return the event as a JSON object."""
        return asdict(self)


Observer = Callable[[Event], object]


class Broker:
    """Delivers events to observers on a thread of its own.

    The pipeline only appends to a queue. An observer that raises is logged once and goes on
    getting events; one that is slow gets fewer of those that tell how far it is (``dropped``
    counts them), and all of the others.
    """

    def __init__(self) -> None:
        self._observers: dict[str, list[Observer]] = {}
        self._queue: deque[Event] = deque()
        self._changed = Condition()
        self._thread: Thread | None = None
        self._delivering = False
        self._complained: set[int] = set()
        #: Events that no observer got, as they were behind.
        self.dropped = 0
        #: Exceptions that observers raised.
        self.errors = 0

    def subscribe(self, event: str, observer: Observer) -> Callable[[], None]:
        """Call ``observer`` with every such event, or with all for ``"*"``; return the undoing.

        Raises ValueError for an event that there is not.
        """
        if event != "*" and event not in EVENTS:
            raise ValueError(f"there is no event {event!r}; there are: {', '.join(EVENTS)}, *")
        with self._changed:
            self._observers.setdefault(event, []).append(observer)

        def unsubscribe() -> None:
            with self._changed:
                if observer in self._observers.get(event, ()):
                    self._observers[event].remove(observer)

        return unsubscribe

    def publish(self, event: Event) -> None:
        """Let observers have the event, soon; never waits and never raises."""
        with self._changed:
            if not (self._observers.get(event.name) or self._observers.get("*")):
                return
            if len(self._queue) >= QUEUE_EVENTS and event.name in CUMULATIVE:
                self.dropped += 1
                return
            self._queue.append(event)
            if self._thread is None:
                self._thread = Thread(target=self._deliver, name="pypods events", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def drain(self, seconds: float = DRAIN_SECONDS) -> bool:
        """Wait until observers have had all events, and end the thread; tell whether they had."""
        until = monotonic() + seconds
        with self._changed:
            while self._queue or self._delivering:
                left = until - monotonic()
                if left <= 0:
                    log.warning(
                        "observers are behind by %d events; not waiting for them any longer",
                        len(self._queue),
                    )
                    return False
                self._changed.wait(left)
            thread, self._thread = self._thread, None
            self._changed.notify_all()
        if thread is not None:
            thread.join(seconds)
        return True

    def _deliver(self) -> None:
        while True:
            with self._changed:
                while not self._queue:
                    self._delivering = False
                    self._changed.notify_all()
                    if self._thread is not current_thread():
                        return
                    self._changed.wait()
                event = self._queue.popleft()
                self._delivering = True
                observers = [
                    *self._observers.get(event.name, ()), *self._observers.get("*", ())
                ]  # fmt: skip
            for observer in observers:
                self._tell(observer, event)

    def _tell(self, observer: Observer, event: Event) -> None:
        try:
            observer(event)
        except Exception:  # the pipeline must not care
            self.errors += 1
            if id(observer) not in self._complained:
                self._complained.add(id(observer))
                log.exception("an observer of %s raised; it is told of further events", event.name)
