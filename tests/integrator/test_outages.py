"""What a server forgets when it is killed, and that a run gets over it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.integrator.conftest import fill, leftovers, make_trouble, rows_of

from pypods.errors import IntegrationError

NOTHING = {"in": "prepare", "how": "sleep", "seconds": 0}
FORGET = {"in": "prepare", "how": "forget"}


@pytest.mark.parametrize("resume", ["checkpoint", "restart"])
def test_batches_that_the_target_has_forgotten_in_the_end_are_moved_again(
    integrator, operation, here, resume
):
    fill(here / "a.db", 1000)
    trouble = make_trouble(here / "trouble", NOTHING, FORGET)
    one = operation(target={"connection": {"trouble": trouble}}, batch_rows=50, resume=resume)
    (done,) = integrator.integrate(one, verify=True).integrations
    assert json.loads(Path(trouble).read_text()) == []
    assert rows_of(here / "b.db") == rows_of(here / "a.db")
    assert (done.retries, done.rows_read, done.rows_written) == (1, 1000, 1000)
    assert leftovers(here / "b.db") == []


@pytest.mark.parametrize("forgets", [True, False])
def test_a_part_that_was_done_is_moved_again_only_if_the_target_has_forgotten_it(
    integrator, operation, events, here, forgets
):
    fill(here / "a.db", 10)
    fill(here / "a.db", 1000, first=1001)  # The second of two ranges.
    trouble = make_trouble(
        here / "trouble", NOTHING, {"in": "write", "after": 15, "how": "retry"},
        FORGET if forgets else NOTHING,
    )  # fmt: skip
    one = operation(
        source={"connection": {"seconds": 0.02}}, target={"connection": {"trouble": trouble}},
        batch_rows=50, process_count=2,
    )  # fmt: skip
    (done,) = integrator.integrate(one).integrations
    assert json.loads(Path(trouble).read_text()) == []
    assert rows_of(here / "b.db") == rows_of(here / "a.db")
    assert (done.retries, done.parts, done.rows_written) == (1, 2, 1010)
    ends = [event.message for event in events if event.name == "checkpoint"]
    assert ends.count("part 0 is staged") == (2 if forgets else 1)


def test_a_target_may_not_forget_for_ever(integrator, operation, here):
    fill(here / "a.db", 1000)
    trouble = make_trouble(here / "trouble", NOTHING, *[FORGET] * 9)
    one = operation(
        target={"connection": {"trouble": trouble}}, batch_rows=50,
        retries={"attempts": 2, "seconds": 0.01},
    )  # fmt: skip
    with pytest.raises(IntegrationError, match="1000 rows were written and 0 are staged in"):
        integrator.integrate(one)
    # It was asked at the end of each of three attempts, and at the beginning of two of them.
    assert len(json.loads(Path(trouble).read_text())) == 9 - 5
    assert rows_of(here / "b.db") == []


@pytest.mark.parametrize("stable", [True, False])
def test_a_snapshot_that_ended_with_its_server_is_got_over(
    integrator, operation, events, here, stable
):
    """Its pod is alive; one attempt finds that the snapshot is gone, and the next does without."""
    fill(here / "a.db", 1000)
    lose = {"in": "read", "after": 3, "how": "lose", "readers": 2}
    trouble = make_trouble(here / "trouble", lose)
    more = {"trouble": trouble, "seconds": 0.01, "partition": {"stable": stable}}
    one = operation(
        source={"connection": more}, batch_rows=50, process_count=2,
        retries={"attempts": 1, "seconds": 0.01},
    )  # fmt: skip
    (done,) = integrator.integrate(one).integrations
    assert json.loads(Path(trouble).read_text()) == []
    assert rows_of(here / "b.db") == rows_of(here / "a.db")
    said = [event.message for event in events if event.name == "retry"]
    assert "trouble in read" in said[0]
    assert "ConflictError: there is no snapshot any more" in said[1]
    # What means nothing without the snapshot is moved anew, under another one.
    assert Path(f"{trouble}.lost").exists() is stable
    assert (done.parts, done.rows_written) == (2, 1000)
