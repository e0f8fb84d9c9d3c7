"""An error to what is printed for it: one line with the next step, or one JSON object."""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

import typer

from pypods.cli.exits import ExitCode, exit_code_of
from pypods.errors import PodCallError, PodDiedError

#: What typer raises for a wrong command line. Its name has moved between typer's versions; it is
#: the last class before Exception in each of them.
CommandLineError = typer.BadParameter.__mro__[-4]


def report_failure(error: BaseException, *, as_json: bool, with_traceback: bool) -> ExitCode:
    """Print ``error`` for a person or a machine; return the exit code it leads to.

    A machine gets one JSON object on stdout, where it reads the results too; a person gets a
    line on stderr.
    """
    code = failure_code(error)
    if as_json:
        print(json.dumps(failure_document(error, code)))
        return code
    if with_traceback:
        traceback.print_exception(error)
    elif isinstance(error, PodCallError) and error.remote_traceback:
        print_dim(error.remote_traceback)
    elif isinstance(error, PodDiedError) and error.last_output not in str(error):
        print_dim(error.last_output)
    print_error(failure_message(error, code))
    return code


def failure_code(error: BaseException) -> ExitCode:
    """Return the exit code for ``error``, one of typer's included."""
    if isinstance(error, CommandLineError):
        return ExitCode.USAGE
    if isinstance(error, typer.Abort):
        return ExitCode.INTERRUPTED
    return exit_code_of(error)


def failure_message(error: BaseException, code: ExitCode) -> str:
    """Return one line or more that say what happened and what to do next."""
    if isinstance(error, CommandLineError):
        return usage_message(error)
    if code is ExitCode.INTERRUPTED:
        return "interrupted"
    if isinstance(error, PodCallError):
        said = f": {error}" if str(error) else ""
        return f'pod "{error.pod_name}" raised {error.type_name}{said}'
    if code is ExitCode.INTERNAL:
        return (
            f"{type(error).__name__}: {error}; this is a mistake in pypods, "
            "run again with --traceback to see where"
        )
    return str(error) or type(error).__name__


def usage_message(error: Any) -> str:
    """Return typer's message with the command whose help says more."""
    message = str(error.format_message()).rstrip(" .")
    context = getattr(error, "ctx", None)
    return f'{message} (see "{context.command_path} --help")' if context else message


def failure_document(error: BaseException, code: ExitCode) -> dict[str, Any]:
    """Return ``error`` as a JSON object for machines."""
    usage = code is ExitCode.USAGE
    document: dict[str, Any] = {
        "type": "UsageError" if usage else type(error).__name__,
        "message": failure_message(error, code),
        "exit_code": int(code),
    }
    if isinstance(error, PodCallError):
        # The class is made for this one error: it is the root's name that a machine can match.
        document |= {
            "type": PodCallError.__name__,
            "pod": error.pod_name,
            "raised": error.type_name,
            "said": str(error),
            "traceback": error.remote_traceback,
        }
    elif isinstance(error, PodDiedError):
        document |= {"exit_status": error.exit_status, "last_output": error.last_output}
    report = getattr(error, "report", None)
    if report is not None:  # Of an execution that failed.
        document["report"] = report.document()
    return {"error": document}


def print_error(message: str) -> None:
    """Print ``message`` on stderr, marked in red on a terminal."""
    typer.secho("error: ", fg=typer.colors.RED, bold=True, err=True, nl=False, color=choose_color())
    typer.echo(message, err=True)


def print_dim(text: str) -> None:
    """Print the text of somebody else, dimmed on a terminal, on stderr."""
    sys.stdout.flush()
    typer.secho(text.rstrip("\n"), dim=True, err=True, color=choose_color())


def choose_color() -> bool | None:
    """Return False where colours are not wanted; None leaves it to the terminal."""
    return False if os.environ.get("NO_COLOR") else None
