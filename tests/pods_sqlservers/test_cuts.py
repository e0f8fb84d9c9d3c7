"""A connection that is lost anywhere in the last step: all rows once, and never a part of them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pypods import PodCallError

pytestmark = pytest.mark.parametrize("standin", ["mssql", "oracle"], indirect=True)

OLD = pa.table({"id": [1, 2, 3], "v": ["a", "b", "c"]})
NEW = pa.table({"id": [3, 4], "v": ["C", "D"]})
EXPECTED = {
    "append": [(1, "a"), (2, "b"), (3, "C"), (3, "c"), (4, "D")],
    "replace": [(3, "C"), (4, "D")],
}
MOST_STATEMENTS = 60


def rows_of(standin, stream):
    names = {each["name"].rpartition(".")[2] for each in standin.pod.streams(standin.connection)}
    if stream[-1] not in names:
        return None
    return sorted((int(row["id"]), row["v"]) for row in standin.read(stream[-1]))


def finish_in_spite_of_cuts(standin, stream, mode, before, after, new=NEW):
    """Cut the last step off after 0, 1, 2 … statements until it ends; return how often it was."""
    pod, place, ask = standin.pod, standin.connection, {"mode": mode, "key": ["id"], "run": "r"}
    pod.prepare(place, stream, new.schema, **ask)
    pod.write(place, stream, iter(new.to_batches()), run="r")
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
    assert pod.prepare(place, stream, new.schema, **ask)["finished"] is True
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


def test_a_column_that_the_target_gets_on_the_way_comes_once(standin):
    stream = [standin.schema, "t"]
    standin.pod.write_all(standin.connection, stream, iter(OLD.to_batches()))
    new = NEW.append_column("w", [["x", "y"]])
    before, after = rows_of(standin, stream), [(1, "a"), (2, "b"), (3, "C"), (4, "D")]
    finish_in_spite_of_cuts(standin, stream, "upsert", before, after, new)
    assert sorted(standin.read(), key=str)[2:] == [
        {"id": 3, "v": "C", "w": "x"}, {"id": 4, "v": "D", "w": "y"},
    ]  # fmt: skip
    assert staging_tables(standin) == []
