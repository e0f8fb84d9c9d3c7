"""One program, two versions of a database driver that no single environment can hold.

duckdb 0.8.1 writes a file that duckdb 2.0.0 refuses to open. Each driver lives in a pod of its own:
this program moves the table out of the one into the other, and compares every row.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

from compare import Batch, count_rows, find_unequal
from screen import DIM, GREEN, RED, Progress, Screen

from pypods.errors import PodCallError, PodError
from pypods.pods import Pod, PodLoader

PODS = Path(__file__).resolve().parent / "pods"
TABLE = "everything"
BATCH_ROWS = 5_000
SHOWN_DIFFERENCES = 3

Item = TypeVar("Item")


@dataclass
class Work:
    """What one of the three processes is and did: a row of the table at the end."""

    driver: str
    version: str
    pid: int
    python: str
    did: str = ""
    rows: int = 0
    seconds: float = 0.0


@dataclass
class Outcome:
    """All that there is to say at the end."""

    old: Work
    new: Work
    host: Work
    columns: list[tuple[str, str]] = field(default_factory=list)
    refusal: str = ""
    has_same_columns: bool = False
    equal: int = 0
    differences: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Return whether the file was refused and every column and row came over equal."""
        return bool(self.refusal) and self.has_same_columns and self.equal == self.old.rows


