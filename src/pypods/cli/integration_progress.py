"""How far integrations are: live bars on a terminal, lines now and then elsewhere; on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

from pypods.cli.settings import Settings

if TYPE_CHECKING:
    from pypods.integrator import Event, Integrator

#: Between two lines about the same integration, where there is no terminal.
LINE_SECONDS = 5.0


@contextmanager
def show_progress(settings: Settings, integrator: Integrator) -> Iterator[None]:
    """Show how far it is while the block runs; nothing with --quiet or --json."""
    if settings.quiet or settings.json:
        yield
        return
    if not sys.stderr.isatty():
        lines = ProgressLines()
        undo = integrator.subscribe("*", lines)
        try:
            yield
        finally:
            undo()
        return
    with live_bars() as bars:
        undo = integrator.subscribe("*", bars)
        try:
            yield
        finally:
            undo()


class ProgressLines:
    """A line for the beginning and the end of an integration, for trouble, and now and then."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        """Print a line, if this event is worth one."""
        name = event.integration
        if name is None:
            return
        text = None
        if event.name == "started":
            self._last[name] = monotonic()
            expected = (
                "" if event.rows_expected is None else f", about {event.rows_expected:,} rows"
            )
            text = f"started{expected}{', ' + event.message if event.message else ''}"
        elif event.name in ("progress", "batch_written"):
            now = monotonic()
            if now - self._last.setdefault(name, now) < LINE_SECONDS:
                return
            self._last[name] = now
            text = describe_counts(event)
        elif event.name == "retry":
            text = f"retry: {event.message}"
        elif event.name == "bad_rows":
            text = f"bad rows: {event.message}"
        elif event.name == "finished":
            text = f"finished: {event.rows_written:,} rows in {shown_seconds(event.seconds)}"
        elif event.name == "failed":
            text = "failed"
        if text is not None:
            print(f"{name}: {text}", file=sys.stderr, flush=True)


def describe_counts(event: Event) -> str:
    """Return rows, speed, bytes and memory in a line."""
    rows = f"{event.rows_written:,}"
    if event.rows_expected:
        rows += f" of {event.rows_expected:,}"
    speed = event.rows_written / event.seconds if event.seconds > 0 else 0.0
    memory = "" if event.pod_memory is None else f", pods {shown_bytes(event.pod_memory)}"
    return (
        f"{rows} rows in {shown_seconds(event.seconds)}, {speed:,.0f} rows/s, "
        f"{shown_bytes(event.bytes_written)}{memory}"
    )


@contextmanager
def live_bars() -> Iterator[Any]:
    """Give an observer that draws a bar for each integration."""
    # Imported here: every other command, and a pipe, does without rich.
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[rows]}", justify="right"),
        TextColumn("{task.fields[speed]}", justify="right"),
        TextColumn("{task.fields[bytes]}", justify="right"),
        TimeRemainingColumn(compact=True),
        TextColumn("[dim]{task.fields[note]}"),
    )
    tasks: dict[str, Any] = {}
    memory: dict[str, int] = {}
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def observe(event: Event) -> None:
            name = event.integration
            if name is None:
                return
            if name not in tasks:
                tasks[name] = progress.add_task(
                    escape(name), total=None, rows="", speed="", bytes="", note="starting"
                )
            if event.pod_memory is not None:
                memory[name] = event.pod_memory
            notes = {"failed": "failed", "finished": "done", "retry": "retrying", "started": ""}
            note = notes.get(event.name)
            if note is None:
                note = f"pods {shown_bytes(memory[name])}" if name in memory else ""
            speed = event.rows_written / event.seconds if event.seconds > 0 else 0.0
            total = event.rows_expected
            if event.name == "finished":
                total = max(event.rows_written, 1)
            progress.update(
                tasks[name],
                total=total,
                completed=total if event.name == "finished" else event.rows_written,
                rows=f"{event.rows_written:,}",
                speed=f"{speed:,.0f}/s",
                bytes=shown_bytes(event.bytes_written),
                note=note,
            )
            if event.name in ("retry", "bad_rows"):
                progress.console.print(f"{escape(name)}: {escape(event.message)}", highlight=False)

        yield observe


def shown_bytes(size: int) -> str:
    """Return a number of bytes as people read it."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"


def shown_seconds(seconds: float) -> str:
    """Return a time as people read it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
