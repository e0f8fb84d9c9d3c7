"""A pod's folder: its names, files and pinned Python; no environment and no process here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import Path

from pypods.errors import PodEnvironmentError, PodNotFoundError

__all__ = [
    "PodFolder",
    "check_pod_name",
    "create_pod_folder",
    "find_pod_folder",
    "list_pod_folders",
    "pin_python",
]

TEMPLATE = Path(__file__).with_name("template")


@dataclass(frozen=True)
class PodFolder:
    """Where a pod lives; `path` is absolute."""

    name: str
    path: Path

    @property
    def pod_file(self) -> Path:
        """The pod's code, `pod.py`."""
        return self.path / "pod.py"

    @property
    def requirements_file(self) -> Path:
        """What the pod's environment is filled from, `requirements.txt`."""
        return self.path / "requirements.txt"

    @property
    def pin_file(self) -> Path:
        """Where the pod's Python is kept, `.python-version`, as pyenv and uv name it."""
        return self.path / ".python-version"

    @property
    def venv(self) -> Path:
        """The pod's environment."""
        return self.path / "venv"

    @property
    def venv_python(self) -> Path:
        """The interpreter inside the pod's environment."""
        return self.venv / "bin" / "python"

    @property
    def retry(self) -> str:
        """What to do once what kept the environment from being made is put right."""
        return f'run "pypods sync {self.name}"'

    def wish(self, source: str) -> str:
        """Say what one of the folder's files asks for, in an error's or a progress's line."""
        return f"what {source} asks for"

    def correct(self, source: str) -> str:
        """Say how what is asked for in one of the folder's files is put right."""
        return f"Correct {self.path / source}"

    @property
    def pinned_python(self) -> str | None:
        """The Python that `.python-version` keeps, if any: its first line that is no comment."""
        try:
            text = self.pin_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as exc:
            raise PodEnvironmentError(
                f'pod "{self.name}": {self.pin_file} cannot be read ({exc}); '
                f"write a version into it, such as 3.11, or remove it"
            ) from exc
        lines = (line.strip() for line in text.splitlines())
        return next((line for line in lines if line and not line.startswith("#")), None)

    @property
    def python_request(self) -> str | None:
        """The Python asked for here: the pin, else `requires-python` in `pod.py`, else None."""
        from pypods.pods.script_block import read_script_block

        pinned = self.pinned_python
        return pinned if pinned is not None else read_script_block(self).requires_python


def check_pod_name(name: str) -> None:
    """Raise `ValueError` unless the name can be a Python name, which a pod's has to be."""
    if not name.isidentifier():
        raise ValueError(
            f"{name!r} cannot name a pod: a pod's name is a Python name, "
            f"of letters, digits and underscores and not starting with a digit; choose another"
        )
    if iskeyword(name):
        raise ValueError(f"{name!r} cannot name a pod: it is a keyword of Python; choose another")


def find_pod_folder(name: str, *, pods_directory: str | Path = "pods") -> PodFolder:
    """Return the folder of an existing pod; one with a `pod.py` is one.

    Raises `PodNotFoundError` with the names there are, `ValueError` for a name no pod can have.
    """
    check_pod_name(name)
    directory = Path(pods_directory).absolute()
    folder = PodFolder(name, directory / name)
    if folder.pod_file.is_file():
        return folder
    names = ", ".join(each.name for each in list_pod_folders(pods_directory=directory))
    there_are = f"there are: {names}" if names else "there are none"
    raise PodNotFoundError(
        f'no pod "{name}" in {directory} ({there_are}); run "pypods create {name}" to make it'
    )


def list_pod_folders(*, pods_directory: str | Path = "pods") -> list[PodFolder]:
    """Return every pod of the directory, by name; none if the directory is not there."""
    try:
        entries = sorted(Path(pods_directory).absolute().iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    folders = (PodFolder(entry.name, entry) for entry in entries)
    return [
        folder
        for folder in folders
        if folder.name.isidentifier() and not iskeyword(folder.name) and folder.pod_file.is_file()
    ]


def create_pod_folder(
    name: str,
    *,
    pods_directory: str | Path = "pods",
    python: str | Path | None = None,
    requirements: Iterable[str] = (),
) -> PodFolder:
    """Make a pod's folder with what it lacks, and return it; a file that is there stays.

    `python` is kept as `pin_python` does. `requirements` fill a new `requirements.txt`, and are
    added to one that is there unless they stand in it already.
    """
    check_pod_name(name)
    folder = PodFolder(name, Path(pods_directory).absolute() / name)
    folder.path.mkdir(parents=True, exist_ok=True)
    # pod.py makes the folder a pod, so it comes last.
    _write_new(folder.path / ".gitignore", "gitignore.txt", name)
    _write_new(folder.requirements_file, "requirements.txt", name)
    _add_requirements(folder.requirements_file, requirements)
    if python is not None:
        pin_python(folder, python)
    _write_new(folder.pod_file, "pod.py.txt", name)
    return folder


def pin_python(folder: PodFolder, python: str | Path | None) -> None:
    """Keep this Python for the pod, in `.python-version`; None forgets it.

    `python` is a version ("3.8"), a specifier (">=3.9,<3.12") or a path.
    """
    if python is None:
        folder.pin_file.unlink(missing_ok=True)
        return
    from pypods.pods.python_request import PythonRequest

    folder.pin_file.write_text(f"{PythonRequest.parse(python).text}\n", encoding="utf-8")


def _write_new(path: Path, template: str, name: str) -> None:
    text = (TEMPLATE / template).read_text(encoding="utf-8").replace("{name}", name)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return


def _add_requirements(path: Path, requirements: Iterable[str]) -> None:
    text = path.read_text(encoding="utf-8")
    there = {line.strip() for line in text.splitlines()}
    missing = [each for each in dict.fromkeys(requirements) if each.strip() not in there]
    if missing:
        if text and not text.endswith("\n"):
            text += "\n"
        path.write_text(text + "".join(f"{each.strip()}\n" for each in missing), encoding="utf-8")
