"""Operations from YAML: what is taken, and where an error says that it is."""

# ruff: noqa: E501 - tables of one case a line

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pypods.errors import OperationError
from pypods.integrator import Operation, operation_schema, read_operation
from pypods.integrator.operation_file import parse_operation

SCHEMA = Path(__file__).parents[2] / "docs" / "operation.schema.json"

NIGHTLY = """\
name: nightly
integrations:
  - name: customers
    source: {connector: sqlite, connection: {database: shop.db}, stream: customers}
    target:
      connector: postgresql
      connection: {host: 127.0.0.1, port: 5432, database: test, user: postgres}
      stream: public.customers
    mode: upsert
    key: [id]
    cursor: updated_at
    lag: 15m
    process_count: 1
"""


def test_a_file_and_objects_are_the_same(tmp_path):
    path = tmp_path / "operation.yaml"
    path.write_text(NIGHTLY, encoding="utf-8")
    from_file = read_operation(path)
    document = from_file.document()
    assert document["integrations"][0]["cursor"] == "updated_at"
    assert Operation.model_validate(document) == from_file
    assert json.loads(json.dumps(document)) == document
    assert parse_operation(json.dumps(document)) == from_file  # JSON is YAML.


def test_defaults():
    text = "{name: n, integrations: [{name: i, source: {connector: a, stream: s}, target: {connector: b, stream: t}}]}"
    (one,) = parse_operation(text).integrations
    assert (one.mode, one.key, one.cursor, one.limit, one.process_count) == (
        "append",
        [],
        None,
        None,
        1,
    )
    assert (one.drift, one.bad_rows, one.resume, one.on_failure) == (
        "evolve",
        "fail",
        "checkpoint",
        "keep",
    )
    assert [one.retries.wait(n) for n in (1, 2, 3, 10)] == [1.0, 2.0, 4.0, 60.0]


@pytest.mark.parametrize(
    ("old", "new", "where", "said"),
    [
        ("mode: upsert", "mode: upserted", "9:11", "integrations.0.mode: is 'append', 'replace',"),
        ("key: [id]", "kye: [id]", "10:5", "there is no setting 'kye' here; there are: name, source"),
        ("stream: customers}", "steam: customers}", "4:66", "integrations.0.source.steam: there is no"),
        ("process_count: 1", "process_count: many", "13:20", "process_count: input should be a valid integer"),
        ("process_count: 1", "process_count: 0", "13:20", "greater than or equal to 1, not 0"),
        ("    key: [id]\n", "", "3:5", "integrations.0: mode upsert needs a key, such as key: [id]"),
        ("mode: upsert", "mode: append", "3:5", "a cursor needs mode upsert or delete_insert"),
        ("lag: 15m", "lag: soon", "3:5", "'soon' is no lag; write a number, or 90s, 15m, 12h or 2d"),
        ("stream: public.customers", "", "6:7", "integrations.0.target.stream: is missing"),
        ("  - name: customers\n    source", "  - source", "3:5", "integrations.0.name: is missing"),
        ("name: nightly", "nam: nightly", "1:1", "there is no setting 'nam' here; there are: name, integrations"),
        ("    mode: upsert\n", "    mode: upsert\n    mode: append\n", "10:5", "mode is given twice"),
        ("key: [id]", "key: [id", "11:", "is not YAML: while parsing a flow sequence"),
        ("connector: sqlite", "connector: memory", "4:13", "needs memory=Memory(...), from Python"),
        ("key: [id]", "bad_rows: {to: file.csv}\n    key: [id]", "10:15", "whose name ends in .parquet"),
        ("key: [id]", "bad_rows: {to: s3://b/file.parquet}\n    key: [id]", "10:15", "a file of this machine"),
        ("key: [id]", "bad_rows: {too: table}\n    key: [id]", "10:16", "no setting 'too' here; there are: to, threshold"),
        ("key: [id]", "bad_rows: some\n    key: [id]", "10:15", "integrations.0.bad_rows: is 'fail', not 'some'"),
        ("key: [id]", "retries: {attempts: -1}\n    key: [id]", "10:25", "retries.attempts: input should be greater"),
        ("connection: {database: shop.db}", "connection: shop.db", "4:45", "source.connection: input should be a valid dict"),
        ("key: [id]", "key: [id]\n    source: 1", "11:5", "source is given twice"),
    ],
)  # fmt: skip
def test_an_error_says_where_and_what(tmp_path, old, new, where, said):
    assert old in NIGHTLY
    path = tmp_path / "operation.yaml"
    path.write_text(NIGHTLY.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(OperationError) as caught:
        read_operation(path)
    first = str(caught.value).splitlines()[0]
    assert first.startswith(f"{path}:{where}"), str(caught.value)
    assert said in first, str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "f: is empty; it needs a name and integrations"),
        ("- 1", "f:1:1: input should be a valid dict"),
        ("just text", "f:1:1: input should be a valid dict"),
        ("a: !!python/object:os.system x", "f:1:4: is not YAML: could not determine a constructor"),
        ("\x00", "f: is not YAML"),
        ("a: " + "[" * 150 + "]" * 150, "is nested more than 100 levels deep"),
        ("name: n\nintegrations: []", "f:2:15: integrations: list should have at least 1 item"),
        ("2024-13-45: x", "f: is not YAML: month must be in 1..12"),
    ],
)
def test_what_is_no_operation(text, said):
    with pytest.raises(OperationError) as caught:
        parse_operation(text, place="f")
    assert said in str(caught.value)


