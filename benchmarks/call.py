"""What a call costs, from the import to the result, beside what it is compared with.

``python benchmarks/call.py``, or ``make bench``. Each axis is a module of its own here; what we
measure ourselves against is in ``peers/``. All of it is measured in one run and in turns, so that
what else the machine does disturbs everybody.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import environment
import imports
import null_call
import start
from axis import Bench
from machine import describe_machine, describe_versions
from report import to_document, to_text

from pypods.pods import find_interpreter

AXES = {each.name: each for each in (null_call.AXIS, start.AXIS, environment.AXIS, imports.AXIS)}
CACHE = Path(__file__).with_name(".cache")


def main() -> None:
    """Measure what is asked for and print it."""
    options = parse_options()
    python = find_interpreter(options.python).path
    about = {"machine": describe_machine(), "versions": describe_versions(python)}
    outcomes = []
    for name in options.axes:
        axis = AXES[name]
        with tempfile.TemporaryDirectory(prefix="pypods_bench_") as folder:
            bench = Bench(
                folder=Path(folder),
                cache=options.cache.absolute(),
                python=python,
                quick=options.quick,
                say=say,
            )
            outcomes.append((axis, axis.measure(bench)))
    if options.json:
        print(json.dumps(to_document(about, outcomes), indent=1))
    else:
        print(to_text(about, outcomes))


def say(text: str) -> None:
    """Tell whoever watches what is done now."""
    print(text, file=sys.stderr)


def parse_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Measure what a call costs.")
    parser.add_argument("axes", nargs="*", metavar="AXIS", help=f"of: {', '.join(AXES)} (all)")
    parser.add_argument("--quick", action="store_true", help="try the program out: few samples")
    parser.add_argument("--json", action="store_true", help="print JSON, in seconds")
    parser.add_argument("--python", help="the pods' Python, a version or a path (the host's)")
    parser.add_argument(
        "--cache", type=Path, default=CACHE, help="where the peers' environments are kept"
    )
    options = parser.parse_args()
    options.axes = options.axes or list(AXES)
    if unknown := [name for name in options.axes if name not in AXES]:
        parser.error(f"no axis {unknown[0]!r}; there are: {', '.join(AXES)}")
    return options


if __name__ == "__main__":
    main()
