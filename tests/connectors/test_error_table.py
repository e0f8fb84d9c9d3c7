"""Numbers of a system's errors become errors of the contract."""

from __future__ import annotations

import pytest

from pypods.connectors.error_table import ErrorTable
from pypods.connectors.errors import (
    ConflictError,
    ConnectorError,
    DataError,
    SchemaError,
    UnreachableError,
)

TABLE = ErrorTable(
    {DataError: (1, 2), ConflictError: (3, 4), UnreachableError: ("08S01",)}, passing=(4, 5)
)


@pytest.mark.parametrize(
    ("code", "kind", "retry"),
    [
        (1, DataError, False),
        (3, ConflictError, False),
        (4, ConflictError, True),
        (5, ConnectorError, True),
        ("08S01", UnreachableError, True),
        (6, ConnectorError, False),
    ],
)
def test_a_code_is_one_kind_of_error(code, kind, retry):
    error = TABLE.error(code, "it said so")
    assert (type(error), error.retry, str(error)) == (kind, retry, "it said so")


def test_what_the_table_does_not_know_is_what_the_caller_takes_it_for():
    assert type(TABLE.error(6, "x", otherwise=SchemaError)) is SchemaError
    assert type(TABLE.error(1, "x", otherwise=SchemaError)) is DataError
    assert [code in TABLE for code in (1, 5, "08S01", 6)] == [True, True, True, False]
