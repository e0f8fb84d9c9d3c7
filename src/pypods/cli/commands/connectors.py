"""``pypods connectors``: the pods that are connectors, what they offer, new ones, their tests."""

from __future__ import annotations

import ast
import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pypods.cli.command import command
from pypods.cli.completion import complete_pods, functions_in_source
from pypods.cli.connector_testing import CALL_SECONDS, check_connector
from pypods.cli.connector_writing import Kind, new_connector
from pypods.cli.environments import examine
from pypods.cli.exits import UsageError
from pypods.cli.output import output_on_stderr
from pypods.cli.pod_arguments import make_connector_loader, shown_path
from pypods.cli.settings import Settings
from pypods.cli.tables import print_table

if TYPE_CHECKING:
    from pypods.pods.folder import PodFolder

#: What a pod has to offer to be a connector.
MARK = "describe_connector"
SHOWN = ("title", "verified")
NOT_VERIFIED = "not verified against a real server"


class Action(StrEnum):
    """What is done with connectors."""

    list = "list"
    show = "show"
    new = "new"
    test = "test"


ActionName = Annotated[
    Action, typer.Argument(metavar="list|show|new|test", help="What to do.", show_default=False)
]
Name = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME", help="The connector, but for list.", show_default=False,
        autocompletion=complete_pods,
    ),
]  # fmt: skip
Like = Annotated[
    Kind | None,
    typer.Option(
        "--like", metavar="sql|files", show_default=False,
        help="new: a SQL system by its driver (if not given), or a kind of file.",
    ),
]  # fmt: skip
Requirements = Annotated[
    list[str] | None,
    typer.Option("--with", metavar="REQUIREMENT", help="new: a package it needs; may be repeated."),
]
PythonRequest = Annotated[
    str | None,
    typer.Option(
        "--python", metavar="VERSION", help="new: its Python, as of create; else this one's."
    ),
]
Connection = Annotated[
    list[str] | None,
    typer.Option(
        "--connection", metavar="FILE|NAME=VALUE",
        help="test: a setting, or a YAML file of settings; may be repeated.",
    ),
]  # fmt: skip
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="CHECK", help="test: this check only; may be repeated."),
]
Schema = Annotated[
    str | None,
    typer.Option("--schema", metavar="NAME", help="test: an empty schema, if none can be made."),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout", metavar="SECONDS", min=0.001,
        help="test: what one call may take; 300 if not given.",
    ),
]  # fmt: skip


@command(
    "connectors",
    examples=(
        "pypods connectors list",
        "pypods connectors show postgresql",
        "pypods connectors new mydb --with mydriver==2.1",
        "pypods connectors test mydb --connection 'password=${env:MYDB_PASSWORD}'",
    ),
)
def connectors(
    settings: Settings,
    action: ActionName,
    name: Name = None,
    like: Like = None,
    requirements: Requirements = None,
    python: PythonRequest = None,
    connection: Connection = None,
    only: Only = None,
    schema: Schema = None,
    timeout: Timeout = None,
) -> int | None:
    """List, show, write and test connectors.

    list: those in the pods directory and those that came with pypods; nothing is
    started. show NAME: the connector is started and says what its settings are.
    new NAME: write a connector that works, and its tests, to be changed into yours.
    test NAME: see whether it does what every connector has to; it works in a new
    folder or schema only, which it removes.
    """
    check_options(
        action,
        new={"--like": like, "--with": requirements, "--python": python},
        test={"--connection": connection, "--only": only, "--schema": schema, "--timeout": timeout},
    )
    if action is Action.list:
        if name is not None:
            raise UsageError(f'"connectors list" takes no name; see "connectors show {name}"')
        list_connectors(settings)
        return None
    if name is None:
        hint = "" if action is Action.new else '; "pypods connectors list" lists them'
        raise UsageError(f'"connectors {action}" needs a name{hint}')
    if action is Action.show:
        show_connector(settings, name)
        return None
    if action is Action.new:
        new_connector(settings, name, like or Kind.sql, requirements or [], python)
        return None
    return check_connector(
        settings, name, connection or [], only or [], schema, timeout or CALL_SECONDS
    )


def check_options(action: Action, **taken: dict[str, Any]) -> None:
    """Raise UsageError for an option that another action takes."""
    for other, options in taken.items():
        given = [option for option, value in options.items() if value is not None]
        if given and action != other:
            raise UsageError(f'{given[0]} is an option of "connectors {other}"')


