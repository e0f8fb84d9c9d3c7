"""What pypods costs, beside other libraries and floors.

``python benchmarks/call.py``, or ``make bench``. All of it is measured in one run and in turns, so
that what else the machine does disturbs everybody.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import calls
import data
import imports
import lifecycle
import objects
import programs
from axis import Axis, Bench, Outcome
from field import Field
from machine import describe_machine, describe_versions
from page import write_page
from report import to_document, to_text
from roster import OURS, ROSTER

from pypods.pods import find_interpreter

AXES = {
    each.name: each
    for each in (
        calls.NULL_CALL,
        calls.ADD,
        calls.THREADS,
        calls.IN_FLIGHT,
        calls.WORKERS,
        data.ECHO,
        data.ARRAY,
        data.ONE_WAY,
        data.ROWS,
        data.STREAM,
        data.RELAY,
        objects.CURSOR,
        lifecycle.FIRST_RESULT,
        lifecycle.MEMORY,
        lifecycle.NEW_ENVIRONMENT,
        programs.AXIS,
        imports.AXIS,
    )
}
CACHE = Path(__file__).with_name(".cache")
LIMIT_SECONDS, QUICK_LIMIT_SECONDS = 20.0, 5.0


def main() -> None:
    """Measure what is asked for, and print it or make the page."""
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # Ends the peers too.
    if options.page_from:
        document = json.loads(options.page_from.read_text(encoding="utf-8"))
    else:
        document = measure(options)
    if options.json:
        print(json.dumps(document, indent=1))
    elif not options.page_from:
        print(to_text(document))
    if options.page or options.page_from:
        write_page(document, cache=options.cache.absolute())


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure the axes asked for, with the contestants asked for."""
    python = find_interpreter(options.python).path
    began = time.monotonic()
    about: dict[str, dict[str, Any]] = {
        "machine": describe_machine(),
        "versions": describe_versions(python),
    }
    limit = QUICK_LIMIT_SECONDS if options.quick else LIMIT_SECONDS
    outcomes: list[tuple[Axis, Outcome]] = []
    contestants = [ROSTER[name] for name in options.peers]
    with Field(contestants, options.cache.absolute(), python, limit=limit) as field:
        for name in options.axes:
            say(f"{name} ({time.monotonic() - began:.0f} s)")
            with tempfile.TemporaryDirectory(prefix="pypods_bench_") as folder:
                bench = Bench(Path(folder), field, python, options.quick, say)
                outcomes.append((AXES[name], AXES[name].measure(bench)))
    about["machine"]["minutes"] = round((time.monotonic() - began) / 60, 1)
    about["contestants"] = {each.title: each.describe() for each in contestants}
    if options.quick:
        about["machine"]["quick"] = "yes: few samples of small values, so no aim means anything"
    return to_document(about, outcomes)


def say(text: str) -> None:
    """Tell whoever watches what is done now."""
    print(text, file=sys.stderr)


def parse_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Measure what pypods costs, beside others.")
    parser.add_argument("axes", nargs="*", metavar="AXIS", help=f"of: {', '.join(AXES)} (all)")
    parser.add_argument("--quick", action="store_true", help="try the program out: few samples")
    parser.add_argument("--json", action="store_true", help="print JSON, in seconds")
    parser.add_argument(
        "--page", action="store_true", help="write docs/performance.md and its plots too"
    )
    parser.add_argument(
        "--page-from", type=Path, metavar="FILE", help="write them from an earlier run's JSON"
    )
    parser.add_argument(
        "--peers",
        default=",".join(ROSTER),
        metavar="NAMES",
        help=f"of: {','.join(ROSTER)} (all; pypods itself always)",
    )
    parser.add_argument("--python", help="the pods' Python, a version or a path (the host's)")
    parser.add_argument(
        "--cache", type=Path, default=CACHE, help="where the peers' environments are kept"
    )
    options = parser.parse_args()
    options.axes = options.axes or list(AXES)
    names = [name for name in options.peers.split(",") if name]
    if unknown := [name for name in names if name not in ROSTER]:
        parser.error(f"no contestant {unknown[0]!r}; there are: {', '.join(ROSTER)}")
    options.peers = [n for n, each in ROSTER.items() if n in names or each.kind == OURS]
    if unknown := [name for name in options.axes if name not in AXES]:
        parser.error(f"no axis {unknown[0]!r}; there are: {', '.join(AXES)}")
    return options


if __name__ == "__main__":
    main()
