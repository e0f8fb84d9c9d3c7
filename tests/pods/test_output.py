"""What a pod prints and logs becomes records; its last lines are kept."""

from __future__ import annotations

import logging
import math

import pytest

from pypods.pods import output as output_module
from pypods.pods.output import PodOutput
from pypods.wire.messages import Log


@pytest.fixture
def output(caplog):
    caplog.set_level(logging.DEBUG, "pypods.pod.talker")
    return PodOutput("talker")


def test_each_printed_line_is_a_record(output, caplog):
    output.feed(b"one\ntwo\n\nthr")
    output.feed(b"ee\r\n")
    assert caplog.messages == ["one", "two", "", "three"]
    assert {(record.name, record.levelname) for record in caplog.records} == {
        ("pypods.pod.talker", "INFO")
    }


def test_bytes_one_at_a_time_are_the_same_lines(output, caplog):
    for byte in "größe\nende\n".encode():
        output.feed(bytes([byte]))
    assert caplog.messages == ["größe", "ende"]


def test_what_is_no_utf8_is_shown_as_escapes_and_percent_is_a_percent(output, caplog):
    output.feed(b"a\xffb %s %d\n")
    assert caplog.messages == ["a\\xffb %s %d"]


def test_a_last_line_without_its_end_is_a_record_when_the_pod_has_ended(output, caplog):
    output.feed(b"last words")
    assert caplog.messages == []
    output.finish()
    output.finish()
    assert caplog.messages == ["last words"]


def test_a_line_without_end_is_cut(output, caplog):
    for _ in range(5):
        output.feed(b"x" * 40_000)
    assert [len(message) for message in caplog.messages] == [80_000, 80_000]
    assert len(output._unfinished) == 40_000


def test_what_the_host_does_not_show_is_not_kept_but_for_the_end(caplog):
    caplog.set_level(logging.WARNING, "pypods.pod.quiet")
    quiet = PodOutput("quiet")
    assert quiet.effective_level() == logging.WARNING
    quiet.feed(b"unseen\nhalf")
    quiet.finish()
    assert caplog.messages == []
    assert quiet._unfinished == b""
    assert quiet.last_lines() == "unseen\nhalf"


def test_the_last_twenty_lines_are_kept_and_no_more_than_eight_kilobytes(output):
    output.feed(b"".join(b"%d\n" % number for number in range(100)))
    assert output.last_lines().split("\n") == [str(number) for number in range(80, 100)]
    output.feed(b"y" * 100_000)
    assert output.last_lines() == "y" * output_module.TAIL_BYTES


LOG = Log("pod.sub", 35, "watch 100%", 1_700_000_000.25, "/pods/x/pod.py", 7, "foo")


def test_a_record_keeps_level_time_and_origin(output, caplog):
    output.record(LOG)
    (record,) = caplog.records
    assert (record.name, record.levelno, record.getMessage()) == (
        "pypods.pod.talker",
        35,
        "watch 100%",
    )
    assert (record.pathname, record.filename, record.lineno) == ("/pods/x/pod.py", "pod.py", 7)
    assert (record.funcName, record.pod_logger) == ("foo", "pod.sub")
    assert (record.created, record.msecs) == (1_700_000_000.25, 250)


def test_a_record_below_the_hosts_level_is_dropped(output, caplog):
    caplog.set_level(logging.ERROR, "pypods.pod.talker")
    output.record(LOG)
    assert caplog.records == []


@pytest.mark.parametrize("created", [math.nan, math.inf, -1.0, 1e300])
def test_a_time_that_is_none_is_not_taken_over(output, caplog, created):
    output.record(Log("x", 30, "odd", created))
    (record,) = caplog.records
    assert 1_600_000_000 < record.created < output_module.LATEST_SECONDS
    assert logging.Formatter("%(asctime)s").format(record)


def test_a_filter_that_raises_is_reported_and_breaks_nobody(output, caplog, capsys):
    def refuse(record: logging.LogRecord) -> bool:
        raise RuntimeError("a filter of the user's")

    logger = logging.getLogger("pypods.pod.talker")
    logger.addFilter(refuse)
    try:
        output.feed(b"one\n")
        output.record(LOG)
    finally:
        logger.removeFilter(refuse)
    assert caplog.records == []
    assert capsys.readouterr().err.count("a filter of the user's") >= 2
