"""The table of exit codes: whole, and as documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypods import errors
from pypods.cli.exits import EXIT_CODES, ExitCode, UsageError, exit_code_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_document_has_the_table_of_the_code():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in DOCUMENT.read_text(encoding="utf-8").partition("## Exit codes")[2].splitlines()
        if line.startswith("| ") and line[2].isdigit()
    ]
    assert rows == [[str(int(row.code)), row.meaning] for row in EXIT_CODES]


def test_every_code_has_one_row():
    assert [row.code for row in EXIT_CODES] == list(ExitCode)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.PodCallError, ExitCode.FAILED),
        (type("TimeoutError", (errors.PodCallError, TimeoutError), {}), ExitCode.FAILED),
        (errors.ValueTransferError, ExitCode.FAILED),
        (FileNotFoundError, ExitCode.FAILED),
        (UsageError, ExitCode.USAGE),
        (errors.PodNotFoundError, ExitCode.NOT_FOUND),
        (errors.PodEnvironmentError, ExitCode.ENVIRONMENT),
        (errors.InterpreterNotFoundError, ExitCode.ENVIRONMENT),
        (errors.PodStartError, ExitCode.POD),
        (errors.PodDiedError, ExitCode.POD),
        (errors.ProtocolError, ExitCode.POD),
        (errors.PodTimeoutError, ExitCode.TIMEOUT),
        (ValueError, ExitCode.INTERNAL),
    ],
)
def test_an_error_leads_to_its_code(error, code):
    assert exit_code_of(error("what")) is code


def test_every_error_of_pypods_has_a_code_of_its_own_choosing():
    for name in errors.__all__:
        assert exit_code_of(getattr(errors, name)("what")) is not ExitCode.INTERNAL
