"""How a command is declared: a function, the options common to all, and examples."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec

import typer
from typer.core import TyperCommand

from pypods.cli.settings import (
    InstallerOption,
    JsonOption,
    PodsDirectoryOption,
    QuietOption,
    Settings,
    TracebackOption,
    VerboseOption,
)

Parameters = ParamSpec("Parameters")

COMMON_OPTIONS = {
    "pods_directory": (PodsDirectoryOption, None),
    "installer": (InstallerOption, None),
    "json": (JsonOption, False),
    "quiet": (QuietOption, False),
    "verbose": (VerboseOption, False),
    "traceback": (TracebackOption, False),
}


@dataclass(frozen=True)
class Command:
    """One command; ``run`` takes what typer reads off the command line."""

    name: str
    run: Callable[..., int | None]
    examples: Sequence[str]
    takes_any_word: bool

    def add_to(self, app: typer.Typer) -> None:
        """Make it a command of ``app``."""
        app.command(
            self.name,
            cls=PodsCommand,
            epilog=format_examples(self.examples),
            context_settings={"ignore_unknown_options": self.takes_any_word},
        )(self.run)


class PodsCommand(TyperCommand):
    """A command whose help reads as others' do, its own options before the common ones."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words after the command's name; typer puts what is required in braces."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, the command's own options, and those of every command."""
        sections: dict[str, list[tuple[str, str]]] = {
            "Arguments": [],
            "Options": [],
            "Options of every command": [],
        }
        for param in self.get_params(ctx):
            words, text = param.get_help_record(ctx) or ("", "")
            if param.param_type_name == "argument":
                # Without the type that typer adds: it is text for all of them.
                sections["Arguments"].append((words.partition(" <")[0], text))
            elif param.name in COMMON_OPTIONS or param.name == "help":
                sections["Options of every command"].append((words, text))
            else:
                sections["Options"].append((words, text))
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def command(
    name: str, *, examples: Sequence[str], takes_any_word: bool = False
) -> Callable[[Callable[Concatenate[Settings, Parameters], int | None]], Command]:
    """Declare a function as a command; its first argument is the Settings.

    With ``takes_any_word`` a word such as -3, no option of the command, is an argument.
    """

    def declare(function: Callable[Concatenate[Settings, Parameters], int | None]) -> Command:
        return Command(name, with_common_options(function), examples, takes_any_word)

    return declare


def with_common_options(
    function: Callable[Concatenate[Settings, Parameters], int | None],
) -> Callable[..., int | None]:
    """Return ``function`` as typer wants it: with the common options in place of Settings."""

    @functools.wraps(function)
    def run(context: typer.Context, **given: Any) -> int | None:
        common = {name: given.pop(name) for name in COMMON_OPTIONS}
        assert isinstance(context.obj, Settings)
        context.obj = context.obj.narrowed(**common)
        own: Callable[..., int | None] = function
        return own(context.obj, **given)

    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter("context", keyword, annotation=typer.Context),
        *(parameter.replace(kind=keyword) for parameter in own),
        *(
            inspect.Parameter(name, keyword, annotation=annotation, default=default)
            for name, (annotation, default) in COMMON_OPTIONS.items()
        ),
    ]
    # Typer reads these two; wraps() has copied the function's own.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def format_examples(examples: Sequence[str]) -> str:
    """Return the examples for a help text; the backspace keeps their lines as they are."""
    return "\n".join(["\b", "Examples:", *(f"  {example}" for example in examples)])
