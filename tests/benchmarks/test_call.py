"""The benchmark of a call runs and says what it measured; no time is judged."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CALL = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "call.py"
AXES = {
    "null_call": {"nothing()", "raw ping-pong", "pypods 0.2.0", "nothing(), on one core"},
    "start": {"python -c pass, the pod's", "load_pod() and first call", "whole program"},
    "environment": {"uv venv, whole process", "ensure_environment(), a call", "whole program"},
    "imports": {"pass", "import pypods.pods", "from pypods.pods import PodLoader"},
}


def run_call(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CALL), *options], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Measure everything once, quickly."""
    done = run_call("--quick", "--json")
    assert done.returncode == 0, done.stderr
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


pytestmark = pytest.mark.timeout(600)  # The first run makes the original's environment.


def test_it_says_when_where_and_with_which_versions(document):
    assert set(document) == {"machine", "versions", "axes"}
    assert document["machine"]["date"].endswith("+00:00")
    assert document["machine"]["cores"] >= 1
    assert document["versions"]["host_python"].startswith("cpython 3.")
    assert document["versions"].keys() >= {"pod_python", "pypods", "pymongo", "uv", "virtualenv"}


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
        assert each["unit"] in ("times", "seconds")
        if each["unit"] == "times":
            assert each["value"] > 0
        assert each["is_met"] is None if each["aim"] is None else each["is_met"] in (True, False)


def test_the_original_is_measured_in_its_own_environment(document):
    packages = document["axes"]["null_call"]["facts"]["the original's packages"]
    assert packages["pypods"] == "0.2.0"
    assert packages["bson"] == "0.5.10"


def test_an_import_loads_nothing_heavy(document):
    facts = document["axes"]["imports"]["facts"]
    assert len(facts) == 2
    assert set(map(tuple, facts.values())) == {()}


def test_one_axis_alone_is_a_table_for_people():
    done = run_call("--quick", "imports")
    assert done.returncode == 0, done.stderr
    assert "import pypods.pods - pass" in done.stdout
    assert "aim: at most 30.0 ms" in done.stdout
    assert "raw ping-pong" not in done.stdout


def test_an_unknown_axis_is_named():
    done = run_call("--quick", "no_such_axis")
    assert done.returncode == 2
    assert "no_such_axis" in done.stderr
    assert "null_call" in done.stderr
