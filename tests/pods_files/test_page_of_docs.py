"""docs/files.md: its program runs, and it says what each setting and each mode is."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from pypods.pods import PodLoader

PAGE = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")


def test_its_program_prints_what_it_says(load_connector, tmp_path, monkeypatch, capsys):
    program, printed = re.findall(r"```(?:python|text)\n(.*?)```", PAGE, re.DOTALL)
    folder = load_connector("csv").folder.path.parent
    load_connector("parquet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pypods.pods.PodLoader", partial(PodLoader, pods_directory=folder))
    exec(compile(program, "docs/files.md", "exec"), {})
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("name", ["csv", "parquet", "excel"])
def test_each_setting_is_in_it(load_connector, name):
    about = load_connector(name).load_pod().describe_connector()
    assert [each["name"] for each in about["settings"] if f"`{each['name']}`" not in PAGE] == []
    assert about["verified"] is True
