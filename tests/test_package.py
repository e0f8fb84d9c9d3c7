"""The package as it is shipped: its names, version and metadata, and what its files may say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import pypods

REPOSITORY = Path(__file__).resolve().parent.parent

# Folders that the Makefile, pods and tools make; without git they are left out by name.
MADE = {
    ".git", ".venv", ".tools", "venv", "__pycache__", ".hypothesis", ".mypy_cache",
    ".pytest_cache", ".ruff_cache", ".import_linter_cache", "htmlcov", "dist", "build",
}  # fmt: skip

# Written in pieces, so that this file does not say what it forbids.
FORBIDDEN = {
    "a registry's host": "|".join([r"pypi\." + "org", "pythonhosted" + r"\.", "files." + "python"]),
    "an index": r"--(?:index-" + r"url|extra-index\S*|find-" + r"links)\W+https?://[^\s/]+\.",
    # To name the setting is fine; to give it an address is not.
    "a registry's setting": r"(?:UV|PIP)_\w*" + r"INDEX\w*\W{1,5}https?:",
    "a path of someone's machine": r"(?<![\w.\-/}])/(?:home/\w|Users/\w|root/|work/)",
    "a path of a wheel store": r"file:" + r"///\w",
}


def list_files(repository: Path) -> list[Path]:
    """List the files that are tracked, or without git all that nothing made."""
    try:
        done = subprocess.run(
            ["git", "ls-files", "-z"], cwd=repository, capture_output=True, check=True, timeout=60
        )
        names = os.fsdecode(done.stdout).split("\0")
    except (OSError, subprocess.CalledProcessError):
        names = []
        for folder, folders, files in os.walk(repository):
            folders[:] = [name for name in folders if name not in MADE]
            names += [str(Path(folder, name)) for name in files]
    paths = [repository / name for name in names if name]
    return [path for path in paths if path.is_file()]


def find_forbidden(paths: list[Path]) -> list[str]:
    """Return "file:line: what" for each line that says what no file may say."""
    found = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # A picture or a database.
        for number, line in enumerate(text.splitlines(), 1):
            found += [
                f"{path}:{number}: {what}: {line.strip()[:80]}"
                for what, pattern in FORBIDDEN.items()
                # "invalid" is reserved: a host of that domain can be nobody's registry (RFC 2606).
                if re.search(pattern, line) and ".invalid" not in line
            ]
    return found


def test_no_file_names_a_registry_or_a_path_of_this_machine():
    paths = list_files(REPOSITORY)
    assert REPOSITORY / "pyproject.toml" in paths
    assert find_forbidden(paths) == []


@pytest.mark.parametrize(
    "line",
    [
        "https://pypi." + "org/simple",
        "--" + "index-url https://example.org",
        "export UV_" + "INDEX_URL=https://example.org",
        "cd " + "/ho" + "me/someone/pypods",
        '"' + "/ro" + 'ot/pypods"',
        "see file:" + "///opt/wheels",
    ],
)
def test_a_file_that_does_is_found(tmp_path, line):
    (tmp_path / "clean.txt").write_text("pods/home/x and https://example.org/work/y\n")
    (tmp_path / "dirty.txt").write_text(f"first line\n{line}\n")
    found = find_forbidden(list_files_without_git(tmp_path))
    assert len(found) == 1
    assert "dirty.txt:2: " in found[0]


def list_files_without_git(folder: Path) -> list[Path]:
    """List the files of a folder that no repository tracks."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_files_are_listed_without_git_too(tmp_path, monkeypatch):
    (tmp_path / "kept.txt").write_text("kept")
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "made.txt").write_text("made")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [path.name for path in list_files(tmp_path)] == ["kept.txt"]


def test_no_lock_file_is_tracked():
    assert [path for path in list_files(REPOSITORY) if path.name == "uv.lock"] == []


def test_every_pin_has_a_hash():
    pins = sorted((REPOSITORY / "requirements").glob("*.txt"))
    assert {path.name for path in pins} == {"dev.txt", "run.txt", "uv.txt"}
    for path in pins:
        blocks = re.split(r"\n(?=\S)", path.read_text(encoding="utf-8"))
        blocks = [block for block in blocks if not block.startswith("#")]
        assert blocks
        assert [block for block in blocks if "--hash=sha256:" not in block] == []


def test_the_same_version_is_pinned_everywhere():
    versions: dict[str, set[str]] = {}
    for path in (REPOSITORY / "requirements").glob("*.txt"):
        for name, version in re.findall(r"^(\S+)==(\S+)", path.read_text("utf-8"), re.MULTILINE):
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_it_needs_six_packages_and_no_more():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = sorted(re.split(r"[^\w-]", need)[0] for need in project["dependencies"])
    assert names == ["pydantic", "pymongo", "pyyaml", "typer", "uv", "virtualenv"]


def test_the_version_is_the_metadata_s():
    assert pypods.__version__ == metadata.version("pypods")


def test_the_package_says_that_it_is_typed():
    assert (Path(pypods.__file__).parent / "py.typed").is_file()


@pytest.mark.parametrize("name", pypods.__all__)
def test_each_public_name_is_there_when_asked_for(name):
    # Asked anew, as if for the first time.
    assert getattr(pypods, name) is pypods.__dict__[name]
    assert name in dir(pypods)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'pypods' has no attribute 'no_such_name'"):
        _ = pypods.no_such_name


def test_python_m_pypods_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "pypods", "--help"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "create" in done.stdout
