"""A run without transactions: cut off after any statement, it goes on, with each row once."""

from __future__ import annotations

import os
import sqlite3
from types import SimpleNamespace

import pyarrow as pa
import pytest

from pypods.connectors.errors import ConflictError, DataError, SettingsError
from pypods.connectors.sql.sql_connector import SqlConnector
from pypods.connectors.sql.untransacted.database import UntransactedDatabase
from pypods.connectors.sql.untransacted.journal import CHANCE_BITS, Journal
from pypods.connectors.sql.untransacted.session import UntransactedSession

ROWS = pa.table({"id": [2, 3], "name": ["new", "new"]})
OLD = [(1, "old"), (2, "old")]
NEW = [(2, "new"), (3, "new")]


@pytest.fixture
def system(sqlite_module):
    """Return a Database of SQLite whose every statement is by itself, and what is to happen to it.

    ``after`` is the number of statements after which it is cut off, ``way`` how a new table gets
    into its place, and ``between`` is called before a statement that begins with ``at``.
    """
    told = SimpleNamespace(after=None, way="swap", moves=False, marks=True, between=None, at="")

    class Session(UntransactedSession, sqlite_module.SqliteSession):
        is_cut = False

        def count(self, text=""):
            if told.between is not None and text.startswith(told.at):
                work, told.between = told.between, None
                work()
            if told.after is not None:
                told.after -= 1
                self.is_cut = self.is_cut or told.after < 0
            if self.is_cut:
                raise RuntimeError("cut off")

        def run(self, statement):
            self.count(str(statement))
            return super().run(statement)

        def all_or_nothing(self, text):
            self.count(text)
            self.connection.executescript(f"begin; {text}; commit")

    class Database(UntransactedDatabase, sqlite_module.SqliteDatabase):
        fast = False

        def open(self, settings, *, writing=False):
            session = sqlite_module.SqliteDatabase.open(self, settings, writing=True)
            session.connection.execute("pragma synchronous = off")
            session.__class__ = Session
            return session

        def is_there(self, session, parts):
            return self.describe(session, parts) is not None

        def create_log(self, session, parts, columns):
            listed = ", ".join(map(self.quote, columns))
            session.run(f"create table if not exists {self.table(parts)} ({listed})")

        def insert_rows(self, session, parts, columns, rows):
            session.count("note")
            marks = ", ".join("?" * len(columns))
            session.connection.execute("begin")
            session.connection.executemany(
                f"insert into {self.table(parts)} values ({marks})", rows
            )
            session.connection.execute("commit")

        def create_staged(self, session, parts, schema):
            self.create_table(
                session, parts, schema.append(pa.field(self.token_column, pa.int64()))
            )

        def check_writable(self, session, parts):
            if parts[-1] == "refused":
                raise SettingsError("refused is not written in steps")

        def create_like(self, session, parts, target, plan):
            self.create_table(session, parts, self.describe(session, target).schema)
            if plan is not None:
                self.evolve(session, parts, plan)

        def can_move(self, session, target, plan):
            return told.moves

        def way_to_replace(self, plan):
            return told.way

        def names_for(self, how, name):
            return [f"{name}_beside"] if how == "swap" else []

        def mark_state(self, session, parts):
            rows = session.rows(f"select count(*), max(rowid) from {self.table(parts)}")
            return rows if told.marks else None

        def note_ready(self, session, new, target):
            # A table keeps its first page, whatever it is called.
            query = f"select rootpage from sqlite_master where name = '{new[-1]}'"
            return {"page": session.rows(query)[0][0]}

        def put_in_place(self, session, ready, target, own):
            query = f"select name from sqlite_master where rootpage = {ready['page']}"
            ((name,),) = session.rows(query)
            if name == target[-1]:
                return
            new, there = self.quote(name), self.quote(target[-1])
            if ready["how"] == "rename":
                session.run(f"alter table {new} rename to {there}")
            elif ready["how"] == "swap":
                session.all_or_nothing(
                    f"alter table {there} rename to {self.quote(name + '_beside')}; "
                    f"alter table {new} rename to {there}"
                )
            else:
                session.all_or_nothing(
                    f"insert into {there} select * from {new}; delete from {new}"
                )

    return SqlConnector(Database()), told


def rows(connector, place, stream="t"):
    if not any(each["name"] == stream for each in connector.streams(place)):
        return None
    batches = [batch.to_pylist() for batch in connector.read(place, stream)]
    return sorted(tuple(row.values()) for batch in batches for row in batch)


def names(place):
    with sqlite3.connect(place["database"]) as connection:
        found = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
    connection.close()
    return {name for (name,) in found}


def with_old_rows(connector, place):
    connector.execute(place, "drop table if exists t")
    connector.execute(place, "create table t (id bigint, name text)")
    connector.execute(place, "insert into t values (1, 'old'), (2, 'old')")


