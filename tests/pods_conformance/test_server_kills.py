"""Hosts, pods and database servers are killed at some moment; nothing is lost or double afterwards.

The servers are the test's own. PYPODS_TEST_KILLS is how many moments are tried on each way (2
without it). The seed is printed; PYPODS_TEST_CHAOS_SEED repeats one. Without servers: test_kills.
"""

from __future__ import annotations

import random
import sys
import time
from dataclasses import dataclass

import pytest
from server_ends import MODES, ROWS, SOURCE_ROWS, old_rows, operation, rows, wanted_rows
from victims import (
    EXECUTION,
    SEED,
    Host,
    children_of,
    connected_to,
    kill,
    kills,
    resume_and_kill,
    wait_until_gone,
)

from pypods.integrator import Integrator, Retries

KILLS = kills(2)
#: The start of the program; rows begin to move; all rows of a part are staged.
PHASES = ("start", "started", "checkpoint")
VICTIMS = ("host", "source pod", "target pod", "source server", "target server")
#: As long as a server takes to come back on a busy machine, and longer.
PATIENT = Retries(attempts=10, seconds=0.2, longest=3)
#: It gives up before the server is there again.
IMPATIENT = Retries(attempts=2, seconds=0.05)

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
    pytest.mark.timeout(300 + 60 * KILLS),
]


LARGE_ROWS = rows(1, ROWS, times=1200)


@dataclass
class Attempt:
    """What is to happen: how rows are moved, who is killed, when, and for how long it is away."""

    number: int
    mode: str
    parts: int
    has_table: bool
    victim: str
    #: From where on the seconds to the moment are counted.
    phase: str
    moment: float
    away: float
    is_late: bool

    def __str__(self):
        late = ", back after the run" if self.is_late else ""
        return (
            f"{self.number}: {self.victim} {self.moment:.2f} s after {self.phase}{late}; "
            f"{self.mode} in {self.parts} parts{' into a table' if self.has_table else ''}"
        )

    @property
    def name(self):
        return f"kills{self.number}"

    def operation(self, source, target):
        return operation(
            source, target, self.name, mode=self.mode, process_count=self.parts, batch_rows=100,
            key=["id"] if self.mode in ("upsert", "delete_insert") else [],
            retries=IMPATIENT if self.is_late else PATIENT,
        )  # fmt: skip


def choose_attempt(choose, number, lasts):
    """Return the attempt of that number; ``lasts`` says how long after each phase it may strike."""
    parts = choose.choice([1, 2])
    victim = choose.choice(VICTIMS)
    phase = choose.choices(PHASES, [2, 5, 3])[0]
    return Attempt(
        number,
        mode=choose.choice(MODES),
        parts=parts,
        has_table=choose.random() < 0.7,
        victim=victim,
        phase=phase,
        moment=choose.random() * lasts[parts][phase],
        away=choose.uniform(0.0, 1.0),
        is_late=victim.endswith("server") and choose.random() < 0.25,
    )


def strike(attempt, host, source, target, choose):
    """Kill the victim; a server comes back, unless that is for later. Returns the host's pods."""
    pods = children_of(host.process.pid)
    side = source if attempt.victim.startswith("source") else target
    if attempt.victim == "host":
        kill(host.process.pid)
    elif attempt.victim.endswith("pod"):
        # Of the other side, where none of this one is connected.
        if found := connected_to(side.server.port, pods) or pods:
            kill(choose.choice(found))
    else:
        side.server.kill()
        if not attempt.is_late:
            time.sleep(attempt.away)
            side.server.start()
    return pods