def list_connectors(settings: Settings) -> None:
    """Print a row for each connector."""
    from pypods.pods.folder import list_pod_folders
    from pypods.pods.shipped import list_shipped_pods

    own = list_pod_folders(pods_directory=settings.pods_directory)
    names = {folder.name for folder in own}
    shipped = [folder for folder in list_shipped_pods() if folder.name not in names]
    found = [
        (folder, about)
        for folder in sorted([*own, *shipped], key=lambda each: each.name)
        if (about := read_about(folder)) is not None
    ]

    def environment(folder: PodFolder) -> str:
        return examine(settings, folder).status if folder.name in names else "shipped"

    if settings.json:
        documents = [
            {
                "name": folder.name,
                "path": str(folder.path),
                "environment": environment(folder),
            }
            | about
            for folder, about in found
        ]
        print(json.dumps(documents))
    elif found:
        print_table(
            ("CONNECTOR", "FOR", "ENVIRONMENT", "REMARK"),
            [
                (
                    folder.name,
                    str(about["title"] or ""),
                    environment(folder),
                    remark_on(about["verified"]),
                )
                for folder, about in found
            ],
        )
    elif not settings.quiet:
        directory = shown_path(settings.pods_directory.absolute())
        print(
            f"No connectors in {directory}/, and none came with pypods.",
            file=sys.stderr,
        )


def read_about(folder: PodFolder) -> dict[str, Any] | None:
    """Return what a pod's files seem to say of its connector, read and not run.

    None if it is none.
    """
    try:
        if MARK not in functions_in_source(folder.pod_file.read_text(encoding="utf-8")):
            return None
    except (OSError, ValueError, SyntaxError):
        return None
    about: dict[str, Any] = dict.fromkeys(SHOWN)
    for path in [folder.pod_file, *sorted(folder.path.glob("*.py"))]:
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, SyntaxError):
            continue
        for name, value in constants_in(tree):
            if name in about and about[name] is None:
                about[name] = value
    if about["verified"] is None:  # Few say that they are.
        about["verified"] = True
    return about


def remark_on(verified: Any) -> str:
    """Return what a person is told of a connector that is not simply verified: its own words."""
    if isinstance(verified, str):
        return verified
    return NOT_VERIFIED if verified is False else ""


def constants_in(tree: ast.AST) -> list[tuple[str, Any]]:
    """Return the names that are given constant values: in dictionaries, calls, assignments."""
    pairs: list[tuple[Any, ast.expr | None]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            pairs += [
                (key.value, value)
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)
            ]
        elif isinstance(node, ast.Call):
            pairs += [(keyword.arg, keyword.value) for keyword in node.keywords]
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            pairs.append((node.targets[0].id, node.value))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            pairs.append((node.target.id, node.value))
    return [(str(name), value.value) for name, value in pairs if isinstance(value, ast.Constant)]


def show_connector(settings: Settings, name: str) -> None:
    """Start a connector and print what it says of itself."""
    loader = make_connector_loader(settings, name)
    with output_on_stderr(settings), loader as pod:
        if MARK not in dir(pod):
            raise UsageError(f'pod "{name}" is no connector: it has no function {MARK}()')
        about = pod.describe_connector()
    if settings.json:
        print(json.dumps(about, default=str))
        return
    remark = remark_on(about.get("verified"))
    remark = remark and f" ({remark})"
    print(f"{name}: {about.get('title', '')}, {about.get('driver', '')}{remark}")
    abilities = about.get("capabilities") or {}
    modes = abilities.get("write") or []
    can = [each for each, has in abilities.items() if has is True]
    print(f"  can: {', '.join(can)}")
    print(f"  modes: {', '.join(modes) or 'none, it is only a source'}")
    rows = [
        (
            str(each.get("name")),
            str(each.get("type", "")),
            "required" if each.get("required") else shown_default(each.get("default")),
            ("secret: " if each.get("secret") else "") + str(each.get("doc") or ""),
        )
        for each in about.get("settings") or []
    ]
    if rows:
        print()
        print_table(("SETTING", "TYPE", "DEFAULT", "MEANING"), rows)


def shown_default(default: Any) -> str:
    """Return a default as it would be written in an operation."""
    return "" if default is None else json.dumps(default, default=str)
