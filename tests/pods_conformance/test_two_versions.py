"""Two versions of a driver in one operation: psycopg2 2.8.6 on Python 3.8, and the current one."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pyarrow as pa
import pytest

from pypods import PodCallError
from pypods.conformance import Scratch, run_check
from pypods.conformance.subject import Subject
from pypods.integrator import Integration, Integrator, Operation, Source, Target
from pypods.pods import PodLoader

pytestmark = pytest.mark.timeout(600)  # The first test makes an environment.

COMMAND = "create pg_old --from postgresql --python 3.8 --with psycopg2-binary==2.8.6"
COLUMNS = {
    "id": ("integer primary key", ["1", "2", "3"]),
    "flag": ("boolean", ["true", "false", "null"]),
    "small": ("smallint", ["-32768", "32767", "null"]),
    "large": ("bigint", ["-9223372036854775808", "9223372036854775807", "null"]),
    "single": ("real", ["'0.1'", "'NaN'", "'3.4028235e38'"]),
    "doubled": ("double precision", ["'5e-324'", "'-Infinity'", "'0.1'"]),
    "price": ("numeric(40,10)", ["1.5", "-123456789012345678901234567890.0123456789", "null"]),
    "free": ("numeric", ["1e-10", "-98765432109876543210.5", "null"]),
    "words": ("text", [r"E'a\tb\nc\\d''\"'", "'ü漢😀'", "''"]),
    "fixed": ("char(3)", ["'x'", "'xyz'", "null"]),
    "raw": ("bytea", [r"'\x00ff5c0a'", "''", "null"]),
    "day": ("date", ["'0001-01-01'", "'9999-12-31'", "null"]),
    "clock": ("time", ["'23:59:59.999999'", "'00:00'", "null"]),
    "moment": ("timestamp", ["'2024-02-29 01:02:03.000004'", "'0001-01-01'", "null"]),
    "instant": ("timestamptz", ["'2024-02-29 01:02:03.4+05:30'", "'9999-12-31 23:59:59Z'", "null"]),
    "number": ("uuid", [f"'{uuid.UUID(int=2**127 + 1)}'", f"'{uuid.UUID(int=0)}'", "null"]),
    "document": ("json", ["'{\"a\": 1.10}'", "'[]'", "null"]),
    "numbers": ("integer[]", ["'{1,NULL,-3}'", "'{}'", "null"]),
    "texts": ("text[]", [r"array['a,b','{c}','\','" + '"' + "','NULL',null,'']", "'{}'", "null"]),
    "flags": ("boolean[]", ["'{t,f,NULL}'", "'{}'", "null"]),
    "instants": ("timestamptz[]", ["array['2024-01-01 00:00Z'::timestamptz]", "'{}'", "null"]),
}
CHECKS = ["types", "schema_is_stable", "where", "after", "snapshot", "query", "refused_rows",
          "upsert", "replace", "drift", "names"]  # fmt: skip


@pytest.fixture(scope="module")
def pods(load_connector, find_python, tmp_path_factory):
    """Return a pods directory with the connector, and a copy of it as the README makes it."""
    find_python("3.8")
    folder = load_connector("postgresql").folder.path.parent
    done = subprocess.run(
        [sys.executable, "-m", "pypods", "--pods-directory", str(folder), *COMMAND.split()],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def place(load_connector, postgresql):
    """Return a connection and a new schema, which is dropped again."""
    place = {"host": postgresql.host, "port": postgresql.port, "user": postgresql.user,
             "database": postgresql.database or "postgres"}  # fmt: skip
    if postgresql.password:
        place["password"] = postgresql.password
    schema = f"pypods_{uuid.uuid4().hex[:12]}"
    pod = load_connector("postgresql").load_pod()
    pod.execute(place, f"create schema {schema}")
    yield place, schema
    pod.execute(place, f"drop schema {schema} cascade")


def read(pod, place, stream):
    batches = [pa.record_batch(batch) for batch in pod.read(place, stream, order_by=["id"])]
    return pa.Table.from_batches(batches)


@pytest.mark.parametrize(("source", "target"), [("pg_old", "postgresql"), ("postgresql", "pg_old")])
def test_rows_move_from_one_version_to_the_other(
    load_connector, pods, place, tmp_path, source, target
):
    connection, schema = place
    pod = load_connector("postgresql").load_pod()
    types = ", ".join(f"{name} {sql_type}" for name, (sql_type, _) in COLUMNS.items())
    pod.execute(connection, f"create table {schema}.here ({types})")
    for values in zip(*(values for _, values in COLUMNS.values()), strict=True):
        pod.execute(connection, f"insert into {schema}.here values ({', '.join(values)})")
    operation = Operation(
        name="versions",
        integrations=[
            Integration(
                name="rows",
                source=Source(connector=source, connection=connection, stream=f"{schema}.here"),
                target=Target(connector=target, connection=connection, stream=f"{schema}.there"),
                mode="replace",
                key=["id"],
            )
        ],
    )
    integrator = Integrator(pods_directory=pods, history=tmp_path / "history.db")
    try:
        report = integrator.integrate(operation, verify=True)
    finally:
        integrator.history.close()
    (integration,) = report.integrations
    assert integration.rows_written == 3
    assert integration.verification.equal
    here, there = (read(pod, connection, f"{schema}.{name}") for name in ("here", "there"))
    assert here.schema.names == there.schema.names == list(COLUMNS)
    for name in COLUMNS:
        # "free" has as many digits as its values need; its copy has room for the same.
        assert there.schema.field(name).type == here.schema.field(name).type, name
        for one, other in zip(here[name].to_pylist(), there[name].to_pylist(), strict=True):
            assert type(one) is type(other), name
            assert one == other or (one != one and other != other), name
    # The server, asked for itself.
    differing = " or ".join(f"h.{name}::text is distinct from t.{name}::text" for name in COLUMNS
                            if name not in ("free", "fixed"))  # fmt: skip
    query = (
        f"select h.id from {schema}.here h full join {schema}.there t using (id) where {differing}"
    )
    assert list(pod.read(connection, "", query=query)) == []
    old = PodLoader("pg_old", pods_directory=pods)
    with old as copy:
        assert copy.describe_connector()["driver"] == "psycopg2 2.8.6"
        assert old.hello.python.startswith("3.8.")
    assert "psycopg 3" in pod.describe_connector()["driver"]


@pytest.fixture(scope="module")
def old(pods):
    """Return the loader of the copy, loaded."""
    loader = PodLoader("pg_old", pods_directory=pods)
    loader.load_pod()
    yield loader
    loader.unload_pod()


@pytest.mark.parametrize("name", CHECKS)
def test_the_old_version_passes_what_depends_on_the_driver(old, place, name):
    connection, schema = place
    scratch = Scratch(connection=connection, stream=lambda table: [schema, table])
    outcome = run_check(Subject(old, scratch), name)
    assert outcome.status == "passed", outcome.detail


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("'infinity'::timestamp", "infinity"),
        ("'44-03-15 BC'::date", "BC"),
        ("'NaN'::numeric(5,2)", "no decimal"),
        ("array[[1,2],[3,4]]", "more than one dimension"),
        ("'[0:1]={1,2}'::int[]", "does not begin with 1"),
        ("array['infinity'::date]", "no date"),
    ],
)
def test_what_arrow_cannot_hold_is_refused_by_the_old_one_too(old, place, sql, words):
    connection, schema = place
    pod = old.load_pod()
    pod.execute(connection, f"create table {schema}.t as select {sql} as c")
    with pytest.raises(PodCallError, match=words) as caught:
        list(pod.read(connection, [schema, "t"]))
    assert caught.value.type_name.endswith(".DataError")
    assert caught.value.column == "c"
