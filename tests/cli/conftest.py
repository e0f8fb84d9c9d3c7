"""A command line run in an empty folder, with what it printed; no pod here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pypods.cli.app import app


@dataclass(frozen=True)
class Ran:
    """How a command line ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What stdout says, which is one JSON document and nothing else."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory, and no settings from outside."""
    for name in ("PYPODS_PODS_DIRECTORY", "PYPODS_TRACEBACK", "PYPODS_INSTALLER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(here: Path) -> Run:
    """Run a command line, in the empty directory."""

    def run_words(*words: str, typed: str | bytes | None = None) -> Ran:
        result = CliRunner().invoke(app, words, input=typed, prog_name="pypods")
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run_words


@pytest.fixture
def write_pod(here: Path) -> Callable[..., Path]:
    """Write a pod's folder without an environment."""

    def write(name: str, source: str = "", directory: str = "pods") -> Path:
        folder = here / directory / name
        folder.mkdir(parents=True)
        (folder / "pod.py").write_text(source, encoding="utf-8")
        return folder

    return write
