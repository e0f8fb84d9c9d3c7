"""What is SQL Server's own, over a stand-in."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pypods import PodCallError

CONNECTOR = "mssql"
ROWS = pa.table({"id": pa.array([1, 2], pa.int32()), "v": ["a", "b"]})


def statements_of(standin, work):
    """Return the statements that some work asked for the first time."""
    before = set(standin.pod.recorded())
    work()
    return [each for each in standin.pod.recorded() if each not in before]


def test_a_column_that_counts_by_itself_is_written_as_given(standin):
    standin.make("t", {"id": "int identity(1,1) primary key", "v": "nvarchar(9)"})
    asked = statements_of(standin, lambda: standin.write(ROWS, mode="upsert", key=["id"]))
    at = asked.index("set identity_insert [dbo].[t] on")
    assert asked[at + 1].startswith("merge into [dbo].[t] with (holdlock)")
    assert asked[at + 2] == "set identity_insert [dbo].[t] off"
    assert standin.read() == [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]


@pytest.mark.parametrize("snapshot", [0, 1])
def test_a_replace_is_seen_by_no_reader_of_an_older_state(standin, snapshot):
    stream = f"t{snapshot}"
    standin.write(ROWS, stream)
    standin.pod.ask(
        standin.database, f"update sys.databases set is_read_committed_snapshot_on = {snapshot}"
    )
    asked = statements_of(standin, lambda: standin.write(ROWS, stream, mode="replace"))
    verb = "delete from" if snapshot else "truncate table"
    assert f"{verb} [dbo].[{stream}]" in asked


def test_a_setting_cannot_become_another_one(standin):
    evil = {**standin.connection, "user": "sa};PWD={right", "password": "wrong};Encrypt={no"}
    with pytest.raises(PodCallError) as caught:
        standin.pod.check(evil)
    assert caught.value.type_name.endswith(".AuthenticationError")
    assert "wrong" not in str(caught.value)
    with pytest.raises(PodCallError, match="yes, no, strict"):
        standin.pod.check({**standin.connection, "encrypt": "maybe"})
