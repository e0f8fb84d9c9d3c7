"""A pod's folder: what is written, found, listed and refused."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import pytest

from pypods.errors import PodEnvironmentError, PodNotFoundError
from pypods.pods.folder import (
    PodFolder,
    create_pod_folder,
    find_pod_folder,
    list_pod_folders,
    pin_python,
)


def test_a_new_folder_holds_what_a_pod_needs(tmp_path: Path) -> None:
    folder = create_pod_folder("hello", pods_directory=tmp_path / "pods")
    assert folder == PodFolder("hello", tmp_path / "pods" / "hello")
    names = sorted(each.name for each in folder.path.iterdir())
    assert names == [".gitignore", "pod.py", "requirements.txt"]


def test_the_template_offers_one_function_that_works(tmp_path: Path) -> None:
    folder = create_pod_folder("hello", pods_directory=tmp_path)
    source = folder.pod_file.read_text()
    assert '"hello"' in source
    assert "{name}" not in source
    namespace: dict[str, object] = {"__name__": "pod"}
    exec(compile(source, "pod.py", "exec"), namespace)
    offered = [name for name in namespace if not name.startswith("_")]
    assert offered == ["hello"]
    assert namespace["hello"]() == "Hello, world!"  # type: ignore[operator]
    assert "__main__" not in source
    ast.parse(source, feature_version=(3, 8))


def test_new_requirements_are_a_comment(tmp_path: Path) -> None:
    folder = create_pod_folder("hello", pods_directory=tmp_path)
    assert all(line.startswith("#") for line in folder.requirements_file.read_text().splitlines())


def test_git_ignores_the_environment_and_work_files(tmp_path: Path) -> None:
    folder = create_pod_folder("hello", pods_directory=tmp_path)
    lines = (folder.path / ".gitignore").read_text().splitlines()
    assert {"/venv/", "/venv.*"} <= set(lines)


def test_nothing_there_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "hello"
    path.mkdir()
    for name in ("pod.py", "requirements.txt", ".gitignore"):
        (path / name).write_text("mine")
    create_pod_folder("hello", pods_directory=tmp_path)
    assert {each.read_text() for each in path.iterdir()} == {"mine"}


def test_requirements_are_added_once(tmp_path: Path) -> None:
    create_pod_folder("hello", pods_directory=tmp_path, requirements=["six", "six", "idna>=3"])
    folder = create_pod_folder("hello", pods_directory=tmp_path, requirements=["six", "attrs"])
    lines = folder.requirements_file.read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["six", "idna>=3", "attrs"]


def test_requirements_are_added_on_a_line_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "requirements.txt").write_text("six")
    folder = create_pod_folder("hello", pods_directory=tmp_path, requirements=["attrs"])
    assert folder.requirements_file.read_text() == "six\nattrs\n"


@pytest.mark.parametrize(
    "name", ["", "1st", "with-dash", "with space", "a.b", "../x", "x/y", "x\0"]
)
def test_a_name_that_is_no_python_name_is_refused(tmp_path: Path, name: str) -> None:
    for function in (create_pod_folder, find_pod_folder):
        with pytest.raises(ValueError, match=r"cannot name a pod.*choose another"):
            function(name, pods_directory=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["class", "None", "import"])
def test_a_keyword_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"keyword of Python; choose another"):
        create_pod_folder(name, pods_directory=tmp_path)


def test_a_folder_is_found_and_its_path_is_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    created = create_pod_folder("hello")
    assert find_pod_folder("hello") == created
    assert created.path == tmp_path / "pods" / "hello"


def test_a_missing_pod_is_an_error_with_the_names_there_are(tmp_path: Path) -> None:
    create_pod_folder("one", pods_directory=tmp_path)
    create_pod_folder("two", pods_directory=tmp_path)
    with pytest.raises(PodNotFoundError, match=r'there are: one, two.*"pypods create three"'):
        find_pod_folder("three", pods_directory=tmp_path)
    with pytest.raises(PodNotFoundError, match=r"there are none"):
        find_pod_folder("three", pods_directory=tmp_path / "nowhere")


def test_only_pods_are_listed(tmp_path: Path) -> None:
    create_pod_folder("b", pods_directory=tmp_path)
    create_pod_folder("a", pods_directory=tmp_path)
    (tmp_path / "no_pod_file").mkdir()
    (tmp_path / "file").write_text("")
    for name in ("no-name", "class"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pod.py").write_text("")
    assert [each.name for each in list_pod_folders(pods_directory=tmp_path)] == ["a", "b"]
    assert list_pod_folders(pods_directory=tmp_path / "file") == []


def test_a_folder_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PodFolder("x", tmp_path).name = "y"  # type: ignore[misc]


# --- the kept Python ----------------------------------------------------------------------------


def test_the_python_asked_for_is_kept(tmp_path: Path) -> None:
    folder = create_pod_folder("hello", pods_directory=tmp_path, python="3.8")
    assert folder.pin_file.read_text() == "3.8\n"
    assert folder.python_request == "3.8"
    pin_python(folder, ">=3.9,<3.12")
    assert folder.python_request == ">=3.9,<3.12"
    pin_python(folder, None)
    assert folder.python_request is None
    assert not folder.pin_file.exists()


def test_a_path_is_kept_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = create_pod_folder("hello", pods_directory=tmp_path, python=Path("python3"))
    assert folder.python_request == str(tmp_path / "python3")


def test_nonsense_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no version"):
        create_pod_folder("hello", pods_directory=tmp_path, python="newest")
    assert not (tmp_path / "hello" / ".python-version").exists()


def test_comments_in_the_kept_file_are_skipped(tmp_path: Path) -> None:
    folder = create_pod_folder("hello", pods_directory=tmp_path)
    folder.pin_file.write_text("# ours\n\n 3.9 \n3.10\n")
    assert folder.pinned_python == "3.9"
    folder.pin_file.write_text("# nothing\n")
    assert folder.pinned_python is None


def test_a_kept_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = create_pod_folder("hello", pods_directory=tmp_path)
    folder.pin_file.write_bytes(b"\xff\xfe")
    with pytest.raises(PodEnvironmentError, match=r'pod "hello".*\.python-version cannot be read'):
        folder.pinned_python  # noqa: B018


def test_without_a_kept_python_the_block_in_pod_py_asks(tmp_path: Path) -> None:
    folder = create_pod_folder("hello", pods_directory=tmp_path)
    folder.pod_file.write_text('# /// script\n# requires-python = ">=3.9"\n# ///\n')
    assert folder.python_request == ">=3.9"
    pin_python(folder, "3.10")
    assert folder.python_request == "3.10"
