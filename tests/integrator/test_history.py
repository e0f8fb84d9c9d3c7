"""The history by itself, in SQLite and through SQLAlchemy."""

from __future__ import annotations

import sys

import pytest

from pypods.errors import OperationError
from pypods.integrator import History, Operation
from pypods.integrator.execution import reports_of
from pypods.integrator.report import ExecutionReport, Verification

SOURCE = {"connector": "a", "stream": "s"}
TARGET = {"connector": "b", "stream": "t"}
OPERATION = Operation.model_validate(
    {
        "name": "o",
        "integrations": [{"name": n, "source": SOURCE, "target": TARGET} for n in ("one", "two")],
    }
)


@pytest.fixture(params=["file", "sqlalchemy"])
def place(request, tmp_path) -> str:
    path = tmp_path / "deep" / "history.db"
    if request.param == "file":
        return str(path)
    path.parent.mkdir()
    return f"sqlite:///{path}"


def begin(history: History, name: str, started: float = 1.0) -> ExecutionReport:
    report = ExecutionReport(name, "o", started=started, integrations=reports_of(OPERATION, name))
    history.begin(report, OPERATION)
    return report


def test_what_is_written_is_read_by_another(place):
    history = History(place)
    report = begin(history, "e1")
    one = report.integrations[0]
    one.status, one.rows_written, one.changes = "finished", 5, ["new column x"]
    one.verification = Verification(True, "equal", 5, 5, "ab", "ab")
    one.throughput = [(0.0, 0), (1.5, 5)]
    history.update_integration("e1", one)
    report.status, report.error = "failed", "it broke"
    history.end(report)
    history.close()
    other = History(place)
    stored = other.find("e1")
    assert stored is not None
    assert stored.report.integrations == report.integrations
    assert (stored.report.status, stored.report.error) == ("failed", "it broke")
    assert stored.document == OPERATION.document()
    assert stored.resumable
    other.close()


def test_only_its_owner_reads_the_file(tmp_path):
    history = History(tmp_path / "history.db")
    history.latest()
    history.close()
    assert (tmp_path / "history.db").stat().st_mode & 0o777 == 0o600


def test_beginning_again_keeps_what_is_there(place):
    history = History(place)
    report = begin(history, "e1")
    report.integrations[0].status = "finished"
    history.update_integration("e1", report.integrations[0])
    begin(history, "e1")
    stored = history.find("e1")
    assert [each.status for each in stored.report.integrations] == ["finished", "pending"]
    assert stored.report.status == "running"
    history.close()


def test_progress_is_kept(place):
    history = History(place)
    begin(history, "e1")
    assert history.progress("e1", "one") == {}
    history.keep_progress("e1", "one", {"partitions": [None], "since": {"type": "date"}})
    assert history.progress("e1", "one")["since"] == {"type": "date"}
    assert history.progress("e1", "two") == {}
    assert history.progress("e2", "one") == {}
    history.close()


def test_the_latest_come_first(place):
    history = History(place)
    for number in range(5):
        begin(history, f"e{number}", started=float(number))
    assert [each.report.id for each in history.latest(3)] == ["e4", "e3", "e2"]
    assert history.find("e9") is None
    history.close()


def test_a_file_that_is_no_history(tmp_path):
    (tmp_path / "file").write_text("no database at all, but long enough to be none " * 20)
    with pytest.raises(OperationError, match=r"cannot be used .*name another file"):
        History(tmp_path / "file").latest()


def test_a_url_without_sqlalchemy(monkeypatch):
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(OperationError, match="needs SQLAlchemy here"):
        History("postgresql://h/d")


def test_a_url_that_is_none():
    with pytest.raises(OperationError, match="the history's URL cannot be used"):
        History("nothing://h/d")
