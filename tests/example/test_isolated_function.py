"""The example of functions without a folder, run as a newcomer runs it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.timeout(600)  # It makes environments.
def test_it_prints_what_its_readme_shows(repository, tmp_path):
    folder = repository / "example" / "isolated_function"
    shown = (folder / "README.md").read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(folder / "run.py")],
        cwd=tmp_path,
        env={**os.environ, "PYPODS_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == shown.partition("run.py\n")[2].partition("```")[0]
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
