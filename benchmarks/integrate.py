"""Moving tables between systems: pypods' integrator beside others, each a whole program.

``python benchmarks/integrate.py``, or ``make bench-integrate``. The same rows are moved by one
after the other, in turns; afterwards every row of every target is compared with what it should be.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from installs import InstallError, make_environment
from machine import describe_machine, describe_versions
from moving_page import PAGE, to_page, to_text
from watching import ProgramError, Run, watch_program

INSIDE = Path(__file__).with_name("moving")
CACHE = Path(__file__).with_name(".cache")
ROWS, QUICK_ROWS = 1_000_000, 20_000
LIMIT_SECONDS = 900.0
OURS = "pypods"


@dataclass(frozen=True)
class Mover:
    """One way to move a table: a program of ``moving/``, in an environment of its own."""

    title: str
    program: str
    environment: str
    #: What it cannot do, by source and target, and why.
    cannot: dict[str, str]


_NO_MARIADB = "has no driver for MariaDB"
_NO_PARQUET = "writes no Parquet"
_ONLY_MARIADB = "has no connector for this"
MOVERS = {
    OURS: Mover("pypods integrate", "", "", {}),
    "psql": Mover("psql \\copy", "with_psql.py", "tools", {"postgresql-parquet": _NO_PARQUET}),
    "two_adbc": Mover(
        "ADBC, two processes", "with_two_adbc.py", "arrow", {"mariadb-postgresql": _NO_MARIADB}
    ),
    "adbc": Mover(
        "ADBC, one process", "with_adbc.py", "arrow", {"mariadb-postgresql": _NO_MARIADB}
    ),
    "pandas": Mover("pandas", "with_pandas.py", "arrow", {}),
    "dlt": Mover("dlt", "with_dlt.py", "dlt", {}),
    "sling": Mover("sling", "with_sling.py", "sling", {}),
    "pdip": Mover(
        "pdip",
        "with_pdip.py",
        "pdip",
        dict.fromkeys(
            ("sqlite-postgresql", "postgresql-parquet", "postgresql-sqlite"), _ONLY_MARIADB
        ),
    ),
}
WAYS = {
    "sqlite-postgresql": "SQLite to PostgreSQL",
    "postgresql-parquet": "PostgreSQL to Parquet",
    "postgresql-sqlite": "PostgreSQL to SQLite",
    "mariadb-postgresql": "MariaDB to PostgreSQL",
}
#: Ours beside others, as rows per second: name, at least, and the faster of whom.
AIMS = (
    ("the faster of psql and two ADBC processes", 0.8, ("psql", "two_adbc")),
    ("dlt", 5.0, ("dlt",)),
    ("pdip", 10.0, ("pdip",)),
)


class Systems:
    """Where the rows are and where they go: servers and files, made for this run."""

    def __init__(self, folder: Path, rows: int, tools: Path, *, with_mariadb: bool) -> None:
        self.folder = folder
        self.rows = rows
        self._tools = tools / "bin" / "python"
        name = f"pypods_bench_{os.getpid()}"
        postgresql = {
            "host": os.environ.get("PGHOST", "127.0.0.1"),
            "port": int(os.environ.get("PGPORT", "5432")),
            "user": os.environ.get("PGUSER", "postgres"),
            "dbname": os.environ.get("PGDATABASE", "test"),
        }
        mariadb = {"host": "127.0.0.1", "port": 3306, "user": "root"}
        self.sources: dict[str, dict[str, Any]] = {
            "sqlite": {"kind": "sqlite", "path": str(folder / "source.db")},
            "postgresql": {"kind": "postgresql", "connection": postgresql, "schema": name},
            "mariadb": {"kind": "mariadb", "connection": mariadb, "schema": name},
        }
        self._with_mariadb = with_mariadb

    def prepare(self) -> None:
        """Make the sources."""
        settings = {
            "rows": self.rows,
            "sqlite": self.sources["sqlite"]["path"],
            "postgresql": self.sources["postgresql"],
            "mariadb": self.sources["mariadb"] if self._with_mariadb else None,
        }
        self._run("prepare.py", settings)

    def remove(self) -> None:
        """Drop what this run made in the servers."""
        self._run("remove.py", {**self.sources, "with_mariadb": self._with_mariadb})

    def remove_target(self, target: dict[str, Any]) -> None:
        """Remove what one mover has made."""
        if target["kind"] == "postgresql":
            self._run("remove.py", {"table": target})
        elif Path(target["path"]).is_dir():
            shutil.rmtree(target["path"])
        else:
            Path(target["path"]).unlink(missing_ok=True)

    def target(self, kind: str, mover: str) -> dict[str, Any]:
        """Return where one mover puts the rows."""
        if kind == "postgresql":
            return {**self.sources["postgresql"], "table": f"by_{mover}"}
        suffix = {"sqlite": ".db", "parquet": ".parquet"}[kind]
        return {"kind": kind, "path": str(self.folder / f"by_{mover}{suffix}"), "table": "moved"}

    def verify(self, target: dict[str, Any]) -> dict[str, Any]:
        """Compare every row of a target, by value and type."""
        found: dict[str, Any] = json.loads(
            self._run("verify.py", {"target": target, "rows": self.rows})
        )
        return found

    def _run(self, program: str, settings: dict[str, Any]) -> str:
        done = subprocess.run(
            [self._tools, INSIDE / program, json.dumps(settings)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout


def operation_of(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the operation that moves the rows with pypods."""
    source, target = spec["source"], spec["target"]
    stream = "source" if source["kind"] == "sqlite" else [source["schema"], "source"]
    ends = {"source": _end(source, stream)}
    if target["kind"] == "postgresql":
        ends["target"] = _end(target, [target["schema"], target["table"]])
    elif target["kind"] == "parquet":
        path = Path(target["path"])
        ends["target"] = {
            "connector": "parquet",
            "connection": {"folder": str(path.parent)},
            "stream": path.name,
        }
    else:
        ends["target"] = _end(target, target["table"])
    return {"name": "bench", "integrations": [{"name": "moved", **ends, "mode": "replace"}]}


