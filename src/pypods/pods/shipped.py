"""The connectors that come with pypods: found, and copied to where an environment can be made."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from pypods.errors import PodEnvironmentError, PodNotFoundError
from pypods.pods.cache import CACHE_VARIABLE, CONNECTORS, CachedFolder, cache_directory
from pypods.pods.folder import PodFolder, list_pod_folders

__all__ = [
    "copy_shipped_pod",
    "find_shipped_pod",
    "list_shipped_pods",
    "no_such_connector",
    "shipped_directory",
]

#: What a pod has to offer to be a connector. Others in that folder are examples.
MARK = "describe_connector"
#: Of a folder's files these are made, and not shipped.
MADE = ("venv", "__pycache__")
KEY_CHARACTERS = 16


def shipped_directory() -> Path:
    """Return where the shipped pods are: in the package, or of a clone in the repository."""
    package = Path(__file__).parents[1]
    installed = package / "shipped"
    repository = package.parents[1]
    if not installed.is_dir() and (repository / "pyproject.toml").is_file():
        return repository / "pods"
    return installed


def list_shipped_pods() -> list[PodFolder]:
    """Return the connectors that come with pypods, by name, where they lie."""
    return [
        folder
        for folder in list_pod_folders(pods_directory=shipped_directory())
        if MARK in folder.pod_file.read_text(encoding="utf-8")
    ]


def find_shipped_pod(name: str) -> CachedFolder | None:
    """Return a connector that comes with pypods, as a copy that its environment can lie in.

    None where there is none of that name. The copy is in the user's cache; one for each content,
    so another version of pypods has another. Raises PodEnvironmentError where it cannot be made.
    """
    folder = PodFolder(name, shipped_directory() / name)
    if not folder.pod_file.is_file() or all(each.name != name for each in list_shipped_pods()):
        return None
    key = hashlib.sha256()
    for file in shipped_files(folder):
        content = file.read_bytes()
        key.update(f"{file.relative_to(folder.path)}\0{len(content)}\0".encode() + content)
    place = cache_directory() / CONNECTORS / f"{name}-{key.hexdigest()[:KEY_CHARACTERS]}"
    if not place.is_dir():
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            making = place.with_name(f".{place.name}.{os.getpid()}-{os.urandom(4).hex()}")
            copy_shipped_pod(folder, making)
            try:
                making.rename(place)
            except OSError:
                shutil.rmtree(making)
                if not place.is_dir():  # Else somebody else was first.
                    raise
        except OSError as exc:
            raise PodEnvironmentError(
                f'pod "{name}": the cache cannot be written: {exc}; see to that, set '
                f'{CACHE_VARIABLE}, or run "pypods create {name} --from {name}" to have it here'
            ) from exc
    return CachedFolder(name, place)


def no_such_connector(name: str, pods_directory: str | os.PathLike[str]) -> PodNotFoundError:
    """Return the error for a connector that is neither the project's own nor came with pypods."""
    from difflib import get_close_matches

    from pypods import __version__

    shipped = [folder.name for folder in list_shipped_pods()]
    own = [folder.name for folder in list_pod_folders(pods_directory=os.fspath(pods_directory))]
    near = get_close_matches(name, [*own, *shipped], n=1)
    there = f"these came with pypods {__version__}: {', '.join(shipped)}" if shipped else "none did"
    return PodNotFoundError(
        f'no pod "{name}" in {Path(pods_directory).absolute()}, and no connector of that name came '
        f"with pypods ({there}); "
        + (f'did you mean "{near[0]}"? Else "pypods' if near else '"pypods')
        + f' connectors new {name}" writes one'
    )


def copy_shipped_pod(folder: PodFolder, place: Path) -> None:
    """Copy the files of a shipped pod into a new folder. Raises OSError."""
    for file in shipped_files(folder):
        new = place / file.relative_to(folder.path)
        new.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, new)


def shipped_files(folder: PodFolder) -> list[Path]:
    """Return the files of a pod that nothing made, in a fixed order."""
    return sorted(
        path
        for path in folder.path.rglob("*")
        if path.is_file()
        and not any(
            part in MADE or part.startswith("venv.") for part in path.relative_to(folder.path).parts
        )
    )
