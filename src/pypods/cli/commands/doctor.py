"""``pypods doctor``: what is installed, what is broken, what to type."""

from __future__ import annotations

import json
import platform
import sys
from typing import TYPE_CHECKING, Any

from pypods.cli.command import command
from pypods.cli.environments import PodState, examine
from pypods.cli.exits import ExitCode
from pypods.cli.pod_arguments import shown_path
from pypods.cli.settings import Settings
from pypods.cli.tables import print_table

if TYPE_CHECKING:
    from pypods.pods.interpreters import Interpreter

#: The distributions that pypods needs; any of them missing is a broken installation.
DISTRIBUTIONS = ("pypods", "pydantic", "pymongo", "pyyaml", "typer", "uv", "virtualenv")


@command(
    "doctor",
    examples=(
        "pypods doctor",
        "pypods doctor --json",
    ),
)
def doctor(settings: Settings) -> int:
    """Show what is installed, what is broken, what to type.

    Ends with exit code 1 if something is broken. A missing or stale environment is
    not: the next call makes it.
    """
    from pypods.pods.folder import list_pod_folders
    from pypods.pods.interpreters import list_interpreters

    versions = {name: installed_version(name) for name in DISTRIBUTIONS}
    interpreters = list_interpreters()
    folders = list_pod_folders(pods_directory=settings.pods_directory)
    states = [examine(settings, folder) for folder in folders]
    problems = find_problems(versions, states)
    if settings.json:
        print(json.dumps(doctor_document(versions, interpreters, states, problems)))
    else:
        if not settings.quiet:
            print_findings(settings, versions, interpreters, states)
        print_problems(problems)
    return ExitCode.FAILED if problems else ExitCode.OK


def installed_version(distribution: str) -> str | None:
    """Return the version that is installed, or None."""
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def find_problems(versions: dict[str, str | None], states: list[PodState]) -> list[dict[str, str]]:
    """Return what is broken, each with the reason and what to do."""
    from pypods.pods.programs import find_uv

    problems = [
        {
            "what": name,
            "reason": "is not installed",
            "type": f"{sys.executable} -m pip install {name}",
        }
        for name, version in versions.items()
        if version is None
    ]
    if versions["uv"] is not None and find_uv() is None:
        command = f"{sys.executable} -m pip install --force-reinstall uv"
        problems.append({"what": "uv", "reason": "its program is not there", "type": command})
    problems += [
        {"what": f"pod {state.name}", "reason": state.reason, "type": f"pypods sync {state.name}"}
        for state in states
        if state.status == "broken"
    ]
    return problems


def print_findings(
    settings: Settings,
    versions: dict[str, str | None],
    interpreters: list[Interpreter],
    states: list[PodState],
) -> None:
    """Print what is installed and what pods there are."""
    from pypods.pods.python_request import format_version

    python = f"{platform.python_implementation()} {platform.python_version()}"
    print_table(
        ("INSTALLED", "VERSION"),
        [("python", python), *((name, version or "broken") for name, version in versions.items())],
    )
    print()
    print_table(
        ("PYTHON", "FROM", "PATH"),
        [(format_version(one.version), one.source, str(one.path)) for one in interpreters],
    )
    print()
    directory = shown_path(settings.pods_directory.absolute())
    if states:
        print_table(
            ("POD", "ENVIRONMENT", "WHY"),
            [(state.name, state.status, state.reason) for state in states],
        )
    else:
        print(f'No pods in {directory}/; "pypods create NAME" makes one.')
    print()


def print_problems(problems: list[dict[str, str]]) -> None:
    """Print what is broken and what to type."""
    for problem in problems:
        print(f"broken: {problem['what']}: {problem['reason']}")
        print(f"  type: {problem['type']}")
    if not problems:
        print("Nothing is broken.")


def doctor_document(
    versions: dict[str, str | None],
    interpreters: list[Interpreter],
    states: list[PodState],
    problems: list[dict[str, str]],
) -> dict[str, Any]:
    """Return everything as a JSON object."""
    from pypods.pods.python_request import format_version

    return {
        "python": platform.python_version(),
        "installed": versions,
        "interpreters": [
            {
                "version": format_version(one.version),
                "source": one.source,
                "path": str(one.path),
            }
            for one in interpreters
        ],
        "pods": [state.document() for state in states],
        "problems": problems,
    }
