"""The Oracle connector over a stand-in: the suite, and what is Oracle's own."""

from __future__ import annotations

import pytest

from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject

CONNECTOR = "oracle"
SECRET = "swordfish of the stand-in"


def place_of(database):
    return {"service_name": database, "user": "app", "password": "right"}


@pytest.mark.parametrize("name", list_checks())
def test_it_passes(standin, name):
    scratch = Scratch(
        connection=standin.connection,
        stream=lambda table: ["APP", table],
        unreachable={**standin.connection, "port": 1},
        wrong_password={**standin.connection, "password": SECRET},
        secret=SECRET,
        whole_number="number(19)",
    )
    outcome = run_check(Subject(standin.loader, scratch), name)
    expected = {"snapshot": "not offered"}
    assert outcome.status == expected.get(name, "passed"), outcome.detail
