"""What is Redis's own: keys, ids, types of texts, and kills at any moment."""

from __future__ import annotations

import pyarrow as pa
import pytest
from killing import in_order, rows_after, write_while_killed
from pod_rows import is_error
from pod_rows import rows_of as read

from pypods import PodCallError

ROWS, BATCH, KILLS = 4000, 250, 4


@pytest.fixture
def pod(load_connector):
    return load_connector("redis").load_pod()


def test_hashes_of_others_are_read_as_text_or_as_declared(pod, redis_keys, redis_client):
    place, prefix = redis_keys.place, redis_keys.prefix
    redis_client.run(
        place, ["HSET", f"{prefix}:c:7", "name", "Ada", "price", "12.50"],
        ["HSET", f"{prefix}:c:8", "name", "", "born", "1815-12-10"],
        ["SET", f"{prefix}:c:9", "no hash"], ["HSET", f"{prefix}:d:7", "name", "another table"],
    )  # fmt: skip
    stream = f"{prefix}:c:*"
    assert read(pod, place, stream, order_by=["key"]) == [
        {"key": "7", "born": None, "name": "Ada", "price": "12.50"},
        {"key": "8", "born": "1815-12-10", "name": "", "price": None},
    ]
    assert pod.schema(place, stream)["key"] == ["key"]
    typed = {
        **place, "key_column": "id",
        "columns": {"id": "int64 not null", "price": "decimal(12,2)", "born": "date"},
    }  # fmt: skip
    rows = read(pod, typed, stream, where=[["id", ">", 6]], order_by=["id"])
    assert [(row["id"], str(row["price"]), str(row["born"])) for row in rows] == [
        (7, "12.50", "None"), (8, "None", "1815-12-10"),
    ]  # fmt: skip
    names = {each["name"]: each["rows"] for each in pod.streams(place)}
    assert names[stream] == 2


@pytest.mark.parametrize(
    ("columns", "words"),
    [({"name": "int64"}, "'Ada' is no int64"), ({"gone": "utf8 not null"}, "declared not null")],
)
def test_a_value_that_does_not_fit_is_named(pod, redis_keys, redis_client, columns, words):
    redis_client.run(redis_keys.place, ["HSET", f"{redis_keys.prefix}:c:7", "name", "Ada"])
    with pytest.raises(PodCallError, match=words) as caught:
        read(pod, {**redis_keys.place, "columns": columns}, f"{redis_keys.prefix}:c:*")
    assert is_error(caught, "DataError")
    assert caught.value.position == 0


def test_rows_are_hashes_whose_key_is_the_rows_own(pod, redis_keys, redis_client):
    place, stream = redis_keys.place, f"{redis_keys.prefix}:c:*"
    rows = pa.table({"a": [1, 2], "b": ["x:y", "z%"], "n": [None, 5]})
    pod.write_all(place, stream, rows, mode="upsert", key=["a", "b"])
    first, second = f"{redis_keys.prefix}:c:1:x%3Ay", f"{redis_keys.prefix}:c:2:z%25"
    assert redis_client.run(place, ["HGETALL", first], ["HGETALL", second]) == [
        {"a": "1", "b": "x:y"}, {"a": "2", "b": "z%", "n": "5"},
    ]  # fmt: skip
    gone = pa.table({"a": [2], "b": ["z%"], "n": pa.array([None], pa.int64())})
    pod.write_all(place, stream, gone, mode="upsert", key=["a", "b"])
    assert redis_client.run(place, ["HGETALL", second]) == [{"a": "2", "b": "z%"}]
    pod.write_all(place, stream, rows.slice(1), mode="replace", key=["a", "b"])
    assert redis_client.run(place, ["EXISTS", first]) == [0]
    empty = pa.table({"n": pa.array([None], pa.int64())})
    pod.write_all(place, stream, empty, mode="replace")
    assert read(pod, {**place, "key_column": ""}, stream) == [{"n": None}]


