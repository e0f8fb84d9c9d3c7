"""The Kafka connector passes the suite, with librdkafka's mock cluster."""

from __future__ import annotations

import re

import pytest
from conformance_results import keep_outcome

from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject

#: Each for a capability that is not claimed: query, execute, atomic, and modes but append.
NOT_OFFERED = {"query", "refused_rows", "failure", "replace", "upsert", "delete_insert", "bad_rows"}
#: The mock cluster lets everybody in.
NOT_CHECKED = {"wrong_password"}
#: It keeps 5 MiB of a partition: what is larger needs more of them, and keys to spread over them.
MANY_PARTITIONS = 64
#: What writing is about; the others only need rows.
IN_TRANSACTIONS = {"batches", "append", "state", "write_all", "kill", "overtaken", "parts"}


def topic_of(name: str) -> str:
    """Return a name that a topic can have."""
    return re.sub("[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):x}", name)


@pytest.mark.parametrize("name", list_checks())
def test_it_passes(load_connector, kafka, prefix, name):
    # A producer of transactions takes half a second to begin with.
    place = {**kafka.place, "metadata": False, "transactions": name in IN_TRANSACTIONS}
    if name == "large_rows":
        place["key"] = "id"

    def stream(name):
        topic = f"{prefix[-12:]}-{topic_of(name)}"
        if "key" in place:
            kafka.pod.make_topic(topic, MANY_PARTITIONS)
        return [topic]

    scratch = Scratch(
        connection=place,
        stream=stream,
        unreachable={**place, "servers": "127.0.0.1:1", "timeout": 1},
    )
    outcome = run_check(Subject(load_connector("kafka"), scratch), name)
    keep_outcome(outcome)
    expected = "passed"
    if name in NOT_OFFERED | NOT_CHECKED:
        expected = "not offered" if name in NOT_OFFERED else "not checked"
    assert outcome.status == expected, outcome.detail
