"""``pypods remove``: a pod's folder goes, after a question."""

from __future__ import annotations

import json
import shutil
import sys
from typing import Annotated

import typer

from pypods.cli.command import command
from pypods.cli.exits import ExitCode, UsageError
from pypods.cli.pod_arguments import PodName, find_folder, shown_path
from pypods.cli.settings import Settings

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@command(
    "remove",
    examples=(
        "pypods remove mydb",
        "pypods remove mydb --yes",
    ),
)
def remove(settings: Settings, name: PodName, yes: Yes = False) -> int:
    """Remove a pod: its folder with pod.py, and its environment. Asks first."""
    folder = find_folder(settings, name)
    if not yes:
        if settings.json or not can_ask():
            raise UsageError(
                f"nobody to ask whether to remove {shown_path(folder.path)}; "
                f'to remove it unasked, run "pypods remove {name} --yes"'
            )
        if not typer.confirm(f"Remove {shown_path(folder.path)} with all that is in it?", err=True):
            typer.echo("Nothing removed.", err=True)
            return ExitCode.FAILED
    if folder.path.is_symlink():  # Only the link is in the pods directory.
        folder.path.unlink()
    else:
        shutil.rmtree(folder.path)
    if settings.json:
        print(json.dumps({"name": name, "path": str(folder.path), "removed": True}))
    elif not settings.quiet:
        print(f"Removed pod {name}.")
    return ExitCode.OK


def can_ask() -> bool:
    """Tell whether there is somebody to answer."""
    return sys.stdin.isatty()
