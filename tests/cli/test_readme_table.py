"""The README's table of commands is whole."""

from __future__ import annotations

import re
from pathlib import Path

from pypods.cli.app import COMMANDS

README = Path(__file__).parents[2] / "README.md"


def test_every_command_stands_in_the_readmes_table():
    text = README.read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| *`pypods (\w+)[^`]*` *\|", text)
    assert sorted(rows) == sorted(command.name for command in COMMANDS)
