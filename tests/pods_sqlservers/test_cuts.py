"""A connection that is lost anywhere in the last step: all rows once, and never a part of them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pypods import PodCallError

OLD = pa.table({"id": [1, 2, 3], "v": ["a", "b", "c"]})
NEW = pa.table({"id": [3, 4], "v": ["C", "D"]})
EXPECTED = {
    "append": [(1, "a"), (2, "b"), (3, "C"), (3, "c"), (4, "D")],
    "replace": [(3, "C"), (4, "D")],
}
MOST_STATEMENTS = 60


@pytest.fixture(params=["mssql", "oracle"])
def standin(request, make_standin):
    with make_standin(request.param) as made:
        yield made


def rows_of(standin, stream):
    if stream[-1] not in {each["name"].rpartition(".")[2] for each in
                          standin.pod.streams(standin.connection)}:  # fmt: skip
        return None
    batches = [pa.record_batch(each) for each in standin.pod.read(standin.connection, stream)]
    return sorted((int(row["id"]), row["v"]) for each in batches for row in each.to_pylist())


def finish_in_spite_of_cuts(standin, stream, mode, before, after):
    """Cut the last step off after 0, 1, 2 … statements until it ends; return how often it was."""
    pod, place, ask = standin.pod, standin.connection, {"mode": mode, "key": ["id"], "run": "r"}
    pod.prepare(place, stream, NEW.schema, **ask)
    pod.write(place, stream, iter(NEW.to_batches()), run="r")
    lost = []
    for statements in range(MOST_STATEMENTS):
        pod.cut_after(statements)
        try:
            finished = pod.finish(place, stream, run="r", cursor={"n": 1}, rows=2)
        except PodCallError as exc:
            lost.append((exc.type_name.rpartition(".")[2], exc.retry))
        else:
            break
        finally:
            pod.cut_after(None)
        assert rows_of(standin, stream) in (before, after), f"cut after {statements}"
    assert set(lost) == {("UnreachableError", True)}
    assert finished["rows"] == 2
    assert rows_of(standin, stream) == after
    # Whoever comes again finds it done.
    assert pod.prepare(place, stream, NEW.schema, **ask)["finished"] is True
    assert pod.finish(place, stream, run="r", cursor={"n": 2}, rows=2)["rows"] == 2
    assert pod.state(place, stream) == {"cursor": {"n": 1}, "run": "r"}
    assert rows_of(standin, stream) == after
    with pytest.raises(PodCallError, match="is finished"):
        pod.abandon(place, stream, run="r")
    return statements


def staging_tables(standin):
    query = (
        "select relname::text from pg_class where relkind = 'r' and relname ~ '^_pypods_[0-9a-f]+$'"
    )
    return standin.pod.ask(standin.database, query)


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_a_target_that_is_there_has_all_rows_once(standin, mode):
    stream = [standin.schema, "t"]
    standin.pod.write_all(standin.connection, stream, iter(OLD.to_batches()))
    before = rows_of(standin, stream)
    cuts = finish_in_spite_of_cuts(standin, stream, mode, before, EXPECTED[mode])
    assert cuts > 10
    assert staging_tables(standin) == []


def test_a_target_that_is_not_there_comes_with_all_rows(standin):
    stream = [standin.schema, "t"]
    cuts = finish_in_spite_of_cuts(standin, stream, "append", None, [(3, "C"), (4, "D")])
    assert cuts > 10
    assert staging_tables(standin) == []
