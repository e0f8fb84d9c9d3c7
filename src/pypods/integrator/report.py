"""What an execution did, in numbers; how they are shown is elsewhere."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["ExecutionReport", "IntegrationReport", "Throughput", "Verification"]

#: Of a plot's points no more are kept than this; every second one goes then.
MAX_POINTS = 512


class Throughput:
    """How many rows there were at which second, in a bounded number of points."""

    def __init__(self) -> None:
        self.points: list[tuple[float, int]] = [(0.0, 0)]
        self._shortest = 0.0

    def begin(self, seconds: float, rows: int) -> None:
        """Note that rows begin to move now, after those that were there from before."""
        self.points = [(0.0, rows), (round(seconds, 4), rows)]

    def add(self, seconds: float, rows: int) -> None:
        """Note that there are so many rows now."""
        if seconds - self.points[-1][0] < self._shortest:
            return
        self.points.append((round(seconds, 4), rows))
        if len(self.points) >= MAX_POINTS:
            self.points = self.points[::2]
            self._shortest = 2 * seconds / MAX_POINTS

    def end(self, seconds: float, rows: int) -> None:
        """Note the last point, whatever came before it."""
        if self.points[-1] != (round(seconds, 4), rows):
            self.points.append((round(seconds, 4), rows))


@dataclass
class Verification:
    """The sums of both sides; ``equal`` is None where they are not to be compared."""

    equal: bool | None
    note: str
    source_rows: int | None = None
    target_rows: int | None = None
    source_sum: str | None = None
    target_sum: str | None = None


@dataclass
class IntegrationReport:
    """One integration: how it ended, and its counts."""

    name: str
    source: str
    target: str
    mode: str
    run: str = ""
    #: pending, running, finished, failed, interrupted, skipped or planned (a dry run).
    status: str = "pending"
    started: float | None = None
    #: From the start of the pods to the end, verifying included.
    seconds: float = 0.0
    #: From the first row to the last one in the target.
    moving_seconds: float = 0.0
    rows_expected: int | None = None
    rows_read: int = 0
    rows_written: int = 0
    #: In the whole target, if it says so.
    rows_in_target: int | None = None
    bytes_read: int = 0
    bytes_written: int = 0
    batches: int = 0
    bad_rows: int = 0
    retries: int = 0
    parts: int = 1
    #: Rows that an earlier attempt of the same run had staged already.
    rows_resumed: int = 0
    changes: list[str] = field(default_factory=list)
    cursor_before: Any = None
    cursor_after: Any = None
    verification: Verification | None = None
    #: Of all pods of the integration together, in bytes.
    peak_pod_memory: int | None = None
    error: str | None = None
    throughput: list[tuple[float, int]] = field(default_factory=list)

    @property
    def rows_per_second(self) -> float:
        """How many rows were written in a second, of those that this attempt wrote."""
        rows = self.rows_written - self.rows_resumed
        return rows / self.moving_seconds if self.moving_seconds > 0 else 0.0

    def document(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return {**asdict(self), "rows_per_second": round(self.rows_per_second, 1)}


@dataclass
class ExecutionReport:
    """A whole execution and its integrations, in their order."""

    id: str
    operation: str
    status: str = "pending"
    started: float = 0.0
    seconds: float = 0.0
    integrations: list[IntegrationReport] = field(default_factory=list)
    #: Events that slow observers missed.
    events_dropped: int = 0
    #: Whether it had been done before, so that nothing was left to do.
    was_finished: bool = False
    error: str | None = None

    def document(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return {
            "id": self.id,
            "operation": self.operation,
            "status": self.status,
            "started": self.started,
            "seconds": round(self.seconds, 3),
            "was_finished": self.was_finished,
            "events_dropped": self.events_dropped,
            "error": self.error,
            "integrations": [each.document() for each in self.integrations],
        }
