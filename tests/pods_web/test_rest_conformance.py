"""The connector for REST passes the suite, over a service that keeps tables."""

from __future__ import annotations

import pyarrow as pa
import pytest
from conformance_results import checks_to_run, keep_outcome
from record_suite import NOT_OFFERED

from pypods.conformance import Scratch, run_check
from pypods.conformance.subject import Subject
from pypods.connectors.types import SchemaError, field_from_text, normal_field, text_of

SECRET = "a-secret-that-nobody-sees"


def text_of_type(field):
    """Return a column's type as a declaration has it; structs are JSON there."""
    if pa.types.is_fixed_size_binary(field.type) and text_of(field) != "uuid":
        return "binary"
    try:
        field_from_text("", text_of(field))
    except SchemaError:
        return "json"
    return text_of(field)


def declaring(connection, any_table):
    """Return a function that declares streams in a connection, as they get more columns."""

    def declare(stream, schema, key):
        endpoint = connection["endpoints"].setdefault(".".join(stream), dict(any_table, schema={}))
        for field in schema:
            endpoint["schema"].setdefault(field.name, text_of_type(normal_field(field)))

    return declare


@pytest.mark.parametrize("name", checks_to_run())
def test_it_passes(load_connector, server, tables, any_table, tmp_path, name):
    tables.token = "right"
    if name in ("kill", "overtaken"):
        any_table["write"] = {"rows_per_request": 10}
    connection = {
        "base_url": server.url, "auth": "bearer", "token": "right", "ledger": str(tmp_path),
        "endpoints": {"*": any_table},
    }  # fmt: skip
    scratch = Scratch(
        connection=connection,
        unreachable={"base_url": "http://127.0.0.1:9", "retries": 1, "backoff": 0.01},
        wrong_password={**connection, "token": SECRET},
        secret=SECRET,
        declare=declaring(connection, any_table),
    )
    outcome = run_check(Subject(load_connector("rest"), scratch), name)
    keep_outcome(outcome)
    if name in NOT_OFFERED:
        assert (outcome.status, outcome.detail) == ("not offered", NOT_OFFERED[name])
    else:
        assert outcome.status == "passed", outcome.detail
