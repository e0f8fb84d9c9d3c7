"""What an environment was made from: kept whole, read or not, without secrets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pypods.pods.fingerprint import (
    FINGERPRINT_NAME,
    Fingerprint,
    hash_requirements,
    hash_settings,
    name_platform,
    read_fingerprint,
    stamp_file,
    write_fingerprint,
)
from pypods.pods.requirements import Requirements

FINGERPRINT = Fingerprint(
    requirements="aa",
    installer="uv",
    settings="bb",
    platform="linux-x86_64",
    location="/pods/x/venv",
    interpreter="/usr/bin/python3.8",
    version=(3, 8, 18),
    stamp=(1, 2),
    python=None,
)
SIX = Requirements(dependencies=("six",), texts=(("pod.py", "six"),))


def test_a_fingerprint_comes_back_equal(tmp_path: Path) -> None:
    for fingerprint in (FINGERPRINT, replace(FINGERPRINT, python="3.8")):
        write_fingerprint(tmp_path, fingerprint)
        assert read_fingerprint(tmp_path) == fingerprint
    assert [each.name for each in tmp_path.iterdir()] == [FINGERPRINT_NAME]


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b"[]", b"null", b"{}", b'{"format": 0}', b'{"format": 1}', b"\xff\xff\xff"],
)
def test_what_is_no_fingerprint_is_none(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FINGERPRINT_NAME).write_bytes(content)
    assert read_fingerprint(tmp_path) is None


def test_half_a_fingerprint_is_none(tmp_path: Path) -> None:
    write_fingerprint(tmp_path, FINGERPRINT)
    whole = (tmp_path / FINGERPRINT_NAME).read_bytes()
    for length in range(len(whole) - 2):
        (tmp_path / FINGERPRINT_NAME).write_bytes(whole[:length])
        assert read_fingerprint(tmp_path) is None


def test_an_unknown_field_is_none(tmp_path: Path) -> None:
    write_fingerprint(tmp_path, FINGERPRINT)
    path = tmp_path / FINGERPRINT_NAME
    path.write_text(path.read_text().replace('"python"', '"snake"'))
    assert read_fingerprint(tmp_path) is None


def test_requirements_differ_by_any_of_their_texts() -> None:
    hashes = {
        hash_requirements(replace(SIX, texts=texts))
        for texts in (
            (("a", "six"),),
            (("a", "six "),),
            (("b", "six"),),
            (("a", "six"), ("b", "")),
            (("a", "\udcff"),),
        )
    }
    assert len(hashes) == 5
    assert hash_requirements(Requirements()) == ""


@pytest.mark.parametrize(
    ("installer", "variable"),
    [
        ("uv", "UV_INDEX_URL"),
        ("uv", "UV_DEFAULT_INDEX"),
        ("uv", "UV_EXCLUDE_NEWER"),
        ("pip", "PIP_INDEX_URL"),
        ("pip", "PIP_CONSTRAINT"),
    ],
)
def test_settings_that_matter_are_hashed(
    monkeypatch: pytest.MonkeyPatch, installer: str, variable: str
) -> None:
    monkeypatch.delenv(variable, raising=False)
    before = hash_settings(SIX, installer)
    monkeypatch.setenv(variable, "https://user:secret@example.invalid/simple")
    after = hash_settings(SIX, installer)
    assert after != before
    assert "secret" not in after
    monkeypatch.setenv(variable, "https://user:renewed@example.invalid/simple")
    assert hash_settings(SIX, installer) == after
    monkeypatch.setenv(variable, "https://example.invalid/other")
    assert hash_settings(SIX, installer) != after


@pytest.mark.parametrize("variable", ["UV_CACHE_DIR", "UV_NO_PROGRESS", "PIP_INDEX_URL", "HOME"])
def test_settings_that_do_not_matter_are_not(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    before = hash_settings(SIX, "uv")
    monkeypatch.setenv(variable, "/elsewhere")
    assert hash_settings(SIX, "uv") == before


def test_with_nothing_to_install_no_setting_matters() -> None:
    assert hash_settings(Requirements(), "uv") == ""


def test_a_file_is_stamped_by_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "python"
    assert stamp_file(path) is None
    path.write_text("1")
    first = stamp_file(path)
    path.write_text("12")
    assert first is not None
    assert stamp_file(path) not in (None, first)


def test_the_platform_is_system_and_machine() -> None:
    system, machine = name_platform().split("-", 1)
    assert system
    assert machine
