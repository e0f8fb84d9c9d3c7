"""Coverage of the workers that tests start; nothing of it in a run that is not measured itself."""

from __future__ import annotations

from pathlib import Path

import coverage

REPOSITORY = Path(__file__).resolve().parent.parent


def measuring_variables() -> dict[str, str]:
    """Return the environment variables with which a worker measures its own lines.

    Coverage starts in it by a file of its own (.pth), where the worker's Python has coverage. What
    was measured is written at the worker's end, unless that was a kill, and pytest-cov combines it.
    """
    current = coverage.Coverage.current()
    if current is None:
        return {}
    return {
        "COVERAGE_PROCESS_START": str(REPOSITORY / "pyproject.toml"),
        # A test may have another current directory.
        "COVERAGE_FILE": str(REPOSITORY / current.config.data_file),
    }
