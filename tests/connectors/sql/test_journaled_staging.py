"""A run's end where DDL is no part of a transaction: cut off anywhere, it is all or nothing."""

from __future__ import annotations

from types import SimpleNamespace

import pyarrow as pa
import pytest

from pypods.connectors.errors import ConflictError
from pypods.connectors.sql.journaled_database import JournaledDatabase
from pypods.connectors.sql.sql_connector import SqlConnector

ROWS = pa.table({"id": [2, 3], "name": ["new", "new"]})
OLD = [(1, "old"), (2, "old")]
NEW = [(2, "new"), (3, "new")]


@pytest.fixture
def system(sqlite_module):
    """Return a Database of SQLite that writes with a journal, and when it is to be cut off."""
    cut = SimpleNamespace(after=None, held=0, swaps=True)

    class Session(sqlite_module.SqliteSession):
        is_cut = False

        def count(self):
            if self.is_cut:
                raise RuntimeError("cut off")
            if cut.after is not None:
                cut.after -= 1
                self.is_cut = cut.after < 0
                if self.is_cut:
                    super().rollback()
                    raise RuntimeError("cut off")

        def run(self, statement):
            self.count()
            return super().run(statement)

        def commit(self):
            self.count()
            super().commit()

    class Database(JournaledDatabase, sqlite_module.SqliteDatabase):
        fast = False

        def open(self, settings, *, writing=False):
            session = super().open(settings, writing=True)
            session.connection.execute("pragma synchronous = off")
            session.__class__ = Session
            return session

        def hold_stream(self, session, target):
            cut.held += 1

        def release_stream(self, session, target):
            cut.held -= 1

        def can_swap(self, session, staging, target, plan):
            return cut.swaps

        def swap(self, session, staging, target, old):
            session.count()
            session.connection.executescript(
                f"begin; alter table {self.table(target)} rename to {self.quote(old[-1])}; "
                f"alter table {self.table(staging)} rename to {self.quote(target[-1])}; commit"
            )

    return SqlConnector(Database()), cut


def rows(connector, place):
    if not any(each["name"] == "t" for each in connector.streams(place)):
        return None
    batches = [batch.to_pylist() for batch in connector.read(place, "t", order_by=["id"])]
    return sorted(tuple(row.values()) for batch in batches for row in batch)


def begin(connector, place, mode, *, is_new=False, run="r"):
    connector.execute(place, "drop table if exists t")
    if not is_new:
        connector.execute(place, "create table t (id bigint, name text)")
        connector.execute(place, "insert into t values (1, 'old'), (2, 'old')")
    ask = {"mode": mode, "key": ["id"], "run": run}
    connector.prepare(place, "t", ROWS.schema, **ask)
    connector.write(place, "t", iter(ROWS.to_batches()), run=run)
    return ask


@pytest.mark.parametrize(
    ("mode", "is_new", "swaps", "after"),
    [
        ("append", True, True, NEW),
        ("append", False, True, sorted([*OLD, *NEW])),
        ("upsert", False, True, [OLD[0], *NEW]),
        ("delete_insert", False, True, [OLD[0], *NEW]),
        ("replace", False, True, NEW),
        ("replace", False, False, NEW),
    ],
)
def test_an_end_that_is_cut_off_after_any_statement(system, place, mode, is_new, swaps, after):
    connector, cut = system
    cut.swaps = swaps
    before, seen, statements = None if is_new else OLD, [], 0
    while True:
        run = f"r{statements}"
        ask = begin(connector, place, mode, is_new=is_new, run=run)
        cut.after = statements
        try:
            connector.finish(place, "t", run=run, cursor=statements, rows=2)
        except RuntimeError:
            cut.after = None
        else:
            cut.after = None
            break
        there = rows(connector, place)
        assert there in (before, after)
        seen.append(there == after)
        prepared = connector.prepare(place, "t", ROWS.schema, **ask)
        assert prepared["finished"] is seen[-1]
        assert connector.finish(place, "t", run=run, cursor=statements, rows=2)["rows"] == 2
        assert rows(connector, place) == after
        assert connector.state(place, "t") == {"cursor": statements, "run": run}
        statements += 1
    assert seen == sorted(seen)
    assert set(seen) == {False, True}
    assert rows(connector, place) == after
    assert cut.held == 0
    left = "select name from sqlite_master where name like '@_pypods@_%' escape '@'"
    names = {row["name"] for batch in connector.read(place, "", query=left)
             for row in batch.to_pylist()}  # fmt: skip
    assert {name for name in names if "autoindex" not in name} == {
        "_pypods_runs", "_pypods_checkpoints",
    }  # fmt: skip


