"""A connector of which nothing comes is ended: which one, in which step, and what comes then."""

from __future__ import annotations

import re

import pytest
from tests.integrator.conftest import fill, make_trouble, rows_of

from pypods.errors import IntegrationError

SILENCE = (
    r"fakelite t: nothing came of the connector fakelite for 3 s \(timeout_seconds\), "
    r"and its pod was ended"
)


def test_a_connector_that_hangs_is_ended_and_tried_again(integrator, operation, here, events):
    """Between two batches of the source, and with a batch in the target's hand."""
    fill(here / "a.db", 1000)
    sides = {
        side: {
            "connection": {
                "trouble": make_trouble(here / side, {"in": what, "after": after, "how": "hang"})
            }
        }
        for side, what, after in (("source", "read", 3), ("target", "write", 8))
    }
    # On a machine that is busy with other things, a call may take so long without a hang.
    one = operation(
        **sides, batch_rows=50, timeout_seconds=3, retries={"attempts": 20, "seconds": 0.01}
    )
    report = integrator.integrate(one)
    assert rows_of(here / "b.db") == rows_of(here / "a.db")
    assert report.integrations[0].rows_written == 1000
    said = [event.message for event in events if event.name == "retry"]
    for what in ("reading", "writing"):
        assert any(re.match(f"{what} {SILENCE}; trying again", each) for each in said), said


def test_a_hang_that_is_not_tried_again_says_where_and_can_be_resumed(integrator, operation, here):
    fill(here / "a.db", 100)
    trouble = make_trouble(here / "trouble", {"in": "finish", "how": "hang"})
    one = operation(
        target={"connection": {"trouble": trouble}}, timeout_seconds=10, retries={"attempts": 0}
    )
    with pytest.raises(IntegrationError) as caught:
        integrator.integrate(one, execution_id="silent")
    assert str(caught.value) == (
        "copy: finishing fakelite t: nothing came of the connector fakelite for 10 s "
        "(timeout_seconds), and its pod was ended"
    )
    assert rows_of(here / "b.db") == []
    assert integrator.resume("silent").integrations[0].rows_resumed == 100
    assert rows_of(here / "b.db") == rows_of(here / "a.db")


def test_silence_is_not_limited_by_null(integrator, operation, here):
    fill(here / "a.db", 10)
    integrator.integrate(operation(timeout_seconds=None))
    assert rows_of(here / "b.db") == rows_of(here / "a.db")
