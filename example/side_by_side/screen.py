"""What the program shows: coloured on a terminal, plain lines elsewhere; nothing of pods."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Sequence

REDRAW_SECONDS = 0.1
WIDEST_COLUMNS = 100
BAR_CELLS = 28
# Without a terminal, a line at each of these.
PLAIN_STEP_PERCENT = 25

BOLD, DIM, RED, GREEN, CYAN, RESET = (f"\033[{n}m" for n in (1, 2, 31, 32, 36, 0))


class Screen:
    """Standard output, or nothing when `quiet`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.is_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self.has_colour = self.is_terminal and not os.environ.get("NO_COLOR")
        encoding = sys.stdout.encoding or "ascii"
        self.has_unicode = encoding.lower().replace("-", "") == "utf8"

    @property
    def columns(self) -> int:
        """Return how wide the terminal is, or as wide as is good to read."""
        return max(20, min(WIDEST_COLUMNS, shutil.get_terminal_size().columns))

    def paint(self, text: str, *codes: str) -> str:
        """Return the text in these colours, where there are any."""
        return "".join(codes) + text + RESET if self.has_colour else text

    def line(self, text: str = "") -> None:
        """Print a line."""
        if not self.quiet:
            print(text, flush=True)

    def step(self, number: int, text: str) -> None:
        """Print a heading."""
        self.line()
        self.line(f"{self.paint(f' {number} ', BOLD, CYAN)} {self.paint(text, BOLD)}")

    def detail(self, text: str, *codes: str) -> None:
        """Print indented text, wrapped where there is a terminal."""
        for paragraph in text.splitlines():
            pieces = textwrap.wrap(paragraph, self.columns - 5) if self.is_terminal else [paragraph]
            for piece in pieces or [""]:
                self.line("    " + self.paint(piece, *codes) if piece else "")

    def table(self, rows: Sequence[Sequence[str]], *, right: frozenset[int]) -> None:
        """Print a table; the first row is its heading, columns in `right` are aligned right."""
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for number, row in enumerate(rows):
            cells = [
                cell.rjust(width) if i in right else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            text = "    " + "  ".join(cells).rstrip()
            self.line(self.paint(text, BOLD) if number == 0 else text)
            if number == 0:
                rule = "─" if self.has_unicode else "-"
                rules = "  ".join(rule * width for width in widths)
                self.line("    " + self.paint(rules, DIM))


class Progress:
    """Rows done of all the rows, rows a second and percent: one line that is drawn again."""

    def __init__(self, screen: Screen, verb: str, total: int) -> None:
        self.screen = screen
        self.verb = verb
        self.total = total
        self.done = 0
        self.started = time.perf_counter()
        self._drawn = 0.0
        self._next_percent = PLAIN_STEP_PERCENT

    @property
    def seconds(self) -> float:
        """Return the time since the start."""
        return round(time.perf_counter() - self.started, 3)

    def advance(self, rows: int) -> None:
        """Count so many more rows, and show it."""
        self.done += rows
        if self.screen.quiet:
            return
        percent = 100 * self.done // self.total
        is_last = self.done >= self.total
        if self.screen.is_terminal:
            now = time.perf_counter()
            if now - self._drawn >= REDRAW_SECONDS or is_last:
                self._drawn = now
                print(f"\r{self._line(percent)}\033[K", end="", flush=True)
            if is_last:
                print(flush=True)
        elif percent >= self._next_percent:
            self._next_percent = percent - percent % PLAIN_STEP_PERCENT + PLAIN_STEP_PERCENT
            self.screen.line(f"    {self._text(percent)}")

    def _line(self, percent: int) -> str:
        text = self._text(percent)
        # Drawn again in place, a line that is wider than the terminal would leave pieces.
        cells = min(BAR_CELLS, self.screen.columns - len(text) - 6)
        if cells > 0:
            return f"    {self._bar(cells)} {text}"
        return text[: self.screen.columns - 1]

    def _text(self, percent: int) -> str:
        rate = int(self.done / max(self.seconds, 1e-9))
        done = f"{self.done:,} of {self.total:,} rows"
        return f"{percent:3d} %  {self.verb:8} {done}, {rate:,} rows/s"

    def _bar(self, cells: int) -> str:
        mark = "━" if self.screen.has_unicode else "="
        full = cells * self.done // self.total
        rest = mark if self.screen.has_colour else " "
        return self.screen.paint(mark * full, GREEN) + self.screen.paint(rest * (cells - full), DIM)
