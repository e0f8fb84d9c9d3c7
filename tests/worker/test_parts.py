"""Long results in parts: where they are cut, and how those end that do not come to an end."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from tests.worker.test_serve import Host, call, cancel, result

from pypods.errors import ValueTransferError
from pypods.worker.parts import PART_CELLS, placed, rows_in_part
from pypods.worker.questions import CallInterrupted

ROWS = [(i, f"name {i}", None if i % 3 else i / 2, "") for i in range(20_000)]


def joined(answers: list[dict[str, Any]]) -> Any:
    """Return the result that parts and the frame behind them are."""
    *parts, last = answers
    assert {each["kind"] for each in parts} == {"part"}
    assert last["kind"] == "result"
    rows = [row for part in parts for row in part["value"]]
    return type(last["value"])(rows)


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        ([(1,)] * (2 * PART_CELLS), PART_CELLS),
        ([(1,)] * (2 * PART_CELLS - 1), 0),
        ([(1, 2, 3, 4)] * 20_000, PART_CELLS // 4),
        (((1, 2, 3, 4),) * 20_000, PART_CELLS // 4),
        ([{"a": 1, "b": 2}] * 40_000, PART_CELLS // 2),
        ([[1] * 8] * 10_000, PART_CELLS // 8),
        ([(1,) * 1000] * 512, 256),
        ([(1,) * 1000] * 511, 0),
        ([()] * 70_000, PART_CELLS),
        ([1] * 100_000, 0),
        (["text"] * 100_000, 0),
    ],
)
def test_rows_are_cut_by_how_many_values_they_have(value, rows):
    assert rows_in_part(value) == rows


@pytest.mark.parametrize(
    "value",
    [
        ROWS,
        tuple(ROWS),
        [dict(zip("abcd", row, strict=True)) for row in ROWS],
        [list(row) for row in ROWS],
        [*ROWS, (1,), [2], None],
    ],
    ids=["tuples", "a tuple of tuples", "dicts", "lists", "mixed"],
)
def test_a_long_result_goes_in_parts(value):
    answers = Host(rows=lambda: value).ask(call(7, "rows"))
    assert len(answers) == 4
    assert {each["id"] for each in answers} == {7}
    assert joined(answers) == value
    assert answers[-1]["value"] == type(value)()


@pytest.mark.parametrize("value", [ROWS[:500], [1] * 20_000, {"rows": ROWS}])
def test_any_other_result_goes_as_a_whole(value):
    assert Host(give=lambda: value).ask(call(1, "give")) == [result(1, value)]


def test_a_row_that_cannot_cross_is_named_by_its_place_in_the_whole():
    endless: list[Any] = []
    endless.append(endless)
    rows = [*ROWS[:10_000], (1, endless), *ROWS[:8_000]]
    *parts, last = Host(rows=lambda: rows).ask(call(1, "rows"))
    assert [each["kind"] for each in parts] == ["part"]
    assert last["kind"] == "failure"
    assert "result[10000][1]" in last["error"]["text"]


def test_an_error_without_a_row_keeps_its_place():
    for place in ("value", "value[x]", "other[1]"):
        assert placed(ValueTransferError("is no value", place), 5).place == place
    assert placed(ValueTransferError("is no value", "value[2][1]"), 5).place == "value[7][1]"


def test_parts_are_together_no_longer_than_a_frame_may_be():
    rows = [(f"{i:01000}",) for i in range(70_000)]
    host = Host(max_frame_bytes=40_000_000, rows=lambda: rows)
    part, last = host.ask(call(1, "rows"))
    assert part["kind"] == "part"
    assert last["error"]["type"] == "ValueTransferError"
    assert "70000 rows, of which no more than 32768 fit" in last["error"]["text"]
    assert "max_frame_bytes=40000000" in last["error"]["text"]
    assert host.ask(call(2, "add", 1)) == [result(2, 3)]


def test_a_cancelled_call_ends_between_two_parts():
    sent: list[Any] = []
    host = Host(rows=lambda: ROWS)
    send = host.pod_end.send

    def cancel_behind_the_first(frame: bytes) -> None:
        send(frame)
        sent.append(frame)
        if len(sent) == 1:
            host.server._channel.queued += [cancel(1)]
            host.server.handle_interrupt()

    host.pod_end.send = cancel_behind_the_first  # type: ignore[method-assign]
    part, last = host.ask(call(1, "rows"))
    assert part["kind"] == "part"
    assert last["kind"] == "failure"
    assert last["error"]["type"] == CallInterrupted.__name__
    assert last["error"]["builtin"] == "KeyboardInterrupt"
    assert host.ask(call(2, "add", 1)) == [result(2, 3)]


def test_an_interrupt_without_a_cancel_leaves_the_parts_as_they_are():
    host = Host(rows=lambda: ROWS)
    host.server._interrupt_waits = True
    host.server.handle_interrupt(signal.SIGINT)
    assert joined(host.ask(call(1, "rows"))) == ROWS
    assert host.server._interrupt_waits is False
    assert host.server._current == 0
