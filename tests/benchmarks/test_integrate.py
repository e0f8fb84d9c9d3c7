"""The benchmark of moving tables runs, compares every row and says what it found."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parent.parent.parent / "benchmarks"

pytestmark = pytest.mark.timeout(600)  # The first run makes an environment.


def run_integrate(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(FOLDER / "integrate.py"), *options],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def document(postgresql) -> dict[str, Any]:
    """Move a few rows once each."""
    done = run_integrate(
        "sqlite-postgresql", "postgresql-sqlite", "postgresql-parquet",
        "--rows", "500", "--rounds", "1", "--movers", "pypods,psql,pdip", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


@pytest.mark.parametrize("way", ["sqlite-postgresql", "postgresql-sqlite", "postgresql-parquet"])
def test_all_rows_arrive_equal_and_with_their_types(document, way):
    ours = document["ways"][way]["movers"]["pypods"]
    assert (ours["rows"], ours["different"], ours["types"]) == (500, 0, [])
    assert ours["peak_bytes"] > 2**20
    assert ours["seconds"][0] > 0
    assert ours["processor_seconds"] > 0


def test_who_cannot_move_is_listed_with_the_reason(document):
    movers = document["ways"]["postgresql-parquet"]["movers"]
    assert movers["psql"]["absent"] == "writes no Parquet"
    assert "connector" in movers["pdip"]["absent"]
    assert document["ways"]["postgresql-parquet"]["comparisons"] == []
    (beside,) = document["ways"]["sqlite-postgresql"]["comparisons"]
    assert beside["times"] > 0


def test_the_page_has_every_table_and_whether_aims_are_met(document, benchmarks):
    page = runpy.run_path(str(benchmarks / "moving_page.py"))["to_page"](document, 1)
    for way in document["ways"].values():
        assert f"### {way['title']}, 500 rows of 8 columns" in page
    assert page.count("| pypods integrate | ") == 3
    assert page.count("(aim: at least 0.8 x, ") == 2
    assert "the median of 1 rounds" in page


@pytest.mark.parametrize(
    ("verdict", "found"),
    [
        (None, {"absent": "failed: no | memory"}),
        (
            {"rows": 5, "different": 0, "types": []},
            {"rows": 5, "different": 0, "types": [], "failed": "round 2 failed: no | memory"},
        ),
    ],
)
def test_what_an_earlier_round_has_shown_stays(benchmarks, verdict, found):
    after_failure = runpy.run_path(str(benchmarks / "integrate.py"))["after_failure"]
    assert after_failure(verdict, 2, "failed: no | memory") == found
    line = runpy.run_path(str(benchmarks / "moving_page.py"))["_line"]
    measured = {"rows_per_second": 5.0, "seconds": [1.0], "processor_seconds": 1.0, "peak_bytes": 1}
    cells = line({"title": "a mover", **measured, **found}).split("|")
    assert len(cells) == 8
    shown = "all rows, equal; round 2 failed: no / memory" if verdict else "failed: no / memory"
    assert cells[-2].strip() == shown


def test_a_failure_is_shown_without_colours_and_not_all_of_it(benchmarks):
    line = runpy.run_path(str(benchmarks / "moving_page.py"))["_line"]
    cells = line({"title": "a mover", "absent": "\x1b[31mno way\x1b[0m " + "there " * 99}).split(
        "|"
    )
    assert cells[-2].strip().startswith("no way there")
    assert cells[-2].strip().endswith("there …")
    assert len(cells[-2]) < 170


def test_between_rounds_nothing_of_a_mover_stays(document, postgresql):
    tools = FOLDER / ".cache" / "moving" / "tools" / "bin" / "python"
    schema = f"pypods_removing_{os.getpid()}"
    address = f"host={postgresql.host} port={postgresql.port} user={postgresql.user}"

    def run(*words: str) -> str:
        done = subprocess.run([str(tools), *words], capture_output=True, text=True, check=True)
        return done.stdout

    tables = run("-c", REMOVING, str(FOLDER / "moving"), schema, address)
    assert json.loads(tables) == ["kept", "xdlt"]


def test_unknown_words_are_refused():
    assert "no mover 'x'; there are: pypods" in run_integrate("--movers", "x").stderr
    assert "no way 'y'; there are: sqlite-postgresql" in run_integrate("y").stderr


REMOVING = """
import json, runpy, subprocess, sys
import psycopg
moving, schema, address = sys.argv[1:]
with psycopg.connect(address, autocommit=True) as connection:
    try:
        for each in (schema, f"{schema}_staging"):
            connection.execute(f"create schema {each}")
        for name in ("kept", "by_dlt", "_dlt_version", "_dlt_loads", "xdlt"):
            connection.execute(f"create table {schema}.{name} (a int)")
        place = dict(psycopg.conninfo.conninfo_to_dict(address))
        table = {"connection": place, "schema": schema, "table": "by_dlt"}
        program = moving + "/remove.py"
        subprocess.run([sys.executable, program, json.dumps({"table": table})], check=True)
        found = connection.execute(
            "select schemaname, tablename from pg_tables where schemaname like %s order by 2",
            (schema + "%",),
        )
        print(json.dumps([name for _, name in found]))
        found = connection.execute("select to_regnamespace(%s)", (schema + "_staging",))
        assert found.fetchone() == (None,)
    finally:
        for each in (schema, f"{schema}_staging"):
            connection.execute(f"drop schema if exists {each} cascade")
"""
VERIFY = """
import json, sqlite3, subprocess, sys
sys.path.insert(0, sys.argv[1])
from rows import DECLARED, make_rows
path = sys.argv[2]
connection = sqlite3.connect(path)
connection.execute(f"create table moved ({DECLARED['sqlite']})")
values = [(a, b, c, str(d), e, f, str(g), h) for a, b, c, d, e, f, g, h in make_rows(10)]
connection.executemany("insert into moved values (?, ?, ?, ?, ?, ?, ?, ?)", values)
connection.execute(sys.argv[3])
connection.commit()
"""


@pytest.mark.parametrize(
    ("change", "different"),
    [
        ("select 1", 0),
        ("delete from moved where id = 10", 1),
        ("update moved set note = '' where id = 5", 1),
        ("update moved set amount = amount + 0.0001 where id = 2", 1),
        ("update moved set at = '2020-01-01 00:00:00' where id = 2", 1),
        ("delete from moved where id = 1", 10),
    ],
)
def test_a_row_that_is_wrong_or_missing_is_found(tmp_path, change, different):
    path = str(tmp_path / "t.db")
    moving = str(FOLDER / "moving")
    subprocess.run([sys.executable, "-c", VERIFY, moving, path, change], check=True)
    spec = {"rows": 10, "target": {"kind": "sqlite", "path": path, "table": "moved"}}
    done = subprocess.run(
        [sys.executable, str(FOLDER / "moving" / "verify.py"), json.dumps(spec)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["different"] == different
    assert bool(found["example"]) == (different > 0 and "id = 10" not in change)
