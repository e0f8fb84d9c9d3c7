"""docs/queues_and_stores.md says what each setting is, and what was tried."""

from __future__ import annotations

from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "queues_and_stores.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "verified"),
    [
        ("kafka", "verified against librdkafka's mock cluster, not against a real broker"),
        ("redis", True),
        ("mongodb", "not verified against a real server"),
    ],
)
def test_each_setting_is_in_it(load_connector, name, verified):
    about = load_connector(name).load_pod().describe_connector()
    assert [each["name"] for each in about["settings"] if f"`{each['name']}`" not in PAGE] == []
    assert about["verified"] == verified
