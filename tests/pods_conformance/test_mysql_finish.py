"""A run of the MySQL connector that is cut off at each step of its end: all of it, or nothing."""

from __future__ import annotations

import signal

import pyarrow as pa
import pytest

from pypods import PodCallError, PodDiedError
from pypods.pods import PodLoader

#: What a copy of the connector's pod.py gets, to end in the middle.
CUTTING = '''

import os
import signal

from .mysql_sessions import MysqlSession

_left = None
_how = ""
_execute, _commit = MysqlSession.execute, MysqlSession.commit


def cut_after(statements, how):
    """Let so many changing statements pass, in one session, and then end: so."""
    global _left, _how
    _left, _how = statements, how


def _count(session, text):
    global _left
    if getattr(session, "is_cut", False):
        raise RuntimeError("cut off")
    if _left is None or text.lstrip().startswith(("select", "show", "set")):
        return
    if _left:
        _left -= 1
        return
    _left = None
    if _how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if _how == "cut":
        session.is_cut = True
        session.connection.close()
    raise RuntimeError("cut off")


def _counted(self, statement):
    _count(self, statement if isinstance(statement, str) else "".join(
        each for each in statement.pieces if isinstance(each, str)))
    return _execute(self, statement)


def _committed(self):
    _count(self, "commit")
    _commit(self)


MysqlSession.execute, MysqlSession.commit = _counted, _committed
'''
OLD = [(1, "old", None), (2, "old", None)]
ROWS = pa.table({"a": pa.array([2, 3], pa.int32()), "b": ["new", "new"], "c": [20, 30]})
IN_PLACE = "create table t (a int primary key, b varchar(9), foreign key (a) references parent (a))"
CASES = {
    "a new table": ("append", "", [(2, "new", 20), (3, "new", 30)]),
    "append": ("append", "create table t (a int, b varchar(9))",
               [*OLD, (2, "new", 20), (3, "new", 30)]),
    "upsert": ("upsert", "create table t (a int primary key, b varchar(9))",
               [OLD[0], (2, "new", 20), (3, "new", 30)]),
    "a swap": ("replace", "create table t (a int primary key, b varchar(9))",
               [(2, "new", 20), (3, "new", 30)]),
    "a replace in place": ("replace", IN_PLACE, [(2, "new", 20), (3, "new", 30)]),
}  # fmt: skip


@pytest.fixture(scope="module")
def cutting(load_connector, tmp_path_factory):
    """Return the loader of a copy of the connector that can be told to end in the middle."""
    folder = load_connector("mysql").folder.path
    copy = tmp_path_factory.mktemp("pods") / "mysql_cutting"
    copy.mkdir()
    for file in folder.glob("*"):
        if file.is_file() and file.name != "venv.lock":
            (copy / file.name).write_bytes(file.read_bytes())
    with (copy / "pod.py").open("a") as program:
        program.write(CUTTING)
    with PodLoader("mysql_cutting", pods_directory=copy.parent) as pod:
        assert pod.describe_connector()["name"] == "mysql"
        yield pod


def rows_of(pod, place):
    try:
        batches = [pa.record_batch(batch) for batch in pod.read(place, "t")]
    except PodCallError as error:
        if not error.type_name.endswith(".StreamNotFoundError"):
            raise
        return []
    rows = [row for batch in batches for row in batch.to_pylist()]
    return sorted((row["a"], row["b"], row.get("c")) for row in rows)


def begin(pod, place, case, run):
    """Make the target as it is before, and stage the rows."""
    mode, create, _ = CASES[case]
    pod.execute(place, "drop table if exists t")
    if "parent" in create:
        pod.execute(place, "create or replace table parent (a int primary key)")
        pod.execute(place, "insert into parent values (1), (2), (3)")
    if create:
        pod.execute(place, create)
        pod.execute(place, "insert into t values (1, 'old'), (2, 'old')")
    ask = {"mode": mode, "key": ["a"] if mode == "upsert" else (), "run": run}
    pod.prepare(place, "t", ROWS.schema, **ask)
    pod.write(place, "t", iter(ROWS.to_batches()), run=run)
    return ask


def leftovers(pod, place):
    query = ("select table_name as n from information_schema.tables where table_schema = database()"
             " and table_name like '\\_pypods\\_%'")  # fmt: skip
    names = {row["n"] for batch in pod.read(place, "t", query=query)
             for row in pa.record_batch(batch).to_pylist()}  # fmt: skip
    return names - {"_pypods_runs", "_pypods_checkpoints"}


