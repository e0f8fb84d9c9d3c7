"""The pod's logging reaches the host's, level kept; what the pod sets up for itself works too."""

from __future__ import annotations

import importlib
import logging
import sys

import pytest

from pypods.wire.documents import decode_document
from pypods.worker import logs


@pytest.fixture
def fresh_logging(monkeypatch):
    """A logging module of the test's own, and the documents it sends."""
    sent: list[dict[str, object]] = []
    monkeypatch.delitem(sys.modules, "logging")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))

    def start(**options: object) -> None:
        settings = {"level": logging.INFO, **options}
        logs.forward_logging(lambda frame: sent.append(decode_document(frame)), **settings)

    yield start, sent
    fresh = sys.modules.get("logging")
    if fresh is not None and fresh is not logging:
        fresh.shutdown()


def test_logging_is_not_imported_before_the_pod_does(fresh_logging):
    start, sent = fresh_logging
    start()
    assert "logging" not in sys.modules
    watchers = [f for f in sys.meta_path if isinstance(f, logs._LoggingWatcher)]
    assert len(watchers) == 1
    fresh = importlib.import_module("logging")
    assert fresh is not logging
    assert not [f for f in sys.meta_path if isinstance(f, logs._LoggingWatcher)]
    fresh.getLogger("a.b").warning("watch %s", "out")
    (record,) = sent
    assert record.pop("created") > 1_600_000_000
    assert record.pop("path") == __file__
    assert record.pop("line") > 0
    assert record == {
        "kind": "log",
        "logger": "a.b",
        "level": 30,
        "message": "watch out",
        "function": "test_logging_is_not_imported_before_the_pod_does",
    }


def test_logging_that_is_there_already_is_forwarded(fresh_logging):
    start, sent = fresh_logging
    fresh = importlib.import_module("logging")
    start()
    fresh.error("now")
    assert [record["message"] for record in sent] == ["now"]


def test_other_modules_are_found_as_ever(fresh_logging):
    start, _ = fresh_logging
    start()
    watcher = sys.meta_path[0]
    assert watcher.find_spec("json") is None
    assert sys.meta_path[0] is watcher


def test_where_there_is_no_logging_the_import_fails_as_ever(fresh_logging, monkeypatch):
    start, _ = fresh_logging
    start()
    monkeypatch.setattr(sys, "meta_path", sys.meta_path[:1])
    assert sys.meta_path[0].find_spec("logging") is None


def test_what_the_host_would_not_show_is_not_sent(fresh_logging):
    start, sent = fresh_logging
    start(level=logging.ERROR)
    fresh = importlib.import_module("logging")
    fresh.warning("quiet")
    fresh.error("loud")
    assert [record["message"] for record in sent] == ["loud"]


def test_a_record_that_cannot_be_formatted_is_reported_as_logging_does(fresh_logging, capsys):
    start, sent = fresh_logging
    start()
    fresh = importlib.import_module("logging")
    fresh.error("%d", "no number")
    assert sent == []
    assert "--- Logging error ---" in capsys.readouterr().err


def test_a_traceback_is_part_of_the_message(fresh_logging):
    start, sent = fresh_logging
    start()
    fresh = importlib.import_module("logging")
    try:
        raise ValueError("inside")
    except ValueError:
        fresh.exception("it failed")
    assert sent[0]["message"].startswith("it failed\nTraceback (most recent call last):")
    assert sent[0]["message"].endswith("ValueError: inside")


def test_a_message_is_cut_to_fit_a_frame(fresh_logging):
    start, sent = fresh_logging
    start(max_frame_bytes=1600)
    importlib.import_module("logging").error("é" * 5000)
    assert sent[0]["message"] == "é" * 100 + "…"


def test_a_host_that_has_gone_breaks_no_call(monkeypatch, fresh_logging):
    def gone(frame: bytes) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    logs.forward_logging(gone, level=0)
    fresh = importlib.import_module("logging")
    assert fresh.error("to nobody") is None


def test_basic_config_sets_the_level_and_leaves_the_host_listening(fresh_logging, capsys):
    start, sent = fresh_logging
    start()
    fresh = importlib.import_module("logging")
    fresh.basicConfig(level="DEBUG", format="%(message)s")
    fresh.debug("fine")
    assert [record["message"] for record in sent] == ["fine"]
    assert capsys.readouterr().err == ""
    fresh.basicConfig()
    assert fresh.getLogger().level == fresh.DEBUG


def test_basic_config_to_a_file_writes_there_too(fresh_logging, tmp_path):
    start, sent = fresh_logging
    start()
    fresh = importlib.import_module("logging")
    fresh.basicConfig(filename=tmp_path / "own.log", format="own %(message)s")
    fresh.error("both")
    assert [record["message"] for record in sent] == ["both"]
    assert (tmp_path / "own.log").read_text() == "own both\n"


def test_basic_config_that_fails_leaves_the_host_listening(fresh_logging):
    start, sent = fresh_logging
    start()
    fresh = importlib.import_module("logging")
    with pytest.raises(ValueError, match="stream"):
        fresh.basicConfig(stream=sys.stderr, filename="both")
    fresh.error("still")
    assert [record["message"] for record in sent] == ["still"]


# --- in a pod -----------------------------------------------------------------------------------


def records(caplog, message: str) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.getMessage() == message]


def test_records_of_a_pod_keep_their_level_and_origin(zoo, caplog):
    mark = f"hear this {zoo.session.pid}"
    for level in (logging.DEBUG, logging.WARNING, 33):
        zoo.call("log", level, mark)
    found = records(caplog, mark)
    assert [record.levelno for record in found] == [10, 30, 33]
    assert {record.name for record in found} == {"pypods.pod.zoo"}
    assert {record.funcName for record in found} == {"log"}
    assert {record.filename for record in found} == {"pod.py"}
    assert {record.pod_logger for record in found} == {"zoo.sub"}


def test_records_of_a_pods_threads_arrive(zoo, caplog):
    mark = f"from a thread {zoo.session.pid}"
    zoo.call("log_in_thread", mark)
    assert zoo.wait_for(lambda: records(caplog, mark))
    assert zoo.call("add", 1) == 3


def test_logging_imported_late_and_configured_by_the_pod_arrives(each_python, start_worker, caplog):
    worker = start_worker(each_python)
    assert worker.call("is_loaded", "logging") is False
    handlers = worker.call("log_with_basic_config", level=10)
    assert handlers == ["HostHandler"]
    assert records(caplog, "after basicConfig")
    worker.call("log_badly")
    assert worker.wait_for(lambda: records(caplog, "--- Logging error ---"))
    assert worker.call("is_loaded", "logging") is True
    worker.session.stop()


def test_logging_at_import_arrives_with_long_messages_cut(
    each_python, start_worker, make_pod, caplog
):
    folder = make_pod(
        "import logging\n"
        "logging.basicConfig()\n"
        "logging.getLogger('early').error('early bird')\n"
        "logging.error('x' * 100_000)\n"
        "def f(): pass\n",
        "early_pod",
    )
    worker = start_worker(each_python, folder, max_frame_bytes=16_000)
    assert [record.pod_logger for record in records(caplog, "early bird")] == ["early"]
    assert records(caplog, "x" * 1000 + "…")
    assert worker.call("f") is None
    worker.session.stop()
