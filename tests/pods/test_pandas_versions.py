"""Frames between this pandas, one of 1.x on Python 3.8 and one of 2.x on Python 3.13."""

from __future__ import annotations

import datetime as dt
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pypods.errors import ValueTransferError
from pypods.pods.loader import PodLoader
from pypods.pods.pod import Pod
from pypods.wire import pandas_arrivals
from pypods.wire.pandas_stand_ins import PandasValue

# The first run fetches the packages.
pytestmark = pytest.mark.timeout(600)

SOURCE = """
    import pandas as pd

    def version():
        return pd.__version__

    def echo(value):
        return value

    def dtypes(frame):
        assert type(frame) is pd.DataFrame
        return {name: str(dtype) for name, dtype in frame.dtypes.items()}

    def own(rows, without=()):
        days = pd.date_range("2024-03-29", periods=rows, freq="D")
        frame = pd.DataFrame(
            {
                "day": days,
                "paris": days.tz_localize("Europe/Paris"),
                "utc": days.tz_localize("UTC"),
                "number": range(rows),
                "text": ["a", None] * (rows // 2),
                "nullable": pd.array([1, None] * (rows // 2), dtype="Int64"),
                "string": pd.array(["a", None] * (rows // 2), dtype="string"),
                "kind": pd.Categorical(["b", "a"] * (rows // 2)),
                "month": pd.period_range("2024-01", periods=rows, freq="M"),
                "span": pd.interval_range(0, rows),
            },
            index=days.rename("index"),
        )
        return frame.drop(columns=list(without))

    def is_own(frame, rows):
        pd.testing.assert_frame_equal(frame, own(rows))
        return [str(frame.index.freq), type(frame["paris"].dt.tz).__module__]

    def index_types(*indexes):
        return [(type(index).__name__, str(index.dtype)) for index in indexes]

    def is_written(frame):
        before = frame.copy()
        for place in range(frame.shape[1]):
            frame.iloc[0, place] = before.iloc[1, place]
        return bool((frame.iloc[0] == before.iloc[1]).all() and frame.iloc[2:].equals(before[2:]))

    def scalars():
        moment = pd.Timestamp(1729992600000000001, tz="Europe/Paris")
        return [moment, pd.Timedelta(1), pd.NaT, pd.NA, pd.Period("2024-01"), pd.Interval(0, 1)]
"""
VERSIONS = {"pandas_1": ("3.8", "1.5.3"), "pandas_2": ("3.13", "2.2.3")}

PodOf = Callable[..., Pod]


@pytest.fixture(scope="module")
def pod_of(
    tmp_path_factory: pytest.TempPathFactory, find_python: Callable[[str], Path]
) -> Iterator[PodOf]:
    """Return a function from a pod's name to the pod; its options are the loader's."""
    pods_directory = tmp_path_factory.mktemp("pods")
    loaders: dict[object, PodLoader] = {}

    def load(name: str, **options: object) -> Pod:
        python, pandas = VERSIONS[name]
        folder = pods_directory / name
        if not folder.exists():
            folder.mkdir()
            (folder / "pod.py").write_text(textwrap.dedent(SOURCE), encoding="utf-8")
            (folder / "requirements.txt").write_text(f"pandas=={pandas}\n", encoding="utf-8")
        key = (name, *options.items())
        if key not in loaders:
            loaders[key] = PodLoader(
                name, pods_directory=pods_directory, python=find_python(python), **options
            )
        return loaders[key].load_pod()

    yield load
    for loader in loaders.values():
        loader.unload_pod()


@pytest.fixture(params=VERSIONS)
def pod(request: pytest.FixtureRequest, pod_of: PodOf) -> Pod:
    """Return the pod of each older version."""
    return pod_of(request.param)


def test_a_frame_of_an_older_pandas_arrives_with_its_dtypes_and_goes_back(pod, pod_of):
    frame = pod.own(6)
    assert frame["day"].dtype == "datetime64[ns]"
    assert str(frame["paris"].dtype) == "datetime64[ns, Europe/Paris]"
    assert frame["text"].dtype == object
    assert frame["text"].tolist() == ["a", None] * 3
    assert list(map(str, frame.dtypes[5:])) == [
        *("Int64", "string", "category", "period[M]", "interval[int64, right]"),
    ]
    assert frame.index.freqstr == "D"
    assert frame.index.name == "index"
    assert type(frame["paris"].dt.tz).__module__ == "zoneinfo"
    assert pod.is_own(frame, 6) == ["<Day>", "pytz.tzfile"]
    other = pod_of("pandas_1" if pod.version()[0] == "2" else "pandas_2")
    assert other.is_own(frame, 6)[0] == "<Day>"


def test_scalars_of_an_older_pandas_arrive(pod):
    moment, *others = pod.scalars()
    assert moment == pd.Timestamp(1_729_992_600_000_000_001, tz="Europe/Paris")
    assert (moment.fold, moment.nanosecond) == (1, 1)
    assert others[:3] == [pd.Timedelta(1), pd.NaT, pd.NA]
    assert others[3:] == [pd.Period("2024-01", "M"), pd.Interval(0, 1)]
    assert pod.echo(others) == others