def begin(connector, place, mode="append", *, run="r", rows=ROWS, **options):
    asked = {"mode": mode, "key": ["id"], "run": run}
    attempt = connector.prepare(place, "t", rows.schema, **asked)["attempt"]
    connector.write(place, "t", iter(rows.to_batches()), run=run, attempt=attempt, **options)
    return asked


WAYS = [
    ("append", True, False, NEW),
    ("append", False, False, sorted([*OLD, *NEW])),
    ("append", False, True, sorted([*OLD, *NEW])),
    ("upsert", False, False, [OLD[0], *NEW]),
    ("delete_insert", False, False, [OLD[0], *NEW]),
    ("replace", False, False, NEW),
]


@pytest.mark.parametrize(("mode", "is_new", "moves", "wanted"), WAYS)
def test_a_finish_cut_off_after_any_statement_is_finished_again(
    system, place, mode, is_new, moves, wanted
):
    connector, told = system
    told.moves = moves
    before, seen, statements = None if is_new else OLD, set(), 0
    while True:
        run = f"r{statements}"
        connector.execute(place, "drop table if exists t")
        if not is_new:
            with_old_rows(connector, place)
        begin(connector, place, mode, run=run)
        told.after = statements
        try:
            connector.finish(place, "t", run=run, cursor=statements, rows=2)
        except RuntimeError:
            told.after = None
        else:
            told.after = None
            break
        there = rows(connector, place)
        assert there in (before, wanted)
        seen.add(there == wanted)
        assert connector.finish(place, "t", run=run, cursor=statements, rows=2)["rows"] == 2
        assert rows(connector, place) == wanted
        assert connector.state(place, "t") == {"cursor": statements, "run": run}
        statements += 1
    assert seen == {False, True}
    assert rows(connector, place) == wanted
    assert names(place) == {"t", "_pypods_runs"}


@pytest.mark.parametrize("step", ["prepare", "write"])
def test_what_is_cut_off_before_goes_on_where_it_was(system, place, step):
    connector, told = system
    asked = {"mode": "append", "key": ["id"]}
    for statements in range(30):
        run = f"r{statements}"
        connector.execute(place, "drop table if exists t")
        if step == "write":
            connector.prepare(place, "t", ROWS.schema, run=run, **asked)
        told.after = statements
        cut = False
        try:
            if step == "prepare":
                connector.prepare(place, "t", ROWS.schema, run=run, **asked)
            else:
                connector.write(place, "t", ROWS.to_batches(max_chunksize=1), run=run)
        except RuntimeError:
            cut = True
        told.after = None
        prepared = connector.prepare(place, "t", ROWS.schema, run=run, **asked)
        done = prepared["parts"].get("0", {"rows": 0})["rows"]
        connector.write(place, "t", ROWS.slice(done).to_batches(), run=run)
        connector.finish(place, "t", run=run, rows=2)
        assert rows(connector, place) == NEW
        if not cut:
            break
    assert statements > 1
    assert not cut


@pytest.mark.parametrize("listed", [0, 10])
def test_a_late_writer_adds_nothing(system, place, listed):
    """Whether the tokens that count are noted, or stand in the condition."""
    connector, _ = system
    connector.database.most_listed_tokens = listed
    with_old_rows(connector, place)
    asked = {"mode": "append", "key": [], "run": "r"}
    first = connector.prepare(place, "t", ROWS.schema, **asked)["attempt"]
    connector.write(place, "t", iter(ROWS.to_batches()), run="r", attempt=first)
    second = connector.prepare(place, "t", ROWS.schema, **asked)
    assert second["attempt"] >> CHANCE_BITS == (first >> CHANCE_BITS) + 1
    assert second["parts"]["0"]["rows"] == 2
    with pytest.raises(ConflictError, match="taken over"):
        connector.write(place, "t", iter(ROWS.to_batches()), run="r", part="b", attempt=first)
    assert connector.finish(place, "t", run="r", rows=2)["rows"] == 2
    assert rows(connector, place) == sorted([*OLD, *NEW])


def test_a_checkpoint_of_an_attempt_that_was_overtaken_does_not_count(system, place):
    """Its rows are there, and its note; both came after it was noted which ones count."""
    connector, told = system
    with_old_rows(connector, place)
    asked = {"mode": "append", "key": [], "run": "r"}
    first = connector.prepare(place, "t", ROWS.schema, **asked)["attempt"]
    told.at = "note"  # The checkpoint: its rows and the look at the attempt came before.
    told.between = lambda: connector.prepare(place, "t", ROWS.schema, **asked)
    connector.write(place, "t", iter(ROWS.to_batches()), run="r", attempt=first)
    prepared = connector.prepare(place, "t", ROWS.schema, **asked)
    assert prepared["parts"] == {}
    connector.write(
        place, "t", iter(ROWS.slice(1).to_batches()), run="r", attempt=prepared["attempt"]
    )
    connector.finish(place, "t", run="r", rows=1)
    assert rows(connector, place) == sorted([*OLD, NEW[1]])


