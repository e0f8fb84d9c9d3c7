"""The example of an operation with two versions of a driver, typed as its README shows it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def write_url(server):
    """Return the address as the example takes it."""
    password = f":{server.password}" if server.password else ""
    place = f"{server.user}{password}@{server.host}:{server.port}"
    return f"{server.kind}://{place}/{server.database}"


@pytest.mark.timeout(600)  # It makes environments.
def test_both_versions_bring_the_same_rows(repository, tmp_path, mariadb, postgresql):
    folder = tmp_path / "example"
    shutil.copytree(repository / "example" / "integrate_two_versions", folder)
    commands = re.findall(r"^\$ (.+)$", (folder / "README.md").read_text(), re.MULTILINE)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYPODS_CACHE_DIR": str(tmp_path / "cache"),
        "MARIADB_URL": write_url(mariadb),
        "POSTGRESQL_URL": write_url(postgresql),
    }
    for command in commands:
        done = subprocess.run(
            command.split(), cwd=folder, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "mysql_old   PyMySQL 0.9.3"
    version = re.fullmatch(r"mysql       PyMySQL (\d+)\..*", lines[1])
    assert int(version[1]) >= 1
    assert lines[-3:-1] == [
        f"{name}: 20000 rows, source and target equal: True" for name in ("old", "new")
    ]
    assert lines[-1] == "equal in both copies: 20000 of 20000"
