"""The inline metadata of pod.py, as a table of sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypods.errors import PodEnvironmentError
from pypods.pods.folder import PodFolder
from pypods.pods.script_block import ScriptBlock, read_script_block


@pytest.fixture
def folder(tmp_path: Path) -> PodFolder:
    return PodFolder("hello", tmp_path)


FULL = '''#!/usr/bin/env python3
# /// script
# requires-python = ">=3.9"
# dependencies = [
#   "six>=1.16",
#
#   "idna",  # comment
# ]
# ///
"""A pod."""
raise SystemExit("never run")
'''


@pytest.mark.parametrize(
    ("source", "block"),
    [
        (FULL, ScriptBlock(">=3.9", ("six>=1.16", "idna"))),
        (FULL.replace("\n", "\r\n"), ScriptBlock(">=3.9", ("six>=1.16", "idna"))),
        ("", ScriptBlock()),
        ("def f(): pass\n", ScriptBlock()),
        ("# /// script\n# no end\n", ScriptBlock()),
        ("# /// other\n# a = 1\n# ///\n# see # /// script\n", ScriptBlock()),
        ('# /// script\n# [tool.uv]\n# x = "y"\n# ///\n', ScriptBlock()),
        ("# /// script\n# dependencies = []\n# ///", ScriptBlock()),
    ],
)
def test_a_block_is_read(folder: PodFolder, source: str, block: ScriptBlock) -> None:
    folder.pod_file.write_bytes(source.encode())
    assert read_script_block(folder) == block


def test_no_file_asks_for_nothing(folder: PodFolder) -> None:
    assert read_script_block(folder) == ScriptBlock()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("# /// script\n# a = 1\n# ///\n\n# /// script\n# b = 1\n# ///\n", "two of them"),
        ("# /// script\n# dependencies = [\n# ///\n", "correct it"),
        ("# /// script\n# requires-python = 3.9\n# ///\n", "requires-python is no text"),
        ('# /// script\n# dependencies = "six"\n# ///\n', "dependencies is no list of texts"),
        ("# /// script\n# dependencies = [1]\n# ///\n", "dependencies is no list of texts"),
    ],
)
def test_a_block_that_cannot_be_read_is_named(folder: PodFolder, source: str, reason: str) -> None:
    folder.pod_file.write_text(source)
    with pytest.raises(PodEnvironmentError, match=rf'pod "hello".*pod\.py.*{reason}'):
        read_script_block(folder)
