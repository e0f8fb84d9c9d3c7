"""What a run takes of memory does not grow with its table."""

from __future__ import annotations

import os
import sqlite3
import sys

import pytest
from victims import PROGRAM

from pypods.integrator import Integration, Operation, Source, Target

SCHEMA = f"pypods_memory_{os.getpid()}"
FEW, MANY = 200_000, 2_000_000
#: All that is more in the larger table is several times as much.
MOST_BYTES = 64 * 2**20

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
    pytest.mark.timeout(300),
]


def fill(path, rows):
    """Make a table of rows of 90 bytes."""
    db = sqlite3.connect(path)
    db.execute("create table t (id integer primary key, n real, text text)")
    db.execute(
        "with recursive r (i) as (select 1 union all select i + 1 from r where i < ?) "
        "insert into t select i, i / 8.0, printf('%074d', i) from r",
        [rows],
    )
    db.commit()
    db.close()


@pytest.fixture
def place(postgresql, load_connector):
    """Return a connection to PostgreSQL, where there is a schema for this test."""
    place = {"host": postgresql.host, "port": postgresql.port, "user": postgresql.user,
             "database": postgresql.database or "postgres"}  # fmt: skip
    if postgresql.password:
        place["password"] = postgresql.password
    pod = load_connector("postgresql").load_pod()
    pod.execute(place, f"create schema {SCHEMA}")
    yield place
    pod.execute(place, f"drop schema {SCHEMA} cascade")


def test_a_larger_table_takes_no_more_memory(benchmarks, load_connector, place, tmp_path):
    from watching import watch_program

    load_connector("sqlite")
    pods = load_connector("postgresql").folder.path.parent
    peaks = []
    for rows in (FEW, MANY):
        fill(tmp_path / f"{rows}.db", rows)
        source = Source(
            connector="sqlite", connection={"database": str(tmp_path / f"{rows}.db")}, stream="t"
        )
        target = Target(connector="postgresql", connection=place, stream=[SCHEMA, f"t{rows}"])
        one = Operation(
            name=f"memory {rows}",
            integrations=[Integration(name="copy", source=source, target=target)],
        )
        (tmp_path / str(rows)).mkdir()
        run = watch_program(
            [sys.executable, "-c", PROGRAM, pods, one.model_dump_json(exclude_defaults=True)],
            limit_seconds=120, folder=tmp_path / str(rows),
        )  # fmt: skip
        found = load_connector("postgresql").load_pod().count(place, [SCHEMA, f"t{rows}"])
        assert found == rows
        peaks.append(run.peak_bytes)
    print(f"{peaks[0] / 2**20:.0f} MiB for {FEW:,} rows, {peaks[1] / 2**20:.0f} MiB for {MANY:,}")
    assert peaks[0] > 2**20
    assert peaks[1] - peaks[0] < MOST_BYTES
