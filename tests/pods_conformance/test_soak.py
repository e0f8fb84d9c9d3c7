"""One program moves tables for a long time, while its pods and the servers die now and then.

Nothing is lost or double, and in the end it has no more open, and little more memory, than after
its first rounds. PYPODS_TEST_SOAK_SECONDS is how long (20 without it). The seed is printed;
PYPODS_TEST_CHAOS_SEED repeats one.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from server_ends import MODES, SOURCE_ROWS, FileEnd, old_rows, operation, wanted_rows
from victims import SEED, children_of, kill, wait_until_gone

from pypods.errors import PodError, PodStartError
from pypods.integrator import Integrator, Retries

SECONDS = float(os.environ.get("PYPODS_TEST_SOAK_SECONDS", "20"))
#: Until then memory and descriptors are those of caches that fill.
FIRST_ROUNDS = 6
ROUTES = [
    ("postgresql", "postgresql 2"), ("postgresql", "mysql"), ("mysql", "postgresql"),
    ("sqlite", "postgresql"), ("postgresql", "sqlite"), ("sqlite", "mysql"), ("mysql", "sqlite"),
]  # fmt: skip
KILL_CHANCE = 0.4
#: As long as a server takes to come back on a busy machine, and longer.
PATIENT = Retries(attempts=10, seconds=0.2, longest=3)
#: Of a program that holds 15 MB of rows in each round: what allocators keep.
MAX_GROWTH_BYTES = 64 * 2**20
TELL_SECONDS = 60

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
    pytest.mark.timeout(600 + 2 * SECONDS),
]


def memory() -> int:
    """Return the bytes that this process has in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def holdings(others: set[int]) -> dict[str, int]:
    """Return what this process holds, besides its memory."""
    gc.collect()
    return {
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "mappings": Path("/proc/self/maps").read_text().count("pypods"),
        "pods": len(set(children_of(os.getpid())) - others),
    }


class Killer(threading.Thread):
    """Kills one of the integrator's pods, or a server that it uses, at some moment of a round."""

    def __init__(self, choose, ends, others, seconds):
        super().__init__(daemon=True)
        self._servers = [end.server for end in ends if hasattr(end, "server")]
        self._choose, self._others = random.Random(choose.random()), others
        self._moment = choose.uniform(0.0, seconds)
        self._over = threading.Event()
        self.victim = ""

    def run(self):
        if self._over.wait(self._moment):
            return
        if self._servers and self._choose.random() < 0.3:
            server = self._choose.choice(self._servers)
            server.kill()
            time.sleep(self._choose.uniform(0.0, 1.0))
            server.start()
            self.victim = "server"
        elif pods := sorted(set(children_of(os.getpid())) - self._others()):
            kill(self._choose.choice(pods))
            self.victim = "pod"

    def end(self):
        self._over.set()
        self.join(120)
        assert not self.is_alive()


class Soak:
    """The rounds, and what came of them."""

    def __init__(self, integrator, ends, choose):
        self.integrator, self.ends, self.choose = integrator, ends, choose
        self.count: Counter[str] = Counter()
        self._fixed = set(children_of(os.getpid()))
        #: How long a round takes where nobody is killed, by its route.
        self._seconds: dict[tuple[str, str], float] = {}

    def others(self):
        """Return those of this process's children that are not the integrator's pods."""
        servers = [end.server for end in self.ends.values() if hasattr(end, "server")]
        return self._fixed | {server.process.pid for server in servers if server.process}

    def round(self, number):
        choose = self.choose
        origin, goal = choose.choice(ROUTES)
        source, target = self.ends[origin], self.ends[goal]
        mode, has_table = choose.choice(MODES), choose.random() < 0.7
        parts = 1 if origin == "sqlite" else choose.choice([1, 2])
        name = f"soak{number}"
        old = old_rows(mode) if has_table else None
        target.make(name, old)
        one = operation(
            source, target, name, mode=mode, process_count=parts, batch_rows=100, retries=PATIENT,
            key=["id"] if mode in ("upsert", "delete_insert") else [],
        )  # fmt: skip
        killer, began = None, time.monotonic()
        if choose.random() < KILL_CHANCE:
            seconds = self._seconds.get((origin, goal), 1.0)
            killer = Killer(choose, [source, target], self.others, seconds)
            killer.start()
        try:
            report = self.integrator.integrate(one, execution_id=name)
        except PodError as exc:
            # A pod that does not even start is an error; everything else is got over.
            is_start = isinstance(exc, PodStartError) or "PodStartError" in str(exc)
            if killer is None or not is_start:
                raise
            killer.end()
            self.count["resumed"] += 1
            report = self.integrator.resume(name)
        finally:
            if killer is not None:
                killer.end()
                self.count[f"{killer.victim or 'no'} killed"] += 1
        if killer is None:
            self._seconds[origin, goal] = time.monotonic() - began
        about = f"{number}: {origin} to {goal}, {mode} in {parts} parts, {killer and killer.victim}"
        assert report.status == "finished", about
        assert target.rows(name) == wanted_rows(mode, old), about
        assert target.leftovers(name) == [], about
        target.drop(name)
        self.count["rounds"] += 1
        self.count["rows"] += SOURCE_ROWS.num_rows
        self.count["retries"] += sum(each.retries for each in report.integrations)


def test_a_program_moves_tables_for_a_long_time(ends, load_connector, connectors_folder, tmp_path):
    print(f"PYPODS_TEST_CHAOS_SEED={SEED}")
    files = FileEnd(tmp_path, load_connector("sqlite").load_pod())
    files.make("origin", SOURCE_ROWS)
    all_ends = {name: ends(name) for pair in ROUTES for name in pair if name != "sqlite"}
    integrator = Integrator(pods_directory=connectors_folder, history=tmp_path / "history.db")
    soak = Soak(integrator, {**all_ends, "sqlite": files}, random.Random(SEED))
    began, told, number = time.monotonic(), 0.0, 0
    first, first_memory = {}, 0

    def tell():
        print(
            f"{time.monotonic() - began:.0f} s: {dict(soak.count)}, {holdings(soak.others())}, "
            f"{memory() / 2**20:.1f} MiB",
            flush=True,
        )

    try:
        while time.monotonic() - began < SECONDS or number <= FIRST_ROUNDS:
            soak.round(number)
            number += 1
            if number == FIRST_ROUNDS:
                first, first_memory = holdings(soak.others()), memory()
                tell()
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                tell()
        assert wait_until_gone(sorted(set(children_of(os.getpid())) - soak.others())) == []
        tell()
        last = holdings(soak.others())
        assert last["pods"] == first["pods"] == 0
        assert last["mappings"] <= first["mappings"]
        assert last["descriptors"] <= first["descriptors"]
        assert memory() - first_memory < MAX_GROWTH_BYTES
    finally:
        integrator.history.close()
