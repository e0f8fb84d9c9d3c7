"""Rows sent to a system without transactions: what is noted, put aside, sent again."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from record_memory import MemoryRecords

from pypods.connectors.errors import (
    ConflictError,
    DataError,
    SchemaError,
    SettingsError,
    StreamNotFoundError,
    UnreachableError,
)
from pypods.connectors.records.sending import in_requests

ROWS = pa.table({"id": list(range(10)), "refuse": [n in (3, 7) for n in range(10)]})
GOOD = pa.table({"id": list(range(10))})


@pytest.fixture
def place(tmp_path):
    return {"system": "here", "ledger": str(tmp_path), "rows_per_request": 4}


@pytest.fixture
def connector():
    return MemoryRecords(page_rows=3)


def rows_of(connector, place, stream, **options):
    return [row for batch in connector.read(place, stream, **options) for row in batch.to_pylist()]


def batches(table, rows=None):
    return table.to_batches(max_chunksize=rows)


def test_requests_have_the_same_rows_however_batches_are_cut():
    wanted = [list(range(start, min(start + 4, 10))) for start in range(0, 10, 4)]
    for cut in (1, 3, 4, 10):
        got = in_requests(batches(GOOD, cut), 4)
        assert [each.column("id").to_pylist() for each in got] == wanted
    assert list(in_requests([], 4)) == []


def test_rows_that_are_refused_are_found_by_halving_and_put_aside(connector, place):
    connector.prepare(place, "t", ROWS.schema, mode="append", run="r")
    told = []
    written = connector.write(
        place, "t", batches(ROWS, 3), run="r", bad_rows="collect", max_bad_rows=2,
        committed=lambda *counts: told.append(counts), position=["id"],
    )  # fmt: skip
    assert (written["rows"], written["bad"], written["position"]) == (8, 2, [9])
    assert [counts[::2] for counts in told] == [(3, 1), (3, 1), (2, 0)]
    connector.finish(place, "t", run="r", rows=8)
    bad = rows_of(connector, place, "t__bad_rows", order_by=["position"])
    assert [(row["position"], json.loads(row["row_json"])["id"]) for row in bad] == [(3, 3), (7, 7)]
    assert bad[0]["reason"] == "refused by the system"
    assert connector.schema(place, "t__bad_rows")["schema"].names == [
        "run", "part", "position", "reason", "row_json",
    ]  # fmt: skip
    with pytest.raises(StreamNotFoundError, match="nothing was refused so far"):
        rows_of(connector, place, "other__bad_rows")


def test_more_of_them_than_are_allowed_fail_the_run(connector, place):
    connector.prepare(place, "t", ROWS.schema, mode="append", run="r")
    with pytest.raises(DataError, match="1 bad rows in this batch, and 0 more"):
        connector.write(place, "t", batches(ROWS), run="r", bad_rows="collect", max_bad_rows=1)
    with pytest.raises(SettingsError, match="bad_rows is fail or collect"):
        connector.write(place, "t", batches(ROWS), run="r", bad_rows="keep")


def test_a_refusal_names_the_rows_that_it_may_be_about(connector, place):
    with pytest.raises(DataError, match=r"one of the rows 0 to 3 .* part '0': refused") as caught:
        connector.write_all(place, "t", batches(ROWS))
    assert caught.value.position is None
    place["rows_per_request"] = 1
    with pytest.raises(DataError, match=r"row 3 .* of part '0': refused") as caught:
        connector.write_all(place, "u", batches(ROWS))
    assert caught.value.position == 3
    assert [row["id"] for row in rows_of(connector, place, "u")] == [0, 1, 2]


def test_nothing_is_sent_of_a_batch_with_a_row_that_cannot_be(connector, place):
    wrong = pa.table({"id": [1.0, float("nan"), float("inf")]})
    with pytest.raises(DataError, match="row 1"):
        connector.write_all(place, "t", batches(wrong))
    connector.prepare(place, "t", wrong.schema, mode="append", run="r")
    with pytest.raises(DataError, match="2 bad rows in this batch, and 1 more"):
        connector.write(place, "t", batches(wrong), run="r", bad_rows="collect", max_bad_rows=1)
    twice = pa.table({"id": [1, 2, 2]})
    with pytest.raises(DataError, match=r"t gets 2 rows with the key \{'id': 2\}"):
        connector.write_all(place, "t", batches(twice), mode="upsert", key=["id"])
    assert connector.requests == []


def test_a_request_in_doubt_is_sent_again_as_it_was(connector, place):
    """Its answer is lost, and the source cuts its batches otherwise when the run goes on."""
    seen = []

    def lose_the_second(request):
        seen.append(request.identity)
        if len(seen) == 3:  # The second was taken already.
            raise ConnectionError("lost")

    connector.prepare(place, "t", GOOD.schema, mode="append", run="r")
    connector.before_send = lose_the_second
    with pytest.raises(UnreachableError):
        connector.write(place, "t", batches(GOOD), run="r", position=["id"])
    ledger = json.dumps(rows_of(connector, place, "t"))
    prepared = connector.prepare(place, "t", GOOD.schema, mode="append", run="r")
    assert (prepared["parts"]["0"]["rows"], prepared["parts"]["0"]["position"]) == (8, [7])
    connector.write(place, "t", batches(GOOD.slice(8), 1), run="r", attempt=prepared["attempt"])
    assert connector.finish(place, "t", run="r", rows=10)["rows"] == 10
    assert seen[3] == seen[2]
    assert [row["id"] for row in rows_of(connector, place, "t")] == list(range(10)), ledger


def test_what_was_sent_cannot_be_abandoned_but_by_key(connector, place):
    connector.prepare(place, "t", GOOD.schema, mode="append", run="r")
    connector.write(place, "t", batches(GOOD), run="r")
    with pytest.raises(ConflictError, match="has sent 10 rows, which cannot be taken back"):
        connector.abandon(place, "t", run="r")
    with pytest.raises(ConflictError, match="has sent 10 rows and there must be 11"):
        connector.finish(place, "t", run="r", rows=11)
    with pytest.raises(ConflictError, match="is not prepared"):
        connector.finish(place, "t", run="s")
    connector.prepare(place, "u", GOOD.schema, mode="upsert", key=["id"], run="r")
    connector.write(place, "u", batches(GOOD), run="r")
    connector.abandon(place, "u", run="r")
    again = connector.prepare(place, "u", GOOD.schema, mode="upsert", key=["id"], run="r")
    assert again["parts"] == {}


def test_writing_needs_a_ledger_and_whoever_takes_rows(connector, place):
    with pytest.raises(SettingsError, match="writing needs the setting 'ledger'"):
        connector.write_all({**place, "ledger": None}, "t", batches(GOOD))
    with pytest.raises(SettingsError, match="is read only"):
        connector.write_all(place, "read only", batches(GOOD))
    with pytest.raises(SettingsError, match="cannot be removed by the connector"):
        connector.truncate(place, "t")
    with pytest.raises(SettingsError, match="a stream is a name that the connection declares"):
        connector.truncate(place, "")


def test_declared_columns_are_kept_to(connector, place):
    place["streams"] = {"t": {"schema": [("id", "int64", False), ("name", "utf8", True)]}}
    ask = {"mode": "append", "run": "r"}
    more = pa.schema([("id", pa.int64()), ("colour", pa.utf8())])
    with pytest.raises(SchemaError, match="'colour' is new, and drift is freeze"):
        connector.prepare(place, "t", more, **ask, drift="freeze")
    with pytest.raises(SchemaError, match="'id' must have a value, and none is written"):
        connector.prepare(place, "t", pa.schema([("name", pa.utf8())]), **ask)
    prepared = connector.prepare(place, "t", more, **ask, drift="discard")
    assert prepared["schema"].names == ["id"]
    # By key, some of the columns may come.
    by_key = connector.prepare(
        place, "t", pa.schema([("name", pa.utf8())]), mode="upsert", key=["name"], run="s"
    )
    assert by_key["changes"] == []


# --- reading ------------------------------------------------------------------------------------


def fill(connector, stream, *texts):
    connector.systems["here"][stream] = list(texts)


def test_what_the_first_page_has_holds_for_all(connector, place):
    fill(connector, "t", '{"a": 1}', '{"a": 2}', '{"a": 3}', '{"a": "x"}')
    with pytest.raises(DataError, match=r"row 3 .*'a': \"x\" is no int64, which is what the first"):
        rows_of(connector, place, "t")
    fill(connector, "t", '{"a": 1}', '{"a": 2}', '{"a": 3}', '{"a": 4, "b": 5}')
    with pytest.raises(SchemaError, match=r"row 3 .* has 'b', which no record of the first page"):
        rows_of(connector, place, "t")
    fill(connector, "t", '{"a": 1}', '{"a": 2}', '{"a": 3}', "4")
    with pytest.raises(DataError, match=r"record 3 .* is 4, and has to be an object"):
        rows_of(connector, place, "t")
    fill(connector, "t", "4")
    with pytest.raises(DataError, match=r"record 0 .* is 4, and has to be an object"):
        rows_of(connector, place, "t")
    fill(connector, "t")
    with pytest.raises(SchemaError, match="no records to infer columns from"):
        connector.schema(place, "t")


def test_pages_are_read_as_far_as_they_are_needed(connector, place):
    fill(connector, "t", *(f'{{"a": {n}}}' for n in range(10)))
    place["streams"] = {"t": {"schema": [("a", "int64", False)], "key": ["a"], "sorted_by": ["a"]}}
    assert rows_of(connector, place, "t", limit=3) == [{"a": 0}, {"a": 1}, {"a": 2}]
    assert connector.pages_read == 1
    assert rows_of(connector, place, "t", limit=0) == []
    assert connector.pages_read == 1
    assert rows_of(connector, place, "t", columns=[], limit=2) == [{}, {}]
    got = rows_of(connector, place, "t", order_by=["a"], after=[7], names={"a": "b"})
    assert got == [{"b": 8}, {"b": 9}]


def test_an_order_that_is_declared_is_checked(connector, place):
    fill(connector, "t", *(f'{{"a": {n}}}' for n in (1, 2, 5, 3, 9)))
    place["streams"] = {"t": {"schema": [("a", "int64", True)], "sorted_by": ["a"]}}
    with pytest.raises(DataError, match=r"t is not sorted by a: row 3 ") as caught:
        rows_of(connector, place, "t", order_by=["a"])
    assert caught.value.position == 3
    del place["streams"]["t"]["sorted_by"]
    got = rows_of(connector, place, "t", order_by=["a"])
    assert [row["a"] for row in got] == [1, 2, 3, 5, 9]


def test_there_are_no_queries_and_no_partitions(connector, place):
    fill(connector, "t", '{"a": 1}')
    assert connector.partitions(place, "t", 4) == [{}]
    with pytest.raises(SettingsError, match="count is a number of partitions"):
        connector.partitions(place, "t", 0)
    with pytest.raises(SettingsError, match="have no partitions"):
        rows_of(connector, place, "t", partition={"from": 1})
    with pytest.raises(SettingsError, match="there are no queries; name a stream"):
        rows_of(connector, place, "t", query="select 1")
    with pytest.raises(SettingsError, match="a stream is a name"):
        rows_of(connector, place, 5)
