"""docs/web_services.md: its program runs, and it says what each setting is."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from pypods.pods import PodLoader

PAGE = (Path(__file__).parents[2] / "docs" / "web_services.md").read_text(encoding="utf-8")


def test_its_program_prints_what_it_says(load_connector, server, monkeypatch, capsys):
    program, printed = re.findall(r"```(?:python|text)\n(.*?)```", PAGE, re.DOTALL)
    folder = load_connector("rest").folder.path.parent
    pages = {
        "": {"items": [{"id": 1, "at": "2025-01-01T00:00:00Z"}], "next": "x"},
        "x": {"items": [{"id": n, "at": "2026-01-01T00:00:00Z"} for n in (2, 3)], "next": None},
    }
    server.answer = lambda asked: (200, {"data": pages[asked.query.get("cursor", "")]})
    monkeypatch.setattr("pypods.pods.PodLoader", partial(PodLoader, pods_directory=folder))
    program = program.replace("https://api.example.com", server.url)
    exec(compile(program, "docs/web_services.md", "exec"), {})
    assert capsys.readouterr().out == printed
    assert server.asked[0].query == {"since": "2026-01-01T00:00:00.000000Z"}
    assert server.asked[0].path == "/v1/orders"


@pytest.mark.parametrize("name", ["rest", "soap"])
def test_each_setting_and_what_is_promised_is_in_it(load_connector, name):
    about = load_connector(name).load_pod().describe_connector()
    assert [each["name"] for each in about["settings"] if f"`{each['name']}`" not in PAGE] == []
    assert "at least once" in about["capabilities"]["delivery"]
    assert about["capabilities"]["atomic"] is about["capabilities"]["truncate"] is False
