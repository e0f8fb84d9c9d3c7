"""``pypods connectors``: the pods that are connectors, and what they offer."""

from __future__ import annotations

import ast
import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pypods.cli.command import command
from pypods.cli.completion import complete_pods, functions_in_source
from pypods.cli.environments import examine
from pypods.cli.exits import UsageError
from pypods.cli.output import output_on_stderr
from pypods.cli.pod_arguments import make_loader, shown_path
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


ActionName = Annotated[
    Action, typer.Argument(metavar="list|show", help="What to do.", show_default=False)
]
Name = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME", help="The connector to show.", show_default=False,
        autocompletion=complete_pods,
    ),
]  # fmt: skip


@command("connectors", examples=("pypods connectors list", "pypods connectors show postgresql"))
def connectors(settings: Settings, action: ActionName, name: Name = None) -> None:
    """List the connectors there are, or show the settings of one.

    list: those in the pods directory and those that came with pypods; nothing is
    started. show NAME: the connector is started and says what its settings are.
    """
    if action is Action.list:
        if name is not None:
            raise UsageError(f'"connectors list" takes no name; see "connectors show {name}"')
        list_connectors(settings)
        return
    if name is None:
        raise UsageError('"connectors show" needs a name; "pypods connectors list" lists them')
    show_connector(settings, name)


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
                    NOT_VERIFIED if about["verified"] is False else "",
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
    about["verified"] = about["verified"] is not False  # Few say that they are.
    return about


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
    loader = make_loader(settings, name)
    with output_on_stderr(settings), loader as pod:
        if MARK not in dir(pod):
            raise UsageError(f'pod "{name}" is no connector: it has no function {MARK}()')
        about = pod.describe_connector()
    if settings.json:
        print(json.dumps(about, default=str))
        return
    remark = f" ({NOT_VERIFIED})" if about.get("verified") is False else ""
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
