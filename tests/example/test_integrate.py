"""The example of an integration, typed as its README shows it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(600)  # It makes environments.
def test_all_rows_arrive_and_are_equal(repository, tmp_path):
    folder = tmp_path / "integrate"
    shutil.copytree(repository / "example" / "integrate", folder)
    commands = re.findall(r"^\$ (.+)$", (folder / "README.md").read_text(), re.MULTILINE)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYPODS_CACHE_DIR": str(tmp_path / "cache"),
    }
    for command in commands:
        words = command.split()
        if words[0] == "pypods":
            words.insert(1, "--json")
        done = subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    (integration,) = json.loads(done.stdout)["integrations"]
    assert integration["status"] == "finished"
    assert integration["rows_written"] == 100_000
    found = integration["verification"]
    assert found["equal"] is True
    assert found["source_sum"] == found["target_sum"] != "0" * 16
    assert (folder / "shop.duckdb").stat().st_size > 1_000_000