def test_aliases_of_aliases_take_no_time():
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    with pytest.raises(OperationError):
        parse_operation("\n".join(lines))


def test_all_that_is_wrong_is_told_at_once():
    text = NIGHTLY.replace("mode: upsert", "mode: x").replace(
        "process_count: 1", "process_count: 0"
    )
    with pytest.raises(OperationError) as caught:
        parse_operation(text, place="f")
    assert [line.split(" ")[0] for line in str(caught.value).splitlines()] == [
        "f:9:11:",
        "f:13:20:",
    ]


def test_a_file_that_is_not_there_or_no_text(tmp_path):
    with pytest.raises(OperationError, match=r"no such file; name the file of an operation"):
        read_operation(tmp_path / "none.yaml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OperationError, match="cannot be read as text"):
        read_operation(tmp_path / "binary")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"source": {"connector": "a"}}, "either a stream or a query"),
        ({"source": {"connector": "a", "stream": "s", "query": "q"}}, "either a stream or a query"),
        ({"source": {"connector": "a", "stream": "s", "columns": ["x", "x"]}}, "named twice in columns"),
        ({"source": {"connector": "a", "stream": "s", "columns": ["x"], "renames": {"y": "z"}}}, "leaves out"),
        ({"source": {"connector": "a", "stream": "s", "renames": {"x": "z", "y": "z"}}}, "the same name"),
        ({"source": {"connector": "a", "stream": "s", "columns": ["x"]}, "key": ["id"]}, "columns leaves out 'id'"),
        ({"source": {"connector": "a", "stream": "s", "where": [["x", "like", 1]]}}, "where.0.1"),
        ({"key": ["id", "id"]}, "named twice in key"),
        ({"source": {"connector": "a", "query": "q"}, "cursor": "c", "mode": "upsert", "key": ["id"]}, "needs a stream"),
        ({"cursor": "c", "mode": "upsert", "key": ["id"], "limit": 5, "process_count": 2}, "process_count 1"),
        ({"lag": 5}, "there is no cursor"),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other(change, said):
    integration = {
        "name": "i", "source": {"connector": "a", "stream": "s"},
        "target": {"connector": "b", "stream": "t"}, **change,
    }  # fmt: skip
    with pytest.raises(OperationError) as caught:
        parse_operation(json.dumps({"name": "n", "integrations": [integration]}))
    assert said in str(caught.value)


def test_two_integrations_of_one_name():
    text = NIGHTLY + NIGHTLY.partition("integrations:\n")[2]
    with pytest.raises(OperationError, match="two integrations are called 'customers'"):
        parse_operation(text)


def test_the_published_schema_is_the_models():
    """Made anew by: python -m pypods.integrator.operation_file > docs/operation.schema.json."""
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == operation_schema()


def test_the_schema_has_no_setting_that_a_file_cannot_have():
    schema = operation_schema()
    assert "memory" not in schema["$defs"]["Source"]["properties"]
    assert set(schema["$defs"]["Integration"]["properties"]) >= {"mode", "key", "cursor", "lag"}
    assert schema["$defs"]["Integration"]["additionalProperties"] is False
    described = schema["$defs"]["Integration"]["properties"]
    assert [
        name
        for name, about in described.items()
        if "$ref" not in about and not about.get("description")
    ] == []