def test_a_frame_of_today_arrives_in_the_nearest_dtypes_with_every_value(pod):
    frame = pd.DataFrame(
        {
            "text": ["a", None, "c"],
            "micro": pd.date_range("2024", periods=3, unit="us"),
            "zone": pd.date_range("2024", periods=3, unit="s", tz="Europe/Paris"),
            "span": pd.to_timedelta([1, 2, None], unit="s"),
            "float": [0.5, np.nan, 1],
        }
    )
    is_old = pod.version().startswith("1.")
    dtypes = pod.dtypes(frame)
    assert dtypes["text"] == "object"
    assert dtypes["micro"] == ("datetime64[ns]" if is_old else "datetime64[us]")
    assert dtypes["zone"] == f"datetime64[{'ns' if is_old else 's'}, Europe/Paris]"
    back = pod.echo(frame)
    pd.testing.assert_frame_equal(back.astype(frame.dtypes), frame, check_column_type=False)
    assert back["text"].tolist() == ["a", np.nan, "c"]
    indexes = [pd.Index([1, 2], dtype="int8"), pd.Index([0.5, 1], dtype="f4"), pd.Index([True])]
    wide = [("Int64Index", "int64"), ("Float64Index", "float64"), ("Index", "bool")]
    same = [("Index", "int8"), ("Index", "float32"), ("Index", "bool")]
    assert pod.index_types(*indexes) == (wide if is_old else same)
    for index, came in zip(indexes, pod.echo(indexes), strict=True):
        assert came.tolist() == index.tolist()


def test_what_an_older_pandas_cannot_hold_is_refused_by_name(pod_of):
    old = pod_of("pandas_1")
    far = pd.DataFrame({"a": [1], "far": np.array(["0001-01-01"], "M8[s]")})
    with pytest.raises(ValueTransferError, match=r'\["far"\].*nanoseconds'):
        old.dtypes(far)
    with pytest.raises(ValueTransferError, match="nanoseconds"):
        old.echo(pd.Timestamp("9999-12-31"))
    assert old.version() == "1.5.3"


@pytest.mark.parametrize(
    "options",
    [{}, {"writable_arrays": True}, {"max_shared_bytes": 0}],
    ids=["shared", "writable", "in frames"],
)
def test_a_large_frame_can_be_written_wherever_it_arrives(pod_of, options):
    rows = 20_000
    frame = pd.DataFrame(
        {
            "a": np.arange(rows) / 3,
            "b": np.arange(rows) / 7,
            "count": np.arange(rows),
            "nullable": pd.array(np.arange(rows), dtype="Int64"),
            "zone": pd.date_range("2024", periods=rows, freq="s", unit="ns", tz=dt.UTC),
            "kind": pd.Categorical.from_codes(np.arange(rows) % 100, range(100)),
            "span": pd.interval_range(0, rows),
            "text": pd.Series([f"text {row}" for row in range(rows)], dtype=object),
        }
    ).rename(columns=str)
    pod = pod_of("pandas_1", **options)
    assert pod.is_written(frame)
    back = pod.echo(frame)
    pd.testing.assert_frame_equal(back, frame, check_column_type=False)
    back.iloc[0, 0] = 7
    assert back.iloc[0, 0] == 7


def test_what_pyarrow_keeps_here_is_text_there_or_refused_by_name(pod):
    texts = [None if row % 3 == 0 else f"größe {row}" for row in range(3000)]
    frame = pd.DataFrame({"many": texts, "few": pd.array(texts, dtype="string[pyarrow]")})
    assert pod.dtypes(frame) == {"many": "object", "few": "string"}
    back = pod.echo(frame)
    assert back["many"].tolist()[1:3] == texts[1:3]
    assert back["few"].tolist()[:2] == [pd.NA, texts[1]]
    number = pd.DataFrame({"text": ["a"], "number": pd.array([1], dtype="int64[pyarrow]")})
    with pytest.raises(ValueTransferError, match=r'\["number"\].*no pyarrow'):
        pod.dtypes(number)
    named = pd.DataFrame({"t": pd.array(["a"], dtype=pd.ArrowDtype(pa.string()))})
    assert pod.dtypes(named) == {"t": "string"}


def test_a_frame_of_a_pod_is_taken_as_arrow_where_there_is_no_pandas(pod, monkeypatch):
    monkeypatch.setattr(pandas_arrivals, "find_pandas", lambda: None)
    frame = pod.own(3000, ["month", "span"])
    assert type(frame) is PandasValue
    table = pa.table(frame)
    assert table.column_names[0] == "day"
    assert table.column_names[-1] == "index"
    assert table["nullable"].to_pylist()[:2] == [1, None]
    assert table["text"].null_count == table["string"].null_count == 1500
    assert table["kind"].to_pylist()[:2] == ["b", "a"]
    assert str(table["paris"].type) == "timestamp[ns, tz=Europe/Paris]"
    assert table["number"].to_pylist() == list(range(3000))
    with pytest.raises(TypeError, match="column 'month'"):
        pa.table(pod.own(2))
