"""Rows as a table: drawn on a terminal, plain aligned columns in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print ``rows`` under ``headings`` on stdout."""
    if sys.stdout.isatty():
        print_drawn(headings, rows)
    else:
        print(plain_table(headings, rows))


def print_drawn(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print the table as wide as the terminal allows; long cells continue below."""
    # Imported here: a pipe, and every command without a table, does without rich.
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    Console(file=sys.stdout).print(table)


#: Colours of the words that say how a thing is.
STYLES = {
    "ready": "green",
    "ok": "green",
    "missing": "yellow",
    "stale": "yellow",
    "broken": "bold red",
    # of executions
    "finished": "green",
    "equal": "green",
    "running": "cyan",
    "interrupted": "yellow",
    "skipped": "yellow",
    "failed": "bold red",
    "DIFFERENT": "bold red",
}


def plain_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the table as lines of columns two spaces apart."""
    lines = [list(headings), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
