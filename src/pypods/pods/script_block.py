"""The inline metadata at the top of a file (PEP 723); the file is read and never run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pypods.errors import PodEnvironmentError
from pypods.pods.folder import PodFolder

__all__ = ["ScriptBlock", "read_file_block", "read_script_block"]

# The regular expression of the standard, as it stands there.
# https://packaging.python.org/en/latest/specifications/inline-script-metadata/
_BLOCK = r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$"


@dataclass(frozen=True)
class ScriptBlock:
    """What the block asks for; None and () where it says nothing, or is not there."""

    requires_python: str | None = None
    dependencies: tuple[str, ...] = ()


def read_script_block(folder: PodFolder) -> ScriptBlock:
    """Return what the block in the pod's `pod.py` asks for.

    Raises `PodEnvironmentError` if there are two blocks, or one that cannot be read.
    """
    return read_file_block(folder.pod_file, folder.name)


def read_file_block(file: Path, pod_name: str) -> ScriptBlock:
    """Return what the block in a pod's file asks for; errors as of `read_script_block`."""
    try:
        source = file.read_bytes()
    except FileNotFoundError:
        return ScriptBlock()
    # Without the marker there is nothing to import tomllib for.
    if b"# /// script" not in source:
        return ScriptBlock()
    import re

    text = source.decode("utf-8", errors="replace").replace("\r\n", "\n")
    blocks = [match for match in re.finditer(_BLOCK, text) if match["type"] == "script"]
    if not blocks:
        return ScriptBlock()
    if len(blocks) > 1:
        raise _unreadable(file, pod_name, "there are two of them; keep one")
    return _read_content(file, pod_name, blocks[0]["content"])


def _read_content(file: Path, pod_name: str, content: str) -> ScriptBlock:
    import tomllib

    lines = content.splitlines(keepends=True)
    toml = "".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)
    try:
        block = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as exc:
        raise _unreadable(file, pod_name, f"{exc}; correct it") from exc
    requires_python = block.get("requires-python")
    if requires_python is not None and not isinstance(requires_python, str):
        raise _unreadable(file, pod_name, 'requires-python is no text; write it as ">=3.9"')
    dependencies = block.get("dependencies", [])
    if not isinstance(dependencies, list) or not all(isinstance(d, str) for d in dependencies):
        raise _unreadable(
            file, pod_name, 'dependencies is no list of texts; write it as ["six>=1.16"]'
        )
    return ScriptBlock(requires_python, tuple(dependencies))


def _unreadable(file: Path, pod_name: str, reason: str) -> PodEnvironmentError:
    return PodEnvironmentError(f'pod "{pod_name}": the "# /// script" block in {file}: {reason}')
