"""The suite over CSV and Parquet in this process: as a file, as a folder, and as an S3 store's."""

from __future__ import annotations

from urllib.parse import quote

import file_connectors as files
import pytest
from in_process import InProcess

from pypods.conformance import Scratch, list_checks, run_check
from pypods.conformance.subject import Subject

# Of a process of its own.
CHECKS = [name for name in list_checks() if name != "kill"]
NOT_OFFERED = {
    "csv": {"snapshot", "query", "refused_rows", "upsert", "delete_insert", "bad_rows"},
    "parquet": {"snapshot", "query", "refused_rows"},
}


def encoded(name):
    """Return a name that a file can have, without a dot, which a suffix begins with."""
    return quote(name, safe=" '\"ü漢ï%$;:").replace(".", "%2E")


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize(("kind", "suffix"), [("csv", ".csv"), ("parquet", "")])
def test_files_pass(tmp_path, kind, suffix, name):
    scratch = Scratch(
        connection={"folder": str(tmp_path)},
        stream=lambda stream: [encoded(stream) + suffix],
        unreachable={"folder": str(tmp_path / "none")},
    )
    outcome = run_check(Subject(InProcess(files.load(kind)), scratch), name)
    expected = "not checked" if name == "wrong_password" else "passed"
    if name in NOT_OFFERED[kind]:
        expected = "not offered"
    assert outcome.status == expected, outcome.detail
