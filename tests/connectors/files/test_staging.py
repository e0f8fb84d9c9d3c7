"""Writing files in steps: all or nothing, wherever it stops; and nothing twice."""

from __future__ import annotations

import json

import file_connectors as files
import pyarrow as pa
import pytest

from pypods.connectors.errors import ConflictError, DataError, SchemaError, SettingsError
from pypods.connectors.files.store import LocalStore

OLD = pa.table({"id": [1, 2, 3], "text": ["a", "b", "c"]})
NEW = pa.table({"id": [3, 4], "text": ["C", "d"]})


@pytest.fixture
def place(tmp_path):
    return {"folder": str(tmp_path)}


def move(connector, place, stream, mode, run="r1"):
    """Do what an integrator does with a run that may have been begun before."""
    options = {"mode": mode, "key": ["id"], "run": run}
    prepared = connector.prepare(place, stream, NEW.schema, **options)
    if not prepared["finished"]:
        done = prepared["parts"].get("0", {"rows": 0})["rows"]
        connector.write(
            place, stream, NEW.slice(done).to_batches(max_chunksize=1), run=run, position=["id"],
            attempt=prepared["attempt"],
        )  # fmt: skip
    return connector.finish(place, stream, run=run, cursor=4, rows=2)


def ids(connector, place, stream):
    return sorted(files.rows_of(connector, place, stream), key=repr)


@pytest.mark.parametrize("mode", ["append", "replace", "upsert", "delete_insert"])
@pytest.mark.parametrize("stream", ["single", "folder/"])
def test_wherever_it_stops_the_target_is_the_old_or_the_new_one(
    kind, connector, tmp_path, monkeypatch, mode, stream
):
    if mode not in connector.describe_connector()["capabilities"]["write"]:
        with pytest.raises(SettingsError, match="modes"):
            connector.prepare(
                {"folder": str(tmp_path)}, "x", OLD.schema, mode=mode, key=["id"], run="r"
            )
        return
    stream = stream if stream.endswith("/") else f"{stream}.{kind}"
    outcomes = []
    for number in range(200):
        folder = tmp_path / str(number)
        folder.mkdir()
        place = {"folder": str(folder)}
        connector.write_all(place, stream, OLD, mode="replace")
        old = ids(connector, place, stream)
        with monkeypatch.context() as patched:
            done = files.crash_at(patched, number)
            try:
                move(connector, place, stream, mode)
            except files.Crash:
                crashed = True
            else:
                crashed = False
        seen = ids(connector, place, stream)
        move(connector, place, stream, mode)
        new = ids(connector, place, stream)
        assert seen in (old, new), f"after {len(done)} steps ({done[-1:]}) there is {seen}"
        assert new == {
            "append": sorted(old + NEW.to_pylist(), key=repr),
            "replace": NEW.to_pylist(),
        }.get(mode, sorted([*old[:2], *NEW.to_pylist()], key=repr))
        assert connector.state(place, stream) == {"cursor": 4, "run": "r1"}
        # Nothing is left but the files and the notes.
        left = [each for each in folder.rglob("*") if "out-" in each.name or ".arrow" in each.name]
        assert left == []
        outcomes.append(seen == new and crashed)
        if not crashed:
            break
    else:
        pytest.fail("it never came to its end")
    assert number > 10
    # Once it is done it stays done, however early the rest of it stops.
    assert outcomes[:-1] == sorted(outcomes[:-1])


def test_a_reader_brings_to_its_end_what_a_crash_has_left(connector, place, kind, monkeypatch):
    stream = f"people.{kind}"
    connector.write_all(place, stream, OLD)
    with monkeypatch.context() as patched:
        patched.setattr(LocalStore, "publish", publish_but(stream))
        with pytest.raises(files.Crash):
            move(connector, place, stream, "replace")
    assert ids(connector, place, stream) == NEW.to_pylist()


def publish_but(path):
    """Return a publish that stops before a file of that path gets its name."""
    real = LocalStore.publish

    def publish(self, staged, final):
        if final == path:
            raise files.Crash
        real(self, staged, final)

    return publish


