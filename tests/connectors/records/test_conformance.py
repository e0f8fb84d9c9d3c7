"""The shared half of connectors of records passes the suite, over JSON in this process."""

from __future__ import annotations

import pytest
from in_process import InProcess
from record_memory import MemoryRecords
from record_suite import NOT_OFFERED

from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject


def declaring(connection):
    """Return a function that declares streams in a connection, as they get more columns."""

    def declare(stream, schema, key):
        name = ".".join(stream)
        known = connection["streams"].setdefault(name, {"schema": schema})
        new = [field for field in schema if field.name not in known["schema"].names]
        for field in new:
            known["schema"] = known["schema"].append(field)

    return declare


#: Of a process of its own, or of what a system does with names and sizes; see tests/pods_web.
ELSEWHERE = ("kill", "large_rows", "wide", "names", "injection")


@pytest.mark.parametrize("name", [name for name in list_checks() if name not in ELSEWHERE])
def test_it_passes(tmp_path, name):
    connection = {
        "system": "here", "streams": {}, "ledger": str(tmp_path),
        "rows_per_request": 10 if name == "overtaken" else 200,
    }  # fmt: skip
    scratch = Scratch(
        connection=connection,
        unreachable={"system": "elsewhere"},
        declare=declaring(connection),
    )
    connector = MemoryRecords()
    outcome = run_check(Subject(InProcess(connector), scratch), name)
    if name in NOT_OFFERED:
        assert (outcome.status, outcome.detail) == ("not offered", NOT_OFFERED[name])
    elif name == "wrong_password":
        assert outcome.status == "not checked"
    else:
        assert outcome.status == "passed", outcome.detail