def test_a_part_that_two_wrote_is_torn(system, place):
    connector, told = system
    asked = begin(connector, place)
    attempt = connector.prepare(place, "t", ROWS.schema, **asked)["attempt"]
    told.at = "note"
    told.between = lambda: connector.write(
        place, "t", iter(ROWS.to_batches()), run="r", attempt=attempt
    )
    connector.write(place, "t", iter(ROWS.to_batches()), run="r", attempt=attempt)
    with pytest.raises(ConflictError, match="two at once"):
        connector.finish(place, "t", run="r")
    assert rows(connector, place) is None
    # Who prepares is told from where to go on.
    assert connector.prepare(place, "t", ROWS.schema, **asked)["parts"]["0"]["rows"] == 2
    connector.finish(place, "t", run="r", rows=2)
    assert rows(connector, place) == NEW


def test_checkpoints_that_were_kept_and_are_gone_are_told(system, place):
    connector, _ = system
    asked = begin(connector, place)
    connector.prepare(place, "t", ROWS.schema, **asked)
    log = next(name for name in names(place) if name.endswith("_log"))
    connector.execute(place, f"delete from {log} where kind = 'checkpoint'")
    with pytest.raises(ConflictError, match="not there any more"):
        connector.finish(place, "t", run="r")


@pytest.mark.parametrize("mine", [b"\0\0\0\0", b"\xff\xff\xff\xff"])
def test_of_two_who_prepare_at_the_same_time_one_goes_on(system, place, monkeypatch, mine):
    """Bits of chance decide which one it is."""
    connector, told = system
    asked = begin(connector, place)
    chances = iter([mine, b"\x01\0\0\0"])
    urandom = os.urandom
    monkeypatch.setattr(os, "urandom", lambda size: next(chances) if size == 4 else urandom(size))
    won = []

    def prepare():
        won.append(connector.prepare(place, "t", ROWS.schema, **asked))

    told.at, told.between = "note", prepare
    if mine[0]:
        prepare()
    else:
        with pytest.raises(ConflictError, match="taken over"):
            connector.prepare(place, "t", ROWS.schema, **asked)
    monkeypatch.undo()
    assert won[-1]["parts"]["0"]["rows"] == 2
    connector.finish(place, "t", run="r", rows=2)
    assert rows(connector, place) == NEW


def test_rows_that_are_refused_wait_until_the_end(system, place):
    connector, _ = system
    table = pa.table({"id": [1, None, 3], "name": ["a", "b", "c"]})
    collect = {"bad_rows": "collect", "max_bad_rows": 1}
    begin(connector, place, "upsert", rows=table, **collect)
    assert "t__bad_rows" not in names(place)
    connector.finish(place, "t", run="r", rows=2)
    letters = [row for batch in connector.read(place, "t__bad_rows") for row in batch.to_pylist()]
    assert [(each["run"], each["part"], each["position"]) for each in letters] == [("r", "0", 1)]
    assert rows(connector, place) == [(1, "a"), (3, "c")]


def test_a_batch_whose_first_insert_failed_counts_its_good_rows_once(system, place, monkeypatch):
    connector, _ = system
    make = connector.database.writer

    def writer(session, staging, schema):
        insert = make(session, staging, schema)

        def insert_then_refuse(batch):
            insert(batch)
            if 7 in batch.column("id").to_pylist():
                raise DataError("there is a 7")

        return insert_then_refuse

    monkeypatch.setattr(connector.database, "writer", writer)
    table = pa.table({"id": list(range(10)), "name": ["a"] * 10})
    begin(connector, place, rows=table, bad_rows="collect", max_bad_rows=None)
    connector.finish(place, "t", run="r", rows=9)
    assert rows(connector, place) == [(n, "a") for n in range(10) if n != 7]


def test_a_run_that_is_abandoned_leaves_nothing(system, place):
    connector, _ = system
    connector.abandon(place, "t", run="never")
    with_old_rows(connector, place)
    begin(connector, place, "replace")
    connector.abandon(place, "t", run="r")
    connector.abandon(place, "t", run="r")
    assert rows(connector, place) == OLD
    assert names(place) == {"t", "_pypods_runs"}
    with pytest.raises(ConflictError, match="not prepared"):
        connector.finish(place, "t", run="r")


