"""``pypods call``: one call of a pod's function, its result as JSON."""

from __future__ import annotations

from typing import Annotated

import typer

from pypods.cli.calling import Keywords, Timeout, Words, print_call, read_arguments
from pypods.cli.command import command
from pypods.cli.completion import complete_functions
from pypods.cli.pod_arguments import PodName, make_loader
from pypods.cli.settings import Settings

FunctionName = Annotated[
    str,
    typer.Argument(
        metavar="FUNCTION",
        help='One of those "pypods inspect NAME" shows.',
        show_default=False,
        autocompletion=complete_functions,
    ),
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
    print_call(settings, loader, function, read_arguments(words, keywords, timeout))
