"""What the making of an environment shows meanwhile; knows nothing of environments."""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import Protocol, TextIO, runtime_checkable

__all__ = ["Progress", "SilentProgress", "TerminalProgress", "choose_progress"]

REDRAW_SECONDS = 0.1

_CLEAR_LINE = "\r\x1b[2K"
_BOLD = "\x1b[1m"
_DIM = "\x1b[2m"
_RESET = "\x1b[0m"


@runtime_checkable
class Progress(Protocol):
    """What is told of the work, in the order it happens."""

    def step(self, text: str) -> None:
        """Say what begins now."""
        ...

    def note(self, text: str) -> None:
        """Say what happens within the step: a line that the installer printed."""
        ...

    def done(self, text: str) -> None:
        """Say how it ended, well or not; the last call."""
        ...


class SilentProgress:
    """Shows nothing."""

    def step(self, text: str) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def done(self, text: str) -> None:
        """Do nothing."""


class TerminalProgress:
    """One line on a terminal, drawn anew in place: the pod, its step, the latest note, seconds."""

    def __init__(self, pod_name: str, stream: TextIO | None = None) -> None:
        self.pod_name = pod_name
        self.stream = sys.stderr if stream is None else stream
        self._started = time.monotonic()
        self._step = self._note = ""

    def step(self, text: str) -> None:
        """Draw the line with this step."""
        self._step, self._note = text, ""
        self._draw()

    def note(self, text: str) -> None:
        """Draw the line with this note."""
        self._note = text
        self._draw()

    def redraw(self) -> None:
        """Draw the line with the time there is now."""
        self._draw()

    def done(self, text: str) -> None:
        """Draw the line a last time, and end it."""
        self._step, self._note = text, ""
        self._draw(end="\n")

    def _draw(self, end: str = "") -> None:
        seconds = f"{time.monotonic() - self._started:.1f} s"
        text = f"{self._step}: {self._note}" if self._note else self._step
        # Longer than the terminal is wide, it could not be drawn over.
        width = shutil.get_terminal_size().columns - len(self.pod_name) - len(seconds) - 9
        if len(text) > width:
            text = f"{text[: max(width - 1, 0)]}…"
        name = self.pod_name
        if not os.environ.get("NO_COLOR"):
            name, seconds = f"{_BOLD}{name}{_RESET}", f"{_DIM}{seconds}{_RESET}"
        self.stream.write(f"{_CLEAR_LINE}pod {name}  {text}  {seconds}{end}")
        self.stream.flush()


def choose_progress(progress: Progress | None, pod_name: str) -> Progress:
    """Return the one given; without one, a terminal's line if stderr is a terminal."""
    if progress is not None:
        return progress
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    if is_terminal and os.environ.get("TERM") != "dumb":
        return TerminalProgress(pod_name)
    return SilentProgress()
