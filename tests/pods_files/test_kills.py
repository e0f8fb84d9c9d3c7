"""The worker of a target is killed again and again; what is written in the end is exact."""

from __future__ import annotations

import os
import random
import signal
import threading

import file_connectors as files
import pyarrow as pa
import pytest

from pypods import PodCallError, PodDiedError

ROWS = 20_000
BATCH = 500
KILLS = 12


@pytest.mark.parametrize(
    ("connector", "stream", "mode"),
    [
        ("parquet", "a.parquet", "append"), ("parquet", "a/", "replace"),
        ("parquet", "a/", "upsert"), ("csv", "a.csv.gz", "append"), ("excel", "a/", "append"),
    ],
)  # fmt: skip
def test_each_row_is_there_once(load_connector, tmp_path, connector, stream, mode):
    loader, place = load_connector(connector), {"folder": str(tmp_path)}
    seed = random.randrange(10**6)
    seeded = random.Random(seed)
    count = ROWS if connector != "excel" else ROWS // 10
    old = pa.table({"id": list(range(100)), "text": ["old"] * 100})
    new = pa.table({"id": list(range(50, count)), "text": [f"row {n}" for n in range(50, count)]})
    pod = loader.load_pod()
    pod.write_all(place, stream, old)
    kills = done = 0
    while True:
        pod = loader.load_pod()
        pod.check(place)  # So that there is a worker again.
        # Later and later, else it would never get there.
        timer = threading.Timer(
            seeded.uniform(0, 0.1 + 0.05 * kills), os.kill, (loader.pid, signal.SIGKILL)
        )
        if kills < KILLS:
            timer.start()
        try:
            prepared = pod.prepare(place, stream, new.schema, mode=mode, key=["id"], run="r")
            if not prepared["finished"]:
                part = prepared["parts"].get("0", {"rows": 0, "position": []})
                assert part["rows"] >= done, f"seed {seed}: rows were lost"
                done = part["rows"]
                if done:
                    assert part["position"] == [50 + done - 1], f"seed {seed}"
                batches = new.slice(done).to_batches(max_chunksize=BATCH)
                pod.write(
                    place, stream, iter(batches), run="r", position=["id"],
                    attempt=prepared["attempt"],
                )  # fmt: skip
            finished = pod.finish(place, stream, run="r", rows=new.num_rows)
            break
        except PodDiedError:
            kills += 1
        except PodCallError as exc:
            pytest.fail(f"seed {seed}, after {kills} kills: {exc}")
        finally:
            timer.cancel()
            if timer.is_alive():
                timer.join()
    pod = loader.load_pod()
    assert finished["rows"] == new.num_rows
    found = files.table_of(pod.read(place, stream, order_by=["id", "text"])).to_pylist()
    wanted = {
        "append": old.to_pylist() + new.to_pylist(),
        "replace": new.to_pylist(),
        "upsert": old.slice(0, 50).to_pylist() + new.to_pylist(),
    }[mode]
    assert found == sorted(wanted, key=lambda row: (row["id"], row["text"])), f"seed {seed}"
    assert not list(tmp_path.rglob("*.arrow")), f"seed {seed}"
