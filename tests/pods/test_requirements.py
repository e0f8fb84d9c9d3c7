"""What a pod wants installed, and every text that says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypods.errors import PodEnvironmentError
from pypods.pods.folder import PodFolder
from pypods.pods.requirements import Requirements, read_requirements
from pypods.pods.script_block import ScriptBlock


@pytest.fixture
def folder(tmp_path: Path) -> PodFolder:
    folder = PodFolder("hello", tmp_path / "hello")
    folder.path.mkdir()
    return folder


@pytest.mark.parametrize(
    "text",
    ["", "# six\n\n   \n", "--index-url https://x/simple\n", "-c limits.txt\n", "\t# tab\n"],
)
def test_a_file_that_asks_for_nothing_is_nothing(folder: PodFolder, text: str) -> None:
    folder.requirements_file.write_text(text)
    assert not read_requirements(folder, ScriptBlock())
    folder.requirements_file.unlink()
    assert read_requirements(folder, ScriptBlock()) == Requirements()


@pytest.mark.parametrize("text", ["six", "-e ./here", "--editable=./here", "./here", "six # why\n"])
def test_a_file_that_asks_is_read(folder: PodFolder, text: str) -> None:
    folder.requirements_file.write_text(text)
    requirements = read_requirements(folder, ScriptBlock())
    assert requirements
    assert requirements.texts == (("requirements.txt", text),)
    assert requirements.arguments == ["-r", str(folder.requirements_file)]
    assert requirements.source == "requirements.txt"


@pytest.mark.parametrize(
    "line",
    [
        "-r more.txt",
        "-rmore.txt",
        "-r\tmore.txt",
        "--requirement more.txt",
        "--requirement=more.txt",
        '-r "more.txt"',
        "-r \\\n more.txt",
        "-r more.txt # why",
    ],
)
def test_files_named_by_files_are_read_too(folder: PodFolder, line: str) -> None:
    folder.requirements_file.write_text(line)
    (folder.path / "more.txt").write_text("-c ../limits.txt\nsix\n")
    (folder.path.parent / "limits.txt").write_text("six<2\n-r hello/more.txt\n")
    places = dict(read_requirements(folder, ScriptBlock()).texts)
    assert places["more.txt"] == "-c ../limits.txt\nsix\n"
    assert "six<2\n-r hello/more.txt\n" in places.values()


def test_a_file_that_names_itself_ends(folder: PodFolder) -> None:
    folder.requirements_file.write_text("-r requirements.txt\nsix\n")
    assert len(read_requirements(folder, ScriptBlock()).texts) == 1


def test_what_is_not_there_or_elsewhere_is_left_to_the_installer(folder: PodFolder) -> None:
    text = "-r missing.txt\n-c https://example.invalid/limits.txt\n"
    folder.requirements_file.write_text(text)
    requirements = read_requirements(folder, ScriptBlock())
    assert requirements.texts == (("requirements.txt", text), ("missing.txt", ""))


def test_the_blocks_dependencies_take_the_files_place(folder: PodFolder) -> None:
    folder.requirements_file.write_text("# nothing\n")
    requirements = read_requirements(folder, ScriptBlock(dependencies=("six>=1", "idna")))
    assert requirements.arguments == ["--", "six>=1", "idna"]
    assert requirements.source == "pod.py"
    assert requirements.texts == (("pod.py", "six>=1\nidna"),)


def test_both_at_once_is_an_error_that_says_so(folder: PodFolder) -> None:
    folder.requirements_file.write_text("six\n")
    with pytest.raises(PodEnvironmentError, match=r'pod "hello": both .*empty one of the two'):
        read_requirements(folder, ScriptBlock(dependencies=("six",)))


def test_an_empty_list_in_the_block_leaves_the_file_in_force(folder: PodFolder) -> None:
    folder.requirements_file.write_text("six\n")
    assert read_requirements(folder, ScriptBlock(requires_python=">=3.9")).file
