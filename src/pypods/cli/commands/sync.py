"""``pypods sync``: environments brought up to date, one pod after the other."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pypods.cli.command import command
from pypods.cli.completion import complete_pods
from pypods.cli.environments import build_environment, check_python, examine
from pypods.cli.exits import ExitCode, UsageError
from pypods.cli.failures import failure_document, report_failure
from pypods.cli.pod_arguments import find_folder
from pypods.cli.settings import Settings
from pypods.errors import PodEnvironmentError

if TYPE_CHECKING:
    from pypods.pods.folder import PodFolder

PodNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="The pods; all of them if none is named.",
        show_default=False,
        autocompletion=complete_pods,
    ),
]
PythonRequest = Annotated[
    str | None,
    typer.Option(
        "--python", metavar="VERSION", help="Give the pods named this Python from now on."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Build anew what is up to date, too.")]


@command(
    "sync",
    examples=(
        "pypods sync",
        "pypods sync mydb legacy",
        "pypods sync legacy --python 3.9",
    ),
)
def sync(
    settings: Settings,
    names: PodNames = None,
    python: PythonRequest = None,
    force: Force = False,
) -> int:
    """Bring environments up to date with what the pods ask for.

    What is up to date is left alone. Calls do this by themselves; sync does it ahead.
    """
    from pypods.pods.folder import list_pod_folders

    if python is not None and not names:
        raise UsageError("--python: name the pods that it is for")
    if names:
        folders = [find_folder(settings, name) for name in dict.fromkeys(names)]
    else:
        folders = list_pod_folders(pods_directory=settings.pods_directory)
    check_python(python)
    code = ExitCode.OK
    documents = []
    for folder in folders:
        try:
            documents.append(sync_one(settings, folder, python=python, force=force))
        except PodEnvironmentError as error:
            code = ExitCode.ENVIRONMENT
            if settings.json:
                documents.append({"name": folder.name, **failure_document(error, code)})
            else:
                report_failure(error, as_json=False, with_traceback=settings.traceback)
    if settings.json:
        print(json.dumps(documents))
    elif not folders and not settings.quiet:
        print('No pods here; run "pypods create NAME" to make one.', file=sys.stderr)
    return code


def sync_one(
    settings: Settings, folder: PodFolder, *, python: str | None, force: bool
) -> dict[str, Any]:
    """Bring one environment up to date, say so, and return it as a JSON object."""
    before = made_at(folder)
    build_environment(settings, folder, python=python, force=force)
    state = examine(settings, folder)
    changed = made_at(folder) != before
    if not settings.json and not settings.quiet:
        what = "brought up to date" if changed else "up to date already"
        print(f"{folder.name}: {what}, Python {state.python}")
    return {**state.document(), "changed": changed}


def made_at(folder: PodFolder) -> tuple[int, int] | None:
    """Return what tells one environment of a pod from the next."""
    try:
        status = folder.venv.stat()
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns
