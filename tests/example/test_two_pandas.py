"""Two pandas in one program that has none, run as a newcomer runs it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# It makes environments with pandas and pyarrow.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def demo(repository, tmp_path, find_python):
    """Return a function that runs the demo with options."""
    find_python("3.8")

    def run(*options):
        return subprocess.run(
            [sys.executable, str(repository / "example" / "two_pandas" / "run.py"), *options],
            env={**os.environ, "PYPODS_CACHE_DIR": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_every_column_comes_over_equal(demo):
    done = demo("--rows", "2000")
    assert done.returncode == 0, done.stderr + done.stdout
    lines = done.stdout.splitlines()
    assert lines[0].startswith("pandas 1.5.3 on Python 3.8.")
    assert lines[0].endswith(" has 2,000 rows")
    assert lines[1].startswith("pandas 3.")
    assert [line.split()[-1] for line in lines[3:11]] == ["equal"] * 8
    assert not any("not equal" in line for line in lines)
    assert "equal: 8 of 8 columns" in lines
    assert "pandas in this program: no" in lines
