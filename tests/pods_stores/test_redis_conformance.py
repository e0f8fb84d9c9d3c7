"""The Redis connector passes the suite, with tables of hashes and with streams."""

from __future__ import annotations

import pytest
from conformance_results import keep_outcome

from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject

SECRET = "swordfish of the conformance suite"
#: Each for a capability that is not claimed: query, partition, snapshot, execute, delete_insert.
NOT_OFFERED = {"query", "partitions", "snapshot", "refused_rows", "delete_insert"}


@pytest.fixture
def subject(request, load_connector, redis, redis_keys):
    place = {**redis_keys.place, "key_column": ""}
    star = ":*" if request.param == "hashes" else ""
    scratch = Scratch(
        connection=place,
        stream=lambda name: [f"{redis_keys.prefix}:{name}{star}"],
        unreachable={**place, "port": 1},
        wrong_password={**place, "user": "pypods_nobody", "password": SECRET},
        secret=SECRET,
    )
    made = Subject(load_connector("redis"), scratch)
    if request.param == "stream":
        made.capabilities = {**made.capabilities, "write": ["append", "replace"]}
    return made


#: What a stream does otherwise than a table of hashes; the rest is the same code.
OF_STREAMS = ["types", "where", "after", "append", "replace", "state", "failure", "kill"]
CASES = [("hashes", name) for name in list_checks()] + [("stream", name) for name in OF_STREAMS]


@pytest.mark.parametrize(("subject", "name"), CASES, indirect=["subject"])
def test_it_passes(subject, name):
    outcome = run_check(subject, name)
    keep_outcome(outcome)
    expected = "not offered" if name in NOT_OFFERED else "passed"
    assert outcome.status == expected, outcome.detail
