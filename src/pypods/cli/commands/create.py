"""``pypods create``: a new pod's folder and its environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pypods.cli.command import command
from pypods.cli.environments import build_environment, check_python
from pypods.cli.exits import UsageError
from pypods.cli.pod_arguments import shown_path
from pypods.cli.settings import Settings
from pypods.errors import PodNotFoundError

NewName = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="What Python takes for a name: mydb, my_db2.", show_default=False
    ),
]
PythonRequest = Annotated[
    str | None,
    typer.Option(
        "--python", metavar="VERSION", help="Its Python: 3.8, 3.8.18 or a path; else this one's."
    ),
]
Requirements = Annotated[
    list[str] | None,
    typer.Option("--with", metavar="REQUIREMENT", help="A package it needs; may be repeated."),
]
Original = Annotated[
    str | None,
    typer.Option("--from", metavar="CONNECTOR", help="Copy a connector that came with pypods."),
]


@command(
    "create",
    examples=(
        "pypods create mydb",
        "pypods create mydb --with duckdb==0.8.1",
        "pypods create legacy --python 3.8 --with 'psycopg2-binary==2.8.6'",
        "pypods create mydb --from postgresql",
    ),
)
def create(
    settings: Settings,
    name: NewName,
    python: PythonRequest = None,
    requirements: Requirements = None,
    original: Original = None,
) -> None:
    """Create a pod: a folder with a pod.py to begin with.

    Its environment is made too, with what --with names; requirements.txt keeps that.
    --from copies a connector, to be changed: "pypods connectors list" names them.
    """
    from pypods.pods.folder import create_pod_folder, find_pod_folder
    from pypods.pods.python_request import format_version

    directory = settings.pods_directory
    try:
        there = find_pod_folder(name, pods_directory=directory)
    except PodNotFoundError:
        pass
    except ValueError as exc:
        raise UsageError(str(exc)) from exc
    else:
        raise UsageError(
            f'pod "{name}" is there already, in {shown_path(there.path)}; to change what it '
            f'needs, edit {shown_path(there.requirements_file)} and run "pypods sync {name}"'
        )
    check_python(python)
    if original is not None:
        copy_connector(original, directory / name)
    folder = create_pod_folder(
        name, pods_directory=directory, python=python, requirements=requirements or ()
    )
    environment = build_environment(settings, folder)
    if settings.json:
        about = {
            "name": name,
            "path": str(folder.path),
            "python": format_version(environment.version),
            "requirements": requirements or [],
        }
        print(json.dumps(about))
    elif not settings.quiet and original is not None:
        print(f"Created pod {name} in {shown_path(folder.path)}, a copy of {original}.")
        print(f"  change it             {shown_path(folder.pod_file)}")
        print(f"  see its settings      pypods connectors show {name}")
    elif not settings.quiet:
        print(f"Created pod {name} in {shown_path(folder.path)}.")
        print(f"  write its functions   {shown_path(folder.pod_file)}")
        print(f"  see what it offers    pypods inspect {name}")
        print(f"  call one              pypods call {name} hello")


def copy_connector(name: str, place: Path) -> None:
    """Copy a connector that came with pypods. Raises UsageError where there is none such."""
    from pypods.pods.shipped import copy_shipped_pod, list_shipped_pods

    shipped = {folder.name: folder for folder in list_shipped_pods()}
    if name not in shipped:
        there = ", ".join(shipped) or "none"
        raise UsageError(f"no connector {name!r} came with pypods; there are: {there}")
    copy_shipped_pod(shipped[name], place)
