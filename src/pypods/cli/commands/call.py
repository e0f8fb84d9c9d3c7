"""``pypods call``: one call of a pod's function, its result as JSON."""

from __future__ import annotations

import difflib
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pypods.cli.arguments import ArgumentError, parse_argument, parse_keywords
from pypods.cli.command import command
from pypods.cli.completion import complete_functions
from pypods.cli.exits import UsageError
from pypods.cli.json_values import to_json
from pypods.cli.output import output_on_stderr
from pypods.cli.pod_arguments import PodName, make_loader
from pypods.cli.settings import Settings

if TYPE_CHECKING:
    from pypods.pods import Pod

FunctionName = Annotated[
    str,
    typer.Argument(
        metavar="FUNCTION",
        help='One of those "pypods inspect NAME" shows.',
        show_default=False,
        autocompletion=complete_functions,
    ),
]
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


@command(
    "call",
    examples=(
        "pypods call mydb hello Ada",
        "pypods call mydb query '\"select 1\"' --kw timeout=2.5",
        'pypods call mydb insert \'[[1, "a"], [2, "b"]]\' --timeout 30',
    ),
    takes_any_word=True,
)
def call(
    settings: Settings,
    name: PodName,
    function: FunctionName,
    words: Words = None,
    keywords: Keywords = None,
    timeout: Timeout = None,
) -> None:
    """Call a function in a pod and print its result as JSON.

    An argument is JSON: 3, true, null, '[1, 2]', '{"a": 1}', '"text"'. A word that
    does not look like JSON is taken as text, so Ada is '"Ada"'. What the pod prints
    and logs goes to stderr.
    """
    loader = make_loader(settings, name)
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
    with output_on_stderr(settings), loader as pod:
        check_call(pod, name, function, args, kwargs)
        offered = getattr(pod, function)
        if timeout is not None:
            offered = offered.options(timeout=timeout)
        result = offered(*args, **kwargs)
        indent = 2 if sys.stdout.isatty() and not settings.json else None
        print(to_json(result, indent=indent))


def check_call(pod: Pod, name: str, function: str, args: list[Any], kwargs: dict[str, Any]) -> None:
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
        signature.bind(*args, **kwargs)
    except TypeError as exc:
        raise UsageError(f"{function}{signature}: {exc}") from exc