def test_what_is_ready_is_finished_and_neither_written_nor_abandoned(system, place):
    connector, told = system
    with_old_rows(connector, place)
    begin(connector, place, "replace")
    told.at = "alter table"
    told.between = lambda: setattr(told, "after", 0)
    with pytest.raises(RuntimeError, match="cut off"):
        connector.finish(place, "t", run="r", rows=2)
    told.after = None
    for step in (
        lambda: connector.write(place, "t", iter(ROWS.to_batches()), run="r"),
        lambda: connector.abandon(place, "t", run="r"),
    ):
        with pytest.raises(ConflictError, match="being finished"):
            step()
    assert rows(connector, place) == OLD
    connector.finish(place, "t", run="r", rows=2)
    assert rows(connector, place) == NEW
    with pytest.raises(ConflictError, match="is finished"):
        connector.abandon(place, "t", run="r")
    assert connector.prepare(
        place, "t", ROWS.schema, mode="replace", key=["id"], run="r"
    )["finished"]  # fmt: skip


def test_what_somebody_else_writes_meanwhile_is_not_lost(system, place):
    connector, told = system
    with_old_rows(connector, place)
    begin(connector, place, "append")
    told.at = "insert into"

    def write_as_well():
        connector.execute(place, "insert into t values (9, 'theirs')")

    told.between = write_as_well
    with pytest.raises(ConflictError, match="somebody else wrote"):
        connector.finish(place, "t", run="r", rows=2)
    connector.finish(place, "t", run="r", rows=2)
    assert rows(connector, place) == sorted([*OLD, *NEW, (9, "theirs")])


def test_a_table_that_was_made_of_another_state_is_made_anew(system, place, monkeypatch):
    connector, told = system
    with_old_rows(connector, place)
    begin(connector, place, "append")
    told.at = "alter table"
    told.between = lambda: setattr(told, "after", 0)
    with pytest.raises(RuntimeError, match="cut off"):
        connector.finish(place, "t", run="r", rows=2)
    told.after = None
    connector.execute(place, "insert into t values (9, 'theirs')")
    monkeypatch.setattr(connector.database, "is_stale", lambda *_: True)
    connector.finish(place, "t", run="r", rows=2)
    assert rows(connector, place) == sorted([*OLD, *NEW, (9, "theirs")])
    assert names(place) == {"t", "_pypods_runs"}


def test_columns_that_are_not_written_stay(system, place):
    connector, _ = system
    connector.execute(place, "create table t (id bigint, kept text, name text)")
    connector.execute(place, "insert into t values (1, 'k1', 'old'), (2, 'k2', 'old')")
    more = pa.table({"id": [2, 3], "name": ["new", "new"], "added": [1, 2]})
    begin(connector, place, "upsert", rows=more)
    connector.finish(place, "t", run="r", rows=2)
    assert rows(connector, place) == [
        (1, "k1", "old", None), (2, "k2", "new", 1), (3, None, "new", 2),
    ]  # fmt: skip


def test_what_does_not_add_up_is_refused(system, place):
    connector, _ = system
    with_old_rows(connector, place)
    begin(connector, place, "append")
    with pytest.raises(ConflictError, match="there must be 3"):
        connector.finish(place, "t", run="r", rows=3)
    with pytest.raises(ConflictError, match="another mode"):
        connector.prepare(place, "t", ROWS.schema, mode="replace", key=["id"], run="r")
    connector.execute(place, "create table refused (id bigint)")
    with pytest.raises(SettingsError, match="not written in steps"):
        connector.prepare(place, "refused", ROWS.schema, mode="append", run="r")
    with pytest.raises(ConflictError, match="not prepared"):
        connector.write(place, "t", iter([]), run="another")
    twice = pa.table({"id": [5, 5], "name": ["a", "b"]})
    begin(connector, place, "upsert", run="twice", rows=twice)
    with pytest.raises(DataError, match="2 rows with the key"):
        connector.finish(place, "t", run="twice", rows=2)
    assert rows(connector, place) == OLD


def test_a_run_whose_log_is_gone_is_prepared_again(system, place):
    connector, _ = system
    begin(connector, place)

    def lost():
        yield from ROWS.to_batches(max_chunksize=1)[:1]
        connector.abandon(place, "t", run="r")
        yield from ROWS.to_batches(max_chunksize=1)

    with pytest.raises(ConflictError, match="prepare it again"):
        connector.write(place, "t", lost(), run="r")


def test_an_empty_run_makes_an_empty_table(system, place):
    connector, _ = system
    begin(connector, place, rows=ROWS.slice(0, 0))
    assert connector.finish(place, "t", run="r", rows=0) == {"rows": 0, "rows_in_target": 0}
    assert rows(connector, place) == []


def test_names_of_our_own_tables_begin_as_the_database_says(system, place):
    connector, _ = system
    connector.database.own_prefix = "ours_"
    journal = Journal(connector.database, None, ("main", "t"))
    assert journal.runs == ("main", "ours_runs")
    assert journal.log("r")[-1].startswith("ours_")
    assert journal.log("r")[-1].endswith("_log")
