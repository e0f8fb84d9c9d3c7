"""Two duckdbs in one program: the demo, run as a newcomer runs it."""

from __future__ import annotations

import importlib.util
import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

# The first run makes the pods' environments.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def demo(repository):
    """Return a function that runs the demo with options."""
    command = [sys.executable, str(repository / "example" / "side_by_side" / "run.py")]

    def run(*options, **settings):
        return subprocess.run(
            [*command, *options], capture_output=True, text=True, check=False, **settings
        )

    return run


@pytest.fixture(scope="module")
def compare(repository):
    """Return the demo's module that compares."""
    path = repository / "example" / "side_by_side" / "compare.py"
    spec = importlib.util.spec_from_file_location("side_by_side_compare", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_row_comes_over_equal(demo, tmp_path):
    """From any folder; what is printed for machines says it all."""
    done = demo("--json", "--rows", "20000", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["is_good"] is True
    assert outcome["equal"] == 20_000
    assert outcome["has_same_columns"] is True
    assert outcome["differences"] == []
    assert [outcome[who]["rows"] for who in ("old", "new", "host")] == [20_000] * 3
    assert outcome["old"]["version"] == "0.8.1"
    assert int(outcome["new"]["version"].split(".")[0]) >= 1
    assert len({outcome[who]["pid"] for who in ("old", "new", "host")}) == 3
    assert "storage version number 51" in outcome["refusal"]
    kinds = {kind.split("(")[0] for _, kind in outcome["columns"]}
    assert {"HUGEINT", "DECIMAL", "INTERVAL", "MAP", "STRUCT", "ENUM", "VARCHAR[]"} <= kinds
    assert list(tmp_path.iterdir()) == []


def test_in_a_pipe_it_is_plain(demo):
    done = demo("--rows", "1000")
    assert done.returncode == 0, done.stderr
    assert "\033" not in done.stdout
    assert "\r" not in done.stdout
    assert "100 %  moved    1,000 of 1,000 rows" in done.stdout
    assert "storage version number 51" in done.stdout
    assert "equal: 1000 of 1000" in done.stdout


def test_on_a_terminal_it_shows_colours_and_a_bar(repository):
    environment = {**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    environment.pop("NO_COLOR", None)
    script = repository / "example" / "side_by_side" / "run.py"
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, str(script), "--rows", "1000"],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as process:
        os.close(theirs)
        seen = b""
        try:
            while data := os.read(ours, 65_536):
                seen += data
        except OSError:  # What Linux says when the other side of a terminal is gone.
            pass
        os.close(ours)
    assert process.returncode == 0
    assert "\r    \033[32m━".encode() in seen
    assert b"equal: 1000 of 1000" in seen


def test_it_keeps_the_files_on_request(demo, tmp_path):
    done = demo("--json", "--rows", "10", "--keep", env={**os.environ, "TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("side_by_side_*")
    assert {path.name for path in folder.iterdir()} >= {"old.duckdb", "new.duckdb"}
    assert str(folder) in done.stderr


def test_no_rows_at_all_is_no_demo(demo):
    done = demo("--rows", "0")
    assert done.returncode == 2
    assert "--rows must be 1 or more" in done.stderr


INDIA = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 2),
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        (None, 0),
        ("a", b"a"),
        (Decimal("1.0"), Decimal("1.00")),
        ([1], [True]),
        ([1], (1,)),
        ({"a": 0.0}, {"a": -0.0}),
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 5, 30, tzinfo=INDIA)),
    ],
)
def test_a_difference_is_found(compare, left, right):
    batch = [[0, 1, 2], [left, left, left], ["x", "y", "z"]]
    changed = [[0, 1, 2], [left, right, left], ["x", "y", "z"]]
    assert compare.find_unequal(batch, changed) == [1]
    assert compare.find_unequal(changed, batch) == [1]


def test_equal_batches_are_equal(compare):
    batch = [[0, 1], [float("nan"), -0.0], ["x", ""], [None, b""], [{"a": [1.5]}, None]]
    again = [[0, 1], [float("nan"), -0.0], ["x", ""], [None, b""], [{"a": [1.5]}, None]]
    assert compare.find_unequal(batch, again) == []
    assert compare.count_rows(batch) == 2


def test_missing_rows_and_columns_are_differences(compare):
    batch = [[0, 1, 2], [None, None, None]]
    assert compare.find_unequal(batch, [[0, 1], [None, None]]) == [2]
    assert compare.find_unequal([], batch) == [0, 1, 2]
    assert compare.find_unequal(batch, batch[:1]) == [0, 1, 2]
    assert compare.count_rows([]) == 0
