"""The pods in the repository's `pods/` are what they are said to be."""

from __future__ import annotations

from pathlib import Path

from pypods.pods import create_pod_folder

PODS = Path(__file__).parent.parent / "pods"


def test_hello_is_what_create_writes(tmp_path):
    made = create_pod_folder("hello", pods_directory=tmp_path)
    for name in ("pod.py", "requirements.txt", ".gitignore"):
        assert (PODS / "hello" / name).read_text() == (made.path / name).read_text(), name
