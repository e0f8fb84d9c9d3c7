"""Whole executions on a connector made for tests: what arrives, is told and is remembered."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
import traceback
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest
from tests.integrator.conftest import fill, leftovers, make_trouble, rows_of

from pypods.errors import IntegrationError, OperationError, PodNotFoundError, VerificationError
from pypods.integrator import Integrator, Memory, Operation
from pypods.integrator.movement import storable
from pypods.pods import shipped


def test_rows_arrive(integrator, operation, events, here):
    fill(here / "a.db", 1000)
    report = integrator.integrate(operation(batch_rows=100), execution_id="local-run-1")
    assert rows_of(here / "b.db") == rows_of(here / "a.db")
    assert leftovers(here / "b.db") == []
    (one,) = report.integrations
    assert (report.status, one.status, one.run) == ("finished", "finished", "local-run-1.copy")
    assert (one.rows_read, one.rows_written, one.rows_in_target, one.batches) == (1000,) * 3 + (10,)
    assert one.rows_expected == 1000
    assert one.changes == ["create table t"]
    assert one.bytes_read > 0
    assert one.bytes_written > 0
    assert 0 < one.moving_seconds < one.seconds
    assert one.rows_per_second == 1000 / one.moving_seconds
    assert one.throughput[0] == (0.0, 0)
    assert one.throughput[-1][1] == 1000


def test_events_tell_of_the_execution_and_of_the_integration(integrator, operation, events, here):
    fill(here / "a.db", 100)
    integrator.integrate(operation(batch_rows=50, mode="replace"), execution_id="e1")
    names = [event.name for event in events if event.name != "progress"]
    assert names[:4] == ["started", "initialized", "source_count", "started"]
    assert names[-4:] == ["checkpoint", "truncated", "finished", "finished"]
    assert sorted(names[4:-4]) == ["batch_read"] * 2 + ["batch_written"] * 2
    assert {event.execution_id for event in events} == {"e1"}
    assert [event.integration for event in (events[0], events[1], events[-1])] == [
        None,
        "copy",
        None,
    ]
    assert (events[-2].rows_read, events[-2].rows_written, events[-2].batches) == (100, 100, 2)
    assert (events[-1].rows_written, events[-1].batches) == (100, 2)
    assert events[-1].seconds >= events[-2].seconds > 0


def test_it_can_be_used_any_number_of_times(integrator, operation, here):
    fill(here / "a.db", 10)
    for count in (1, 2, 3):
        integrator.integrate(operation())
        assert len(rows_of(here / "b.db")) == 10 * count


def test_the_same_execution_is_done_once(integrator, operation, here):
    fill(here / "a.db", 10)
    integrator.integrate(operation(), execution_id="once")
    again = integrator.integrate(operation(), execution_id="once")
    assert again.was_finished
    assert again.integrations[0].rows_written == 10
    assert len(rows_of(here / "b.db")) == 10


def test_the_id_of_another_operation_is_refused(integrator, operation, here):
    fill(here / "a.db", 10)
    integrator.integrate(operation(), execution_id="once")
    with pytest.raises(OperationError, match="once was another operation"):
        integrator.integrate(operation(mode="replace"), execution_id="once")


@pytest.mark.parametrize("bad", ["", "a b", "../x", "x" * 200])
def test_an_id_is_a_word(integrator, operation, bad):
    with pytest.raises(OperationError, match="no execution's id"):
        integrator.integrate(operation(), execution_id=bad)


def test_an_empty_source_makes_an_empty_table(integrator, operation, here):
    fill(here / "a.db", 0)
    report = integrator.integrate(operation(mode="replace"))
    assert report.integrations[0].rows_written == 0
    assert rows_of(here / "b.db") == []
    report = integrator.integrate(operation(mode="append"), verify=True)
    assert report.integrations[0].verification.equal is True


@pytest.mark.parametrize("mode", ["replace", "upsert", "delete_insert"])
def test_modes(integrator, operation, here, mode):
    fill(here / "a.db", 10)
    fill(here / "b.db", 10, first=6)
    integrator.integrate(operation(mode=mode, key=["id"]))
    ids = [row[0] for row in rows_of(here / "b.db")]
    assert ids == list(range(1, 11 if mode == "replace" else 16))


def test_columns_renames_where_and_limit(integrator, operation, here):
    fill(here / "a.db", 100)
    one = operation(
        source={
            "columns": ["price", "id"],
            "renames": {"id": "number", "price": "cost"},
            "where": [["id", ">", 50], ["name", "is not null", None]],
        },
        mode="upsert", key=["id"], limit=5, batch_rows=2,
    )  # fmt: skip
    report = integrator.integrate(one)
    rows = [(row[0], row[2]) for row in rows_of(here / "a.db") if row[0] > 50 and row[1]]
    assert rows_of(here / "b.db", order="2") == [(price, number) for number, price in rows[:5]]
    assert report.integrations[0].batches == 3


def test_a_query(integrator, operation, here):
    fill(here / "a.db", 100)
    query = "select id % 10 as digit, count(*) as n from t group by 1"
    integrator.integrate(operation(source={"stream": None, "query": query}), verify=True)
    assert rows_of(here / "b.db") == [(digit, 10) for digit in range(10)]


def test_streams_may_be_lists_of_parts(integrator, operation, here):
    fill(here / "a.db", 3, table="s.t")
    report = integrator.integrate(operation(source={"stream": ["s", "t"]}))
    assert report.integrations[0].source == "fakelite s.t"
    assert len(rows_of(here / "b.db")) == 3


def test_parts_side_by_side(integrator, operation, here, events):
    fill(here / "a.db", 1000)
    report = integrator.integrate(operation(process_count=4, batch_rows=50), verify=True)
    assert rows_of(here / "b.db") == rows_of(here / "a.db")
    assert report.integrations[0].parts == 4
    assert {event.part for event in events if event.name == "checkpoint"} == set("0123")
    assert len(rows_of(here / "a.db", table="released", order="1")) == 1


def test_rows_without_arrow(integrator, operation, here):
    document = {"schema": [["id", "int64"], ["name", "utf8"]], "rows": [[1, "a"], [2, None]]}
    (here / "rows.json").write_text(json.dumps(document))
    source = {"connector": "fakerows", "connection": {"file": str(here / "rows.json")}}
    report = integrator.integrate(operation(source={**source, "renames": {"name": "title"}}))
    assert rows_of(here / "b.db") == [(1, "a"), (2, None)]
    assert report.integrations[0].rows_read == 2


def test_integrations_are_done_in_their_order(integrator, operation, here):
    fill(here / "a.db", 10)
    first = operation(name="first").integrations[0]
    second = operation(
        name="second", source={"connection": {"database": str(here / "b.db")}},
        target={"connection": {"database": str(here / "c.db")}},
    ).integrations[0]  # fmt: skip
    report = integrator.integrate(Operation(name="both", integrations=[first, second]))
    assert [each.status for each in report.integrations] == ["finished"] * 2
    assert len(rows_of(here / "c.db")) == 10


@pytest.mark.parametrize("on_failure", ["stop", "continue"])
def test_after_a_failure(integrator, operation, here, on_failure):
    fill(here / "a.db", 10)
    bad = operation(name="bad", source={"stream": "nothing"}).integrations[0]
    good = operation(name="good").integrations[0]
    both = Operation(name="both", integrations=[bad, good], on_failure=on_failure)
    with pytest.raises(IntegrationError) as caught:
        integrator.integrate(both, execution_id="x")
    assert str(caught.value) == (
        "bad: reading the schema of fakelite nothing: StreamNotFoundError: "
        "there is no table nothing"
    )
    statuses = [each.status for each in caught.value.report.integrations]
    assert statuses == ["failed", "skipped" if on_failure == "stop" else "finished"]
    assert caught.value.report.status == "failed"
    fill(here / "a.db", 1, table="nothing")
    report = integrator.resume("x")
    assert [each.status for each in report.integrations] == ["finished"] * 2
    assert len(rows_of(here / "b.db")) == 11


def test_only_some(integrator, operation, here):
    fill(here / "a.db", 10)
    bad = operation(name="bad", source={"stream": "nothing"}).integrations[0]
    good = operation(name="good").integrations[0]
    both = Operation(name="both", integrations=[bad, good])
    report = integrator.integrate(both, only=["good"], limit=4)
    assert [each.name for each in report.integrations] == ["good"]
    assert len(rows_of(here / "b.db")) == 4
    with pytest.raises(OperationError, match="has no integration 'other'; it has: bad, good"):
        integrator.integrate(both, only=["other"])


def test_a_dry_run_changes_nothing(integrator, operation, here):
    fill(here / "a.db", 10)
    report = integrator.integrate(operation(process_count=2), dry_run=True)
    (one,) = report.integrations
    assert (report.status, one.status, one.parts) == ("planned", "planned", 2)
    assert (one.changes, one.rows_expected) == (["create table t"], 10)
    assert rows_of(here / "b.db") == []
    assert leftovers(here / "b.db") == []
    assert integrator.history.latest() == []


def test_verification(integrator, operation, here):
    fill(here / "a.db", 100)
    source = {"renames": {"id": "number"}}
    report = integrator.integrate(operation(mode="replace", source=source), verify=True)
    found = report.integrations[0].verification
    assert (found.equal, found.source_rows, found.target_rows) == (True, 100, 100)
    assert found.source_sum == found.target_sum
    report = integrator.integrate(operation(mode="append", source=source), verify=True)
    found = report.integrations[0].verification
    assert (found.equal, found.note) == (
        None, "not compared: the target has 200 rows, and 100 were written",
    )  # fmt: skip


def test_a_difference_is_found(integrator, operation, here):
    """A row that was read already is changed while the run is under way."""
    fill(here / "a.db", 10)

    def change(event):
        db = sqlite3.connect(here / "a.db", timeout=10)
        db.execute("update t set name = 'changed' where id = 3")
        db.commit()
        db.close()

    integrator.subscribe("checkpoint", change)
    # The checkpoint's observer has the time that the end of the run takes, and more.
    trouble = make_trouble(here / "trouble", {"in": "finish", "how": "sleep", "seconds": 0.5})
    target = {"connection": {"trouble": trouble}}
    with pytest.raises(VerificationError, match="have 10 rows each, and some differ"):
        integrator.integrate(operation(target=target), verify=True)


# Trouble ---------------------------------------------------------------------------------------


ONCE = ("prepare", "schema", "finish", "finished")
MOVING = ("read", "write", "committed")


@pytest.mark.parametrize(
    ("where", "how", "count"),
    [
        *((where, how, 1) for where in (*ONCE, *MOVING) for how in ("die", "retry")),
        *((where, "die", 3) for where in MOVING),
    ],
)
def test_what_may_work_another_time_is_tried_again(
    integrator, operation, events, here, where, how, count
):
    fill(here / "a.db", 1000)
    trouble = make_trouble(here / "trouble", {"in": where, "after": 1, "how": how})
    if where in ONCE:
        trouble = make_trouble(here / "trouble", {"in": where, "how": how})
    side = "source" if where in ("read", "schema") else "target"
    one = operation(
        **{side: {"connection": {"trouble": trouble}}}, batch_rows=50, process_count=count
    )
    report = integrator.integrate(one, verify=True)
    assert json.loads(Path(trouble).read_text()) == []
    assert rows_of(here / "b.db") == rows_of(here / "a.db")
    (done,) = report.integrations
    assert (done.retries, done.rows_read, done.rows_written) == (1, 1000, 1000)
    (retry,) = [event for event in events if event.name == "retry"]
    assert "trying again in 0.01 s" in retry.message
    assert leftovers(here / "b.db") == []


def test_partitions_that_cannot_be_stored_are_moved_anew():
    assert storable({"range": [1, None], "snapshot": "s"}) == {"range": [1, None]}
    assert storable({"range": [datetime(2024, 1, 1), None]}) == {"stable": False}


def test_partitions_of_which_nothing_came_are_made_anew(integrator, operation, here):
    """Parts were begun, with ranges that were not stored, and no row of them is there."""
    fill(here / "a.db", 100)
    trouble = make_trouble(here / "trouble", {"in": "read", "how": "fail"})
    more = {"trouble": trouble, "seconds": 0.3, "partition": {"at": datetime(2024, 1, 1)}}
    with pytest.raises(IntegrationError):
        integrator.integrate(
            operation(source={"connection": more}, process_count=2), execution_id="x"
        )
    integrator.resume("x")
    assert rows_of(here / "b.db") == rows_of(here / "a.db")


@pytest.mark.parametrize("resume", ["restart", "checkpoint"])
def test_without_an_order_the_run_begins_anew(integrator, operation, here, resume):
    """A table without a key has none, and who asks for a restart gets one."""
    fill(here / "a.db", 1000, key="" if resume == "checkpoint" else "primary key")
    trouble = make_trouble(here / "trouble", {"in": "write", "after": 3, "how": "die"})
    target = {"connection": {"trouble": trouble}}
    report = integrator.integrate(operation(target=target, batch_rows=50, resume=resume))
    assert rows_of(here / "b.db") == rows_of(here / "a.db")
    assert report.integrations[0].retries == 1
    assert report.integrations[0].rows_read == 1000


def test_it_is_not_tried_for_ever(integrator, operation, here):
    fill(here / "a.db", 100)
    trouble = make_trouble(here / "trouble", *[{"in": "read", "how": "retry"}] * 9)
    one = operation(
        source={"connection": {"trouble": trouble}}, retries={"attempts": 2, "seconds": 0.01}
    )
    with pytest.raises(
        IntegrationError, match="reading fakelite t: UnreachableError: trouble in read"
    ):
        integrator.integrate(one)
    assert len(json.loads(Path(trouble).read_text())) == 6
    assert rows_of(here / "b.db") == []


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_a_failure_leaves_the_target_as_it_was_and_can_be_resumed(
    integrator, operation, here, mode
):
    fill(here / "a.db", 1000)
    fill(here / "b.db", 5, first=5001)
    before = rows_of(here / "b.db")
    trouble = make_trouble(here / "trouble", {"in": "read", "after": 4, "how": "fail"})
    one = operation(source={"connection": {"trouble": trouble}}, batch_rows=50, mode=mode)
    with pytest.raises(IntegrationError, match="trouble in read"):
        integrator.integrate(one, execution_id="broken")
    assert rows_of(here / "b.db") == before
    assert len(leftovers(here / "b.db")) == 1
    report = integrator.resume("broken")
    assert 0 < report.integrations[0].rows_resumed <= 200
    assert report.integrations[0].rows_written == 1000
    assert rows_of(here / "b.db") == rows_of(here / "a.db") + (before if mode == "append" else [])
    assert leftovers(here / "b.db") == []
    assert integrator.history.find("broken").report.status == "finished"


def test_parts_are_gone_on_with(integrator, operation, here):
    fill(here / "a.db", 1000)
    trouble = make_trouble(here / "trouble", {"in": "read", "after": 3, "how": "fail"})
    source = {"connection": {"trouble": trouble}}
    with pytest.raises(IntegrationError):
        integrator.integrate(
            operation(source=source, batch_rows=50, process_count=3), execution_id="broken"
        )
    fill(here / "a.db", 200, first=1001)  # New ranges would be others.
    report = integrator.resume("broken")
    assert report.integrations[0].parts == 3
    assert rows_of(here / "b.db") == rows_of(here / "a.db")


def test_parts_that_mean_nothing_later_are_moved_anew(integrator, operation, here):
    fill(here / "a.db", 1000)
    trouble = make_trouble(here / "trouble", {"in": "read", "after": 3, "how": "fail"})
    source = {"connection": {"trouble": trouble, "partition": {"stable": False}}}
    with pytest.raises(IntegrationError):
        integrator.integrate(
            operation(source=source, batch_rows=50, process_count=2), execution_id="broken"
        )
    report = integrator.resume("broken")
    assert report.integrations[0].rows_resumed == 0
    assert rows_of(here / "b.db") == rows_of(here / "a.db")


def test_what_failed_can_be_abandoned(integrator, operation, here):
    fill(here / "a.db", 1000)
    trouble = make_trouble(here / "trouble", {"in": "read", "after": 4, "how": "fail"})
    one = operation(
        source={"connection": {"trouble": trouble}}, batch_rows=50, on_failure="abandon"
    )
    with pytest.raises(IntegrationError, match="trouble in read"):
        integrator.integrate(one, execution_id="broken")
    assert leftovers(here / "b.db") == []
    integrator.resume("broken")
    assert rows_of(here / "b.db") == rows_of(here / "a.db")


def test_a_run_that_had_finished_when_the_host_was_killed_is_done(integrator, operation, here):
    fill(here / "a.db", 100)
    one = operation()
    integrator.integrate(one, execution_id="killed")
    stored = integrator.history.find("killed").report
    stored.integrations[0].status = stored.status = "running"
    integrator.history.update_integration("killed", stored.integrations[0])
    integrator.history.end(stored)
    report = integrator.integrate(one, execution_id="killed")
    assert report.integrations[0].rows_written == 100
    assert rows_of(here / "b.db") == rows_of(here / "a.db")


def test_resuming_what_is_not_there(integrator):
    with pytest.raises(OperationError, match="no execution 'nothing' in"):
        integrator.resume("nothing")


def test_two_at_once_do_not_share_an_id(integrator, operation, here, connector_pods):
    fill(here / "a.db", 100)
    begun, over = threading.Event(), threading.Event()
    one = operation(source={"connection": {"seconds": 0.3}}, batch_rows=50)
    integrator.subscribe("batch_read", lambda event: begun.set())

    def first():
        integrator.integrate(one, execution_id="same")
        over.set()

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert begun.wait(60)
        other = Integrator(pods_directory=connector_pods)
        with pytest.raises(OperationError, match="same is running at this moment"):
            other.integrate(one, execution_id="same")
        other.history.close()
    finally:
        thread.join(60)
    assert over.is_set()
    assert len(rows_of(here / "b.db")) == 100


def test_no_such_connector(integrator, operation, here):
    with pytest.raises(PodNotFoundError, match='no pod "nothing"') as caught:
        integrator.integrate(operation(source={"connector": "nothing"}))
    assert caught.value.report.integrations[0].status == "failed"
    assert not (here / "pods").exists()


def test_a_connector_that_nearly_is_one_is_named(integrator, operation, connector_pods):
    with pytest.raises(PodNotFoundError) as caught:
        integrator.integrate(operation(source={"connector": "sqlit"}))
    said = str(caught.value)
    assert f'no pod "sqlit" in {connector_pods}, and no connector of that name came with' in said
    assert ", sqlite" in said
    assert 'did you mean "sqlite"? Else "pypods connectors new sqlit" writes one' in said


def test_a_pod_that_is_no_connector(here, operation, connector_pods):
    folder = connector_pods / "plain"
    folder.mkdir(exist_ok=True)
    (folder / "pod.py").write_text("def hello(): return 1\n")
    one = Integrator(pods_directory=connector_pods)
    with pytest.raises(OperationError, match='pod "plain" is no connector'):
        one.integrate(operation(target={"connector": "plain"}))
    one.history.close()


# What connectors cannot do ----------------------------------------------------------------------


def test_a_target_that_is_none(integrator, operation, here):
    (here / "r").write_text('{"schema": [], "rows": []}')
    fill(here / "a.db", 1)
    one = operation(target={"connector": "fakerows", "connection": {"file": str(here / "r")}})
    with pytest.raises(OperationError, match="fakerows has no mode append; it has none"):
        integrator.integrate(one)


def test_a_source_that_cannot_choose(integrator, operation, here):
    (here / "rows.json").write_text('{"schema": [["id", "int64"]], "rows": []}')
    source = {"connector": "fakerows", "connection": {"file": str(here / "rows.json")}}
    with pytest.raises(OperationError, match="fakerows cannot choose rows by where"):
        integrator.integrate(operation(source={**source, "where": [["id", "=", 1]]}))


# Bad rows --------------------------------------------------------------------------------------


def spoil(path: Path, *ids: int) -> None:
    db = sqlite3.connect(path)
    db.executemany("update t set name = 'bad!' where id = ?", [(each,) for each in ids])
    db.commit()
    db.close()


def test_a_bad_row_fails_the_run(integrator, operation, here):
    fill(here / "a.db", 100)
    spoil(here / "a.db", 60)
    with pytest.raises(IntegrationError, match="DataError: row 50 of part 0 is bad"):
        integrator.integrate(operation(batch_rows=50))
    assert rows_of(here / "b.db") == []


def test_bad_rows_are_set_aside(integrator, operation, here, events):
    fill(here / "a.db", 100)
    spoil(here / "a.db", 3, 60, 61)
    report = integrator.integrate(
        operation(batch_rows=50, bad_rows={"threshold": 3}), execution_id="x", verify=True
    )
    (one,) = report.integrations
    assert (one.rows_read, one.rows_written, one.bad_rows) == (100, 97, 3)
    assert one.verification.note == "not compared: 3 bad rows were left out"
    assert len(rows_of(here / "b.db")) == 97
    bad = rows_of(here / "b.db", table="t__bad_rows")
    assert [json.loads(row[4])["id"] for row in bad] == [3, 60, 61]
    told = [event.message for event in events if event.name == "bad_rows"]
    assert told == ["1 rows were set aside", "2 rows were set aside"]


def test_more_bad_rows_than_allowed_stop_the_run(integrator, operation, here):
    fill(here / "a.db", 100)
    spoil(here / "a.db", 3, 60, 61)
    with pytest.raises(IntegrationError, match="more than 2 bad rows"):
        integrator.integrate(operation(batch_rows=50, bad_rows={"threshold": 2}))
    assert rows_of(here / "b.db") == []


def test_a_file_of_bad_rows_needs_its_connector(integrator, operation, here, monkeypatch):
    monkeypatch.setattr(shipped, "shipped_directory", lambda: here / "nothing")
    fill(here / "a.db", 1)
    with pytest.raises(OperationError, match=r"bad rows in bad.parquet need the connector parquet"):
        integrator.integrate(operation(bad_rows={"to": "bad.parquet"}))


PARQUET = """
import json, os

