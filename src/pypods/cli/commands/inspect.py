"""``pypods inspect``: what a pod offers, as the running pod describes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pypods.cli.command import command
from pypods.cli.output import output_on_stderr
from pypods.cli.pod_arguments import PodName, make_loader, shown_path
from pypods.cli.settings import Settings
from pypods.cli.tables import print_table

if TYPE_CHECKING:
    from pypods.pods import FunctionDescription


@command(
    "inspect",
    examples=(
        "pypods inspect mydb",
        "pypods inspect mydb --json",
    ),
)
def inspect_pod(settings: Settings, name: PodName) -> None:
    """Show what a pod offers: functions, signatures, docs.

    The pod is started for it, and stopped again.
    """
    from pypods.pods import describe

    loader = make_loader(settings, name)
    with output_on_stderr(settings), loader as pod:
        offered = describe(pod)
        folder, hello = loader.folder, loader.hello
    assert hello is not None  # It has just described itself.
    about = {
        "name": name,
        "path": str(folder.path),
        "python": hello.python,
        "implementation": hello.implementation,
        "platform": hello.platform,
    }
    if settings.json:
        print(json.dumps(about | {"functions": [function_document(one) for one in offered]}))
        return
    print(f"pod     {name}")
    print(f"python  {hello.python} ({hello.implementation})")
    print(f"path    {shown_path(folder.path)}")
    print()
    if offered:
        print_table(("FUNCTION", "DOES"), [(heading(one), first_line(one.doc)) for one in offered])
    else:
        print(f"No functions yet: write one in {shown_path(folder.pod_file)}.")


def heading(function: FunctionDescription) -> str:
    """Return a function's name and signature as in its ``def``."""
    return f"{function.name}{function.signature or '(...)'}"


def first_line(doc: str | None) -> str:
    """Return the first line of a docstring."""
    return (doc or "").strip().partition("\n")[0]


def function_document(function: FunctionDescription) -> dict[str, Any]:
    """Return a function as a JSON object."""
    signature = function.signature
    return {
        "name": function.name,
        "signature": str(signature) if signature is not None else None,
        "doc": function.doc,
    }
