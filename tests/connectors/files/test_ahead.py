"""Files made while rows come: taken if they are what is to be, else made at the end as ever."""

from __future__ import annotations

from threading import current_thread

import file_connectors as files
import pyarrow as pa
import pytest

from pypods.connectors.errors import DataError

COUNT = 7
ROWS = pa.table({"id": list(range(COUNT)), "text": [f"t{at}" for at in range(COUNT)]})
AHEAD = "pypods ahead"


@pytest.fixture
def place(tmp_path):
    return {"folder": str(tmp_path), "rows_per_file": 3}


@pytest.fixture
def made(connector, monkeypatch):
    """Return a list of the threads on which files were made, of all but the old rows."""
    threads = []
    real = connector.format.write

    def write(*args):
        threads.append(current_thread().name)
        real(*args)

    monkeypatch.setattr(connector.format, "write", write)
    return threads


def prepare(connector, place, stream, mode="replace"):
    return connector.prepare(place, stream, ROWS.schema, mode=mode, key=["id"], run="r")


def write(connector, place, stream, first=0, last=COUNT, part="0"):
    batches = ROWS.slice(first, last - first).to_batches(max_chunksize=1)
    return connector.write(place, stream, batches, run="r", part=part, position=["id"])


def finish(connector, place, stream):
    return connector.finish(place, stream, run="r", rows=COUNT)


def ids(connector, place, stream):
    rows = files.table_of(connector.read(place, stream)).to_pylist()
    assert all(row["text"] == f"t{row['id']}" for row in rows if row["id"] < 100)
    return sorted(row["id"] for row in rows)


@pytest.mark.parametrize("mode", ["append", "replace", "upsert"])
@pytest.mark.parametrize(("stream", "count"), [("single", 1), ("folder/", 3)])
def test_what_was_made_ahead_is_taken(connector, place, kind, made, tmp_path, mode, stream, count):
    if kind == "csv" and mode == "upsert":
        pytest.skip("a CSV file takes no keys")
    stream = stream if stream.endswith("/") else f"{stream}.{kind}"
    prepare(connector, place, stream, mode)
    write(connector, place, stream)
    assert made == [AHEAD] * count
    # As the integrator does before the end.
    assert prepare(connector, place, stream, mode)["parts"]["0"]["rows"] == COUNT
    assert not [each for each in tmp_path.rglob(f"*.{kind}") if ".pypods" not in each.parts]
    assert finish(connector, place, stream)["rows_in_target"] == COUNT
    assert made == [AHEAD] * count
    assert ids(connector, place, stream) == list(range(COUNT))
    assert not list(tmp_path.rglob("*ahead*"))


def test_rows_that_come_later_are_in_the_file_too(connector, place, kind, made):
    stream = f"a.{kind}"
    prepare(connector, place, stream)
    write(connector, place, stream, last=5)
    prepare(connector, place, stream)
    write(connector, place, stream, first=5, last=6)
    write(connector, place, stream, first=6)
    assert made == [AHEAD] * 3
    finish(connector, place, stream)
    assert made == [AHEAD] * 3  # The last had all of them.
    assert ids(connector, place, stream) == list(range(COUNT))


@pytest.mark.parametrize("first", ["0", "1"])
def test_of_two_parts_no_file_is_made_ahead_of_the_other(connector, place, kind, made, first):
    stream = f"a.{kind}"
    prepare(connector, place, stream)
    write(connector, place, stream, last=1, part=first)
    write(connector, place, stream, first=1, part="1" if first == "0" else "0")
    assert made == []
    finish(connector, place, stream)
    assert made == ["MainThread"]
    assert ids(connector, place, stream) == list(range(COUNT))


def test_another_part_that_comes_later_is_not_left_out(connector, place, kind, made):
    stream = f"a.{kind}"
    prepare(connector, place, stream)
    write(connector, place, stream, last=5)
    write(connector, place, stream, first=5, part="1")
    finish(connector, place, stream)
    assert made == [AHEAD, "MainThread"]
    assert ids(connector, place, stream) == list(range(COUNT))


def test_another_part_that_comes_meanwhile_ends_it(connector, place, kind, made):
    stream = f"a.{kind}"
    prepare(connector, place, stream)

    def batches():
        yield from ROWS.slice(0, 5).to_batches(max_chunksize=1)
        write(connector, place, stream, first=6, part="1")
        yield from ROWS.slice(5, 1).to_batches()

    connector.write(place, stream, batches(), run="r", position=["id"])
    assert made == [AHEAD]
    finish(connector, place, stream)
    assert made == [AHEAD, "MainThread"]
    assert ids(connector, place, stream) == list(range(COUNT))


@pytest.mark.parametrize("stream", ["single", "folder/"])
def test_rows_that_are_added_to_others_are_not_made_a_file_of(connector, place, kind, made, stream):
    stream = stream if stream.endswith("/") else f"{stream}.{kind}"
    connector.write_all(place, stream, pa.table({"id": [100], "text": ["old"]}))
    made.clear()
    prepare(connector, place, stream, "append")
    write(connector, place, stream)
    assert made == []
    finish(connector, place, stream)
    assert ids(connector, place, stream) == [*range(COUNT), 100]


def test_what_fails_ahead_is_done_at_the_end(connector, place, kind, monkeypatch, tmp_path):
    stream = "folder/"
    real, failed = connector.format.write, []

    def write_here(source, path, file, *args):
        if current_thread().name == AHEAD and path.endswith(f"1.{kind}"):
            failed.append(path)
            raise DataError("no")
        real(source, path, file, *args)

    monkeypatch.setattr(connector.format, "write", write_here)
    prepare(connector, place, stream)
    write(connector, place, stream)
    assert len(failed) == 1
    assert not list(tmp_path.rglob("*ahead*"))
    assert finish(connector, place, stream)["rows_in_target"] == COUNT
    assert ids(connector, place, stream) == list(range(COUNT))


def test_what_fails_while_rows_come_leaves_no_file(connector, place, kind, made, tmp_path):
    stream = f"a.{kind}"
    prepare(connector, place, stream)

    def batches():
        yield from ROWS.slice(0, 5).to_batches(max_chunksize=1)
        raise KeyError("the source")

    with pytest.raises(KeyError):
        connector.write(place, stream, batches(), run="r", position=["id"])
    assert not list(tmp_path.rglob("*ahead*"))
    prepare(connector, place, stream)
    write(connector, place, stream, first=5)
    assert made == [AHEAD] * 2
    finish(connector, place, stream)
    assert ids(connector, place, stream) == list(range(COUNT))


@pytest.mark.parametrize("stream", ["single.parquet", "folder/"])
def test_wherever_it_stops_all_rows_are_there_once(tmp_path, stream):
    connector, number = files.load("parquet"), 0
    while True:
        folder = tmp_path / str(number)
        folder.mkdir()
        place = {"folder": str(folder), "rows_per_file": 3}
        with pytest.MonkeyPatch.context() as patch:
            done = files.crash_at(patch, number)
            try:
                prepare(connector, place, stream)
                write(connector, place, stream)
                prepare(connector, place, stream)
                finish(connector, place, stream)
            except files.Crash:
                pass
        prepared = prepare(connector, place, stream)
        if not prepared["finished"]:
            staged = prepared["parts"].get("0", {"rows": 0})["rows"]
            write(connector, place, stream, first=staged)
            finish(connector, place, stream)
        assert ids(connector, place, stream) == list(range(COUNT)), number
        if len(done) < number:
            break
        number += 1
    assert number > 20
