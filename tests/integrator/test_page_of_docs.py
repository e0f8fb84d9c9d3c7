"""docs/integrator.md: its programs run, and its lists are whole."""

from __future__ import annotations

import re
from pathlib import Path

from pypods.integrator import EVENTS, Integration, Source
from pypods.integrator.operation_file import parse_operation

PAGE = (Path(__file__).parents[2] / "docs" / "integrator.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_operation_is_one():
    (text,) = blocks("yaml")
    assert parse_operation(text).integrations[0].lag == "15m"


def test_programs_compile_and_those_without_a_connector_run(here, capsys):
    programs = blocks("python")
    assert len(programs) == 3
    for program in programs:
        code = compile(program, "docs/integrator.md", "exec")
        if "shop.db" not in program:
            exec(code, {})
    assert capsys.readouterr().out == "2\n"


def test_every_event_is_told_of():
    table = PAGE.partition("| event | when |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", table)) >= set(EVENTS)


def test_every_setting_is_told_of():
    named = set(re.findall(r"^\| (.*?) \|", PAGE, re.MULTILINE))
    words = {word for cell in named for word in re.findall(r"`(\w+)`", cell)}
    assert set(Integration.model_fields) - words == set()
    assert set(Source.model_fields) - words == {"memory"}
