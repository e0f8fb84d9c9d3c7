"""Settings are checked and filled, and no message shows their values."""

from __future__ import annotations

import pytest

from pypods.connectors.errors import SettingsError, without_secrets
from pypods.connectors.settings import Settings, setting

SETTINGS = Settings(
    "demo",
    setting("host", "text", "where", required=True),
    setting("port", "integer", "which port", default=1),
    setting("password", "text", "with what", secret=True),
    setting("wait", "number", "how long"),
    setting("safe", "boolean", "whether"),
    setting("file", "path", "which file"),
)


def test_defaults_are_filled_in(tmp_path):
    checked = SETTINGS.check({"host": "h", "wait": 1, "safe": True, "file": tmp_path})
    assert checked == {
        "host": "h", "port": 1, "password": None, "wait": 1, "safe": True, "file": str(tmp_path),
    }  # fmt: skip


@pytest.mark.parametrize(
    "connection",
    [
        {},
        {"host": None},
        {"host": 5},
        {"host": "h", "port": "5"},
        {"host": "h", "port": True},
        {"host": "h", "safe": 1},
        {"host": "h", "other": "swordfish"},
        {"host": "h", "password": ["swordfish"]},
        {"host": "h", "password": "swordfish\0"},
        "swordfish",
        None,
    ],
)
def test_what_does_not_fit_is_refused_and_not_shown(connection):
    with pytest.raises(SettingsError) as caught:
        SETTINGS.check(connection)
    assert "swordfish" not in str(caught.value)
    assert "demo" in str(caught.value)


def test_secrets_are_taken_out_of_messages():
    secrets = SETTINGS.secrets({"host": "h", "password": "swordfish"})
    assert secrets == ["swordfish"]
    assert without_secrets("no: swordfish!", secrets) == "no: ***!"
    assert without_secrets("abab", ["ab", "abab", ""]) == "***"
