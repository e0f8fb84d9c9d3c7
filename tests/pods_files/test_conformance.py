"""Connectors for files pass the suite, as single files and as folders of files."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from conformance_results import keep_outcome

from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject

NOT_OFFERED = {"snapshot", "query", "refused_rows"}
#: What a kind of file, or a way to use it, does not offer.
OTHERWISE = {
    "csv": {"upsert", "delete_insert", "bad_rows"},
    "excel": {"upsert", "delete_insert", "bad_rows", "partitions"},
    "parquet": set(),
}
KINDS = [("csv", ".csv"), ("csv", ""), ("csv", ".tsv.gz"), ("parquet", ".parquet"),
         ("parquet", ""), ("excel", "")]  # fmt: skip


def encoded(name: str) -> str:
    """Return a name that a file can have, without a dot, which a suffix begins with."""
    return quote(name, safe=" '\"ü漢ï%$;:").replace(".", "%2E")


@pytest.mark.parametrize("name", list_checks())
@pytest.mark.parametrize(("connector", "suffix"), KINDS, ids=lambda each: each.lstrip(".") or "-")
def test_it_passes(load_connector, tmp_path, connector, suffix, name):
    scratch = Scratch(
        connection={"folder": str(tmp_path)},
        stream=lambda stream: [encoded(stream) + suffix],
        unreachable={"folder": str(tmp_path / "none")},
    )
    outcome = run_check(Subject(load_connector(connector), scratch), name)
    expected = "passed"
    if name == "wrong_password":
        expected = "not checked"
    elif name in NOT_OFFERED | OTHERWISE[connector]:
        expected = "not offered"
    assert outcome.status == expected, outcome.detail
    keep_outcome(outcome)
