"""Arrow data between a host and pods that have Arrow libraries of other versions, or none."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from pypods.errors import ValueTransferError
from pypods.pods import PodLoader
from pypods.wire.arrow.values import ArrowArrayValue, ArrowSchemaValue, ArrowValue

# The first run downloads the libraries.
pytestmark = pytest.mark.timeout(600)

#: By what it has: the Python, and what is installed.
PODS = {
    "before_capsules": ("3.8", ["pyarrow==13.0.0"]),
    "oldest": ("3.8", ["pyarrow==17.0.0", "polars==1.8.2"]),
    "newest": ("3.13", ["pyarrow==26.0.1", "polars==2.1.0", "duckdb==2.0.0"]),
}

SOURCE = """
import pyarrow as pa

def table(rows=3):
    return pa.table({
        "n": pa.array([None if i % 3 == 1 else i for i in range(rows)], pa.int64()),
        "s": pa.array([None if i % 5 == 1 else "é" * (i % 20) for i in range(rows)]),
        "d": pa.array(["abc"[i % 3] for i in range(rows)]).dictionary_encode(),
        "l": pa.array([[i] * (i % 3) for i in range(rows)]),
        "st": pa.array([{"x": i, "y": None} for i in range(rows)]),
        "t": pa.array(range(rows), pa.timestamp("us", "UTC")),
        "b": pa.array([i % 2 == 0 for i in range(rows)]),
        "m": pa.array([[("k", i)] for i in range(rows)], pa.map_(pa.string(), pa.int64())),
        "f": pa.array([[i, i] for i in range(rows)], pa.list_(pa.int64(), 2)),
        "z": pa.nulls(rows),
    }).replace_schema_metadata({"k": "v"})

def make(kind, rows=3):
    whole = table(rows)
    return {
        "table": lambda: whole,
        "slice": lambda: whole.slice(1),
        "batch": lambda: whole.to_batches()[0],
        "reader": lambda: pa.RecordBatchReader.from_batches(whole.schema, whole.to_batches()),
        "chunked": lambda: whole.column("s"),
        "array": lambda: whole.column("l").chunk(0),
        "structs": lambda: pa.array([{"x": 1}, None]),
        "schema": lambda: whole.schema,
        "field": lambda: whole.schema.field("d"),
        "type": lambda: whole.schema.field("l").type,
        "union": lambda: pa.UnionArray.from_sparse(
            pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]
        ),
    }[kind]()

def echo(x): return x
def name(x): return type(x).__module__ + "." + type(x).__qualname__

def same(kind, x, rows=3):
    made = make(kind, rows)
    if kind == "reader":
        made, x = made.read_all(), x.read_all()
    if hasattr(x, "validate"):
        x.validate(full=True)
    return type(x) is type(made) and x.equals(made)

def total(x): return pa.compute.sum(x.column("n")).as_py()

def frame(rows=3):
    import polars as pl
    return pl.DataFrame({
        "n": range(rows), "c": pl.Series(["a"] * rows, dtype=pl.Categorical),
        "e": pl.Series(["y"] * rows, dtype=pl.Enum(["x", "y"])), "s": ["w" * 30] * rows,
        "l": [[1, None]] * rows,
    })

def same_frame(x, rows=3):
    made = frame(rows)
    return type(x) is type(made) and x.schema == made.schema and x.equals(made)

def series(): return frame()["e"]

def relation(rows=3):
    import duckdb
    return duckdb.sql("select range n, 'x' || range s from range(%d)" % rows)

def query(data):
    import duckdb
    return duckdb.sql("select sum(n) from data").fetchall()[0][0]

def stream(n):
    for i in range(n):
        yield table(i + 1)
