"""The command ``pypods``: its commands put together, run, and every error turned into a line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

import pypods
from pypods.cli.command import format_examples
from pypods.cli.commands.cache import cache
from pypods.cli.commands.call import call
from pypods.cli.commands.connectors import connectors
from pypods.cli.commands.create import create
from pypods.cli.commands.doctor import doctor
from pypods.cli.commands.inspect import inspect_pod
from pypods.cli.commands.integrate import integrate
from pypods.cli.commands.list import list_pods
from pypods.cli.commands.remove import remove
from pypods.cli.commands.run import run
from pypods.cli.commands.script import script
from pypods.cli.commands.stubs import stubs
from pypods.cli.commands.sync import sync
from pypods.cli.failures import report_failure
from pypods.cli.settings import (
    TRACEBACK_VARIABLE,
    InstallerOption,
    JsonOption,
    PodsDirectoryOption,
    QuietOption,
    Settings,
    TracebackOption,
    VerboseOption,
)

HELP = """Call what lives in another environment as if it were imported.

A pod is a folder, pods/NAME, with its own interpreter and its own dependencies.
"""

EXAMPLES = (
    "pypods create mydb --with duckdb==0.8.1",
    "pypods inspect mydb",
    "pypods call mydb hello Ada",
    "pypods doctor",
)


COMMANDS = (
    create, list_pods, sync, inspect_pod, call, script, run, stubs, remove, cache, integrate,
    connectors, doctor,
)  # fmt: skip


class PodsGroup(TyperGroup):
    """The group of commands; ends the process with a documented exit code, never a traceback."""

    def main(  # type: ignore[override]  # typer's own arguments are handed on as they come
        self, args: Sequence[str] | None = None, **extra: Any
    ) -> NoReturn:
        """Run a command line and exit."""
        words = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        try:
            code = super().main(words, **extra)
        except Exception as error:  # noqa: BLE001  # the last place to say what went wrong
            code = report_failure(error, **failure_options(words))
        sys.exit(code or 0)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; typer would let Ctrl-C pass without a word."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as exc:
            raise typer.Abort from exc


def failure_options(words: Sequence[str]) -> dict[str, bool]:
    """Return how to report an error of a command line that may not even have been parsed."""
    options = words[: words.index("--")] if "--" in words else words
    variable = os.environ.get(TRACEBACK_VARIABLE, "").lower() in ("1", "true", "yes", "on")
    return {
        "as_json": "--json" in options,
        "with_traceback": variable or "--traceback" in options,
    }


app = typer.Typer(
    cls=PodsGroup,
    help=HELP,
    epilog=format_examples(EXAMPLES),
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def print_version(wanted: bool) -> None:
    """Print the version and stop, where it is asked for."""
    if wanted:
        print(f"pypods {pypods.__version__}")
        raise typer.Exit


@app.callback()
def start(
    context: typer.Context,
    pods_directory: PodsDirectoryOption = None,
    installer: InstallerOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    traceback: TracebackOption = False,
    version: Annotated[  # noqa: ARG001  # print_version has used it
        bool,
        typer.Option("--version", callback=print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Keep what every command is told; without a command, say which there are."""
    context.obj = Settings(
        pods_directory or Path("pods"), installer or "uv", json, quiet, verbose, traceback
    )
    if context.invoked_subcommand is None:
        print(context.get_help())


for one in COMMANDS:
    one.add_to(app)


def main() -> None:
    """Run the command line of this process, and end it."""
    app(prog_name="pypods")