def test_an_older_attempt_adds_nothing(connector, place, kind):
    stream = f"people.{kind}"
    ask = {"mode": "append", "run": "r1"}
    first = connector.prepare(place, stream, NEW.schema, **ask)

    def batches():
        yield NEW.slice(0, 1)
        # Another one takes the run over, and writes all of it.
        second = connector.prepare(place, stream, NEW.schema, **ask)
        assert second["parts"]["0"]["rows"] == 1
        connector.write(place, stream, [NEW.slice(1)], run="r1", attempt=second["attempt"])
        yield NEW.slice(1)

    with pytest.raises(ConflictError, match="attempt 2") as caught:
        connector.write(place, stream, batches(), run="r1", attempt=first["attempt"])
    assert caught.value.retry is True
    assert connector.finish(place, stream, run="r1", rows=2)["rows"] == 2
    assert ids(connector, place, stream) == NEW.to_pylist()


def test_two_writers_of_one_part_do_not_mix(connector, place, kind):
    stream = f"people.{kind}"
    connector.prepare(place, stream, NEW.schema, mode="append", run="r1")

    def batches():
        yield NEW.slice(0, 1)
        connector.write(place, stream, [NEW], run="r1")
        yield NEW.slice(1)

    with pytest.raises(ConflictError, match="somebody else"):
        connector.write(place, stream, batches(), run="r1")


def test_a_target_that_changes_meanwhile_is_not_overwritten(
    connector, place, kind, tmp_path, monkeypatch
):
    stream = f"people.{kind}"
    connector.write_all(place, stream, OLD)
    connector.prepare(place, stream, NEW.schema, mode="append", run="r1")
    connector.write(place, stream, [NEW], run="r1")
    real = type(connector.format).extend

    def extend(self, *args):
        real(self, *args)
        connector.format.__class__.extend = real
        (tmp_path / stream).write_bytes((tmp_path / stream).read_bytes() + b"\n")

    monkeypatch.setattr(type(connector.format), "extend", extend)
    with pytest.raises(ConflictError, match="changed by somebody") as caught:
        connector.finish(place, stream, run="r1", rows=2)
    assert caught.value.retry is True


def test_bad_rows_are_put_aside_with_their_batch(tmp_path):
    connector, place = files.load("csv"), {"folder": str(tmp_path), "encoding": "latin-1"}
    rows = pa.table({"id": [0, 1, 2, 3, 4], "text": ["a", "漢", "ü", "字", "e"]})
    connector.prepare(place, "t.csv", rows.schema, mode="append", run="r1")
    with pytest.raises(DataError, match="latin-1") as caught:
        connector.write(place, "t.csv", [rows], run="r1")
    assert (caught.value.position, caught.value.column) == (1, "text")
    seen = []
    with pytest.raises(DataError, match="1 more are allowed"):
        connector.write(place, "t.csv", [rows], run="r1", bad_rows="collect", max_bad_rows=1)
    written = connector.write(
        place, "t.csv", rows.to_batches(max_chunksize=2), run="r1", bad_rows="collect",
        max_bad_rows=2, committed=lambda *counts: seen.append(counts[::2]), position=["id"],
    )  # fmt: skip
    assert (written["rows"], written["bad"], written["position"]) == (3, 2, [4])
    assert seen == [(1, 1), (1, 1), (1, 0)]
    part = connector.prepare(place, "t.csv", rows.schema, mode="append", run="r1")["parts"]["0"]
    assert (part["rows"], part["bad"], part["batches"], part["position"]) == (3, 2, 3, [4])
    connector.finish(place, "t.csv", run="r1", rows=3)
    assert [row["text"] for row in files.rows_of(connector, place, "t.csv")] == ["a", "ü", "e"]
    letters = files.rows_of(connector, place, "t.csv__bad_rows", where=[["run", "=", "r1"]])
    assert [(row["position"], json.loads(row["row_json"])["text"]) for row in letters] == [
        (1, "漢"), (3, "字"),
    ]  # fmt: skip
    # What is put aside is no stream of its own kind, and goes with a run that is abandoned.
    assert [each["name"] for each in connector.streams(place)] == ["t.csv"]
    connector.prepare(place, "t.csv", rows.schema, mode="append", run="r2")
    connector.write(place, "t.csv", [rows], run="r2", bad_rows="collect", max_bad_rows=None)
    connector.abandon(place, "t.csv", run="r2")
    assert connector.count(place, "t.csv__bad_rows") == 2


def test_the_count_that_is_asked_for_is_kept(connector, place, kind, tmp_path):
    stream = f"people.{kind}"
    connector.write_all(place, stream, OLD)
    connector.prepare(place, stream, NEW.schema, mode="replace", run="r1")
    connector.write(place, stream, [NEW], run="r1")
    for rows in (1, 3):
        with pytest.raises(ConflictError, match="nothing was changed"):
            connector.finish(place, stream, run="r1", rows=rows)
    assert ids(connector, place, stream) == OLD.to_pylist()
    connector.abandon(place, stream, run="r1")
    assert not list(tmp_path.rglob("run-r1*"))


