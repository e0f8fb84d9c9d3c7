"""Exit codes, in one table; what is printed beside them is in failures.py."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from enum import IntEnum

from pypods import errors

SIGNAL_BASE = 128


class ExitCode(IntEnum):
    """Number a command ends with; ``EXIT_CODES`` says what each one means."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    ENVIRONMENT = 4
    POD = 5
    TIMEOUT = 6
    INTERNAL = 70
    INTERRUPTED = 130


class UsageError(Exception):
    """The command line asks for what makes no sense here; the message says what would."""


@dataclass(frozen=True)
class ExitMeaning:
    """One row of the table: a code, what it tells, and the errors that lead to it."""

    code: ExitCode
    meaning: str
    raised_by: tuple[type[BaseException], ...] = ()


#: Errors are looked up from the top, so a class stands above its own base classes.
EXIT_CODES = (
    ExitMeaning(ExitCode.OK, "done"),
    ExitMeaning(
        ExitCode.FAILED,
        "a pod's function raised, a value cannot cross, a file cannot be written, "
        "a question was answered with no, stubs are not up to date, an integration failed, "
        "a connector failed its suite, or doctor found something broken",
        (
            errors.PodCallError,
            errors.ValueTransferError,
            errors.IntegrationError,
            builtins.OSError,
        ),
    ),
    ExitMeaning(
        ExitCode.USAGE,
        "the command line is wrong: unknown command, option or function, wrong arguments; "
        "or an operation is not written as one",
        (UsageError, errors.OperationError),
    ),
    ExitMeaning(
        ExitCode.NOT_FOUND, "no such pod in the pods directory", (errors.PodNotFoundError,)
    ),
    ExitMeaning(
        ExitCode.ENVIRONMENT,
        "the pod's environment cannot be made, or no such Python was found",
        (errors.PodEnvironmentError,),
    ),
    ExitMeaning(
        ExitCode.POD,
        "the pod did not start, died, or broke the protocol",
        (errors.PodStartError, errors.PodDiedError, errors.ProtocolError, errors.PodError),
    ),
    ExitMeaning(ExitCode.TIMEOUT, "the call took longer than --timeout", (errors.PodTimeoutError,)),
    ExitMeaning(ExitCode.INTERNAL, "a mistake in pypods itself; please report it"),
    ExitMeaning(ExitCode.INTERRUPTED, "interrupted with Ctrl-C"),
)


def exit_code_of(error: BaseException) -> ExitCode:
    """Return the code of the table's row whose error class is nearest to ``error``'s."""
    for ancestor in type(error).__mro__:
        for row in EXIT_CODES:
            if ancestor in row.raised_by:
                return row.code
    return ExitCode.INTERNAL
