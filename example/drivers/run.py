"""Old and current drivers of three servers in one program: each reads what the other wrote.

PyMySQL on MariaDB, redis on Redis, psycopg2 on PostgreSQL. Everything is written into a database,
schema or key prefix with a random name, which is removed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import rows as data

from pypods.errors import PodError
from pypods.pods import Pod, PodLoader

PODS = Path(__file__).resolve().parent / "pods"
CONNECT_TIMEOUT_SECONDS = 3.0


@dataclass(frozen=True)
class Server:
    """A kind of server, where it is unless told otherwise, and the two pods that talk to it."""

    name: str
    driver: str
    default_url: str
    make_row: Callable[[int], data.Row]
    columns: data.Columns

    @property
    def option(self) -> str:
        """Return the name of its option; in capitals with _URL, of its variable."""
        return self.name.lower()


SERVERS = [
    Server(
        "MariaDB",
        "PyMySQL",
        "mariadb://root@127.0.0.1:3306",
        data.make_mariadb_row,
        data.MARIADB_COLUMNS,
    ),
    Server("Redis", "redis", "redis://127.0.0.1:6379/0", data.make_redis_row, []),
    Server(
        "PostgreSQL",
        "psycopg2",
        "postgresql://postgres@127.0.0.1:5432/postgres",
        data.make_postgresql_row,
        data.POSTGRESQL_COLUMNS,
    ),
]


@dataclass
class Line:
    """What one driver did: a row of the table at the end."""

    driver: str
    version: str
    python: str
    pid: int
    server: str
    place: str
    written: int = 0
    read: int = 0
    equal: int = 0
    seconds: float = 0.0


def main() -> int:
    """Run the example; 0 when every server was there and every row came back equal, else 1."""
    options = parse_options()
    lines: list[Line] = []
    failures: list[str] = []
    for server in SERVERS:
        if options.only and server.option not in options.only:
            continue
        try:
            address = read_url(getattr(options, server.option))
            missing = find_no_server(server, address)
            if missing:
                failures.append(missing)
                continue
            if not options.json:
                print(f"{server.name} at {address['host']}:{address['port']} …", flush=True)
            lines += use_both(server, address, options.rows)
        except PodError as exc:
            failures.append(f"{server.name}: {type(exc).__name__}: {exc}")
    equal = sum(line.equal for line in lines)
    expected = sum(line.written for line in lines)
    is_good = not failures and equal == expected == len(lines) * options.rows
    if options.json:
        print(
            json.dumps(
                {
                    "drivers": [asdict(line) for line in lines],
                    "equal": equal,
                    "rows": expected,
                    "failures": failures,
                    "is_good": is_good,
                },
                indent=2,
            )
        )
    else:
        show(lines)
        print(f"equal: {equal} of {expected}")
    for failure in failures:
        print(failure, file=sys.stderr)
    return 0 if is_good else 1


def parse_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Use two versions of three drivers at once.")
    parser.add_argument("--rows", type=int, default=1_000, help="rows per driver (1000)")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON, only that")
    parser.add_argument(
        "--only",
        action="append",
        choices=[server.option for server in SERVERS],
        help="this server alone; may be given again",
    )
    for server in SERVERS:
        variable = f"{server.option.upper()}_URL"
        url = os.environ.get(variable) or server.default_url
        parser.add_argument(
            f"--{server.option}", metavar="URL", default=url, help=f"or {variable}; now {url}"
        )
    options = parser.parse_args()
    if options.rows < 1:
        parser.error("--rows must be 1 or more")
    return options


def read_url(url: str) -> dict[str, object]:
    """Return the parts of scheme://user:password@host:port/database that a driver asks for."""
    parts = urlsplit(url)
    return {
        "host": parts.hostname or "127.0.0.1",
        "port": parts.port or {"mariadb": 3306, "redis": 6379}.get(parts.scheme, 5432),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": parts.path.strip("/"),
    }


def find_no_server(server: Server, address: dict[str, object]) -> str:
    """Return why the server cannot be reached and what to do, or nothing if it can."""
    try:
        socket.create_connection(
            (str(address["host"]), int(str(address["port"]))), CONNECT_TIMEOUT_SECONDS
        ).close()
    except OSError as exc:
        others = " ".join(f"--only {one.option}" for one in SERVERS if one is not server)
        return (
            f"no {server.name} at {address['host']}:{address['port']} ({exc}); start one, "
            f"name another with --{server.option} URL, or leave it out: {others}"
        )
    return ""


def use_both(server: Server, address: dict[str, object], count: int) -> list[Line]:
    """Let each driver write a table and read the other's; return a line for each."""
    loaders = [
        PodLoader(f"{server.driver.lower()}_{age}", pods_directory=PODS) for age in ("old", "new")
    ]
    place = f"pypods_example_{uuid.uuid4().hex[:12]}"
    tables = ["by_old", "by_new"]
    rows = data.make_rows(server.make_row, count)
    with loaders[0] as old, loaders[1] as new:
        pods = [old, new]
        lines = [
            describe(server, *pair, address, place) for pair in zip(loaders, pods, strict=True)
        ]
        try:
            new.prepare(address, place, dict.fromkeys(tables, server.columns))
            for pod, table, line in zip(pods, tables, lines, strict=True):
                began = time.perf_counter()
                line.written = pod.write(address, place, table, rows)
                line.seconds = time.perf_counter() - began
            for pod, table, line in zip(pods, reversed(tables), lines, strict=True):
                began = time.perf_counter()
                found = pod.read(address, place, table)
                line.seconds = round(line.seconds + time.perf_counter() - began, 3)
                line.read = len(found)
                line.equal = sum(map(data.is_same, rows, found))
        finally:
            new.drop(address, place)
    return lines


def describe(
    server: Server, loader: PodLoader, pod: Pod, address: dict[str, object], place: str
) -> Line:
    """Return what there is to say before the work."""
    version = str(pod.server_version(address)).partition("-")[0]
    hello = loader.hello
    assert hello is not None  # It is what a pod says first.
    return Line(
        driver=server.driver,
        version=pod.version(),
        python=hello.python,
        pid=hello.pid,
        server=f"{server.name} {version}",
        place=place,
    )


def show(lines: Sequence[Line]) -> None:
    """Print a table."""
    headings = (
        "driver",
        "version",
        "Python",
        "pid",
        "server",
        "written",
        "read",
        "equal",
        "seconds",
    )
    cells = [headings] + [
        (
            line.driver,
            line.version,
            line.python,
            str(line.pid),
            line.server,
            f"{line.written:,}",
            f"{line.read:,}",
            f"{line.equal:,}",
            f"{line.seconds:.2f}",
        )
        for line in lines
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    print()
    for number, row in enumerate(cells):
        padded = [
            cell.rjust(width) if heading in ("pid", *headings[5:]) else cell.ljust(width)
            for cell, width, heading in zip(row, widths, headings, strict=True)
        ]
        print("  ".join(padded).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))
    print()


if __name__ == "__main__":
    sys.exit(main())
