"""The inline metadata at the top of pod.py (PEP 723); the file is read and never run."""

from __future__ import annotations

from dataclasses import dataclass

from pypods.errors import PodEnvironmentError
from pypods.pods.folder import PodFolder

__all__ = ["ScriptBlock", "read_script_block"]

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
    try:
        source = folder.pod_file.read_bytes()
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
        raise _unreadable(folder, "there are two of them; keep one")
    return _read_content(folder, blocks[0]["content"])


def _read_content(folder: PodFolder, content: str) -> ScriptBlock:
    import tomllib

    lines = content.splitlines(keepends=True)
    toml = "".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)
    try:
        block = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as exc:
        raise _unreadable(folder, f"{exc}; correct it") from exc
    requires_python = block.get("requires-python")
    if requires_python is not None and not isinstance(requires_python, str):
        raise _unreadable(folder, 'requires-python is no text; write it as ">=3.9"')
    dependencies = block.get("dependencies", [])
    if not isinstance(dependencies, list) or not all(isinstance(d, str) for d in dependencies):
        raise _unreadable(folder, 'dependencies is no list of texts; write it as ["six>=1.16"]')
    return ScriptBlock(requires_python, tuple(dependencies))


def _unreadable(folder: PodFolder, reason: str) -> PodEnvironmentError:
    return PodEnvironmentError(
        f'pod "{folder.name}": the "# /// script" block in {folder.pod_file}: {reason}'
    )
