"""``pypods integrate``: an operation run, gone on with, and what was run before."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pypods.cli.command import command
from pypods.cli.environments import choose_progress
from pypods.cli.exits import UsageError
from pypods.cli.integration_progress import show_progress, shown_bytes, shown_seconds
from pypods.cli.output import output_on_stderr
from pypods.cli.settings import Settings
from pypods.cli.tables import print_table
from pypods.errors import PodError

if TYPE_CHECKING:
    from pypods.integrator import ExecutionReport, IntegrationReport, Integrator

HISTORY_VARIABLE = "PYPODS_HISTORY"
WORDS = ("history", "show", "resume")

What = Annotated[
    str,
    typer.Argument(
        metavar="FILE|history|show|resume",
        help="The operation's file, or what to do with the executions there were.",
        show_default=False,
    ),
]
ExecutionId = Annotated[
    str | None,
    typer.Argument(metavar="ID", help="The execution, for show and resume.", show_default=False),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="NAME", help="Do this integration only; may be repeated."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything, say what would change, move nothing.")
]
Limit = Annotated[
    int | None, typer.Option("--limit", metavar="N", help="Read no more rows of each source.")
]
Verify = Annotated[
    bool, typer.Option("--verify", help="Compare checksums of source and target afterwards.")
]
FullRefresh = Annotated[
    bool, typer.Option("--full-refresh", help="Forget cursors: read all rows and replace.")
]
ReportFile = Annotated[
    Path | None, typer.Option("--report", metavar="FILE.html", help="Write a page about it.")
]
NewId = Annotated[
    str | None,
    typer.Option("--id", metavar="ID", help="Call the execution so; the same again goes on."),
]
HistoryPlace = Annotated[
    str | None,
    typer.Option(
        "--history",
        envvar=HISTORY_VARIABLE,
        show_envvar=False,
        metavar="FILE|URL",
        help=f"Where executions are kept; else ${HISTORY_VARIABLE}, else .pypods/history.db.",
    ),
]


@command(
    "integrate",
    examples=(
        "pypods integrate operation.yaml",
        "pypods integrate operation.yaml --dry-run",
        "pypods integrate operation.yaml --only customers --limit 1000 --verify",
        "pypods integrate history",
        "pypods integrate resume nightly-20261121-030000-5f2c",
    ),
)
def integrate(
    settings: Settings,
    what: What,
    execution_id: ExecutionId = None,
    only: Only = None,
    dry_run: DryRun = False,
    limit: Limit = None,
    verify: Verify = False,
    full_refresh: FullRefresh = False,
    report_file: ReportFile = None,
    new_id: NewId = None,
    history: HistoryPlace = None,
) -> None:
    """Move rows from sources to targets, as an operation's file says.

    history: list the executions there were. show ID: say how one went. resume ID: go
    on with one that failed or was killed. For a file of such a name, write ./history.
    """
    check_words(
        what, execution_id, running=bool(only or dry_run or limit or full_refresh or new_id)
    )
    from pypods.integrator import Integrator
    from pypods.integrator.history import DEFAULT_HISTORY

    integrator = Integrator(
        pods_directory=settings.pods_directory,
        history=history or DEFAULT_HISTORY,
        installer=settings.installer,
        progress=choose_progress(settings),
    )
    try:
        if what == "history":
            print_history(settings, integrator)
            return
        if what == "show":
            report = find_report(integrator, str(execution_id))
            write_page(report, report_file, settings)
            print_report(settings, report, details=True)
            return
        try:
            with show_progress(settings, integrator), output_on_stderr(settings):
                if what == "resume":
                    report = integrator.resume(str(execution_id), verify=verify)
                else:
                    report = integrator.integrate(
                        what,
                        execution_id=new_id,
                        only=only or (),
                        limit=limit,
                        full_refresh=full_refresh,
                        verify=verify,
                        dry_run=dry_run,
                    )
        except PodError as exc:
            failed = getattr(exc, "report", None)
            if failed is not None:
                write_page(failed, report_file, settings)
                if not settings.json:
                    print_report(settings, failed)
            raise
        write_page(report, report_file, settings)
        print_report(settings, report)
    finally:
        integrator.history.close()


def check_words(what: str, execution_id: str | None, *, running: bool) -> None:
    """Raise UsageError for words that do not go together."""
    if what in ("show", "resume") and execution_id is None:
        raise UsageError(f'{what} needs an ID; "pypods integrate history" lists them')
    if what not in ("show", "resume") and execution_id is not None:
        raise UsageError(f"{execution_id!r}: one file at a time, and {what!r} takes no ID")
    if what in WORDS and running:
        raise UsageError(
            f"{what} takes none of --only, --dry-run, --limit, --full-refresh and --id; "
            "they are for running a file"
        )


def find_report(integrator: Integrator, execution_id: str) -> ExecutionReport:
    """Return the report of an execution there was. Raises UsageError for one there was not."""
    stored = integrator.history.find(execution_id)
    if stored is None:
        raise UsageError(
            f"no execution {execution_id!r} in {integrator.history.place}; "
            '"pypods integrate history" lists them'
        )
    return integrator.with_true_status(stored.report)


def print_history(settings: Settings, integrator: Integrator) -> None:
    """Print the latest executions, one a row."""
    reports = [integrator.with_true_status(each.report) for each in integrator.history.latest()]
    if settings.json:
        print(json.dumps([report.document() for report in reports]))
    elif reports:
        print_table(
            ("ID", "OPERATION", "STATUS", "STARTED", "TIME", "ROWS"),
            [
                (
                    report.id,
                    report.operation,
                    report.status,
                    datetime.fromtimestamp(report.started).strftime("%Y-%m-%d %H:%M:%S"),  # noqa: DTZ006
                    shown_seconds(report.seconds),
                    f"{sum(each.rows_written for each in report.integrations):,}",
                )
                for report in reports
            ],
        )
    elif not settings.quiet:
        print(f"No executions in {integrator.history.place}.", file=sys.stderr)


def print_report(settings: Settings, report: ExecutionReport, *, details: bool = False) -> None:
    """Print how an execution went: a row for each integration, and what there is to say."""
    if settings.json:
        print(json.dumps(report.document()))
        return
    if report.was_finished and not settings.quiet:
        print(f"{report.id} had finished before; nothing was left to do.")
    print_table(
        (
            "INTEGRATION",
            "STATUS",
            "ROWS",
            "TIME",
            "ROWS/S",
            "BYTES",
            "RETRIES",
            "BAD ROWS",
            "CHECKSUM",
        ),
        [row_of(each) for each in report.integrations],
    )
    for each in report.integrations:
        for line in remarks_of(each, details=details):
            print(f"  {each.name}: {line}")
    if not settings.quiet:
        if report.status == "planned":
            print("Nothing was moved (--dry-run).")
        elif report.status in ("failed", "interrupted"):
            print(f"To go on: pypods integrate resume {report.id}")
        else:
            print(f"{report.status.capitalize()} in {shown_seconds(report.seconds)}: {report.id}")


def row_of(report: IntegrationReport) -> tuple[str, ...]:
    """Return an integration's row."""
    verification = report.verification
    checksum = ""
    if verification is not None:
        checksum = {True: "equal", False: "DIFFERENT", None: "not compared"}[verification.equal]
    rows = report.rows_written if report.status != "planned" else report.rows_expected
    moved = report.status not in ("planned", "skipped", "pending")
    return (
        report.name,
        report.status,
        "" if rows is None else f"{rows:,}",
        shown_seconds(report.seconds) if moved else "",
        f"{report.rows_per_second:,.0f}" if moved else "",
        shown_bytes(report.bytes_written) if moved else "",
        str(report.retries) if moved else "",
        str(report.bad_rows) if moved else "",
        checksum,
    )


