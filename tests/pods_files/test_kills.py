"""The worker of a target is killed again and again; what is written in the end is exact."""

from __future__ import annotations

import file_connectors as files
import pyarrow as pa
import pytest
from killing import rows_after, write_while_killed

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
    count = ROWS if connector != "excel" else ROWS // 10
    old = pa.table({"id": list(range(100)), "text": ["old"] * 100})
    new = pa.table({"id": list(range(50, count)), "text": [f"row {n}" for n in range(50, count)]})
    loader.load_pod().write_all(place, stream, old)
    seed = write_while_killed(
        loader, place, stream, new, mode=mode, key=["id"], kills=KILLS, more_seconds=0.05,
        batch_rows=BATCH, position=("id",),
    )  # fmt: skip
    found = files.rows_of(loader.load_pod(), place, stream, order_by=["id", "text"])
    assert found == rows_after(mode, old, new), seed
    assert not list(tmp_path.rglob("*.arrow")), seed