def _end(place: dict[str, Any], stream: Any) -> dict[str, Any]:
    connector = {"mariadb": "mysql"}.get(place["kind"], place["kind"])
    connection = {"database": place.get("path")}
    if "connection" in place:
        connection = dict(place["connection"])
        connection["database"] = connection.pop("dbname", place["schema"])
    if connector == "mysql":
        stream = stream[-1]
    return {"connector": connector, "connection": connection, "stream": stream}


def words_of(mover: Mover, spec: dict[str, Any], environments: dict[str, Path]) -> list[str | Path]:
    """Return the program's command line."""
    if not mover.program:
        file = Path(spec["folder"]) / "operation.json"
        file.write_text(json.dumps(operation_of(spec)), encoding="utf-8")
        return [sys.executable, "-m", "pypods", "integrate", file]
    python = environments[mover.environment] / "bin" / "python"
    return [python, INSIDE / mover.program, json.dumps(spec)]


@contextmanager
def ready_systems(options: argparse.Namespace, folder: Path, tools: Path) -> Iterator[Systems]:
    """Make the sources, and drop everything at the end."""
    with_mariadb = any(way.startswith("mariadb") for way in options.ways)
    systems = Systems(folder, options.rows, tools, with_mariadb=with_mariadb)
    try:
        say(f"making {options.rows:,} rows in each source")
        systems.prepare()
        yield systems
    finally:
        systems.remove()


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Let each mover move the rows once in every round, and compare what arrived."""
    python = Path(sys.executable)
    environments, absent = make_environments(options, python)
    runs: dict[tuple[str, str], list[Run]] = defaultdict(list)
    verdicts: dict[tuple[str, str], dict[str, Any]] = {}
    machine = describe_machine()
    with (
        tempfile.TemporaryDirectory(prefix="pypods_bench_") as name,
        ready_systems(options, Path(name), environments["tools"]) as systems,
    ):
        for way in options.ways:
            source, target = way.split("-")
            if OURS in options.movers:
                move_one_row(systems, environments, way)
            for number in range(options.rounds):
                for each in options.movers:
                    mover = MOVERS[each]
                    reason = mover.cannot.get(way) or absent.get(mover.environment)
                    if reason:
                        verdicts[way, each] = {"absent": reason}
                        continue
                    if {"absent", "failed"} & verdicts.get((way, each), {}).keys():
                        continue
                    say(f"{WAYS[way]}, round {number + 1} of {options.rounds}: {mover.title}")
                    place = systems.target(target, each)
                    folder = Path(name) / f"{way}_{each}_{number}"
                    folder.mkdir()
                    spec = {"source": systems.sources[source], "target": place}
                    spec |= {"folder": str(folder), "rows": options.rows}
                    try:
                        run = watch_program(
                            words_of(mover, spec, environments),
                            limit_seconds=LIMIT_SECONDS,
                            folder=folder,
                        )
                    except ProgramError as exc:
                        verdicts[way, each] = after_failure(
                            verdicts.get((way, each)), number + 1, str(exc)
                        )
                    else:
                        runs[way, each].append(run)
                        if (way, each) not in verdicts:
                            verdicts[way, each] = systems.verify(place)
                    systems.remove_target(place)
                    shutil.rmtree(folder)
        start = measure_start(systems, environments, options.rounds)
    return {
        "machine": machine,
        "versions": describe_versions(python),
        "rows": options.rows,
        "start_seconds": start,
        "ways": {way: describe_way(way, options, runs, verdicts) for way in options.ways},
    }


def after_failure(verdict: dict[str, Any] | None, number: int, failure: str) -> dict[str, Any]:
    """Return what is said of a mover that failed in a round; what an earlier one showed stays."""
    return {**verdict, "failed": f"round {number} {failure}"} if verdict else {"absent": failure}


def measure_start(systems: Systems, environments: dict[str, Path], rounds: int) -> float:
    """Return the median seconds of the whole program for one row, its pods warm on disk."""
    runs = range(max(rounds, 3) + 1)
    _, *warm = [move_one_row(systems, environments, "sqlite-parquet") for _ in runs]
    return median(warm)


def move_one_row(systems: Systems, environments: dict[str, Path], way: str) -> float:
    """Let ours move one row, for which it makes its pods' environments; return the seconds."""
    source, target = way.split("-")
    folder = systems.folder / "one_row"
    folder.mkdir()
    place = systems.target(target, "start")
    spec = {"source": systems.sources[source], "target": place, "folder": str(folder)}
    words = [*words_of(MOVERS[OURS], spec, environments), "--limit", "1"]
    seconds = watch_program(words, limit_seconds=LIMIT_SECONDS, folder=folder).seconds
    systems.remove_target(place)
    shutil.rmtree(folder)
    return seconds


