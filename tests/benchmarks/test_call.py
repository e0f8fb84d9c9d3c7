"""The benchmark runs and says what it measured; no time is judged."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CALL = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "call.py"
#: What needs nothing installed but NumPy and pyarrow, and the original.
PEERS = "raw_pipe,bare_python,original"
AXES = {
    "null_call": {
        "pypods, free",
        "pypods, one core",
        "raw pipe, one core",
        "pypods 0.2.0, free",
    },
    "memory": {"pypods", "bare python"},
    "programs": {"python -c pass, the pod's", "load a pod and call it", "uv venv"},
    "imports": {"pass", "import pypods.pods", "from pypods.pods import PodLoader"},
}


def run_call(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CALL), *options], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Measure a few axes once, quickly."""
    done = run_call("--quick", "--json", "--peers", PEERS, *AXES)
    assert done.returncode == 0, done.stderr
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


pytestmark = pytest.mark.timeout(600)  # The first run makes the contestants' environments.


def test_it_says_when_where_and_with_which_versions(document):
    assert set(document) == {"machine", "versions", "axes", "contestants"}
    assert document["machine"]["date"].endswith("+00:00")
    assert document["machine"]["cores"] >= 1
    assert document["versions"]["host_python"].startswith("cpython 3.")
    assert document["versions"].keys() >= {"pod_python", "pypods", "pymongo", "uv", "virtualenv"}
    assert document["contestants"]["pypods 0.2.0"]["version"] == "0.2.0"


@pytest.mark.parametrize("axis", AXES)
def test_each_contestant_has_positive_times(document, axis):
    series = document["axes"][axis]["series"]
    assert set(series) >= AXES[axis]
    for each in series.values():
        assert 0 < each["p50"] <= each["p95"] < math.inf
        assert each["samples"] > 0


@pytest.mark.parametrize("axis", AXES)
def test_each_comparison_is_a_number_and_keeps_its_word(document, axis):
    comparisons = document["axes"][axis]["comparisons"]
    assert comparisons
    for each in comparisons:
        assert math.isfinite(each["value"])
        assert each["unit"] in ("times", "seconds", "bytes")
        if each["aim"] is None:
            assert each["is_met"] is None
        elif each["more_is_better"]:
            assert each["is_met"] == (each["value"] >= each["aim"])
        else:
            assert each["is_met"] == (each["value"] <= each["aim"])


def test_who_cannot_do_a_thing_is_shown_with_the_reason(document):
    absent = document["axes"]["memory"]["places"]["pypods 0.2.0"]["absent"]
    assert absent == "has no worker that stays"
    assert "pypods 0.2.0" not in document["axes"]["memory"]["series"]


def test_an_import_loads_nothing_heavy(document):
    facts = document["axes"]["imports"]["facts"]
    assert len(facts) == 2
    assert set(map(tuple, facts.values())) == {()}


def test_the_page_says_of_each_aim_what_the_run_says(document, benchmarks):
    from page import describe_run

    text = describe_run(document)
    for axis in document["axes"].values():
        assert f"## {axis['title']}" in text
        for each in axis["comparisons"]:
            if each["aim"] is not None:
                (line,) = (line for line in text.splitlines() if f"| {each['what']} |" in line)
                assert line.endswith("| met |" if each["is_met"] else "| **not met** |")
    assert "- pypods 0.2.0: has no worker that stays" in text


def test_a_cursor_is_measured_beside_one_process():
    done = run_call("--quick", "--json", "--peers", "in_process", "cursor")
    assert done.returncode == 0, done.stderr
    axis = json.loads(done.stdout)["axes"]["cursor"]
    for who in ("pypods", "in process"):
        for what in ("execute and fetchone", "fetchall of 1,000 rows"):
            assert axis["series"][f"{who}, {what}"]["p50"] > 0
    assert axis["series"]["pypods, an attribute"]["p50"] > 0
    assert axis["places"]["in process, an attribute"]["absent"]
    compared = {each["what"]: each["value"] for each in axis["comparisons"]}
    assert compared["pypods - in process, execute and fetchone"] > 0
    assert compared["speed of pypods / that of in process, fetchall of 1,000 rows"] > 0


def test_one_axis_alone_is_a_table_for_people():
    done = run_call("--quick", "imports")
    assert done.returncode == 0, done.stderr
    assert "import pypods.pods - pass" in done.stdout
    assert "aim: at most 30.0 ms" in done.stdout
    assert "raw pipe" not in done.stdout


def test_an_unknown_axis_is_named():
    done = run_call("--quick", "no_such_axis")
    assert done.returncode == 2
    assert "no_such_axis" in done.stderr
    assert "null_call" in done.stderr
