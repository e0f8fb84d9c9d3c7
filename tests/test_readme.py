"""The README, word for word: a newcomer in an empty folder gets what it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
README = REPOSITORY / "README.md"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line of the README where it begins."""

    language: str
    text: str
    line: int


def read_blocks(text: str) -> list[Block]:
    return [
        Block(match[1], match[2], text.count("\n", 0, match.start()) + 1)
        for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


def read_commands(block: Block) -> list[tuple[str, str]]:
    """Return each command of a console block with the output shown below it."""
    assert block.text.startswith("$ "), f"README line {block.line}: a console block shows commands"
    pairs = (each.partition("\n") for each in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:])
    return [(command, output) for command, _, output in pairs]


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a newcomer would whose environment is active."""
    environment = dict(os.environ)
    environment["PYPODS_CACHE_DIR"] = str(folder / "cache")
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.timeout(600)  # The first run downloads two drivers.
def test_what_it_shows_is_what_happens(tmp_path):
    """Blocks of Python and YAML are files, named in their first line; others are typed."""
    ran = []
    for block in read_blocks(README.read_text(encoding="utf-8")):
        place = f"README line {block.line}"
        if block.language in ("python", "yaml"):
            name = re.match(r"# (\S+\.(?:py|yaml))\n", block.text)
            assert name is not None, f"{place}: a block names its file in its first line"
            path = tmp_path / name[1]
            assert path.parent.is_dir(), f"{place}: there is no folder for {name[1]}"
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            for command, output in read_commands(block):
                done = run(command, tmp_path)
                assert done.returncode == 0, f"{place}: {command}\n{done.stdout}{done.stderr}"
                if output:
                    assert done.stdout == output, f"{place}: {command}"
                ran.append(command)
        else:
            # For a clone, not for an empty folder.
            assert block.language == "sh", f"{place}: a block in {block.language!r} is not tested"
    assert "python program.py" in ran


def test_every_python_block_compiles():
    blocks = [b for b in read_blocks(README.read_text(encoding="utf-8")) if b.language == "python"]
    assert blocks
    for block in blocks:
        compile(block.text, f"README line {block.line}", "exec")


@pytest.mark.parametrize(
    "page",
    [README, *sorted((REPOSITORY / "docs").rglob("*.md")), REPOSITORY / "CONTRIBUTING.md"],
    ids=lambda page: str(page.relative_to(REPOSITORY)),
)
def test_every_link_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", text)
    links = [markdown or html for markdown, html in links]
    here = [link.partition("#")[0] for link in links if not re.match(r"https?:|#", link)]
    missing = [link for link in here if not (page.parent / link).exists()]
    assert missing == []


def test_the_targets_that_it_names_are_in_the_makefile():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?m)(?:^|`)make ([a-z]+)", README.read_text(encoding="utf-8")))
    assert targets >= {"demo", "test"}
    assert {name for name in targets if f"\n{name}:" not in makefile} == set()


@pytest.mark.parametrize("name", ["pods-light.svg", "pods-dark.svg"])
def test_its_picture_is_as_it_is_drawn(name):
    """Else one of the two would show something else than the other."""
    images = REPOSITORY / "docs" / "images"
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import draw; "
        "sys.stdout.write(draw.draw(draw.DARK if 'dark' in sys.argv[2] else draw.LIGHT))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, str(images), name],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == (images / name).read_text(encoding="utf-8")
