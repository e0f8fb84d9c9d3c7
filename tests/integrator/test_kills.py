"""The host or a pod is killed at some moment, and nothing is lost or double afterwards.

PYPODS_TEST_KILLS is how many moments are tried for each number of parts (5 without it). The seed
is printed; PYPODS_TEST_CHAOS_SEED repeats one. Servers that are killed: test_server_kills.
"""

from __future__ import annotations

import random
import sys
import time

import pytest
from tests.integrator.conftest import fill, leftovers, rows_of
from victims import EXECUTION, SEED, Host, children_of, kill, kills, resume_and_kill

from pypods.integrator import Integrator

KILLS = kills(5)
ROWS = 2000

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
    pytest.mark.timeout(120 + 30 * KILLS),
]


@pytest.mark.parametrize("parts", [1, 2])
def test_after_a_kill_source_and_target_are_equal(here, connector_pods, operation, parts):
    print(f"PYPODS_TEST_CHAOS_SEED={SEED}")
    choose = random.Random(f"{SEED} {parts}")
    fill(here / "a.db", ROWS)
    longest = 0.0
    killed = []
    for number in range(KILLS + 1):
        mode = choose.choice(["append", "replace", "upsert"])
        (here / "b.db").unlink(missing_ok=True)
        before = 0
        if mode != "append":
            fill(here / "b.db", before := 10, first=ROWS - 4)  # Six of them are in the source too.
        folder = here / str(number)
        folder.mkdir()
        one = operation(
            mode=mode, key=["id"] if mode == "upsert" else [], process_count=parts, batch_rows=100,
            source={"connection": {"seconds": 0.03}},
            retries={"attempts": 5, "seconds": 0.01},
        )  # fmt: skip
        kept = rows_of(here / "b.db")
        host = Host(connector_pods, one.model_dump_json(exclude_defaults=True), folder)
        victim = "nobody"
        if number:  # The first says how long it takes.
            moment = choose.uniform(0.0, 1.05 * longest)
            victim = choose.choice(["host", "pod"])
            time.sleep(moment)
            if rows_of(here / "b.db") not in ([], kept):
                assert len(rows_of(here / "b.db")) >= ROWS  # All at once, or not at all.
            chosen = host.process.pid
            if victim == "pod":
                pods = children_of(chosen)
                chosen = choose.choice(pods) if pods else 0
            if chosen:
                kill(chosen)
            killed.append(f"{victim} at {moment:.2f} s")
        code, said = host.end()
        if not number:
            longest = host.seconds
        if code != 0:
            assert victim != "nobody", said
            # A pod that does not even start is an error; every other one is got over.
            assert victim == "host" or "PodStartError" in said, said
            code = resume_and_kill(host, choose, longest)
        if code != 0:
            again = Integrator(pods_directory=connector_pods, history=folder / ".pypods/history.db")
            report = again.integrate(one, execution_id=EXECUTION)
            again.history.close()
            assert report.status == "finished"
        rows = rows_of(here / "b.db")
        source = rows_of(here / "a.db")
        extra = [row for row in kept if row[0] > ROWS] if mode == "upsert" else []
        assert rows == source + extra, (mode, killed[-1:], before)
        assert leftovers(here / "b.db") == []
    print("\n".join(killed))
    assert len(killed) == KILLS
