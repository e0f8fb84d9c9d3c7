"""What is told of one integration while it runs: its report kept up to date, and events."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from pypods.integrator.report import Throughput
from pypods.integrator.sides import measure_memory

if TYPE_CHECKING:
    from pypods.integrator.report import IntegrationReport
    from pypods.integrator.secrets import Mask
    from pypods.integrator.transfer import Counts

__all__ = ["Publish", "Telling"]

#: Takes an event's name, the integration's report, and what else the event says.
Publish = Callable[[str, "IntegrationReport", dict[str, Any]], None]


class Telling:
    """Keeps a report as the counts are, and publishes events with it, from any thread."""

    def __init__(
        self, report: IntegrationReport, counts: Counts, *, mask: Mask, publish: Publish
    ) -> None:
        self.report = report
        self._counts = counts
        self._mask = mask
        self._publish = publish
        self._lock = Lock()
        self._throughput = Throughput()
        self._began = monotonic()
        self._began_moving: float | None = None

    def begin(self) -> None:
        """Note that the integration begins."""
        self._began = monotonic()
        self.report.started = time()
        self.report.status = "running"
        self.report.error = None

    def begin_moving(self) -> None:
        """Note that rows begin to move."""
        self._began_moving = monotonic()
        self._throughput.begin(self._began_moving - self._began, self.report.rows_resumed)

    def end_moving(self) -> None:
        """Note that all rows are in the target."""
        self.update()
        if self._began_moving is not None:
            self.report.moving_seconds = monotonic() - self._began_moving
        self._throughput.end(self.report.seconds, self.report.rows_written)

    def end(self, event: str) -> None:
        """Publish how it ended."""
        self.update()
        self.report.throughput = self._throughput.points
        self.publish(event, message=self.report.error or "")

    def update(self) -> None:
        """Bring the report up to date."""
        report, total = self.report, self._counts.total
        report.seconds = monotonic() - self._began
        report.retries = self._counts.retries
        if self._counts.parts:
            report.rows_read, report.rows_written = total("rows_read"), total("rows")
            report.bytes_read, report.bytes_written = total("bytes_read"), total("bytes")
            report.batches, report.bad_rows = total("batches"), total("bad")

    def publish(self, name: str, *, part: str | None = None, message: str = "") -> None:
        """Tell observers that something happened, with the counts so far."""
        with self._lock:
            self.update()
            if name == "batch_written":
                self._throughput.add(self.report.seconds, self.report.rows_written)
            self._publish(name, self.report, {"part": part, "message": self._mask(message)})

    def sample(self, pids: list[int]) -> None:
        """Measure the memory of the pods, and tell how far it is."""
        memory = measure_memory(pids)
        if memory is not None:
            self.report.peak_pod_memory = max(self.report.peak_pod_memory or 0, memory)
        with self._lock:
            self.update()
            self._publish("progress", self.report, {"pod_memory": memory})
