"""``pypods create``: a new pod's folder and its environment."""

from __future__ import annotations

import json
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


@command(
    "create",
    examples=(
        "pypods create mydb",
        "pypods create mydb --with duckdb==0.8.1",
        "pypods create legacy --python 3.8 --with 'psycopg2-binary==2.8.6'",
    ),
)
def create(
    settings: Settings,
    name: NewName,
    python: PythonRequest = None,
    requirements: Requirements = None,
) -> None:
    """Create a pod: a folder with a pod.py to begin with.

    Its environment is made too, with what --with names; requirements.txt keeps that.
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
    elif not settings.quiet:
        print(f"Created pod {name} in {shown_path(folder.path)}.")
        print(f"  write its functions   {shown_path(folder.pod_file)}")
        print(f"  see what it offers    pypods inspect {name}")
        print(f"  call one              pypods call {name} hello")
