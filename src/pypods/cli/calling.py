"""One call of a pod's function from the command line: words to arguments, result to JSON."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pypods.cli.arguments import ArgumentError, parse_argument, parse_keywords
from pypods.cli.exits import UsageError
from pypods.cli.json_values import to_json
from pypods.cli.output import output_on_stderr
from pypods.cli.settings import Settings

if TYPE_CHECKING:
    from pypods.pods import Pod, PodLoader

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="ARGS", help="Each one JSON, or plain text.", show_default=False),
]
Keywords = Annotated[
    list[str] | None,
    typer.Option("--kw", metavar="NAME=JSON", help="An argument by name; may be repeated."),
]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", help="Give up after this long."),
]


@dataclass(frozen=True)
class Arguments:
    """What a function is called with, and how many seconds that may take."""

    args: list[Any]
    kwargs: dict[str, Any]
    timeout: float | None


def read_arguments(
    words: Iterable[str] | None, keywords: Iterable[str] | None, timeout: float | None
) -> Arguments:
    """Return what the words of a command line stand for; raises UsageError."""
    try:
        args = [parse_argument(word) for word in words or ()]
    except ArgumentError as exc:
        raise UsageError(str(exc)) from exc
    try:
        kwargs = parse_keywords(keywords or ())
    except ArgumentError as exc:
        raise UsageError(f"--kw {exc}") from exc
    if timeout is not None and not timeout > 0:
        raise UsageError("--timeout: a time to wait is more than 0 seconds")
    return Arguments(args, kwargs, timeout)


def print_call(settings: Settings, loader: PodLoader, function: str, given: Arguments) -> None:
    """Load a pod, call one of its functions and print the result."""
    with output_on_stderr(settings), loader as pod:
        check_call(pod, loader.pod_name, function, given)
        offered = getattr(pod, function)
        if given.timeout is not None:
            offered = offered.options(timeout=given.timeout)
        result = offered(*given.args, **given.kwargs)
        indent = 2 if sys.stdout.isatty() and not settings.json else None
        print(to_json(result, indent=indent))


def check_call(pod: Pod, name: str, function: str, given: Arguments) -> None:
    """Raise UsageError where the pod has no such function, or it takes no such arguments."""
    from pypods.pods import describe

    offered = {one.name: one for one in describe(pod)}
    if function not in offered:
        close = difflib.get_close_matches(function, offered, n=1)
        meant = f' (did you mean "{close[0]}"?)' if close else ""
        names = ", ".join(offered) or "nothing yet"
        raise UsageError(f'pod "{name}" offers no "{function}"{meant}; it offers {names}')
    signature = offered[function].signature
    if signature is None:
        return
    try:
        signature.bind(*given.args, **given.kwargs)
    except TypeError as exc:
        raise UsageError(f"{function}{signature}: {exc}") from exc
