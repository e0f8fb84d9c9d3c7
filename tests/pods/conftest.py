"""Packages to install without a network; nothing of pypods."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest


def write_wheel(directory: Path, name: str, version: str) -> Path:
    """Write a wheel with one module that knows its version and one command that prints it."""
    path = directory / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    code = f"VERSION = {version!r}\n\ndef main():\n    print({name!r}, VERSION)\n"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}={name}:main\n",
    }
    record = "".join(f"{each},,\n" for each in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(each, content)
    return path


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the wheels podpebble 1.0, podpebble 2.0 and podgrain 1.0."""
    directory = tmp_path_factory.mktemp("wheels")
    write_wheel(directory, "podpebble", "1.0")
    write_wheel(directory, "podpebble", "2.0")
    write_wheel(directory, "podgrain", "1.0")
    return directory


@pytest.fixture
def only_wheels(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let uv and pip see nothing but the wheels."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return wheels
