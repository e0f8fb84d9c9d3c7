"""The SQL Server connector over a stand-in: the suite, and what is SQL Server's own."""

from __future__ import annotations

import pytest

from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject

CONNECTOR = "mssql"
SECRET = "swordfish}; of the stand-in"


def place_of(database):
    return {"host": "127.0.0.1", "database": database, "user": "sa", "password": "right"}


@pytest.mark.parametrize("name", list_checks())
def test_it_passes(standin, name):
    scratch = Scratch(
        connection=standin.connection,
        stream=lambda table: ["dbo", table],
        unreachable={**standin.connection, "port": 1},
        wrong_password={**standin.connection, "password": SECRET},
        secret=SECRET,
    )
    outcome = run_check(Subject(standin.loader, scratch), name)
    expected = {"snapshot": "not offered"}
    assert outcome.status == expected.get(name, "passed"), outcome.detail