def describe_way(
    way: str,
    options: argparse.Namespace,
    runs: dict[tuple[str, str], list[Run]],
    verdicts: dict[tuple[str, str], dict[str, Any]],
) -> dict[str, Any]:
    """Return one table: of each mover the medians of its runs, and what arrived."""
    movers = {}
    for each in options.movers:
        found: dict[str, Any] = {"title": MOVERS[each].title, **verdicts[way, each]}
        if taken := runs.get((way, each)):
            seconds = median(run.seconds for run in taken)
            found |= {
                "seconds": [run.seconds for run in taken],
                "rows_per_second": options.rows / seconds,
                "processor_seconds": median(run.processor_seconds for run in taken),
                "peak_bytes": max(run.peak_bytes for run in taken),
            }
        movers[each] = found
    return {"title": WAYS[way], "movers": movers, "comparisons": compare(movers)}


def compare(movers: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return how many times as fast ours is as others: the median of the rounds' own ratios."""
    found = []
    ours = movers.get(OURS, {}).get("seconds")
    for title, aim, names in AIMS:
        others = [movers[name]["seconds"] for name in names if "seconds" in movers.get(name, {})]
        if not ours or not others:
            continue
        best = [min(each) for each in zip(*others, strict=False)]
        value = median(b / a for a, b in zip(ours, best, strict=False))
        found.append({"beside": title, "times": value, "aim": aim, "is_met": value >= aim})
    return found


def make_environments(
    options: argparse.Namespace, python: Path
) -> tuple[dict[str, Path], dict[str, str]]:
    """Make what the movers run in; say why where that cannot be."""
    environments, absent = {}, {}
    wanted = {"tools", *(MOVERS[each].environment for each in options.movers)} - {""}
    for name in sorted(wanted):
        venv = options.cache.absolute() / "moving" / name
        try:
            make_environment(venv, python, [INSIDE / f"{name}.txt"])
        except InstallError as exc:
            absent[name] = str(exc)
        environments[name] = venv
    if "tools" in absent:
        raise SystemExit(f"the sources cannot be made: {absent['tools']}")
    return environments, absent


def say(text: str) -> None:
    """Tell whoever watches what is done now."""
    print(text, file=sys.stderr, flush=True)


def parse_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Move tables, beside others.")
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"of: {', '.join(WAYS)} (all)")
    parser.add_argument("--rows", type=int, default=0, help=f"how many rows ({ROWS:,})")
    parser.add_argument("--rounds", type=int, default=0, help="how often each (3)")
    parser.add_argument("--quick", action="store_true", help="try it out: few rows, once")
    parser.add_argument("--movers", default=",".join(MOVERS), help=f"of: {','.join(MOVERS)} (all)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--page", action="store_true", help="write docs/moving.md too")
    parser.add_argument(
        "--cache", type=Path, default=CACHE, help="where the others' environments are kept"
    )
    options = parser.parse_args()
    options.ways = options.ways or list(WAYS)
    options.rows = options.rows or (QUICK_ROWS if options.quick else ROWS)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.movers = options.movers.split(",")
    if unknown := [name for name in options.movers if name not in MOVERS]:
        parser.error(f"no mover {unknown[0]!r}; there are: {', '.join(MOVERS)}")
    if unknown := [name for name in options.ways if name not in WAYS]:
        parser.error(f"no way {unknown[0]!r}; there are: {', '.join(WAYS)}")
    return options


def main() -> None:
    """Measure, and print the tables."""
    options = parse_options()
    document = measure(options)
    print(json.dumps(document, indent=1) if options.json else to_text(document))
    if options.page:
        PAGE.write_text(to_page(document, options.rounds), encoding="utf-8")


if __name__ == "__main__":
    main()
