"""What a pod wants installed, from requirements.txt or from pod.py; installs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pypods.errors import PodEnvironmentError
from pypods.pods.folder import PodFolder
from pypods.pods.script_block import ScriptBlock

__all__ = ["Requirements", "read_requirements"]

_INCLUDES = ("-r", "--requirement", "-c", "--constraint")
# Lines that begin with a dash set an option, except these, which ask for something.
_ASKING = ("-r", "--requirement", "-e", "--editable")


@dataclass(frozen=True)
class Requirements:
    """What to install: the lines of a file, or the dependencies a script block lists.

    `texts` is everything that was read, included files too, as (place, text) in reading order.
    """

    file: Path | None = None
    dependencies: tuple[str, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()

    @property
    def arguments(self) -> list[str]:
        """How an installer is asked for them; uv and pip read the same words."""
        return ["-r", str(self.file)] if self.file is not None else ["--", *self.dependencies]

    @property
    def source(self) -> str:
        """Where they are written, for people."""
        return "requirements.txt" if self.file is not None else "pod.py"

    def __bool__(self) -> bool:
        return self.file is not None or bool(self.dependencies)


def read_requirements(folder: PodFolder, block: ScriptBlock) -> Requirements:
    """Return what the pod wants installed; the script block's dependencies, else the file's.

    Raises `PodEnvironmentError` if both list something.
    """
    texts: dict[str, str] = {}
    asks = _read_file(folder.requirements_file, folder.path, texts)
    if block.dependencies:
        if asks:
            raise PodEnvironmentError(
                f'pod "{folder.name}": both {folder.requirements_file} and the "# /// script" '
                f"block in pod.py say what to install; empty one of the two"
            )
        text = "\n".join(block.dependencies)
        return Requirements(dependencies=block.dependencies, texts=(("pod.py", text),))
    if not asks:
        return Requirements()
    return Requirements(file=folder.requirements_file, texts=tuple(texts.items()))


def _read_file(path: Path, root: Path, texts: dict[str, str]) -> bool:
    """Add this file and those it names to `texts`; say whether one asks for anything."""
    # A pod that is copied elsewhere keeps the same requirements.
    place = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    if place in texts:
        return False
    try:
        texts[place] = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError:
        # The installer will say so in its own words.
        texts[place] = ""
        return False
    asks = False
    for line in texts[place].replace("\\\n", "").splitlines():
        line = f" {line}".replace("\t", " ").partition(" #")[0].strip()
        if not line:
            continue
        if not line.startswith("-") or line.startswith(_ASKING):
            asks = True
        flag = next((each for each in _INCLUDES if line.startswith(each)), None)
        if flag is not None and "://" not in line:
            named = line.removeprefix(flag).lstrip("=").strip(" \"'")
            _read_file(path.parent / named, root, texts)
    return asks
