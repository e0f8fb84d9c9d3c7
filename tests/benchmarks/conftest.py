"""The benchmark's modules, which lie in a folder of their own and not in a package."""

from __future__ import annotations

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent.parent / "benchmarks"


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a test import the benchmark's modules; give their folder."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return BENCHMARKS
