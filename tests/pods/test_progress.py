"""What is shown while an environment is made."""

from __future__ import annotations

import io
import re
import sys

import pytest

from pypods.pods.progress import Progress, SilentProgress, TerminalProgress, choose_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_one_line_is_drawn_in_place_and_ended_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    progress = TerminalProgress("hello", stream)
    progress.step("installing")
    progress.note("Downloading six")
    progress.redraw()
    progress.done("ready")
    lines = stream.getvalue().split("\r\x1b[2K")
    texts = [re.sub(r"\d+\.\d s", "0.0 s", line) for line in lines]
    assert texts == [
        "",
        "pod hello  installing  0.0 s",
        "pod hello  installing: Downloading six  0.0 s",
        "pod hello  installing: Downloading six  0.0 s",
        "pod hello  ready  0.0 s\n",
    ]


def test_colours_are_drawn_unless_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for refused in (False, True):
        if refused:
            monkeypatch.setenv("NO_COLOR", "1")
        else:
            monkeypatch.delenv("NO_COLOR", raising=False)
        stream = Terminal()
        TerminalProgress("hello", stream).step("installing")
        assert ("\x1b[1m" in stream.getvalue()) is not refused


def test_a_line_is_never_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    TerminalProgress("hello", stream).step("x" * 100)
    line = stream.getvalue().removeprefix("\r\x1b[2K")
    assert len(line) < 40
    assert "…" in line


def test_a_terminal_gets_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(choose_progress(None, "hello"), TerminalProgress)


@pytest.mark.parametrize("case", ["no terminal", "dumb terminal", "no stderr"])
def test_anything_else_gets_silence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    monkeypatch.setenv("TERM", "dumb" if case == "dumb terminal" else "xterm")
    stderr = {"no terminal": io.StringIO(), "dumb terminal": Terminal(), "no stderr": None}[case]
    monkeypatch.setattr(sys, "stderr", stderr)
    progress = choose_progress(None, "hello")
    assert isinstance(progress, SilentProgress)
    progress.step("a")
    progress.note("b")
    progress.done("c")
    assert stderr is None or stderr.getvalue() == ""


def test_the_callers_own_is_used() -> None:
    own = SilentProgress()
    assert choose_progress(own, "hello") is own
    assert isinstance(own, Progress)
