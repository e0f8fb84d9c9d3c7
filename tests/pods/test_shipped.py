"""Connectors that come with pypods: found behind the project's own, copied, and in the wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pypods.errors import PodEnvironmentError, PodNotFoundError
from pypods.pods import PodLoader, shipped

REPOSITORY = Path(__file__).parents[2]
SOURCE = "from .more import VALUE\ndef describe_connector(): return {}\ndef value(): return VALUE\n"


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with a connector, an example and a folder that is no pod, taken for the shipped."""
    place = tmp_path / "shipped"
    for name, source in (("lite", SOURCE), ("example", "def hello(): return 1\n")):
        (place / name).mkdir(parents=True)
        (place / name / "pod.py").write_text(source)
    (place / "lite" / "more.py").write_text("VALUE = 'shipped'\n")
    (place / "lite" / ".python-version").write_text("3\n")
    (place / "lite" / "venv" / "lib").mkdir(parents=True)
    (place / "lite" / "venv" / "lib" / "made.py").write_text("")
    (place / "empty").mkdir()
    monkeypatch.setattr(shipped, "shipped_directory", lambda: place)
    monkeypatch.setenv("PYPODS_CACHE_DIR", str(tmp_path / "cache"))
    return place


def test_only_connectors_are_shipped(place):
    assert [folder.name for folder in shipped.list_shipped_pods()] == ["lite"]
    for name in ("example", "empty", "nothing"):
        assert shipped.find_shipped_pod(name) is None


def test_a_copy_lies_in_the_cache(place, tmp_path):
    folder = shipped.find_shipped_pod("lite")
    assert folder.path.parent == tmp_path / "cache" / "pods"
    files = {str(path.relative_to(folder.path)) for path in folder.path.rglob("*")}
    assert files == {"pod.py", "more.py", ".python-version"}
    again = shipped.find_shipped_pod("lite")
    assert again == folder
    (place / "lite" / "more.py").write_text("VALUE = 'newer'\n")
    assert shipped.find_shipped_pod("lite").path != folder.path
    assert len(list(folder.path.parent.iterdir())) == 2


def test_it_is_loaded_by_its_name_and_the_projects_own_goes_first(place, tmp_path):
    pods = tmp_path / "pods"
    with PodLoader("lite", pods_directory=pods) as pod:
        assert pod.value() == "shipped"
    assert not pods.exists()
    shutil.copytree(place / "lite", pods / "lite", ignore=shutil.ignore_patterns("venv"))
    (pods / "lite" / "more.py").write_text("VALUE = 'own'\n")
    with PodLoader("lite", pods_directory=pods) as pod:
        assert pod.value() == "own"


def test_what_is_not_shipped_is_not_found(place, tmp_path):
    with pytest.raises(PodNotFoundError, match='no pod "example"'):
        _ = PodLoader("example", pods_directory=tmp_path).folder


def test_a_cache_that_cannot_be_written(place, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PYPODS_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(PodEnvironmentError, match="pypods create lite --from lite"):
        shipped.find_shipped_pod("lite")


def test_of_a_clone_they_are_the_repositorys():
    assert shipped.shipped_directory() == REPOSITORY / "pods"
    assert "hello" not in [folder.name for folder in shipped.list_shipped_pods()]


def test_the_wheel_has_them_without_what_was_made(tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(
        REPOSITORY,
        copy,
        ignore=lambda folder, names: {
            name
            for name in names
            if name in (".git", "venv", ".venv", ".tools", "tests", "benchmarks", "docs")
            or name.startswith((".mypy", ".ruff", ".pytest", ".hypothesis", ".import", ".coverage"))
        },
    )
    (copy / "pods" / "lite" / "venv").mkdir(parents=True)
    (copy / "pods" / "lite" / "pod.py").write_text(SOURCE)
    (copy / "pods" / "lite" / "venv" / "made.py").write_text("")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=copy, check=True, capture_output=True, timeout=100,
    )  # fmt: skip
    (wheel,) = (tmp_path / "dist").iterdir()
    names = zipfile.ZipFile(wheel).namelist()
    assert "pypods/shipped/lite/pod.py" in names
    assert "pypods/pods/template/pod.py.txt" in names
    assert "pypods_types/" in {f"{name.partition('/')[0]}/" for name in names}
    assert [name for name in names if "venv" in name or "hello" in name or "README" in name] == []
