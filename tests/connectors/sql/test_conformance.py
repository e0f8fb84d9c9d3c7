"""The suite over the shared half with sqlite3 in this process; and that it finds what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from in_process import InProcess

from pypods.conformance import Outcome, Scratch, as_table, list_checks, run_check
from pypods.conformance.subject import Subject
from pypods.connectors.connector import FUNCTIONS
from pypods.connectors.errors import SettingsError
from pypods.pods.pod_source import read_source
from pypods.pods.shipped import list_shipped_pods

# Of a process of its own.
CHECKS = [name for name in list_checks() if name != "kill"]


def run(connector: Any, place: dict[str, Any], name: str, **others: Any) -> Outcome:
    unreachable = {"database": str(Path(place["database"]).parent / "none" / "x.db")}
    scratch = Scratch(connection=place, unreachable=unreachable)
    return run_check(Subject(InProcess(connector, **others), scratch), name)


@pytest.mark.parametrize("name", CHECKS)
def test_sqlite3_passes(connector, place, name):
    outcome = run(connector, place, name)
    expected = {"wrong_password": "not checked", "snapshot": "not offered"}
    assert outcome.status == expected.get(name, "passed"), outcome.detail


def without_last_row(connector):
    def read(*args: Any, **options: Any) -> Any:
        held = None
        for batch in connector.read(*args, **options):
            if held is not None:
                yield held
            held = batch
        if held is not None and held.num_rows > 1:
            yield held.slice(0, held.num_rows - 1)

    return {"read": read}


def with_numbers_as_text(connector):
    def read(connection, stream, **options):
        import pyarrow as pa

        for batch in connector.read(connection, stream, **options):
            table = pa.table(batch)
            yield table.cast(pa.schema([(n, pa.utf8()) for n in table.column_names])).to_batches()[
                0
            ]

    return {"read": read}


def with_a_finish_of_whatever_is_there(connector):
    return {
        "finish": lambda connection, stream, *, rows=None, **options: connector.finish(
            connection, stream, **options
        )
    }


def with_an_attempt_that_does_not_matter(connector):
    return {
        "write": lambda connection, stream, batches, *, attempt=None, **options: connector.write(
            connection, stream, list(batches), **options
        )
    }


def with_pages_instead_of_partitions(connector):
    def read(connection, stream, *, partition=None, **options):
        if partition and partition.get("rowid"):
            rows = sum(each.num_rows for each in connector.read(connection, stream)) // 2
            options["limit"] = rows
        return connector.read(connection, stream, **options)

    return {"read": read}


def with_a_write_that_shows_at_once(connector):
    def write(connection, stream, batches, **options):
        def copied():
            for batch in batches:
                connector.write_all(connection, stream, [batch], mode="append")
                yield batch

        return connector.write(connection, stream, copied(), **options)

    return {"write": write}


def with_words_for_an_abandon(connector):
    return {"abandon": lambda connection, stream, *, run: None}


def with_a_checksum_of_the_count(connector):
    return {
        "checksum": lambda connection, stream, **options: {
            "rows": connector.count(connection, stream),
            "sum": f"{connector.count(connection, stream):016x}",
        }
    }


def with_bad_rows_left_out(connector):
    def write(connection, stream, batches, *, bad_rows="fail", max_bad_rows=0, **options):
        import pyarrow as pa

        kept = [pa.table(each).drop_null().to_batches()[0] for each in batches]
        return connector.write(connection, stream, kept, **options)

    return {"write": write}


def with_more_drift_than_was_asked(connector):
    def prepare(connection, stream, schema, *, drift="evolve", **options):
        return connector.prepare(connection, stream, schema, **options)

    return {"prepare": prepare}


def with_settings_unchecked(connector):
    return {"check": lambda connection: {"server": "x", "driver": "y"}}


def with_names_pasted(connector):
    def read(connection, stream, *, where=None, **options):
        if where and where[0][1] == "=" and isinstance(where[0][2], str):
            name, _, value = where[0]
            table = stream if isinstance(stream, str) else stream[-1]
            query = f'select * from "{table}" where "{name}" = \'{value}\''
            return connector.read(connection, stream, query=query, **options)
        return connector.read(connection, stream, where=where, **options)

    return {"read": read}


@pytest.mark.parametrize(
    ("breaking", "names"),
    [
        (without_last_row, ["columns", "where", "after", "batches", "append", "wide"]),
        (with_numbers_as_text, ["types", "wide"]),
        (with_a_finish_of_whatever_is_there, ["failure"]),
        (with_an_attempt_that_does_not_matter, ["overtaken"]),
        (with_pages_instead_of_partitions, ["partitions"]),
        (with_a_write_that_shows_at_once, ["failure"]),
        (with_words_for_an_abandon, ["state"]),
        (with_a_checksum_of_the_count, ["checksum"]),
        (with_bad_rows_left_out, ["bad_rows"]),
        (with_more_drift_than_was_asked, ["drift", "refusals"]),
        (with_settings_unchecked, ["settings", "unreachable"]),
        (with_names_pasted, ["injection"]),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_the_suite_finds_a_connector_that_is_broken(connector, place, breaking, names):
    for name in names:
        outcome = run(connector, place, name, **breaking(connector))
        assert outcome.status == "failed", name
        assert outcome.detail


def test_what_is_not_claimed_is_not_offered(connector, place):
    described = connector.describe_connector()
    described["capabilities"] = {**described["capabilities"], "write": ["append"], "after": False}
    others = {"describe_connector": lambda: described}
    assert run(connector, place, "upsert", **others).status == "not offered"
    assert run(connector, place, "after", **others).detail == "after"
    assert run(connector, place, "append", **others).status == "passed"


def test_what_a_system_has_not_is_not_asked_for(connector, tmp_path):
    def place_of(name):
        return {"database": str(tmp_path / f"{name}.db")}

    described = connector.describe_connector()
    described["capabilities"] = {
        **described["capabilities"], "constraints": False, "plain_stream_names": True,
    }  # fmt: skip
    others = {"describe_connector": lambda: described}
    outcome = run(connector, place_of("rows"), "refused_rows", **others)
    assert outcome.status == "not offered"
    # This one takes all names, and says that it does not.
    outcome = run(connector, place_of("all"), "names", **others)
    assert (outcome.status, "has to raise SettingsError" in outcome.detail) == ("failed", True)

    def prepare(connection, stream, *args, **options):
        if not stream[-1].replace("_", "a").isalnum() or not stream[-1].isascii():
            raise SettingsError("letters, digits and underscores")
        return connector.prepare(connection, stream, *args, **options)

    for name in ("names", "injection"):
        outcome = run(connector, place_of(name), name, **others, prepare=prepare)
        assert outcome.status == "passed", outcome.detail


def test_outcomes_make_a_table(connector, place):
    outcomes = [run(connector, place, name) for name in ("description", "snapshot")]
    assert as_table(outcomes).splitlines()[0] == "| | sqlite |"
    assert as_table(outcomes).splitlines()[2:] == [
        "| says what it is and what it can | passed |",
        "| shows one state in all partitions | not offered |",
    ]
    assert outcomes[1].as_dict()["detail"] == "snapshot"


def test_each_pod_binds_the_functions_of_the_contract():
    """Each pod.py binds the functions of the contract, each to its own name, and offers no more."""
    offered = {
        folder.name: read_source(folder.pod_file.read_bytes()).offered
        for folder in list_shipped_pods()
    }
    assert {"sqlite", "duckdb", "postgresql", "csv", "parquet", "excel"} <= set(offered)
    for name, names in offered.items():
        assert names == list(FUNCTIONS), name


def test_functions_are_those_of_their_names(connector):
    assert [each.__name__ for each in connector.functions()] == list(FUNCTIONS)
