"""The tables of moving tables as text, and the page of the docs; nothing is measured here."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import median
from textwrap import shorten
from typing import Any

from report import in_units

__all__ = ["PAGE", "to_page", "to_text"]

#: How a terminal is told the colour of what follows.
COLOUR = re.compile("\x1b\\[[0-9;]*m")
FAILURE_CHARACTERS = 160
#: What the whole program may take for one row.
START_SECONDS = 2.0
PAGE = Path(__file__).parents[1] / "docs" / "moving.md"
PAGE_HEAD = """# Moving tables

What `pypods integrate` takes to move a table from one system into another, beside other ways to \
do it. This page is written by the benchmark, from one run:

```sh
make bench-integrate BENCH="--page"
```

Each is a whole program, from its start to its end, in an environment of its own, made from pinned \
requirements ([benchmarks/moving/](../benchmarks/moving)). They take turns, and seconds are the \
median of {rounds} rounds; a ratio is the median of the rounds' own. Processor time is that of a \
program and all its processes, not of servers; memory is the most that they had together, each \
with its own share of what they share. Every row that arrived was compared, by value and type.

Ours keeps what it promises meanwhile: each batch is committed with a checkpoint, nothing is seen \
in the target before all is there, and what is killed is gone on with. The others insert, and \
leave what there is when they fail.

"""


def to_text(document: dict[str, Any]) -> str:
    """Return the tables as Markdown, which reads well as it is."""
    lines = [
        f"- {part}: " + ", ".join(f"{name} {value}" for name, value in document[part].items())
        for part in ("machine", "versions")
    ]
    start = document["start_seconds"]
    verdict = "met" if start <= START_SECONDS else "NOT met"
    lines.append(
        f"- one row, the whole program: {start:.2f} s (aim: at most {START_SECONDS:g} s, {verdict})"
    )
    for way in document["ways"].values():
        lines += ["", f"### {way['title']}, {document['rows']:,} rows of 8 columns", ""]
        lines.append("| | rows/s | seconds | processor | memory | what arrived |")
        lines.append("|---|--:|--:|--:|--:|---|")
        lines += [_line(each) for each in way["movers"].values()]
        for each in way["comparisons"]:
            verdict = "met" if each["is_met"] else "NOT met"
            lines.append(
                f"\nBeside {each['beside']}: {each['times']:.2f} x "
                f"(aim: at least {each['aim']:g} x, {verdict})."
            )
    return "\n".join(lines)


def to_page(document: dict[str, Any], rounds: int) -> str:
    """Return the page of the docs."""
    return f"{PAGE_HEAD.format(rounds=rounds)}{to_text(document)}\n"


def _line(mover: dict[str, Any]) -> str:
    if "absent" in mover:
        return f"| {mover['title']} | - | - | - | - | {_shown(mover['absent'])} |"
    arrived = "all rows, equal" if not mover["different"] else f"{mover['different']:,} rows differ"
    if mover["types"]:
        arrived += "; " + ", ".join(mover["types"])
    if "failed" in mover:
        arrived += f"; {_shown(mover['failed'])}"
    return (
        f"| {mover['title']} | {mover['rows_per_second']:,.0f} "
        f"| {median(mover['seconds']):.2f} s | {mover['processor_seconds']:.1f} s "
        f"| {in_units(mover['peak_bytes'], 'bytes')} | {arrived} |"
    )


def _shown(failure: str) -> str:
    """Return what a program said of its failure as a cell: without colours, and not all of it."""
    return shorten(COLOUR.sub("", failure).replace("|", "/"), FAILURE_CHARACTERS, placeholder=" …")