def remarks_of(report: IntegrationReport, *, details: bool) -> list[str]:
    """Return what is to be said of an integration besides its row."""
    lines = [*report.changes]
    if report.rows_resumed:
        lines.append(f"{report.rows_resumed:,} rows were there from before")
    if report.verification is not None and report.verification.equal is not True:
        lines.append(report.verification.note)
    if details:
        lines.append(f"{report.source} -> {report.target}, {report.mode}, run {report.run}")
        if report.parts > 1:
            lines.append(f"in {report.parts} parts")
        if report.peak_pod_memory is not None:
            lines.append(f"pods took {shown_bytes(report.peak_pod_memory)} at the most")
        if report.cursor_after is not None:
            lines.append(f"cursor {plain(report.cursor_after)}")
        if report.verification is not None and report.verification.source_sum is not None:
            lines.append(f"checksum {report.verification.source_sum}")
        if report.error is not None:
            lines.append(report.error)
    return lines


def plain(cursor: Any) -> str:
    """Return a stored cursor's value as text."""
    return str(cursor.get("value") if isinstance(cursor, dict) else cursor)


def write_page(report: ExecutionReport, path: Path | None, settings: Settings) -> None:
    """Write the page about an execution, if one is wanted."""
    if path is None:
        return
    from pypods.integrator import report_page

    path.write_text(report_page(report), encoding="utf-8")
    if not settings.quiet:
        print(f"Wrote {path}.", file=sys.stderr)