def test_the_state_settles_what_was_cut_off(system, place):
    connector, cut = system
    begin(connector, place, "replace")
    statements = 0
    while rows(connector, place) == OLD:
        cut.after = statements
        with pytest.raises(RuntimeError, match="cut off"):
            connector.finish(place, "t", run="r", cursor="c", rows=2)
        cut.after, statements = None, statements + 1
    assert connector.state(place, "t") == {"cursor": "c", "run": "r"}
    with pytest.raises(ConflictError, match="finished"):
        connector.abandon(place, "t", run="r")


def test_a_run_that_is_abandoned_leaves_nothing(system, place):
    connector, _ = system
    connector.abandon(place, "t", run="never")
    begin(connector, place, "replace")
    connector.abandon(place, "t", run="r")
    connector.abandon(place, "t", run="r")
    assert rows(connector, place) == OLD
    with pytest.raises(ConflictError, match="not prepared"):
        connector.finish(place, "t", run="r")


def test_nobody_writes_for_a_run_that_is_being_finished(system, place):
    connector, cut = system
    begin(connector, place, "append")
    told = []
    for statements in range(20):
        cut.after = statements
        with pytest.raises(RuntimeError, match="cut off"):
            connector.finish(place, "t", run="r")
        cut.after = None
        try:
            connector.write(place, "t", iter([]), run="r")
        except ConflictError as error:
            told.append(str(error))
            break
    assert "being finished" in told[0]
    assert rows(connector, place) == OLD


@pytest.fixture
def pair(sqlite_module):
    """Return two connectors that hold no streams; and what the first does before its step."""
    between = SimpleNamespace(do=lambda: None)

    class Database(JournaledDatabase, sqlite_module.SqliteDatabase):
        fast = False

    class Interrupted(Database):
        def can_swap(self, session, staging, target, plan):
            between.do()
            return super().can_swap(session, staging, target, plan)

    return SqlConnector(Interrupted()), SqlConnector(Database()), between


def test_an_end_that_is_taken_over_before_its_step_changes_nothing(pair, place):
    connector, other, between = pair
    ask = begin(connector, place, "replace")
    attempts = []
    between.do = lambda: attempts.append(other.prepare(place, "t", ROWS.schema, **ask)["attempt"])
    with pytest.raises(ConflictError, match="taken over"):
        connector.finish(place, "t", run="r", rows=2)
    assert rows(connector, place) == OLD
    # Who took it over goes on.
    assert other.write(place, "t", iter([]), run="r", part="1", attempt=attempts[0])["rows"] == 0
    assert other.finish(place, "t", run="r", rows=2)["rows"] == 2
    assert rows(connector, place) == NEW


def test_an_end_goes_on_while_others_look_and_begin_runs(pair, place):
    connector, other, between = pair
    begin(connector, place, "replace")
    seen = []

    def look():
        seen.append(other.state(place, "t")["run"])
        other.prepare(place, "t", ROWS.schema, mode="append", run="s")

    between.do = look
    assert connector.finish(place, "t", run="r", cursor=1, rows=2)["rows"] == 2
    assert seen == [None]
    assert rows(connector, place) == NEW
    assert other.state(place, "t") == {"cursor": 1, "run": "r"}
    other.abandon(place, "t", run="s")


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_a_target_gets_its_new_columns_before_the_rows(pair, place, mode):
    connector, _, _ = pair
    connector.execute(place, "create table t (id bigint, name text)")
    with pytest.raises(ConflictError, match="not prepared"):
        connector.finish(place, "t", run="r")
    wider = ROWS.append_column("more", [[1.5, None]])
    connector.write_all(place, "t", iter(wider.to_batches()), mode=mode)
    assert rows(connector, place) == [(2, "new", 1.5), (3, "new", None)]
