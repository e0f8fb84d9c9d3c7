"""Bad rows of an integration go into a real Parquet file, by the connectors that are shipped."""

from __future__ import annotations

import json
import sqlite3

import pyarrow.parquet as pq
import pytest

from pypods.errors import IntegrationError, OperationError
from pypods.integrator import Integrator, Operation

ROWS = 100
BAD = (3, 60, 61)


@pytest.fixture
def shop(load_connector, tmp_path, monkeypatch):
    """An integrator, in a folder with a database whose target refuses some of its rows."""
    monkeypatch.chdir(tmp_path)
    for name in ("sqlite", "parquet"):
        folder = load_connector(name).folder.path.parent
    names = [None if number in BAD else f"näme {number}" for number in range(ROWS)]
    with sqlite3.connect("a.db") as a, sqlite3.connect("b.db") as b:
        a.execute("create table t (id integer primary key, name text)")
        a.executemany("insert into t values (?, ?)", enumerate(names))
        b.execute("create table t (id bigint not null, name text not null)")
    a.close()
    b.close()
    one = Integrator(pods_directory=folder)
    yield one
    one.history.close()


def operation(**bad_rows):
    side = {"connector": "sqlite", "stream": "t"}
    one = {
        "name": "copy",
        "source": {**side, "connection": {"database": "a.db"}},
        "target": {**side, "connection": {"database": "b.db"}},
        "batch_rows": 50,
        "bad_rows": bad_rows,
    }
    return Operation.model_validate({"name": "shop", "integrations": [one]})


def count_of_target():
    connection = sqlite3.connect("b.db")
    try:
        return connection.execute("select count(*) from t").fetchone()[0]
    finally:
        connection.close()


def test_they_have_their_reason_their_place_and_themselves(shop, tmp_path):
    report = shop.integrate(operation(to="bad.parquet", threshold=3), execution_id="one")
    assert (report.integrations[0].rows_written, report.integrations[0].bad_rows) == (97, 3)
    table = pq.read_table(tmp_path / "bad.parquet")
    assert table.column_names == ["run", "part", "position", "reason", "row_json"]
    rows = sorted(table.to_pylist(), key=lambda row: row["position"])
    assert [row["position"] for row in rows] == list(BAD)
    assert [json.loads(row["row_json"]) for row in rows] == [
        {"id": number, "name": None} for number in BAD
    ]
    assert {(row["run"], row["part"]) for row in rows} == {("one.copy", "0")}
    assert all("NOT NULL" in row["reason"] for row in rows)
    assert count_of_target() == 97


def test_more_than_allowed_stop_the_run(shop, tmp_path):
    with pytest.raises(IntegrationError, match="2 bad rows in this batch, and 1 more are allowed"):
        shop.integrate(operation(to="bad.parquet", threshold=2))
    assert count_of_target() == 0
    assert not (tmp_path / "bad.parquet").exists()


def test_a_file_that_could_not_be_written_is_written_by_who_goes_on(shop, tmp_path):
    """The rows are in the target by then, and nobody counts them once more."""
    (tmp_path / "bad.parquet").mkdir()
    with pytest.raises(IntegrationError, match=r"^copy: copying bad rows of sqlite t: "):
        shop.integrate(operation(to="bad.parquet"), execution_id="one")
    assert count_of_target() == 97
    (tmp_path / "bad.parquet").rmdir()
    report = shop.resume("one").integrations[0]
    assert (report.status, report.bad_rows, report.rows_written) == ("finished", 3, 97)
    assert sorted(pq.read_table(tmp_path / "bad.parquet")["position"].to_pylist()) == list(BAD)
    assert count_of_target() == 97


def test_a_folder_that_is_not_there_is_said_before_anything_is_moved(shop):
    with pytest.raises(OperationError, match=r"there is no folder .*none for bad rows in none/"):
        shop.integrate(operation(to="none/bad.parquet"))
    assert count_of_target() == 0


def test_two_integrations_do_not_write_one_file():
    one = operation(to="bad.parquet").integrations[0].model_dump(exclude_defaults=True)
    with pytest.raises(ValueError, match="'copy' and 'other' both write their bad rows into"):
        Operation.model_validate({"name": "n", "integrations": [one, {**one, "name": "other"}]})
