"""``pypods stubs``: what pods offer, written down for type checkers and editors."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pypods.cli.command import command
from pypods.cli.commands.sync import PodNames
from pypods.cli.exits import ExitCode
from pypods.cli.failures import failure_code, failure_document, print_error, report_failure
from pypods.cli.pod_arguments import find_folder, shown_path
from pypods.cli.settings import Settings

if TYPE_CHECKING:
    from pypods.pods.stubs import StubFile

#: What a file was before it was written.
WRITTEN = {"current": "unchanged", "missing": "written", "stale": "written", "surplus": "removed"}

Output = Annotated[
    Path,
    typer.Option(
        "--output",
        metavar="FOLDER",
        help="Write the folder pypods_types in there, not in the current one.",
        show_default=False,
    ),
]
Check = Annotated[
    bool,
    typer.Option(
        "--check", help="Write nothing; end with exit code 1 if a stub is not up to date."
    ),
]


@command(
    "stubs",
    examples=(
        "pypods stubs",
        "pypods stubs mydb",
        "pypods stubs --output typings",
        "pypods stubs --check",
    ),
)
def stubs(
    settings: Settings, names: PodNames = None, output: Output = Path(), check: Check = False
) -> int:
    """Write what pods offer down for type checkers and editors.

    They read it in the folder pypods_types. It is made from each pod.py, which is
    read and not run; no environment is needed.
    """
    from pypods.pods.folder import list_pod_folders
    from pypods.pods.stubs import plan_stubs, plan_surplus, write_stub

    all_folders = list_pod_folders(pods_directory=settings.pods_directory)
    named = [find_folder(settings, name) for name in dict.fromkeys(names or ())]
    plan = plan_stubs(named or all_folders, all_folders=all_folders, output=output)
    files = plan.files if named else [*plan_surplus(all_folders, output=output), *plan.files]
    documents: list[dict[str, Any]] = []
    code = ExitCode.OK
    for folder, error in plan.failures:
        code = failure_code(error)
        if settings.json:
            documents.append({"name": folder.name, **failure_document(error, code)})
        else:
            report_failure(error, as_json=False, with_traceback=settings.traceback)
    for stub in files:
        if not check and stub.status != "current":
            write_stub(stub)
        status = stub.status if check else WRITTEN[stub.status]
        path = stub.path.absolute()
        documents.append({"name": stub.name, "path": str(path), "status": status})
        if not settings.json and not settings.quiet:
            print(f"{stub.name or 'PodLoader'}: {status}, {shown_path(path)}")
    if settings.json:
        print(json.dumps(documents))
    elif not documents and not code and not settings.quiet:
        print('No pods here; run "pypods create NAME" to make one.', file=sys.stderr)
    changed = any(stub.status != "current" for stub in files)
    if changed and check:
        if not settings.json:
            print_stale(files, output)
        return code or ExitCode.FAILED
    if changed and not settings.json and not settings.quiet:
        print_settings(output)
    return code


def print_stale(files: list[StubFile], output: Path) -> None:
    """Print which stubs are not up to date, and what to type."""
    which = ", ".join(each.name or "PodLoader" for each in files if each.status != "current")
    command = "pypods stubs" if output == Path() else f"pypods stubs --output {output}"
    print_error(f'stubs that are not up to date: {which}; run "{command}"')


def print_settings(output: Path) -> None:
    """Print what a type checker has to be told to find the stubs."""
    folder = shown_path(output.absolute())
    if folder == ".":
        print("mypy and pyright, run in this folder, find them; there is nothing to set.")
        return
    quoted = json.dumps(folder)
    print(f"mypy finds them with a line in pyproject.toml, under [tool.mypy]: mypy_path = {quoted}")
    if folder == "typings":
        print("pyright, run in this folder, finds them; there is nothing to set.")
    else:
        print(f"pyright finds them with one under [tool.pyright]: stubPath = {quoted}")