def test_a_prefix_is_no_pattern(pod, redis_keys, redis_client):
    odd = f"{redis_keys.prefix}:[a]?:"
    redis_client.run(
        redis_keys.place, ["HSET", f"{odd}1", "n", "1"],
        ["HSET", f"{redis_keys.prefix}:ab:1", "n", "2"],
    )  # fmt: skip
    assert [row["n"] for row in read(pod, redis_keys.place, f"{odd}*")] == ["1"]


def test_a_stream_is_read_from_an_id_on(pod, redis_keys, redis_client):
    place, stream = redis_keys.place, f"{redis_keys.prefix}:events"
    # In numbers, 10 comes after 9.
    ids = ["5-9", "5-10", "1700000000000-0"]
    redis_client.run(place, *(["XADD", stream, each, "n", each] for each in ids))
    rows = read(pod, place, stream, order_by=["key"])
    assert [row["n"] for row in rows] == ids
    assert read(pod, place, stream, order_by=["key"], after=[rows[0]["key"]]) == rows[1:]
    assert read(pod, place, stream, where=[["key", ">=", rows[1]["key"]]]) == rows[1:]
    assert pod.count(place, stream, where=[["n", "=", "5-9"]]) == 1
    with pytest.raises(PodCallError, match="would be the entry's id") as caught:
        pod.write_all(place, stream, pa.table({"key": ["1-1"]}))
    assert is_error(caught, "SchemaError")
    with pytest.raises(PodCallError, match="modes append, replace") as caught:
        pod.write_all(place, stream, pa.table({"n": ["1-1"]}), mode="upsert", key=["n"])
    assert is_error(caught, "SettingsError")


def test_a_key_of_another_kind_stops_a_run_that_goes_on_once_it_is_gone(
    pod, redis_keys, redis_client
):
    place, stream = redis_keys.place, f"{redis_keys.prefix}:c:*"
    redis_client.run(place, ["SET", f"{redis_keys.prefix}:c:2", "no hash"])
    rows = pa.table({"id": [1, 2]})
    pod.prepare(place, stream, rows.schema, mode="upsert", key=["id"], run="r")
    pod.write(place, stream, iter(rows.to_batches()), run="r")
    with pytest.raises(PodCallError, match="is a string and no hash") as caught:
        pod.finish(place, stream, run="r", rows=2)
    assert is_error(caught, "ConflictError")
    assert redis_client.keys(place, f"{redis_keys.prefix}:c:1") == []
    redis_client.run(place, ["DEL", f"{redis_keys.prefix}:c:2"])
    assert pod.finish(place, stream, run="r")["rows"] == 2
    assert sorted(row["id"] for row in read(pod, place, stream)) == [1, 2]


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"database": 10**6}, "SettingsError"),
        ({"user": "pypods_nobody", "password": "swordfish"}, "AuthenticationError"),
    ],
)
def test_what_is_wrong_is_told_and_no_secret(pod, redis_keys, settings, kind):
    with pytest.raises(PodCallError) as caught:
        pod.check({**redis_keys.place, **settings})
    assert is_error(caught, kind)
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize(("mode", "star"), [("append", ""), ("upsert", ":*"), ("replace", ":*")])
def test_killed_at_any_moment_each_row_is_there_once(
    load_connector, redis_keys, redis_client, mode, star
):
    loader = load_connector("redis")
    place = {**redis_keys.place, "key_column": ""}
    stream = f"{redis_keys.prefix}:t{star}"
    old = pa.table({"id": list(range(100)), "text": ["old"] * 100})
    new = pa.table({"id": list(range(50, ROWS)), "text": [f"row {n}" for n in range(50, ROWS)]})
    key = ["id"] if star else []
    loader.load_pod().write_all(place, stream, old, mode="upsert" if star else "append", key=key)
    seed = write_while_killed(
        loader, place, stream, new, mode=mode, key=key, kills=KILLS, more_seconds=0.1,
        batch_rows=BATCH,
    )  # fmt: skip
    found = in_order(read(loader.load_pod(), place, stream))
    assert found == rows_after(mode, old, new), seed
    left = redis_client.keys(place, redis_keys.prefix)
    assert not [key for key in left if "/new/" in key or "/run-" in key], seed