def main() -> int:
    """Run the demo; 0 when all is as it should be, else 1."""
    options = parse_options()
    screen = Screen(quiet=options.json)
    folder = Path(tempfile.mkdtemp(prefix="side_by_side_"))
    try:
        outcome = use_both(options.rows, folder, screen)
    except PodError as exc:
        print(f"{type(exc).__name__}: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    finally:
        if options.keep:
            print(f"kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        print(json.dumps({**asdict(outcome), "is_good": outcome.is_good}, indent=2))
    show_outcome(outcome, screen)
    return 0 if outcome.is_good else 1


def parse_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Use two versions of a driver in one program.")
    parser.add_argument("--rows", type=int, default=200_000, help="rows to move (200000)")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON, only that")
    parser.add_argument("--keep", action="store_true", help="keep both database files")
    options = parser.parse_args()
    if options.rows < 1:
        parser.error("--rows must be 1 or more")
    return options


def use_both(rows: int, folder: Path, screen: Screen) -> Outcome:
    """Load both pods, let the old driver write, move its rows to the new one, compare them."""
    old_file, new_file = str(folder / "old.duckdb"), str(folder / "new.duckdb")
    began = time.perf_counter()

    screen.step(1, "Two versions of one driver, each in a pod of its own, and this program")
    old_loader = PodLoader("duckdb_old", pods_directory=PODS)
    new_loader = PodLoader("duckdb_new", pods_directory=PODS)
    with old_loader as old, new_loader as new:
        outcome = Outcome(
            old=meet(old_loader, old),
            new=meet(new_loader, new),
            host=Work("this program", "", os.getpid(), platform.python_version()),
        )
        for work in (outcome.old, outcome.new, outcome.host):
            name = f"{work.driver} {work.version}"
            screen.detail(f"{name:15} Python {work.python:9} pid {work.pid}")

        screen.step(2, f"duckdb {outcome.old.version} writes a database file")
        write(old, old_file, rows, outcome, screen)

        screen.step(3, f"duckdb {outcome.new.version} cannot open it")
        outcome.refusal = ask_to_open(new, old_file)
        screen.detail(outcome.refusal or "It opened it: these two versions do get along.", RED)

        screen.step(4, "So the rows go from the one driver through this program to the other")
        move(old, old_file, new, new_file, outcome, Progress(screen, "moved", rows))

        screen.step(5, "Every value of every row is compared, as each driver reads its own file")
        compare(old, old_file, new, new_file, outcome, Progress(screen, "compared", rows))
    outcome.seconds = round(time.perf_counter() - began, 3)
    return outcome


def meet(loader: PodLoader, pod: Pod) -> Work:
    """Return which driver, interpreter and process a loaded pod is."""
    hello = loader.hello
    assert hello is not None  # It is what a pod says first.
    return Work("duckdb", pod.version(), hello.pid, hello.python)


def write(old: Pod, path: str, rows: int, outcome: Outcome, screen: Screen) -> None:
    """Let the old driver write its file; say what is in it."""
    began = time.perf_counter()
    outcome.old.rows = old.create_file(path, rows)
    outcome.old.did = "wrote the file"
    outcome.old.seconds = round(time.perf_counter() - began, 3)
    outcome.columns = old.open_table(path, TABLE)
    old.close()
    megabytes = Path(path).stat().st_size / 1e6
    screen.detail(
        f"{outcome.old.rows:,} rows, {len(outcome.columns)} columns, {megabytes:.0f} MB, "
        f"{outcome.old.seconds:.1f} s; a column of each type:"
    )
    names = (re.sub(r"\(.*\)|(?<=ZONE).*", "", kind) for _, kind in outcome.columns)
    screen.detail(", ".join(dict.fromkeys(names)), DIM)


def ask_to_open(new: Pod, path: str) -> str:
    """Return what the new driver says when it is to open the old one's file."""
    try:
        new.open_file(path)
    except PodCallError as exc:
        return f"{exc.type_name}: {exc}"
    return ""


def move(
    old: Pod, old_file: str, new: Pod, new_file: str, outcome: Outcome, progress: Progress
) -> None:
    """Move every row, batch by batch."""
    old.open_table(old_file, TABLE)
    new.create_table(new_file, TABLE, outcome.columns)
    # Three things at once: one pod reads, this program hands over, the other pod writes.
    for inserted in ahead(map(new.insert, ahead(read_batches(old)))):
        progress.advance(inserted)
    new.close()
    old.close()
    outcome.new.did, outcome.new.rows = "took the rows in", progress.done
    outcome.new.seconds = progress.seconds


def compare(
    old: Pod, old_file: str, new: Pod, new_file: str, outcome: Outcome, progress: Progress
) -> None:
    """Compare every row that the new driver has with what the old one has."""
    columns = old.open_table(old_file, TABLE)
    outcome.has_same_columns = new.open_table(new_file, TABLE) == columns
    nothing: Batch = []
    batches = zip_longest(ahead(read_batches(old)), ahead(read_batches(new)), fillvalue=nothing)
    for ours, theirs in batches:
        unequal = find_unequal(ours, theirs)
        outcome.equal += max(count_rows(ours), count_rows(theirs)) - len(unequal)
        for i in unequal[: SHOWN_DIFFERENCES - len(outcome.differences)]:
            rows = ([column[i : i + 1] for column in batch] for batch in (ours, theirs))
            outcome.differences.append("{} is not {}".format(*rows))
        progress.advance(count_rows(ours))
    new.close()
    old.close()
    outcome.host.did, outcome.host.rows = "compared them", progress.done
    outcome.host.seconds = progress.seconds


def read_batches(pod: Pod) -> Iterator[Batch]:
    """Yield the rows of the pod's open table."""
    return iter(lambda: pod.fetch(BATCH_ROWS), [])


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the same items, each made by a thread while the one before is in use."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def show_outcome(outcome: Outcome, screen: Screen) -> None:
    """Print the table and the verdict."""
    rows = [("driver", "version", "pid", "Python", "did", "rows", "seconds")]
    for work in (outcome.old, outcome.new, outcome.host):
        count, seconds = f"{work.rows:,}", f"{work.seconds:.1f}"
        rows.append(
            (work.driver, work.version, str(work.pid), work.python, work.did, count, seconds)
        )
    screen.line()
    screen.table(rows, right=frozenset({2, 5, 6}))
    screen.line()
    for difference in outcome.differences:
        screen.detail(difference, RED)
    if not outcome.has_same_columns:
        screen.detail("The columns of the two files are not the same.", RED)
    verdict = f"equal: {outcome.equal} of {outcome.old.rows}"
    screen.detail(verdict, *((GREEN,) if outcome.is_good else (RED,)))
    screen.detail(f"{outcome.seconds:.1f} seconds in all", DIM)


if __name__ == "__main__":
    sys.exit(main())
