"""Programs run to their end and read."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from pypods.pods import programs
from pypods.pods.programs import find_uv, run_quietly, run_streaming
from pypods.pods.progress import SilentProgress, TerminalProgress


class Notes(SilentProgress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_uv_is_found_where_its_package_says() -> None:
    path = find_uv()
    assert path is not None
    assert os.access(path, os.X_OK)


def test_without_its_package_uv_is_looked_for_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/there/{name}")
    assert find_uv() == "/there/uv"


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (["/bin/sh", "-c", "echo yes; echo no >&2"], "yes\n"),
        (["/bin/sh", "-c", "echo yes; exit 3"], None),
        (["/nowhere/program"], None),
        (["/bin/sleep", "60"], None),
    ],
)
def test_what_fails_or_hangs_prints_nothing(words: list[str], output: str | None) -> None:
    assert run_quietly(words, timeout=0.5) == output


def test_lines_are_noted_as_they_come_and_all_are_kept(tmp_path: Path) -> None:
    progress = Notes()
    script = "pwd; printf 'sec'; sleep 0.3; echo $WORD >&2; printf '\\n'; exit 4"
    status, output = run_streaming(
        ["/bin/sh", "-c", script],
        directory=tmp_path,
        environment={"WORD": "ond", "PATH": os.environ["PATH"]},
        progress=progress,
    )
    assert status == 4
    assert output == f"{tmp_path}\nsecond\n\n"
    assert progress.notes == [str(tmp_path), "second"]


def test_a_terminal_sees_the_time_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    monkeypatch.setattr(TerminalProgress, "redraw", lambda self: drawn.append(1))
    monkeypatch.setattr(programs, "REDRAW_SECONDS", 0.01)
    run_streaming(
        ["/bin/sleep", "0.3"],
        directory=tmp_path,
        environment={},
        progress=TerminalProgress("hello"),
    )
    assert drawn


def test_an_interrupted_program_is_ended(tmp_path: Path) -> None:
    class Interrupted(SilentProgress):
        def note(self, text: str) -> None:
            self.pid = int(text)
            raise KeyboardInterrupt

    progress = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        run_streaming(
            ["/bin/sh", "-c", "echo $$; exec sleep 60"],
            directory=tmp_path,
            environment={"PATH": os.environ["PATH"]},
            progress=progress,
        )
    with pytest.raises(ProcessLookupError):
        os.kill(progress.pid, 0)
