"""Rows as tables."""

from __future__ import annotations

import io
import re
import sys

import pytest

from pypods.cli.tables import plain_table, print_table

ROWS = [("hello", "[red]ready[/]"), ("mydb", "broken")]


class Terminal(io.StringIO):
    """A stdout that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_columns_are_aligned_and_lines_have_no_tail() -> None:
    assert plain_table(("NAME", "STATE"), [("hello", "ready"), ("a", "")]).splitlines() == [
        "NAME   STATE",
        "hello  ready",
        "a",
    ]


def test_a_pipe_gets_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("NAME", "STATE"), ROWS)
    assert capsys.readouterr().out == plain_table(("NAME", "STATE"), ROWS) + "\n"


def test_a_terminal_gets_a_drawn_table_of_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    print_table(("NAME", "STATE"), [*ROWS, ("long", "x" * 60)])
    text = re.sub("\x1b\\[[0-9;]*m", "", terminal.getvalue())
    lines = text.splitlines()
    assert max(map(len, lines)) <= 40
    assert any("─" in line for line in lines)
    assert "[red]ready[/]" in text
    assert "".join(line[8:].strip() for line in lines[4:]) == "x" * 60
