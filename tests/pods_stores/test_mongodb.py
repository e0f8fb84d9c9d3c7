"""What is MongoDB's own, over the stand-in; the driver and BSON are the real ones."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from decimal import Decimal

import bson
import pyarrow as pa
import pytest
from killing import in_order, rows_after, write_while_killed
from pod_rows import is_error
from pod_rows import rows_of as read

from pypods import PodCallError

WHEN = dt.datetime(2024, 2, 29, 1, 2, 3, 4000)
NUMBER = uuid.UUID(int=7)
ROWS, BATCH, KILLS = 400, 100, 3


@pytest.fixture
def pod(load_connector):
    return load_connector("mongodb").load_pod()


def insert(mongodb, collection, *documents):
    raw = [bson.encode(each) for each in documents]
    mongodb.pod.insert(mongodb.place["database"], collection, raw)


def test_documents_of_others_are_read_in_the_types_that_they_have(pod, mongodb):
    first, second = bson.ObjectId(), bson.ObjectId()
    insert(
        mongodb, "c",
        {"_id": first, "n": 1, "long": bson.Int64(2**40), "x": 1.5, "s": "ü", "b": True,
         "at": WHEN, "d": bson.Decimal128("1.10"), "raw": b"\xff", "ref": second,
         "u": bson.Binary(NUMBER.bytes, 4), "doc": {"a": [1, bson.Decimal128("1.10")]},
         "mixed": "text"},
        {"_id": second, "n": None, "x": 2, "mixed": 3},
    )  # fmt: skip
    schema = pa.schema(pod.schema(mongodb.place, "c")["schema"])
    kinds = {
        field.name: (str(field.type), (field.metadata or {}).get(b"pypods.type", b"").decode())
        for field in schema
    }
    assert kinds == {
        "_id": ("string", "objectid"), "n": ("int64", ""), "long": ("int64", ""),
        "x": ("double", ""), "s": ("string", ""), "b": ("bool", ""),
        "at": ("timestamp[us, tz=UTC]", ""), "d": ("string", "decimal128"), "raw": ("binary", ""),
        "ref": ("string", "objectid"), "u": ("fixed_size_binary[16]", "uuid"),
        "doc": ("string", "json"), "mixed": ("string", "json"),
    }  # fmt: skip
    one, other = read(pod, mongodb.place, "c", order_by=["_id"])
    assert one["_id"] == str(first)
    assert (one["n"], one["long"], one["x"], one["s"], one["b"]) == (1, 2**40, 1.5, "ü", True)
    assert one["at"] == WHEN.replace(tzinfo=dt.UTC)
    assert (one["d"], one["raw"], one["ref"], one["u"]) == (
        "1.10", b"\xff", str(second), NUMBER.bytes,
    )  # fmt: skip
    assert one["doc"] == '{"a": [1, 1.10]}'
    assert (json.loads(one["mixed"]), json.loads(other["mixed"])) == ("text", 3)
    assert other["x"] == 2.0
    assert other["s"] is None
    declared = {**mongodb.place, "columns": {"d": "decimal(5,2)", "at": "timestamp(us)"}}
    (row, _) = read(pod, declared, "c", columns=["d", "at"], order_by=["_id"])
    assert row == {"d": Decimal("1.10"), "at": WHEN}


@pytest.mark.parametrize("text", ["6b01e2031f700794c587e6c2", "no id at all"])
def test_ids_are_looked_for_as_what_they_are(pod, mongodb, text):
    insert(mongodb, "c", *({"_id": bson.ObjectId(), "n": n} for n in range(3)))
    ids = [row["_id"] for row in read(pod, mongodb.place, "c", order_by=["_id"])]
    assert [
        row["_id"] for row in read(pod, mongodb.place, "c", order_by=["_id"], after=[ids[0]])
    ] == ids[1:]
    assert len(read(pod, mongodb.place, "c", where=[["_id", "in", ids[:2]]])) == 2
    assert read(pod, mongodb.place, "c", where=[["_id", "=", text]]) == []


@pytest.mark.parametrize("value", [{"$ne": None}, {"$gt": ""}, [{"$where": "1"}]])
def test_a_value_is_never_an_operator(pod, mongodb, value):
    insert(mongodb, "c", {"s": "a"}, {"s": "$where"})
    for operator in ("=", "!=", ">="):
        with pytest.raises(PodCallError) as caught:
            read(pod, mongodb.place, "c", where=[["s", operator, value]])
        assert is_error(caught, "DataError") or is_error(caught, "SettingsError")
    assert len(read(pod, mongodb.place, "c", where=[["s", "=", "$where"]])) == 1
    with pytest.raises(PodCallError) as caught:
        read(pod, mongodb.place, "c", where=[["$where", "=", "1"]])
    assert is_error(caught, "SchemaError")


def test_a_field_that_the_sample_has_not_is_an_error_and_no_loss(pod, mongodb):
    insert(mongodb, "c", {"a": 1}, {"a": 2, "late": True})
    place = {**mongodb.place, "sample": 1}
    with pytest.raises(PodCallError, match="'late'") as caught:
        read(pod, place, "c")
    assert is_error(caught, "SchemaError")
    assert [row["late"] for row in read(pod, {**place, "sample": 0}, "c")] == [None, True]
    assert read(pod, {**place, "columns": {"a": "int8"}, "id_column": ""}, "c") == [
        {"a": 1}, {"a": 2},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([WHEN + dt.timedelta(microseconds=1)], pa.timestamp("us")), "multiples of 1000"),
        (pa.array([[Decimal(10**36 + 1)]], pa.list_(pa.decimal128(38, 0))), "is no list"),
    ],
)
def test_what_bson_cannot_hold_is_refused(pod, mongodb, column, words):
    with pytest.raises(PodCallError, match=words) as caught:
        pod.write_all(mongodb.place, "c", pa.table({"a": column}))
    assert is_error(caught, "DataError")
    assert pod.streams(mongodb.place) == []


def test_documents_have_values_of_bson(pod, mongodb):
    kinds = {b"pypods.type": b"json"}
    schema = pa.schema(
        [pa.field("_id", pa.int64()), pa.field("d", pa.decimal128(5, 2)),
         pa.field("day", pa.date32()), pa.field("doc", pa.utf8(), metadata=kinds),
         pa.field("list", pa.list_(pa.int64()))]
    )  # fmt: skip
    row = {"_id": 1, "d": Decimal("1.10"), "day": WHEN.date(), "doc": '{"a": 1.5}', "list": [1]}
    pod.write_all(mongodb.place, "c", pa.Table.from_pylist([row], schema=schema))
    (text,) = mongodb.pod.documents(mongodb.place["database"], "c")
    assert text == (
        "{'_id': 1, 'd': Decimal128('1.10'), 'day': datetime.datetime(2024, 2, 29, 0, 0), "
        "'doc': {'a': 1.5}, 'list': [1]}"
    )
    assert read(pod, mongodb.place, "c") == [row]
    with pytest.raises(PodCallError, match="or is there") as caught:
        pod.write_all(mongodb.place, "c", pa.Table.from_pylist([row], schema=schema))
    assert is_error(caught, "DataError")
    assert pod.count(mongodb.place, "c") == 1


def test_a_replaced_collection_keeps_its_indexes(pod, mongodb):
    insert(mongodb, "c", {"n": 1})
    mongodb.pod.indexes(mongodb.place["database"], "c", "n")
    pod.write_all(mongodb.place, "c", pa.table({"n": [2, 3]}), mode="replace")
    assert mongodb.pod.indexes(mongodb.place["database"], "c") == ["_id_", "n"]
    assert sorted(row["n"] for row in read(pod, mongodb.place, "c")) == [2, 3]
    assert [each["name"] for each in pod.streams(mongodb.place)] == ["c"]


def test_it_says_that_no_real_server_was_tried(pod):
    assert pod.describe_connector()["verified"] == "not verified against a real server"


@pytest.mark.parametrize("mode", ["append", "replace", "upsert"])
def test_killed_at_any_moment_each_row_is_there_once(load_connector, mongodb, mode):
    loader, place = load_connector("mongodb"), {**mongodb.place, "id_column": ""}
    old = pa.table({"id": list(range(60)), "text": ["old"] * 60})
    new = pa.table({"id": list(range(50, ROWS)), "text": [f"row {n}" for n in range(50, ROWS)]})
    loader.load_pod().write_all(place, "c", old)
    seed = write_while_killed(
        loader, place, "c", new, mode=mode, key=["id"], kills=KILLS, more_seconds=0.2,
        batch_rows=BATCH,
    )  # fmt: skip
    found = in_order(read(loader.load_pod(), place, "c"))
    assert found == rows_after(mode, old, new), seed