def assert_it_goes_on(pod, place, case, ask, cursor):
    """After an end in the middle: all or nothing is to be seen, and the run goes on to its end."""
    before = OLD if CASES[case][1] else []
    after = sorted(CASES[case][2])
    seen = rows_of(pod, place)
    assert seen in (before, after)
    prepared = pod.prepare(place, "t", ROWS.schema, **ask)
    assert rows_of(pod, place) == seen
    assert prepared["finished"] is (seen == after)
    if not prepared["finished"]:
        assert prepared["parts"]["0"]["rows"] == 2
        assert pod.state(place, "t")["run"] != ask["run"]
    finished = pod.finish(place, "t", run=ask["run"], cursor=cursor, rows=2)
    assert finished["rows"] == 2
    assert rows_of(pod, place) == after
    assert pod.state(place, "t") == {"cursor": cursor, "run": ask["run"]}
    assert leftovers(pod, place) == set()
    return seen == after


@pytest.mark.parametrize(
    ("case", "how"), [*((case, "cut") for case in CASES), ("append", "fail"), ("a swap", "fail")]
)
def test_an_end_that_is_cut_off_anywhere_is_all_or_nothing(cutting, mariadb_place, case, how):
    place, seen, errors, statements = mariadb_place, [], [], 0
    while True:
        run = f"{case} {how} {statements}"
        ask = begin(cutting, place, case, run)
        cutting.cut_after(statements, how)
        try:
            cutting.finish(place, "t", run=run, cursor=statements, rows=2)
        except PodCallError as error:
            errors.append(str(error))
        else:
            cutting.cut_after(None, how)
            break
        seen.append(assert_it_goes_on(cutting, place, case, ask, statements))
        statements += 1
    assert all("cut off" in error for error in errors)
    # From one step on it is done, and before it is not.
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (False, True)
    assert rows_of(cutting, place) == sorted(CASES[case][2])


def test_a_worker_that_is_killed_in_the_end_of_a_run_leaves_all_or_nothing(cutting, mariadb_place):
    place, seen = mariadb_place, []
    for statements in (6, 8):  # Before the swap, and behind it.
        ask = begin(cutting, place, "a swap", f"killed {statements}")
        cutting.cut_after(statements, "kill")
        with pytest.raises(PodDiedError) as caught:
            cutting.finish(place, "t", run=ask["run"], cursor=1, rows=2)
        assert caught.value.exit_status == -signal.SIGKILL
        seen.append(assert_it_goes_on(cutting, place, "a swap", ask, 1))
    assert seen == [False, True]


def test_the_state_is_told_rightly_before_anybody_prepares_again(cutting, mariadb_place):
    place = mariadb_place
    ask = begin(cutting, place, "a swap", "r")
    statements = 0
    while rows_of(cutting, place) == OLD:
        cutting.cut_after(statements, "cut")
        with pytest.raises(PodCallError, match="cut off"):
            cutting.finish(place, "t", run="r", cursor="c", rows=2)
        statements += 1
    assert cutting.state(place, "t") == {"cursor": "c", "run": "r"}
    assert cutting.finish(place, "t", run=ask["run"], cursor="c", rows=2)["rows"] == 2
    assert leftovers(cutting, place) == set()


def test_nobody_writes_for_a_run_whose_end_was_begun(cutting, mariadb_place):
    place = mariadb_place
    begin(cutting, place, "append", "r")
    statements, told = 0, []
    while not any("being finished" in each for each in told):
        assert statements < 20
        cutting.cut_after(statements, "cut")
        with pytest.raises(PodCallError, match="cut off"):
            cutting.finish(place, "t", run="r", cursor=None, rows=2)
        try:
            cutting.write(place, "t", iter([]), run="r")
        except PodCallError as error:
            told.append(f"{error.type_name} {error}")
        statements += 1
    assert all(each.startswith("pypods.connectors.errors.ConflictError") for each in told)
    assert rows_of(cutting, place) == OLD


def test_abandoning_what_was_cut_off_leaves_the_target_as_it_was(cutting, mariadb_place):
    place = mariadb_place
    begin(cutting, place, "a swap", "r")
    cutting.cut_after(4, "cut")
    with pytest.raises(PodCallError, match="cut off"):
        cutting.finish(place, "t", run="r", cursor=None, rows=2)
    cutting.abandon(place, "t", run="r")
    assert rows_of(cutting, place) == OLD
    assert leftovers(cutting, place) == set()