"""
KINDS = [
    "table", "slice", "batch", "reader", "chunked", "array", "structs", "schema", "field", "type",
    "union",
]  # fmt: skip
HOST_CLASSES = [
    pa.Table, pa.RecordBatch, pa.RecordBatchReader, pa.ChunkedArray, pa.ListArray, pa.StructArray,
    pa.UnionArray, pa.Schema, pa.Field,
]  # fmt: skip


@pytest.fixture(scope="session")
def pods_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of pods whose environments are made when first used, once."""
    folder = tmp_path_factory.mktemp("arrow")
    for name, (_, requirements) in PODS.items():
        (folder / name).mkdir()
        (folder / name / "pod.py").write_text(SOURCE, encoding="utf-8")
        (folder / name / "requirements.txt").write_text("\n".join(requirements), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def start(
    pods_directory: Path, find_python: Callable[[str], Path]
) -> Iterator[Callable[[str], Any]]:
    """Return a function from a pod's name to the pod; each is started once."""
    loaders: dict[str, Any] = {}

    def load(name: str) -> Any:
        if name not in loaders:
            python = str(find_python(PODS[name][0]))
            loaders[name] = PodLoader(name, pods_directory=pods_directory, python=python)
            loaders[name].load_pod()
        return loaders[name].load_pod()

    yield load
    gc.collect()
    for loader in loaders.values():
        loader.unload_pod()


@pytest.fixture(params=PODS)
def pod(request: pytest.FixtureRequest, start: Callable[[str], Any]) -> Any:
    """Return each pod in turn."""
    return start(request.param)


def as_ours(kind: str, arrived: Any) -> Any:
    """Return pyarrow's own object of what arrived on the host."""
    if kind in ("table", "slice", "reader"):
        return pa.table(arrived)
    if kind == "batch":
        return pa.record_batch(arrived)
    if kind == "chunked":
        return pa.chunked_array(arrived)
    if kind == "schema":
        return pa.schema(arrived)
    if kind in ("field", "type"):
        return pa.field(arrived)
    return pa.array(arrived)


@pytest.mark.parametrize("rows", [3, 2_000], ids=["inline", "shared"])
def test_each_kind_comes_out_and_goes_back_in(pod, rows):
    for kind in KINDS:
        arrived = pod.make(kind, rows)
        assert isinstance(arrived, ArrowSchemaValue), kind
        ours = as_ours(kind, arrived)
        if hasattr(ours, "validate"):
            ours.validate(full=True)
        assert pod.same(kind, arrived, rows), kind
        if kind not in ("reader", "type"):
            assert pod.same(kind, ours, rows), kind


def test_the_contents_are_those_of_the_pod(pod):
    namespace: dict[str, Any] = {}
    exec(SOURCE, namespace)
    for kind in ("table", "slice", "batch", "chunked", "array", "structs", "union"):
        made = namespace["make"](kind, 100)
        assert as_ours(kind, pod.make(kind, 100)).equals(made), kind
    arrived = pod.table()
    assert type(arrived) is ArrowValue
    assert pa.table(arrived).schema.metadata == {b"k": b"v"}
    assert type(pod.make("batch")) is ArrowArrayValue


def test_a_table_of_the_host_arrives_as_one_of_the_pods_own(pod):
    table = pa.table({"n": range(50_000)})
    assert pod.name(table) == "pyarrow.lib.Table"
    assert pod.total(table) == sum(range(50_000))
    assert pod.name(table.to_batches()[0]) == "pyarrow.lib.RecordBatch"
    assert pod.name(table.schema) == "pyarrow.lib.Schema"
    assert pod.name(duckdb.sql("select 1 n")).endswith("ArrowValue")


def test_a_pod_without_such_a_type_says_so(start):
    views = pa.table({"v": pa.array(["x"], pa.string_view())})
    with pytest.raises(
        ValueTransferError, match=r"cannot arrive here: pyarrow 13\.0\.0 refuses it"
    ):
        start("before_capsules").name(views)


@pytest.mark.parametrize("name", ["oldest", "newest"])
def test_frames_of_polars_cross_between_versions(start, name):
    pod = start(name)
    for rows in (3, 2_000):
        frame = pod.frame(rows)
        assert type(frame) is pl.DataFrame
        assert frame.height == rows
        assert frame["n"].sum() == rows * (rows - 1) // 2
        assert frame["s"].to_list() == ["w" * 30] * rows
        assert frame["c"].cast(pl.String).unique().to_list() == ["a"]
        assert pod.echo(frame).equals(frame)
        # An old version does not know how a new one marks an Enum.
        assert pod.same_frame(frame, rows) is (name == "newest")
    plain = pl.DataFrame({"n": [1, None], "s": ["x", "y" * 40], "l": [[1], None]})
    assert pod.name(plain) == "polars.dataframe.frame.DataFrame"
    assert pod.echo(plain).equals(plain)
    assert pod.series().name == "e"
    assert pod.series().to_list() == ["y"] * 3
    assert pod.name(plain["n"]).endswith(".Series")


def test_a_relation_of_duckdb_crosses(start):
    pod = start("newest")
    arrived = pod.relation(5)
    assert duckdb.sql("select sum(n), max(s) from arrived").fetchall() == [(10, "x4")]
    assert pod.query(arrived) == 10
    assert pod.query(pa.table({"n": [1, 2, 3]})) == 6
    assert pod.query(pl.DataFrame({"n": [1, 2]})) == 3


def test_one_pods_table_is_anothers_argument(start):
    table = start("before_capsules").table(2_000)
    assert start("newest").same("table", table, 2_000)
    assert start("before_capsules").same("table", start("newest").table(30), 30)
    del table


def test_a_stream_of_tables_comes_one_by_one(pod):
    assert [pa.table(each).num_rows for each in pod.stream(4)] == [1, 2, 3, 4]


def test_a_class_of_pyarrow_arrives_as_such_where_the_host_names_it(
    start, pods_directory, find_python
):
    loader = PodLoader(
        "newest", pods_directory=pods_directory, python=str(find_python("3.13")), types=HOST_CLASSES
    )
    with loader as pod:
        for kind in ("table", "batch", "chunked", "structs", "schema", "field"):
            arrived = pod.make(kind)
            assert type(arrived) in HOST_CLASSES, kind
            assert pod.same(kind, arrived)


def test_a_host_without_a_library_passes_a_table_through(start, pods_directory):
    start("before_capsules"), start("newest")  # So that both environments are there.
    program = f"""
        import sys
        class Nothing:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in ("pyarrow", "polars", "numpy", "nanoarrow"):
                    raise ImportError(name)
        sys.meta_path.insert(0, Nothing())
        from pypods.pods import PodLoader
        where = {str(pods_directory)!r}
        pythons = {[PODS[name][0] for name in ("before_capsules", "newest")]!r}
        with PodLoader("before_capsules", pods_directory=where, python=pythons[0]) as old:
            with PodLoader("newest", pods_directory=where, python=pythons[1]) as new:
                for rows in (3, 2_000):
                    table = old.table(rows)
                    print(table.num_rows, new.same("table", table, rows))
                    frame = new.frame(rows)
                    print(type(frame).__name__, frame.num_rows, new.same_frame(frame, rows))
        print("pyarrow" in sys.modules, "polars" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "3 True", "ArrowValue 3 True", "2000 True", "ArrowValue 2000 True", "False False",
    ]  # fmt: skip
