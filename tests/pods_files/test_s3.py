"""CSV and Parquet in S3, through moto's server in a pod of its own."""

from __future__ import annotations

import shutil
import urllib.request
from pathlib import Path

import file_connectors as files
import pyarrow as pa
import pytest

from pypods import PodCallError
from pypods.conformance import Scratch, run_check
from pypods.conformance.subject import Subject
from pypods.connectors.files.s3_store import S3Store
from pypods.pods import PodLoader

SECRET = "a-secret-that-nobody-sees"
ROWS = pa.table({"id": list(range(1000)), "text": [f"row {n}" for n in range(1000)]})


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return the address of a server with an empty bucket."""
    folder = tmp_path_factory.mktemp("servers")
    shutil.copytree(Path(__file__).parent / "servers" / "s3", folder / "s3")
    with PodLoader("s3", pods_directory=folder) as pod:
        address = pod.start()
        make = urllib.request.Request(f"{address}/bucket", method="PUT")
        urllib.request.urlopen(make).close()
        yield address


@pytest.fixture
def place(server, request):
    return {
        "folder": f"s3://bucket/{abs(hash(request.node.name))}", "endpoint": server,
        "region": "us-east-1", "access_key": "somebody", "secret_key": SECRET, "timeout": 10,
    }  # fmt: skip


@pytest.fixture(params=["csv", "parquet"])
def kind(request):
    return request.param


@pytest.fixture
def pod(load_connector, kind):
    return load_connector(kind).load_pod()


def test_files_are_written_and_read(pod, kind, place):
    name = f"people.{kind}"
    assert pod.write_all(place, name, ROWS)["rows_in_target"] == 1000
    assert files.rows_of(pod, place, name, order_by=["id"], limit=2) == ROWS.slice(0, 2).to_pylist()
    pod.write_all(place, name, ROWS.slice(10), mode="replace")
    assert pod.count(place, name) == 990
    assert pod.count(place, "*." + kind, where=[["id", "<", 20]]) == 10
    assert pod.streams(place) == [{"name": name, "kind": "file", "rows": None}]


def test_folders_get_more_files(pod, kind, place):
    place["rows_per_file"] = 300
    assert pod.write_all(place, "parts/", ROWS)["rows_in_target"] == 1000
    pod.write_all(place, "parts/", ROWS.slice(0, 5))
    assert sorted(row["id"] for row in files.rows_of(pod, place, "parts/")) == sorted(
        [*range(1000), *range(5)]
    )
    parts = pod.partitions(place, "parts/", 3)
    assert len(parts) == 3
    assert sum(len(files.rows_of(pod, place, "parts/", partition=part)) for part in parts) == 1005
    pod.write_all(place, "parts/", ROWS.slice(0, 7), mode="replace")
    assert pod.count(place, "parts/") == 7
    pod.truncate(place, "parts/")
    assert pod.count(place, "parts/") == 0


@pytest.mark.parametrize("check", ["kill", "failure", "overtaken", "batches", "checksum", "parts"])
def test_it_passes_the_suite_as_files_here_do(load_connector, kind, place, check):
    if kind == "parquet" and check in ("kill", "failure"):
        return  # They upsert where a connector does, and this is nothing for S3.
    suffix = "" if kind == "parquet" else ".csv.gz"
    if check in ("kill", "failure", "overtaken") and suffix:
        suffix = ""  # They append, which a single object cannot.
    scratch = Scratch(connection=place, stream=lambda stream: [stream + suffix])
    outcome = run_check(Subject(load_connector(kind), scratch), check)
    assert outcome.status == "passed", outcome.detail


def test_what_an_object_cannot_is_refused_before(pod, kind, place):
    pod.write_all(place, f"a.{kind}", ROWS)
    modes = ["append"] + (["upsert", "delete_insert"] if kind == "parquet" else [])
    for mode in modes:
        with pytest.raises(PodCallError, match="in S3") as caught:
            pod.prepare(place, f"a.{kind}", ROWS.schema, mode=mode, key=["id"], run="r")
        assert caught.value.type_name.endswith(".SettingsError")


@pytest.mark.parametrize(
    ("settings", "kind_of_error", "retry"),
    [
        ({"folder": "s3://no-such-bucket/x"}, "StreamNotFoundError", False),
        ({"endpoint": "http://127.0.0.1:9", "timeout": 1}, "UnreachableError", True),
        ({"folder": "s3:///x"}, "SettingsError", False),
        ({"folder": "s3://bucket/../x/y"}, "SettingsError", False),
        ({"secret_key": None}, "SettingsError", False),
        ({"anonymous": True}, "SettingsError", False),
    ],
)
def test_what_is_wrong_is_told_and_no_secret(pod, place, settings, kind_of_error, retry):
    with pytest.raises(PodCallError) as caught:
        pod.check({**place, **settings})
    assert caught.value.type_name.endswith(f".{kind_of_error}")
    assert caught.value.retry is retry
    assert SECRET not in str(caught.value)


class Crash(BaseException):
    """The power is gone."""


STEPS = ("create", "stage", "publish", "write_text", "remove", "remove_tree")


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_wherever_it_stops_the_run_comes_to_its_end(place, monkeypatch, mode):
    """In this process: the store fails for good from each of its steps on."""
    connector = files.load("parquet")
    old, new = ROWS.slice(0, 3), ROWS.slice(3, 4)
    base = place["folder"]
    for number in range(100):
        here = {**place, "folder": f"{base}/{number}"}
        connector.write_all(here, "parts/", old)
        with monkeypatch.context() as patched:
            crashed = crash_at(patched, number, lambda here=here: move(connector, here, new, mode))
        move(connector, here, new, mode)
        wanted = new if mode == "replace" else pa.concat_tables([old, new])
        assert files.rows_of(connector, here, "parts/", order_by=["id"]) == wanted.to_pylist()
        if not crashed:
            break
    assert number > 8


def crash_at(patched, number, work):
    done = []
    for name in STEPS:
        real = getattr(S3Store, name)

        def step(self, *args, _real=real):
            if len(done) >= number:
                raise Crash
            done.append(1)
            return _real(self, *args)

        patched.setattr(S3Store, name, step)
    try:
        work()
    except Crash:
        return True
    return False


def move(connector, here, rows, mode):
    prepared = connector.prepare(here, "parts/", rows.schema, mode=mode, run="r1")
    if not prepared["finished"]:
        done = prepared["parts"].get("0", {"rows": 0})["rows"]
        batches = rows.slice(done).to_batches(max_chunksize=2)
        connector.write(here, "parts/", batches, run="r1", attempt=prepared["attempt"])
    assert connector.finish(here, "parts/", run="r1", rows=rows.num_rows)["rows"] == rows.num_rows
