"""The integrator: operations run, gone on with and remembered."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from pypods.errors import OperationError, PodNotFoundError
from pypods.integrator.events import Broker, Event, Observer
from pypods.integrator.execution import (
    ended_as,
    integration_event,
    loggers_of,
    narrowed,
    reports_of,
    with_report,
)
from pypods.integrator.history import DEFAULT_HISTORY, History
from pypods.integrator.operation import Operation
from pypods.integrator.operation_file import read_operation
from pypods.integrator.report import ExecutionReport, IntegrationReport
from pypods.integrator.run import IntegrationRun
from pypods.integrator.secrets import Mask, masked_logging

if TYPE_CHECKING:
    from pypods.integrator.operation import Integration
    from pypods.pods.loader import PodLoader
    from pypods.pods.progress import Progress

__all__ = ["Integrator"]

log = logging.getLogger("pypods.integrator")

EXECUTION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,150}")


class Integrator:
    """Runs operations, any number of them; each is written down in the history.

    ``pods_directory`` is where the connectors' pods are. ``history`` is a file for SQLite, or the
    URL of a database if SQLAlchemy is installed. ``installer`` and ``progress`` are a PodLoader's.
    """

    def __init__(
        self,
        *,
        pods_directory: str | os.PathLike[str] = "pods",
        history: str | os.PathLike[str] | History = DEFAULT_HISTORY,
        installer: str = "uv",
        progress: Progress | None = None,
    ) -> None:
        self.history = history if isinstance(history, History) else History(history)
        self._broker = Broker()
        self._pods_directory = Path(pods_directory).absolute()
        self._installer = installer
        self._progress = progress

    def subscribe(self, event: str, observer: Observer) -> Callable[[], None]:
        """Call ``observer`` with each such Event, or with all for ``"*"``; return the undoing.

        It is called on a thread of its own: what it raises is logged, and while it is slow the
        pipeline goes on. Raises ValueError for an event that there is not.
        """
        return self._broker.subscribe(event, observer)

    def open_pod(self, connector: str) -> PodLoader:
        """Return a loader of a connector's pod. Raises PodNotFoundError."""
        from pypods.pods.loader import PodLoader
        from pypods.pods.shipped import no_such_connector

        try:
            loader = PodLoader(
                connector,
                pods_directory=self._pods_directory,
                installer=self._installer,
                progress=self._progress,
            )
        except ValueError as exc:
            raise OperationError(f"connector: {exc}") from exc
        try:
            _ = loader.folder  # A loader by itself would make an empty pod of that name.
        except PodNotFoundError:
            raise no_such_connector(connector, self._pods_directory) from None
        return loader

    # Running -----------------------------------------------------------------------------------

    def integrate(
        self,
        operation: Operation | str | os.PathLike[str],
        *,
        execution_id: str | None = None,
        only: Iterable[str] = (),
        limit: int | None = None,
        full_refresh: bool = False,
        verify: bool = False,
        dry_run: bool = False,
    ) -> ExecutionReport:
        """Do an operation, or the file that holds one, and return what was done.

        The same ``execution_id`` again goes on with an execution that did not finish, and does
        nothing if it did. ``only`` are names of integrations, ``limit`` bounds the rows of each.
        Raises OperationError for what cannot be done as it is written, IntegrationError (with
        ``report``) for what failed, PodNotFoundError, PodEnvironmentError and PodStartError for a
        connector that does not come up.
        """
        if not isinstance(operation, Operation):
            operation = read_operation(Path(operation))
        operation = narrowed(operation, only, limit)
        if execution_id is None:
            stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
            word = re.sub(r"[^A-Za-z0-9._-]+", "-", operation.name).strip("-._")[:60] or "run"
            execution_id = f"{word}-{stamp}-{secrets.token_hex(2)}"
        elif not EXECUTION_ID.fullmatch(execution_id):
            raise OperationError(
                f"{execution_id!r} is no execution's id; take letters, digits and . _ : @ + -"
            )
        if dry_run:
            return self._rehearse(operation, execution_id, full_refresh=full_refresh)
        return self._execute(operation, execution_id, full_refresh=full_refresh, verify=verify)

    def resume(self, execution_id: str, *, verify: bool = False) -> ExecutionReport:
        """Go on with an execution that did not finish, as its operation was written then.

        Raises as ``integrate`` does, and OperationError for an id that the history does not have.
        """
        stored = self.history.find(execution_id)
        if stored is None:
            raise OperationError(
                f"no execution {execution_id!r} in {self.history.place}; "
                '"pypods integrate history" lists them'
            )
        if not stored.resumable:
            raise OperationError(
                f"{execution_id} moved tables of a program's memory; run it from that program, "
                "with the same execution_id"
            )
        return self._execute(Operation.model_validate(stored.document), execution_id, verify=verify)

    def with_true_status(self, report: ExecutionReport) -> ExecutionReport:
        """Return a stored report; one that says "running" is interrupted if nobody runs it."""
        if report.status == "running":
            with suppress(OperationError), self._only_one(report.id):
                report.status = "interrupted"
                for each in report.integrations:
                    if each.status == "running":
                        each.status = "interrupted"
        return report

    def _execute(
        self,
        operation: Operation,
        execution_id: str,
        *,
        full_refresh: bool = False,
        verify: bool = False,
    ) -> ExecutionReport:
        mask = Mask()
        with ExitStack() as stack:
            stack.enter_context(self._only_one(execution_id))
            stack.enter_context(masked_logging(mask, loggers_of(operation)))
            report = self._begin(operation, execution_id)
            if report.status == "finished":
                log.warning("%s has finished before; nothing is left to do", execution_id)
                report.was_finished = True
                return report
            began = monotonic()
            stack.callback(self._broker.drain)
            report.status = "running"
            self.history.begin(report, operation, resumable=not operation.uses_memory)
            self._tell(report, "started", began)
            error = self._run_all(operation, report, mask, full_refresh, verify)
            report.seconds = monotonic() - began
            report.error = None if error is None else str(error)
            report.status = ended_as(error)
            self.history.end(report)
            self._tell(report, "finished" if error is None else "failed", began, report.error or "")
        report.events_dropped = self._broker.dropped
        if error is not None:
            raise with_report(error, report)
        return report

    def _begin(self, operation: Operation, execution_id: str) -> ExecutionReport:
        stored = self.history.find(execution_id)
        if stored is None:
            return ExecutionReport(
                execution_id,
                operation.name,
                started=time(),
                integrations=reports_of(operation, execution_id),
            )
        if stored.document != operation.document():
            raise OperationError(
                f"{execution_id} was another operation, or this one before it was changed; "
                "choose another id, or resume that one with "
                f'"pypods integrate resume {execution_id}"'
            )
        return stored.report

    def _run_all(
        self,
        operation: Operation,
        report: ExecutionReport,
        mask: Mask,
        full_refresh: bool,
        verify: bool,
    ) -> BaseException | None:
        first: BaseException | None = None
        for integration, each in zip(operation.integrations, report.integrations, strict=True):
            if each.status == "finished":
                continue
            if first is not None and (
                operation.on_failure == "stop" or not isinstance(first, Exception)
            ):
                each.status = "skipped"
                self.history.update_integration(report.id, each)
                continue
            try:
                run = self._run_of(integration, each, report, mask, full_refresh, verify)
                self.history.update_integration(report.id, each)
                run.run()
            except BaseException as exc:  # noqa: BLE001 - raised when all is written down
                if each.status in ("pending", "skipped"):
                    each.status, each.error = "failed", mask(str(exc))
                first = first or exc
            self.history.update_integration(report.id, each)
        return first

    def _run_of(
        self,
        integration: Integration,
        each: IntegrationReport,
        report: ExecutionReport,
        mask: Mask,
        full_refresh: bool,
        verify: bool,
    ) -> IntegrationRun:
        progress = self.history.progress(report.id, integration.name)
        full_refresh = full_refresh or bool(progress.get("full_refresh"))

        def keep(progress: dict[str, Any]) -> None:
            self.history.keep_progress(
                report.id, integration.name, {**progress, "full_refresh": full_refresh}
            )

        def publish(name: str, about: IntegrationReport, more: dict[str, Any]) -> None:
            self._broker.publish(integration_event(name, report, about, more))

        return IntegrationRun(
            integration,
            each,
            open_pod=self.open_pod,
            mask=mask,
            publish=publish,
            progress=progress if "partitions" in progress else {},
            keep_progress=keep,
            full_refresh=full_refresh,
            wants_verification=verify,
        )

    def _rehearse(
        self, operation: Operation, execution_id: str, *, full_refresh: bool
    ) -> ExecutionReport:
        mask = Mask()
        began = monotonic()
        report = ExecutionReport(
            execution_id,
            operation.name,
            "running",
            time(),
            integrations=reports_of(operation, f"dry-{execution_id}"),
        )
        with ExitStack() as stack:
            stack.callback(self._broker.drain)
            stack.enter_context(masked_logging(mask, loggers_of(operation)))
            for integration, each in zip(operation.integrations, report.integrations, strict=True):

                def publish(name: str, about: IntegrationReport, more: dict[str, Any]) -> None:
                    self._broker.publish(integration_event(name, report, about, more))

                IntegrationRun(
                    integration,
                    each,
                    open_pod=self.open_pod,
                    mask=mask,
                    publish=publish,
                    progress={},
                    keep_progress=lambda progress: None,  # noqa: ARG005
                    full_refresh=full_refresh,
                ).rehearse()
        report.status = "planned"
        report.seconds = monotonic() - began
        return report

    def _only_one(self, execution_id: str) -> Any:
        """Hold the lock of an execution: two at once would stage the same rows."""
        from pypods.pods.lock import hold_lock

        folder = Path(DEFAULT_HISTORY).parent
        if "://" not in self.history.place:
            folder = Path(self.history.place).parent
        folder /= "locks"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise OperationError(f"{folder} cannot be made ({exc}); name another history") from exc

        def refuse() -> None:
            raise OperationError(
                f"{execution_id} is running at this moment; wait for its end, or choose another id"
            )

        name = hashlib.blake2b(execution_id.encode(), digest_size=8).hexdigest()
        return hold_lock(folder / f"{name}.lock", on_wait=refuse)

    def _tell(self, report: ExecutionReport, name: str, began: float, message: str = "") -> None:
        total = report.integrations
        self._broker.publish(
            Event(
                name,
                report.id,
                report.operation,
                seconds=monotonic() - began,
                rows_read=sum(each.rows_read for each in total),
                rows_written=sum(each.rows_written for each in total),
                bytes_read=sum(each.bytes_read for each in total),
                bytes_written=sum(each.bytes_written for each in total),
                batches=sum(each.batches for each in total),
                bad_rows=sum(each.bad_rows for each in total),
                retries=sum(each.retries for each in total),
                message=message,
            )
        )