def write_all(connection, stream, batches, *, mode="append", key=(), schema=None):
    batches = list(batches)
    with open(os.path.join(connection["folder"], stream), "w") as file:
        json.dump({"mode": mode, "columns": batches[0].column_names}, file)
    return {"rows": sum(batch.num_rows for batch in batches)}
"""


def test_bad_rows_are_copied_into_a_file(integrator, operation, here, connector_pods):
    """By the connector of that name, of which there is a stand-in here."""
    folder = connector_pods / "parquet"
    folder.mkdir()
    try:
        (folder / "pod.py").write_text(PARQUET)
        fill(here / "a.db", 100)
        spoil(here / "a.db", 3, 60)
        integrator.integrate(operation(bad_rows={"to": str(here / "bad.parquet")}))
    finally:
        shutil.rmtree(folder)
    written = json.loads((here / "bad.parquet").read_text())
    assert written == {
        "mode": "replace", "columns": ["run", "part", "position", "reason", "row"],
    }  # fmt: skip
    assert len(rows_of(here / "b.db")) == 98


def test_a_connector_without_checksums_is_not_compared(integrator, operation, here):
    (here / "rows.json").write_text('{"schema": [["id", "int64"]], "rows": [[1]]}')
    source = {"connector": "fakerows", "connection": {"file": str(here / "rows.json")}}
    report = integrator.integrate(operation(source=source), verify=True)
    note = report.integrations[0].verification.note
    assert note == "not compared: the connector fakerows has no checksums"


# Incremental -----------------------------------------------------------------------------------


def set_row(path: Path, number: int, name: str, at: str | None) -> None:
    db = sqlite3.connect(path)
    db.execute("insert or replace into t values (?, ?, 0.5, ?)", [number, name, at])
    db.commit()
    db.close()


@pytest.mark.parametrize("count", [1, 2])
def test_only_what_is_new_is_read(integrator, operation, here, count):
    fill(here / "a.db", 100)
    one = operation(mode="upsert", key=["id"], cursor="at", process_count=count, batch_rows=20)
    first = integrator.integrate(one).integrations[0]
    assert first.cursor_before is None
    assert first.cursor_after == {"type": "datetime", "value": "2024-01-01T00:01:40"}
    # One with the last value, one later; and one late, which no cursor finds.
    set_row(here / "a.db", 1000, "equal", "2024-01-01 00:01:40")
    set_row(here / "a.db", 1001, "later", "2024-02-01 00:00:00")
    set_row(here / "a.db", 1002, "late", "2024-01-01 00:01:00")
    second = integrator.integrate(one).integrations[0]
    assert second.rows_read == 3  # Row 100 again.
    assert {row[0] for row in rows_of(here / "b.db")} == {*range(1, 101), 1000, 1001}
    late = operation(mode="upsert", key=["id"], cursor="at", lag="40d", batch_rows=20)
    third = integrator.integrate(late).integrations[0]
    assert third.rows_read == 103
    assert rows_of(here / "b.db") == rows_of(here / "a.db")
    assert integrator.integrate(one).integrations[0].rows_read == 1


def test_nulls_of_the_cursor_are_read_the_first_time(integrator, operation, here):
    fill(here / "a.db", 10)
    set_row(here / "a.db", 5, "null", None)
    one = operation(mode="delete_insert", key=["id"], cursor="at", batch_rows=2)
    assert integrator.integrate(one).integrations[0].rows_read == 10
    assert rows_of(here / "b.db") == rows_of(here / "a.db")
    assert integrator.integrate(one).integrations[0].rows_read == 1


def test_a_full_refresh_reads_all_and_replaces(integrator, operation, here):
    fill(here / "a.db", 10)
    fill(here / "b.db", 5, first=101)
    one = operation(mode="upsert", key=["id"], cursor="id")
    integrator.integrate(one)
    assert len(rows_of(here / "b.db")) == 15
    report = integrator.integrate(one, full_refresh=True, verify=True)
    assert report.integrations[0].mode == "replace"
    assert rows_of(here / "b.db") == rows_of(here / "a.db")
    assert integrator.integrate(one).integrations[0].rows_read == 1


def test_a_full_refresh_that_failed_goes_on_as_one(integrator, operation, here):
    fill(here / "a.db", 100)
    fill(here / "b.db", 5, first=1001)
    trouble = make_trouble(here / "trouble", {"in": "read", "after": 2, "how": "fail"})
    one = operation(
        mode="upsert", key=["id"], cursor="id", batch_rows=20,
        source={"connection": {"trouble": trouble}},
    )  # fmt: skip
    with pytest.raises(IntegrationError):
        integrator.integrate(one, full_refresh=True, execution_id="x")
    integrator.resume("x")
    assert rows_of(here / "b.db") == rows_of(here / "a.db")


def test_the_cursor_is_as_it_was_after_a_failure(integrator, operation, here):
    fill(here / "a.db", 100)
    settings = {"mode": "upsert", "key": ["id"], "cursor": "at", "batch_rows": 20}
    integrator.integrate(operation(**settings))
    fill(here / "a.db", 100, first=101)
    trouble = make_trouble(here / "trouble", {"in": "read", "after": 2, "how": "fail"})
    with pytest.raises(IntegrationError):
        integrator.integrate(
            operation(**settings, source={"connection": {"trouble": trouble}}), execution_id="x"
        )
    assert len(rows_of(here / "b.db")) == 100
    report = integrator.resume("x").integrations[0]
    assert report.rows_resumed > 0
    assert rows_of(here / "b.db") == rows_of(here / "a.db")


# Memory ----------------------------------------------------------------------------------------


def test_from_memory_and_back(integrator, operation, here):
    table = pa.table({"id": [1, 2, 3], "name": ["a", None, "c"], "at": [datetime(2024, 1, 1)] * 3})
    memory = Memory({"in": table})
    end = {"connector": "memory", "memory": memory, "connection": {}}
    one = operation(source={"connector": "memory", "memory": memory, "stream": "in"})
    integrator.integrate(one)
    back = operation(
        source={"connection": {"database": str(here / "b.db")}},
        target={"connector": "memory", "memory": memory, "stream": "out"}, mode="replace",
    )  # fmt: skip
    assert end["connector"] == back.integrations[0].target.connector
    report = integrator.integrate(back, execution_id="m", verify=True)
    assert memory.tables["out"].equals(table)
    assert report.integrations[0].verification.equal is None
    with pytest.raises(OperationError, match="moved tables of a program's memory"):
        integrator.resume("m")


@pytest.mark.parametrize("mode", ["append", "replace", "upsert", "delete_insert"])
def test_memory_to_memory(integrator, mode):
    memory = Memory(
        {"a": {"id": [1, 2], "x": ["new", "new"]}, "b": {"id": [2, 3], "x": ["old", "old"]}}
    )
    integration = {
        "name": "m", "mode": mode, "key": ["id"] if mode != "append" else [],
        "source": {"connector": "memory", "memory": memory, "stream": "a"},
        "target": {"connector": "memory", "memory": memory, "stream": "b"},
    }  # fmt: skip
    one = Operation.model_validate({"name": "m", "integrations": [integration]})
    integrator.integrate(one)
    rows = sorted((row["id"], row["x"]) for row in memory.tables["b"].to_pylist())
    assert (
        rows
        == {
            "append": [(1, "new"), (2, "new"), (2, "old"), (3, "old")],
            "replace": [(1, "new"), (2, "new")],
            "upsert": [(1, "new"), (2, "new"), (3, "old")],
            "delete_insert": [(1, "new"), (2, "new"), (3, "old")],
        }[mode]
    )


# Secrets ---------------------------------------------------------------------------------------


def test_secrets_are_in_no_error_event_log_or_history(
    integrator, operation, events, here, monkeypatch, caplog
):
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2-env")
    (here / "phrase").write_text("hunter2-file\n")
    fill(here / "a.db", 100)
    trouble = make_trouble(
        here / "trouble", {"in": "read", "how": "retry"}, {"in": "read", "how": "fail"}
    )
    one = operation(
        source={
            "connection": {
                "trouble": trouble, "password": "${env:SHOP_PASSWORD}", "phrase": "${file:phrase}",
            }
        },
        target={"connection": {"password": "hunter2-plain", "unreachable": False}},
    )  # fmt: skip
    with pytest.raises(IntegrationError) as caught:
        integrator.integrate(one, execution_id="s")
    assert "trouble in read with ***" in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    told = " ".join(event.message for event in events)
    assert "with ***" in told
    stored = json.dumps(integrator.history.find("s").report.document())
    database = (here / ".pypods" / "history.db").read_bytes()
    for text in (shown, told, stored, caplog.text, json.dumps(caught.value.report.document())):
        assert "hunter2-env" not in text
        assert "hunter2-file" not in text
    assert b"hunter2-env" not in database
    assert b"${env:SHOP_PASSWORD}" in database


def test_a_secret_that_is_not_there(integrator, operation, monkeypatch):
    monkeypatch.delenv("NO_SUCH_PASSWORD", raising=False)
    one = operation(target={"connection": {"password": "${env:NO_SUCH_PASSWORD}"}})
    with pytest.raises(
        OperationError, match=r'"copy": target\.password: .*NO_SUCH_PASSWORD is not set'
    ):
        integrator.integrate(one)


# Observers -------------------------------------------------------------------------------------


def test_an_observer_that_raises_changes_nothing(integrator, operation, here, caplog):
    fill(here / "a.db", 100)

    def observe(event):
        raise RuntimeError("no")

    integrator.subscribe("*", observe)
    report = integrator.integrate(operation(batch_rows=10))
    assert report.status == "finished"
    assert caplog.text.count("an observer of") == 1


def test_the_pipeline_does_not_wait_for_an_observer(integrator, operation, here):
    """The first event's observer only returns once all rows are there."""
    fill(here / "a.db", 100)
    arrived = []

    def observe(event):
        until = time.monotonic() + 60
        while not rows_of(here / "b.db") and time.monotonic() < until:
            time.sleep(0.01)
        arrived.append(len(rows_of(here / "b.db")))

    undo = integrator.subscribe("initialized", observe)
    integrator.integrate(operation(batch_rows=10))
    assert arrived == [100]
    undo()
    integrator.integrate(operation())
    assert arrived == [100]


def test_an_event_that_there_is_not(integrator):
    with pytest.raises(ValueError, match="there is no event 'done'; there are: initialized"):
        integrator.subscribe("done", print)


def test_nothing_of_it_stays(integrator, operation, here):
    """No thread and no process, after success and after failure."""
    fill(here / "a.db", 100)
    threads = {thread.name for thread in threading.enumerate()}
    integrator.integrate(operation(process_count=2))
    with pytest.raises(IntegrationError):
        integrator.integrate(operation(source={"stream": "nothing"}))
    assert {thread.name for thread in threading.enumerate()} <= threads
