"""sling's own program: ``with_sling.py SPEC``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

spec = json.loads(sys.argv[1])


def address(place):
    """Return sling's address of a place."""
    if place["kind"] == "sqlite":
        return f"sqlite://{place['path']}"
    if place["kind"] == "postgresql":
        return "postgresql://{user}@{host}:{port}/{dbname}?sslmode=disable".format(
            **place["connection"]
        )
    if place["kind"] == "mariadb":
        return "mysql://{user}@{host}:{port}/".format(**place["connection"]) + place["schema"]
    return None


source, target = spec["source"], spec["target"]
table = {"sqlite": "main.source"}.get(source["kind"]) or f"{source['schema']}.source"
words = ["run", "--src-conn", address(source), "--src-stream", table, "--mode", "full-refresh"]
if target["kind"] == "parquet":
    words += ["--tgt-object", f"file://{target['path']}"]
else:
    schema = "main" if target["kind"] == "sqlite" else target["schema"]
    words += ["--tgt-conn", address(target), "--tgt-object", f"{schema}.{target['table']}"]
home = str(Path(spec["folder"]) / "sling")
environment = {**os.environ, "SLING_HOME_DIR": home, "SLING_DISABLE_TELEMETRY": "true"}
import sling  # noqa: E402 - only to find its program

program = getattr(sling, "SLING_BIN", None)
sys.exit(subprocess.run([program, *words], env=environment, stdout=2, check=False).returncode)
