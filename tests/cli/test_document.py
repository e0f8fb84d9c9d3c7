"""docs/cli.md says what the commands say of themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pypods.cli.app import COMMANDS
from pypods.cli.settings import (
    INSTALLER_VARIABLE,
    PODS_DIRECTORY_VARIABLE,
    TRACEBACK_VARIABLE,
)

TEXT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")


def read_section(title: str) -> str:
    """Return the part of the document under one heading."""
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_command_has_a_section_with_its_options_and_examples(run, command):
    section = read_section(command.name)
    text = run(command.name, "--help").out
    own = text.partition("\nOptions:\n")[2].partition("\nOptions of every command:\n")[0]
    for option in re.findall(r"--?\w[\w-]*(?=[ ,])", own):
        assert option in section, option
    for example in command.examples:
        assert f"\n    {example}\n" in section
    assert f"| [`{command.name}`](#{command.name}) |" in TEXT


def test_the_common_options_and_variables_are_named(run):
    section = read_section("Options of every command")
    text = run("list", "--help").out.partition("\nOptions of every command:\n")[2]
    options = re.findall(r"(?m)^  (?:-\w, )?(--[\w-]+)", text)
    assert len(options) == 7
    for option in [*options, INSTALLER_VARIABLE, PODS_DIRECTORY_VARIABLE, TRACEBACK_VARIABLE]:
        assert option in section, option


def test_every_command_has_its_json(run):
    section = read_section("For machines")
    assert all(f"\n| {command.name} | " in section for command in COMMANDS)
