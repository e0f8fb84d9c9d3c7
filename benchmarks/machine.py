"""The machine, its load and the versions measured; measures nothing."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["describe_machine", "describe_versions"]


def describe_machine() -> dict[str, Any]:
    """Return what else than our code decides the numbers."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _name_processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": round(os.getloadavg()[0], 2),
    }


def describe_versions(pod_python: Path) -> dict[str, str]:
    """Return the versions of the two interpreters and of the packages that take part."""
    query = "import platform; print(platform.python_version())"
    done = subprocess.run(
        [pod_python, "-I", "-c", query], capture_output=True, text=True, check=True
    )
    packages = ("pypods", "pymongo", "uv", "virtualenv")
    return {
        "host_python": f"{sys.implementation.name} {platform.python_version()}",
        "pod_python": done.stdout.strip(),
        **{name: metadata.version(name) for name in packages},
    }


def _name_processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
