"""The MongoDB connector passes the suite, with a stand-in that speaks the driver's protocol."""

from __future__ import annotations

import pytest
from conformance_results import keep_outcome

from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject

SECRET = "swordfish of the conformance suite"
#: Each for a capability that is not claimed: query, partition, snapshot, execute, delete_insert.
NOT_OFFERED = {"query", "partitions", "snapshot", "refused_rows", "delete_insert"}


@pytest.mark.parametrize("name", list_checks())
def test_it_passes(load_connector, mongodb, name):
    place = {**mongodb.place, "id_column": ""}
    scratch = Scratch(
        connection=place,
        stream=lambda collection: [collection.replace("$", "S")],
        unreachable={**place, "port": 1, "timeout": 0.5},
        wrong_password={**place, "user": "pypods_nobody", "password": SECRET},
        secret=SECRET,
    )
    outcome = run_check(Subject(load_connector("mongodb"), scratch), name)
    keep_outcome(outcome)
    expected = "not offered" if name in NOT_OFFERED else "passed"
    assert outcome.status == expected, outcome.detail
