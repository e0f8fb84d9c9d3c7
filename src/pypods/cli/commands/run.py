"""``pypods run``: a file's function, or the file as a script, in an environment from the cache."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pypods.cli.calling import Keywords, Timeout, Words, print_call, read_arguments
from pypods.cli.command import command
from pypods.cli.environments import choose_progress
from pypods.cli.exits import SIGNAL_BASE, UsageError
from pypods.cli.settings import Settings

if TYPE_CHECKING:
    from pypods.pods.cache import AskedEnvironment

Target = Annotated[
    str,
    typer.Argument(
        metavar="FILE[:FUNCTION]", help="A file, or a function in it.", show_default=False
    ),
]
Requirements = Annotated[
    list[str] | None,
    typer.Option("--with", metavar="REQUIREMENT", help="A package it needs; may be repeated."),
]
PythonRequest = Annotated[
    str | None,
    typer.Option(
        "--python", metavar="VERSION", help="Its Python: 3.8, 3.8.18 or a path; else this one's."
    ),
]


@command(
    "run",
    examples=(
        "pypods run --with requests==2.20 --python 3.8 script.py:fetch '{\"page\": 1}'",
        "pypods run --with 'pandas<2' report.py:total sales.csv --kw year=2024",
        "pypods run script.py -- --verbose input.txt",
    ),
    takes_any_word=True,
)
def run(
    settings: Settings,
    target: Target,
    words: Words = None,
    requirements: Requirements = None,
    python: PythonRequest = None,
    keywords: Keywords = None,
    timeout: Timeout = None,
) -> int:
    """Run a file's function, or a file, in a pod without a folder.

    Its environment has what --with names and what a "# /// script" block in the
    file asks for; it is made once and kept in the cache. FILE:FUNCTION is a call, its
    arguments and its result as of "pypods call". FILE alone runs as a script, with
    the words as they are and this command's input and output; the exit code is its own.
    """
    path, function = split_target(target)
    asked = read_request(settings, path, requirements or [], python)
    if function is None:
        if keywords or timeout is not None:
            raise UsageError("--kw and --timeout are for a call; name a function: FILE:FUNCTION")
        return run_as_script(settings, path, asked, words or [])
    given = read_arguments(words, keywords, timeout)
    from pypods.pods.cached_loader import CachedLoader

    loader = CachedLoader(pod_name(path), asked, file=path, progress=choose_progress(settings))
    print_call(settings, loader, function, given)
    return 0


def split_target(target: str) -> tuple[Path, str | None]:
    """Return the file and the function that a word names; raises UsageError."""
    name, function = target, None
    if not Path(target).is_file() and ":" in target:
        name, _, function = target.rpartition(":")
        if not function.isidentifier():
            raise UsageError(f'"{function}" names no function; write {name}:FUNCTION')
    path = Path(name).absolute()
    if not path.is_file():
        raise UsageError(f'there is no file "{name}"; write script.py:function or script.py')
    if path.suffix != ".py":
        raise UsageError(f'"{name}" is no Python file: its name does not end with .py')
    return path, function


def pod_name(path: Path) -> str:
    """Return what the file is called as a pod: its name, as Python takes names."""
    from pypods.pods.folder import check_pod_name

    name = re.sub(r"\W", "_", path.stem)
    try:
        check_pod_name(name)
    except ValueError:
        return f"_{name}"
    return name


def read_request(
    settings: Settings, path: Path, requirements: list[str], python: str | None
) -> AskedEnvironment:
    """Return the environment that the options and the file's block ask for together."""
    from pypods.pods.cache import AskedEnvironment
    from pypods.pods.interpreters import find_interpreter
    from pypods.pods.script_block import read_file_block

    block = read_file_block(path, pod_name(path))
    required = block.requires_python
    try:
        if python is not None and required is not None:
            find_interpreter(python, requires_python=required)
        return AskedEnvironment.read(
            [*block.dependencies, *requirements],
            python=python if python is not None else required,
            installer=settings.installer,
        )
    except ValueError as exc:
        raise UsageError(str(exc)) from exc


def run_as_script(settings: Settings, path: Path, asked: AskedEnvironment, words: list[str]) -> int:
    """Run the file as ``__main__`` with this command's own streams; return its exit code."""
    import subprocess

    from pypods.pods.cache import use_environment
    from pypods.pods.process import pod_environment_variables, worker_command

    name = pod_name(path)
    environment, use = use_environment(asked, name, progress=choose_progress(settings))
    try:
        command = worker_command(environment.python, "--script", name, str(path), *words)
        variables = pod_environment_variables(name, environment.venv)
        status = subprocess.run(command, env=variables, check=False).returncode
    finally:
        use.end()
    return status if status >= 0 else SIGNAL_BASE - status
