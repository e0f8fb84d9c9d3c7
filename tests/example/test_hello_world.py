"""The published example of the original PyPods, as its author wrote it."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.timeout(600)  # The first run makes the pod's environment.
def test_it_runs_as_published(repository):
    done = subprocess.run(
        [sys.executable, "client.py"],
        cwd=repository / "example" / "hello_world",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "3\nfoo_in_module_test\n", done.stderr
    assert done.returncode == 0
