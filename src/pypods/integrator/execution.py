"""What an execution is made of: its integrations, their names, its first reports; runs nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pypods.errors import IntegrationError, OperationError, PodError
from pypods.integrator.events import Event
from pypods.integrator.report import ExecutionReport, IntegrationReport

if TYPE_CHECKING:
    from pypods.integrator.operation import Endpoint, Operation

__all__ = [
    "ended_as",
    "integration_event",
    "loggers_of",
    "narrowed",
    "reports_of",
    "run_name",
    "with_report",
]

MAX_RUN_CHARACTERS = 64


def integration_event(
    name: str, report: ExecutionReport, about: IntegrationReport, more: dict[str, Any]
) -> Event:
    """Return an event of an integration, with its counts."""
    return Event(
        name,
        report.id,
        report.operation,
        about.name,
        seconds=about.seconds,
        rows_read=about.rows_read,
        rows_written=about.rows_written,
        bytes_read=about.bytes_read,
        bytes_written=about.bytes_written,
        batches=about.batches,
        bad_rows=about.bad_rows,
        retries=about.retries,
        rows_expected=about.rows_expected,
        **more,
    )


def narrowed(operation: Operation, only: Iterable[str], limit: int | None) -> Operation:
    """Return an operation with only these integrations, and no more rows of each than that.

    Raises OperationError for a name that it does not have.
    """
    names = list(only)
    known = [each.name for each in operation.integrations]
    for name in names:
        if name not in known:
            raise OperationError(
                f"{operation.name} has no integration {name!r}; it has: {', '.join(known)}"
            )
    if limit is not None and limit < 1:
        raise OperationError(f"a limit is 1 or more, not {limit}")
    chosen = [each for each in operation.integrations if not names or each.name in names]
    if limit is not None:
        chosen = [
            each.model_copy(
                update={"limit": limit if each.limit is None else min(each.limit, limit)}
            )
            for each in chosen
        ]
        for each in chosen:
            if each.cursor is not None and each.process_count > 1:
                raise OperationError(f"{each.name}: a cursor with a limit needs process_count 1")
    return operation.model_copy(update={"integrations": chosen})


def reports_of(operation: Operation, execution_id: str) -> list[IntegrationReport]:
    """Return what is reported of integrations before they began."""
    return [
        IntegrationReport(
            each.name,
            label_of(each.source),
            label_of(each.target),
            each.mode,
            run=run_name(execution_id, each.name),
        )
        for each in operation.integrations
    ]


def label_of(endpoint: Endpoint) -> str:
    """Return a connector and its stream, for people."""
    stream = getattr(endpoint, "stream", None)
    if stream is None:
        return f"{endpoint.connector} query"
    return f"{endpoint.connector} {stream if isinstance(stream, str) else '.'.join(stream)}"


def run_name(execution_id: str, integration: str) -> str:
    """Return what targets call the run: of letters, digits and ``- _ .``, never two the same."""
    name = f"{execution_id}.{integration}"
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", name)
    if plain == name and len(name) <= MAX_RUN_CHARACTERS and "." not in integration:
        return name
    digest = hashlib.blake2b(f"{execution_id}\0{integration}".encode(), digest_size=8).hexdigest()
    return f"{plain[: MAX_RUN_CHARACTERS - 17]}.{digest}"


def loggers_of(operation: Operation) -> list[str]:
    """Return the loggers through which a secret might go."""
    ends = [end for each in operation.integrations for end in (each.source, each.target)]
    pods = sorted({end.connector for end in ends})
    return ["pypods.integrator", *(f"pypods.pod.{name}" for name in pods)]


def ended_as(error: BaseException | None) -> str:
    """Return the status of an execution that ended so."""
    if error is None:
        return "finished"
    return "failed" if isinstance(error, Exception) else "interrupted"


def with_report(error: BaseException, report: ExecutionReport) -> BaseException:
    """Return the error to raise, with the report of what was done and how to go on."""
    if not isinstance(error, Exception):
        return error
    if not isinstance(error, PodError):
        error = IntegrationError(str(error))
    error.report = report  # type: ignore[attr-defined]
    return error
