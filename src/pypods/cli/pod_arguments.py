"""The arguments that several commands share, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pypods.cli.completion import complete_pods
from pypods.cli.environments import choose_progress
from pypods.cli.exits import UsageError
from pypods.cli.settings import Settings
from pypods.errors import PodNotFoundError

if TYPE_CHECKING:
    from pypods.pods import PodLoader
    from pypods.pods.folder import PodFolder

PodName = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="The pod's name.", show_default=False, autocompletion=complete_pods
    ),
]


def find_folder(settings: Settings, name: str) -> PodFolder:
    """Return the folder of an existing pod.

    Raises PodNotFoundError, and UsageError where ``name`` cannot name a pod.
    """
    from pypods.pods.folder import find_pod_folder

    try:
        return find_pod_folder(name, pods_directory=settings.pods_directory)
    except ValueError as exc:
        raise UsageError(str(exc)) from exc


def make_loader(settings: Settings, name: str) -> PodLoader:
    """Return a loader of a pod, or shipped connector, there is; raises as ``find_folder`` does."""
    from pypods.pods import PodLoader

    try:
        loader = PodLoader(
            name,
            pods_directory=settings.pods_directory,
            installer=settings.installer,
            progress=choose_progress(settings),
        )
    except ValueError as exc:
        raise UsageError(str(exc)) from exc
    _ = loader.folder  # A loader by itself would create what is not there.
    return loader


def make_connector_loader(settings: Settings, name: str) -> PodLoader:
    """Return a loader of a connector; one that there is not is said as such."""
    from pypods.pods.shipped import no_such_connector

    try:
        return make_loader(settings, name)
    except PodNotFoundError:
        raise no_such_connector(name, settings.pods_directory) from None


def shown_path(path: Path) -> str:
    """Return ``path`` as a person would type it here: relative where it is below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