def test_finished_runs_are_forgotten_but_for_the_last(connector, place, kind, tmp_path):
    stream = f"people.{kind}"
    for number in range(25):
        connector.prepare(place, stream, NEW.schema, mode="replace", run=f"r{number}")
        connector.finish(place, stream, run=f"r{number}", cursor=7 if number == 0 else None)
    assert connector.state(place, stream) == {"cursor": 7, "run": "r24"}
    assert len(list(tmp_path.rglob("run-*.json"))) == 21


def test_large_folders_are_cut_into_files(connector, place):
    rows = pa.table({"n": list(range(1050))})
    done = connector.write_all({**place, "rows_per_file": 100}, "parts/", rows)
    assert done == {"rows": 1050, "rows_in_target": 1050}
    found = [each for each in connector.streams(place) if each["kind"] == "file"]
    assert len(found) == 11
    assert [connector.count(place, each["name"]) for each in found] == [100] * 10 + [50]
    assert [row["n"] for row in files.rows_of(connector, place, "parts/")] == list(range(1050))


@pytest.mark.parametrize("options", [{"row_number": "row"}, {"key": "id"}], ids=["number", "key"])
def test_a_run_goes_on_after_a_row(connector, place, kind, options):
    stream = f"people.{kind}"
    rows = pa.table({"id": [(n * 7) % 500 for n in range(500)], "text": ["x"] * 500})
    connector.write_all(place, stream, rows)
    place = {**place, **options}
    (key,) = connector.schema(place, stream)["key"]
    seen = []
    while True:
        after = [seen[-1][key]] if seen else None
        some = files.rows_of(
            connector, place, stream, order_by=[key], after=after, limit=70, batch_rows=30
        )
        if not some:
            break
        seen += some
    assert [row[key] for row in seen] == list(range(500))
    assert sorted(row["id"] for row in seen) == list(range(500))
    if key == "row":
        assert [row["id"] for row in seen] == rows.column("id").to_pylist()


def test_columns_that_differ_are_refused_or_added_as_asked(connector, place, kind):
    stream = f"people.{kind}"
    connector.write_all(place, stream, OLD)
    more = pa.table({"id": [9], "extra": [1.5]})
    ask = {"mode": "append"}
    with pytest.raises(SchemaError, match="drift is freeze"):
        connector.prepare(place, stream, more.schema, run="a", drift="freeze", **ask)
    prepared = connector.prepare(place, stream, more.schema, run="b", **ask)
    assert any("extra" in change and "added" in change for change in prepared["changes"])
    connector.write(place, stream, [more], run="b")
    connector.finish(place, stream, run="b")
    assert files.rows_of(connector, place, stream)[-2:] == [
        {"id": 3, "text": "c", "extra": None},
        {"id": 9, "text": None, "extra": 1.5},
    ]


def test_names_are_changed_last(connector, place, kind):
    stream = f"people.{kind}"
    connector.write_all(place, stream, OLD)
    names = {"id": "text", "text": "id"}
    schema = pa.schema(connector.schema(place, stream, columns=["id"], names={"id": "n"})["schema"])
    assert schema.names == ["n"]
    rows = files.rows_of(
        connector, place, stream, where=[["id", ">", 1]], order_by=["text"], names=names
    )
    assert rows == [{"text": 2, "id": "b"}, {"text": 3, "id": "c"}]
    one = connector.checksum(place, stream, schema=OLD.schema)
    other = connector.checksum(
        place, stream, columns=["id", "text"],
        schema=OLD.rename_columns(["x", "y"]).schema,
    )  # fmt: skip
    assert one == other


def test_a_file_that_was_changed_is_no_partition_s(connector, place, kind, tmp_path):
    stream = f"people.{kind}"
    rows = pa.table({"n": list(range(400_000)), "text": ["x" * 8] * 400_000})
    connector.write_all(place, stream, rows)
    parts = connector.partitions(place, stream, 3)
    assert len(parts) == 3
    assert not any(part["stable"] for part in parts)
    got = [row["n"] for part in parts for row in files.rows_of(
        connector, place, stream, partition=part, columns=["n"])]  # fmt: skip
    assert got == list(range(400_000))
    connector.write_all(place, stream, OLD.rename_columns(["n", "text"]), mode="replace")
    with pytest.raises(ConflictError, match="was changed"):
        files.rows_of(connector, place, stream, partition=parts[0])