def move(attempt, source, target, pods, folder, choose):
    """Do one attempt, and check what there is after the kill, and after it was gone on with.

    Returns what came of it.
    """
    folder.mkdir()
    old = None
    if attempt.has_table:
        old = old_rows(attempt.mode)
    target.make(attempt.name, old)
    before, wanted = target.rows(attempt.name), wanted_rows(attempt.mode, old)
    one = attempt.operation(source, target)
    host = Host(pods, one.model_dump_json(exclude_defaults=True), folder)
    if attempt.phase != "start":
        host.wait_for(attempt.phase)
    time.sleep(attempt.moment)
    is_over = host.process.poll() is not None
    started = strike(attempt, host, source, target, choose)
    code, said = host.end()
    if attempt.is_late:
        (source if attempt.victim.startswith("source") else target).server.start()
    assert wait_until_gone(started) == [], attempt
    # A pod that does not even start is an error; everything else is got over.
    forgiven = attempt.victim == "host" or attempt.is_late or "PodStartError" in said
    assert code == 0 or forgiven, f"{attempt}\n{said}"
    found = target.rows(attempt.name)
    assert found == wanted or (code != 0 and found == before), attempt
    if code != 0:
        code = resume_and_kill(host, choose, host.seconds)
        found = target.rows(attempt.name)
        assert found == wanted or (code != 0 and found == before), attempt
    if code != 0:
        again = Integrator(pods_directory=pods, history=folder / ".pypods/history.db")
        report = again.integrate(one, execution_id=EXECUTION)
        again.history.close()
        assert report.status == "finished", attempt
    assert target.rows(attempt.name) == wanted, attempt
    assert target.leftovers(attempt.name) == [], attempt
    target.drop(attempt.name)
    return "too late" if is_over else "got over" if code == 0 else "resumed"


def measure(source, target, pods, folder, parts):
    """Return how long it takes until rows move, from then on, and once a part is staged."""
    folder.mkdir()
    name = f"measured{parts}"
    target.make(name)
    one = operation(source, target, name, process_count=parts, batch_rows=100)
    host = Host(pods, one.model_dump_json(exclude_defaults=True), folder)
    seconds = {}
    for phase in PHASES[1:]:
        host.wait_for(phase)
        seconds[phase] = host.seconds
    code, said = host.end()
    assert code == 0, said
    assert target.rows(name) == SOURCE_ROWS.to_pylist()
    target.drop(name)
    lasts = {phase: host.seconds - each for phase, each in seconds.items()}
    return {"start": seconds["started"], **lasts}


@pytest.mark.parametrize(
    ("origin", "goal"),
    [("postgresql", "postgresql 2"), ("mysql", "postgresql"), ("postgresql", "mysql")],
)
def test_after_a_kill_source_and_target_are_equal(ends, connectors_folder, tmp_path, origin, goal):
    print(f"PYPODS_TEST_CHAOS_SEED={SEED}")
    choose = random.Random(f"{SEED} {origin} {goal}")
    source, target = ends(origin), ends(goal)
    lasts = {
        parts: measure(source, target, connectors_folder, tmp_path / f"measured {parts}", parts)
        for parts in (1, 2)
    }
    outcomes = []
    for number in range(KILLS):
        attempt = choose_attempt(choose, number, lasts)
        folder = tmp_path / str(number)
        outcomes.append(move(attempt, source, target, connectors_folder, folder, choose))
        print(f"{attempt}: {outcomes[-1]}")
        if outcomes[-1] == "too late":  # The machine was busier when that was measured.
            lasts[attempt.parts][attempt.phase] *= 0.8
    assert len(outcomes) == KILLS


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("system", ["postgresql", "mysql"])
def test_a_run_gets_over_a_short_outage_of_a_server(
    ends, connectors_folder, tmp_path, system, side
):
    """With the retries that there are if nobody sets any, which last for seven seconds."""
    here, there = ends(system), ends("postgresql 2")
    source, target = (here, there) if side == "source" else (there, here)
    name = f"outage_of_{system}_{side}"
    target.make(name)
    source.make("large", LARGE_ROWS)
    one = operation(source, target, name, "large", process_count=2, batch_rows=20)
    integrator = Integrator(pods_directory=connectors_folder, history=tmp_path / "history.db")
    outages = []

    def turn_off_and_on(event):
        if not outages:
            outages.append(event.rows_written)
            here.server.kill()
            time.sleep(1)
            here.server.start()

    integrator.subscribe("batch_written", turn_off_and_on)
    try:
        (report,) = integrator.integrate(one).integrations
    finally:
        integrator.history.close()
    assert len(outages) == 1
    assert report.retries >= 1
    assert target.rows(name) == LARGE_ROWS.to_pylist()
    assert target.leftovers(name) == []
    target.drop(name)
    source.drop("large")
