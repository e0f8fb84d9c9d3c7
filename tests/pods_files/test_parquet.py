"""Parquet files: every type, foreign ones too, damaged ones, folders whose files differ."""

from __future__ import annotations

import file_connectors as files
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pypods import PodCallError


@pytest.fixture(scope="module")
def pod(load_connector):
    return load_connector("parquet").load_pod()


@pytest.fixture
def place(tmp_path):
    return {"folder": str(tmp_path)}


@pytest.mark.parametrize("compression", ["snappy", "zstd", "gzip", "lz4", "brotli", "none"])
def test_each_type_comes_back_as_it_was(pod, place, tmp_path, compression):
    table = files.extremes()
    pod.write_all({**place, "compression": compression}, "a.parquet", table)
    assert files.same(files.table_of(pod.read(place, "a.parquet")), table)
    schema = pa.schema(pod.schema(place, "a.parquet")["schema"])
    assert schema.field("uuid").metadata == {b"pypods.type": b"uuid"}
    # Without this connector too.
    assert files.same(pq.read_table(tmp_path / "a.parquet"), table)


def test_files_of_others_are_read_in_types_of_the_contract(pod, place, tmp_path):
    moments = pa.array(np.array(["2026-11-21T14:05:00.123456000"], "datetime64[ns]"))
    table = pa.table(
        {
            "ns": moments, "dictionary": pa.array(["a"]).dictionary_encode(),
            "large": pa.array(["b"], pa.large_string()), "seconds": pa.array([1], pa.time32("s")),
            "map": pa.array([[("k", 1)]], pa.map_(pa.utf8(), pa.int64())),
        }
    )  # fmt: skip
    pq.write_table(table, tmp_path / "a.parquet")
    schema = pa.schema(pod.schema(place, "a.parquet")["schema"])
    assert [str(type_) for type_ in schema.types[:4]] == [
        "timestamp[us]", "string", "string", "time64[us]",
    ]  # fmt: skip
    (row,) = files.rows_of(pod, place, "a.parquet")
    assert row["ns"].microsecond == 123456
    assert row["map"] == [{"key": "k", "value": 1}]


def test_nanoseconds_are_not_cut_off(pod, place, tmp_path):
    moments = np.array(["2026-11-21T14:05:00", "2026-11-21T14:05:00.000000001"], "datetime64[ns]")
    pq.write_table(pa.table({"ns": moments}), tmp_path / "a.parquet")
    with pytest.raises(PodCallError, match=r"a\.parquet, row 1 \(from 0\)") as caught:
        files.rows_of(pod, place, "a.parquet")
    assert (caught.value.position, caught.value.column) == (1, "ns")


def test_files_of_a_folder_may_differ_as_far_as_one_type_takes_both(pod, place, tmp_path):
    (tmp_path / "d").mkdir()
    pq.write_table(pa.table({"a": pa.array([1], pa.int16()), "b": ["x"]}), tmp_path / "d/1.parquet")
    pq.write_table(pa.table({"c": [1.5], "a": pa.array([2**40])}), tmp_path / "d/2.parquet")
    assert files.rows_of(pod, place, "d/") == [
        {"a": 1, "b": "x", "c": None}, {"a": 2**40, "b": None, "c": 1.5},
    ]  # fmt: skip
    assert files.rows_of(pod, place, "d/", columns=["c"], where=[["a", ">", 1]]) == [{"c": 1.5}]
    assert pod.count(place, "d/", where=[["b", "is null"]]) == 1
    pq.write_table(pa.table({"a": ["text"]}), tmp_path / "d/3.parquet")
    with pytest.raises(PodCallError, match=r"'a' is utf8 in d/3\.parquet and int64"):
        pod.schema(place, "d/")


def test_a_damaged_file_is_no_end_of_rows(pod, place, tmp_path):
    table = pa.table({"n": np.random.default_rng(1).integers(0, 10**9, 100_000)})
    pq.write_table(table, tmp_path / "a.parquet")
    raw = bytearray((tmp_path / "a.parquet").read_bytes())
    (tmp_path / "cut.parquet").write_bytes(raw[:-100])
    with pytest.raises(PodCallError, match=r"cut\.parquet is no whole Parquet file"):
        pod.count(place, "cut.parquet")
    (tmp_path / "none.parquet").write_bytes(b"")
    with pytest.raises(PodCallError, match=r"none\.parquet is no whole Parquet file"):
        pod.schema(place, "none.parquet")


def test_row_groups_are_partitions(pod, place, tmp_path):
    table = pa.table({"n": list(range(10_000))})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=700)
    for count in (2, 3, 8, 40):
        parts = pod.partitions(place, "a.parquet", count)
        assert len(parts) == min(count, 15)
        got = [
            r["n"] for part in parts for r in files.rows_of(pod, place, "a.parquet", partition=part)
        ]
        assert got == list(range(10_000))


def test_an_upsert_passes_over_old_rows_once_for_each_part_of_the_new(tmp_path):
    """With little memory allowed, the result is that of much."""
    connector, place = files.load("parquet"), {"folder": str(tmp_path)}
    from pypods.connectors.files import keys

    old = pa.table({"k": list(range(2000)), "v": [0] * 2000, "kept": ["x"] * 2000})
    new = pa.table({"k": list(range(1000, 3000)), "v": [1] * 2000})
    results = []
    for rows in (10**6, 300):
        before, keys.CHUNK_ROWS = keys.CHUNK_ROWS, rows
        try:
            stream = f"{rows}.parquet"
            connector.write_all(place, stream, old)
            batches = new.to_batches(max_chunksize=100)
            done = connector.write_all(place, stream, batches, mode="upsert", key=["k"])
            assert done == {"rows": 2000, "rows_in_target": 3000}
            results.append(files.rows_of(connector, place, stream))
        finally:
            keys.CHUNK_ROWS = before
    assert results[0] == results[1]
    assert [row["v"] for row in results[0]] == [0] * 1000 + [1] * 2000
    assert [row["kept"] for row in results[0]] == ["x"] * 2000 + [None] * 1000
