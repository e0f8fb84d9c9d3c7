"""Tables of a program as a source and a target, without an integrator around them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pypods.errors import IntegrationError
from pypods.integrator import Memory

TABLE = pa.table({"id": [1, 2, 3, None], "name": ["a", "b", None, "d"]})


@pytest.fixture
def memory():
    return Memory({"t": TABLE})


def rows_of(memory, stream="t", **options):
    return [row for batch in memory.read(None, stream, **options) for row in batch.to_pylist()]


def ids_of(memory, **options):
    return [row["id"] for row in rows_of(memory, **options)]


def begin(memory, *, stream="t", schema=TABLE.schema, mode="append", key=(), run="r1", **options):
    return memory.prepare(None, stream, schema, mode=mode, key=key, run=run, **options)


def move(memory, table, *, stream="t", mode="append", key=(), run="r1", rows=None, **options):
    """Write a table in all the steps there are, and return what the last said."""
    begin(memory, stream=stream, schema=table.schema, mode=mode, key=key, run=run, **options)
    memory.write(None, stream, table.to_batches(), run=run)
    return memory.finish(None, stream, run=run, cursor=7, rows=rows)


class Foreign:
    """A batch of another library: it gives its array, and is no stream."""

    def __init__(self, batch):
        self._batch = batch

    def __arrow_c_array__(self, requested_schema=None):
        return self._batch.__arrow_c_array__(requested_schema)


class ForeignStream:
    def __arrow_c_stream__(self, requested_schema=None):
        return TABLE.__arrow_c_stream__(requested_schema)


class ForeignSchema:
    def __arrow_c_schema__(self):
        return TABLE.schema.__arrow_c_schema__()


# --- what it is ---------------------------------------------------------------------------------


def test_it_says_what_it_is(memory):
    described = memory.describe_connector()
    assert described["name"] == "memory"
    assert described["capabilities"]["query"] is False
    assert memory.check({})["driver"] == described["driver"] == f"pyarrow {pa.__version__}"


def test_its_streams_are_its_tables(memory):
    assert memory.streams({}) == [{"name": "t", "kind": "table", "rows": 4}]


@pytest.mark.parametrize(
    "given",
    [
        TABLE,
        TABLE.to_batches()[0],
        TABLE.to_pydict(),
        ForeignStream(),
        Foreign(TABLE.to_batches()[0]),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_table_is_made_of_whatever_has_columns(given):
    assert Memory({"t": given}).tables["t"].equals(TABLE)


# --- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ([["id", "=", 2]], [2]),
        ([["id", "!=", 2]], [1, 3]),
        ([["id", "<", 2]], [1]),
        ([["id", "<=", 2]], [1, 2]),
        ([["id", ">", 2]], [3]),
        ([["id", ">=", 2]], [2, 3]),
        ([["id", "in", [1, 3]]], [1, 3]),
        ([["name", "is null", None]], [3]),
        ([["name", "is not null", None], ["id", ">", 1]], [2]),
        ([["id", "is null", None]], [None]),
        ([], [1, 2, 3, None]),
    ],
)
def test_rows_are_chosen_by_conditions(memory, where, ids):
    assert ids_of(memory, where=where) == ids
    assert memory.count(None, "t", where=where) == len(ids)


def test_rows_are_ordered_before_columns_are_left_out():
    memory = Memory({"t": {"id": [3, 1, 2], "name": ["c", "a", "b"]}})
    found = rows_of(memory, order_by=["id"], columns=["name"], limit=2, names={"name": "n"})
    assert found == [{"n": "a"}, {"n": "b"}]


def test_no_rows_can_be_ordered():
    memory = Memory({"t": pa.table({"id": pa.array([], pa.int64())})})
    assert rows_of(memory, order_by=["id"]) == []


def test_batches_have_no_more_rows_than_asked_for(memory):
    batches = memory.read(None, "t", batch_rows=3)
    assert [batch.num_rows for batch in batches] == [3, 1]


def test_a_schema_has_the_chosen_columns_and_their_new_names(memory):
    described = memory.schema(None, "t", columns=["name"], names={"name": "n"})
    assert described == {"schema": pa.schema([("n", pa.string())]), "key": [], "rows": 4}


def test_a_stream_may_be_a_list_of_parts():
    assert Memory({"a.b": TABLE}).count(None, ["a", "b"]) == 4


@pytest.mark.parametrize(
    ("use", "says"),
    [
        (lambda memory: memory.count(None, "u"), "no table 'u' in memory; there are: t"),
        (lambda memory: Memory().count(None, "u"), "there are: none"),
        (lambda memory: memory.count(None, "t", query="select 1"), "take no query"),
        (lambda memory: memory.schema(None, None, query="select 1"), "take no query"),
        (lambda memory: list(memory.read(None, None, query="select 1")), "take no query"),
        (lambda memory: list(memory.read(None, "t", after=[1])), "read as a whole"),
        (lambda memory: list(memory.read(None, "t", partition={})), "read as a whole"),
        (lambda memory: rows_of(memory, columns=["x"]), "no column 'x'; there are: id, name"),
        (lambda memory: rows_of(memory, where=[["x", "=", 1]]), "no column 'x'"),
        (lambda memory: begin(memory, schema=["rows"]), "take Arrow data"),
    ],
)
def test_what_cannot_be_is_refused(memory, use, says):
    with pytest.raises(IntegrationError, match=says):
        use(memory)


# --- writing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "ids"),
    [
        ("append", [1, 2, 3, None, 2, 9]),
        ("replace", [2, 9]),
        ("upsert", [1, 3, None, 2, 9]),
        ("delete_insert", [1, 3, None, 2, 9]),
    ],
)
def test_new_rows_come_as_the_mode_has_it(memory, mode, ids):
    new = pa.table({"id": [2, 9], "name": ["B", "I"]})
    done = move(memory, new, mode=mode, key=[] if mode in ("append", "replace") else ["id"])
    assert done == {"rows": 2, "rows_in_target": len(ids)}
    assert memory.tables["t"].column("id").to_pylist() == ids


def test_nothing_shows_before_the_end(memory):
    begin(memory)
    memory.write(None, "t", TABLE.to_batches(), run="r1")
    assert memory.tables["t"].equals(TABLE)


def test_a_write_says_what_it_has_kept(memory):
    told = []
    begin(memory)
    batches = TABLE.to_batches(max_chunksize=3)
    done = memory.write(None, "t", batches, run="r1", committed=lambda *each: told.append(each))
    assert (done["rows"], done["batches"], done["bad"]) == (4, 2, 0)
    assert [rows for rows, _, _ in told] == [3, 1]
    assert sum(size for _, size, _ in told) == done["bytes"] > 0


def test_a_run_that_goes_on_finds_its_parts(memory):
    begin(memory)
    memory.write(None, "t", TABLE.to_batches(), run="r1", part="3")
    prepared = begin(memory)
    assert prepared["finished"] is False
    assert prepared["parts"]["3"]["rows"] == 4
    assert prepared["parts"]["3"]["batches"] == 1


def test_a_run_is_finished_once(memory):
    move(memory, TABLE)
    assert memory.finish(None, "t", run="r1") == {"rows": 4, "rows_in_target": 8}
    assert begin(memory)["finished"] is True


def test_the_last_run_and_its_cursor_are_known(memory):
    assert memory.state(None, "t") == {"cursor": None, "run": None}
    move(memory, TABLE)
    assert memory.state(None, "t") == {"cursor": 7, "run": "r1"}
    assert begin(memory, run="r2")["cursor"] == 7


def test_a_run_without_rows_makes_an_empty_table(memory):
    begin(memory, stream="new")
    assert memory.finish(None, "new", run="r1") == {"rows": 0, "rows_in_target": 0}
    assert memory.tables["new"].schema == TABLE.schema


def test_an_abandoned_run_leaves_nothing(memory):
    begin(memory)
    memory.write(None, "t", TABLE.to_batches(), run="r1")
    memory.abandon(None, "t", run="r1")
    memory.abandon(None, "t", run="r1")
    assert begin(memory)["parts"] == {}


def test_a_table_can_be_emptied(memory):
    memory.truncate(None, "t")
    assert memory.tables["t"].num_rows == 0
    assert memory.tables["t"].schema == TABLE.schema


def test_another_count_than_was_written_is_an_error(memory):
    with pytest.raises(IntegrationError, match="4 rows are staged for t, not 5"):
        move(memory, TABLE, rows=5)
    assert memory.tables["t"].num_rows == 4


def test_two_new_rows_of_one_key_are_no_upsert(memory):
    twice = pa.table({"id": [1, 1], "name": ["x", "y"]})
    with pytest.raises(IntegrationError, match="two new rows have the same key id"):
        move(memory, twice, mode="upsert", key=["id"])
    done = move(memory, twice, mode="delete_insert", key=["id"], run="r2")
    assert done["rows_in_target"] == 5


# --- columns that differ ------------------------------------------------------------------------

WIDER = pa.table({"id": [9], "more": [1.5]})


def test_a_new_column_is_added_where_it_may_be(memory):
    assert begin(memory, schema=WIDER.schema)["changes"] == ["new column more"]
    memory.write(None, "t", WIDER.to_batches(), run="r1")
    memory.finish(None, "t", run="r1")
    assert memory.tables["t"].to_pylist()[-2:] == [
        {"id": None, "name": "d", "more": None},
        {"id": 9, "name": None, "more": 1.5},
    ]


def test_a_new_column_is_left_out_where_it_is_ignored(memory):
    prepared = begin(memory, schema=WIDER.schema, drift="ignore")
    assert prepared["changes"] == ["column more is left out"]
    assert prepared["schema"].names == ["id"]


def test_a_new_column_is_an_error_where_nothing_may_change(memory):
    with pytest.raises(IntegrationError, match="no column 'more', and drift is freeze"):
        begin(memory, schema=WIDER.schema, drift="freeze")


def test_a_schema_may_be_another_library_s(memory):
    assert begin(memory, stream="new", schema=ForeignSchema())["changes"] == ["new table new"]


def test_values_get_the_target_s_types(memory):
    small = pa.table({"id": pa.array([5], pa.int8()), "name": ["e"]})
    memory.prepare(None, "t", TABLE.schema, mode="append", key=[], run="r1")
    memory.write(None, "t", small.to_batches(), run="r1")
    memory.finish(None, "t", run="r1")
    assert memory.tables["t"].schema == TABLE.schema
