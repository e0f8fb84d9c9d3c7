"""One integration from beginning to end: all of it is in the target afterwards, or nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Event as Flag
from typing import TYPE_CHECKING, Any, TypeVar

from pypods.errors import IntegrationError, PodError, VerificationError
from pypods.integrator.bad_rows import check_bad_rows, copy_bad_rows, count_bad_rows
from pypods.integrator.cursor import decode_cursor, encode_cursor, greatest
from pypods.integrator.movement import Movement, has_rows
from pypods.integrator.plan import Plan, make_plan
from pypods.integrator.secrets import Mask, resolve_secrets
from pypods.integrator.sides import OpenPod, Side
from pypods.integrator.steps import StepError, describe_error, public_error, shown_cause
from pypods.integrator.telling import Publish, Telling
from pypods.integrator.transfer import Counts, RestartError, StoppedError
from pypods.integrator.verify import verify

if TYPE_CHECKING:
    from pypods.integrator.operation import Integration
    from pypods.integrator.report import IntegrationReport

__all__ = ["IntegrationRun"]

log = logging.getLogger("pypods.integrator")

Result = TypeVar("Result")


class IntegrationRun:
    """One integration under way; ``report`` says how far it is."""

    def __init__(
        self,
        integration: Integration,
        report: IntegrationReport,
        *,
        open_pod: OpenPod,
        mask: Mask,
        publish: Publish,
        progress: dict[str, Any],
        keep_progress: Callable[[dict[str, Any]], None],
        full_refresh: bool = False,
        wants_verification: bool = False,
    ) -> None:
        self.integration = integration
        self.report = report
        self.mask = mask
        self.full_refresh = full_refresh
        self.wants_verification = wants_verification
        self.stop = Flag()
        self.counts = Counts()
        self._open_pod = open_pod
        self.telling = Telling(report, self.counts, mask=mask, publish=publish)
        self.progress = progress
        self.keep_progress = keep_progress
        place = f'integration "{integration.name}"'
        self.source = Side(
            "source",
            integration.source,
            resolve_secrets(integration.source.connection, mask, place=f"{place}: source"),
            open_pod,
            timeout=integration.timeout_seconds,
        )
        self.target = Side(
            "target",
            integration.target,
            resolve_secrets(integration.target.connection, mask, place=f"{place}: target"),
            open_pod,
            timeout=integration.timeout_seconds,
        )
        # Before a connector has said which of its settings are secrets.
        for side in (self.source, self.target):
            mask.add_settings(side.connection)

    # The whole ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Do it. Raises PodError of the kind that says what went wrong; the report knows too."""
        with self._under_way():
            self._open()
            failures = 0
            while True:
                try:
                    self._move_all()
                    break
                except RestartError as restart:
                    failures += 1
                    if failures > self.integration.retries.attempts:
                        raise restart.failure from None
                    log.warning("%s: beginning anew: %s", self.integration.name, restart)
                    self.step("cleaning up in", self.target, self._abandon)
            self.report.status = "finished"
            self.telling.end("finished")

    def rehearse(self) -> None:
        """Check that it could be done, and what would change; the target stays as it is."""
        with self._under_way():
            self._open()
            schema = self._read_schema()
            plan = self._plan(schema, self._cursor())
            prepared = self.prepare(plan, schema)
            self.step("cleaning up in", self.target, self._abandon)
            self.report.changes = [str(change) for change in prepared.get("changes") or []]
            self.report.parts = plan.process_count
            self.report.status = "planned"
            self.telling.update()

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        """Tell of the beginning and of a failure; let go of both sides in the end."""
        self.telling.begin()
        try:
            yield
        except BaseException as exc:  # noqa: BLE001 - Ctrl-C too is written down
            self._fail(exc)
            raise self._public(exc) from shown_cause(exc, self.mask)
        finally:
            self.source.close()
            self.target.close()

    def _public(self, error: BaseException) -> BaseException:
        return public_error(error, self.integration.name, self.mask)

    def _fail(self, error: BaseException) -> None:
        self.stop.set()
        if isinstance(error, Exception):
            self.report.status = "failed"
            self.report.error = self.mask(describe_error(self._public(error)))
        else:
            self.report.status = "interrupted"
            self.report.error = "interrupted"
        if self.integration.on_failure == "abandon" and isinstance(error, Exception):
            try:
                self._abandon()
            except Exception as exc:  # noqa: BLE001 - what failed first is what is told
                log.warning("%s: %s", self.integration.name, self.mask(describe_error(exc)))
        self.telling.end("failed")

    # Steps -------------------------------------------------------------------------------------

    def step(self, what: str, side: Side, function: Callable[[], Result]) -> Result:
        """Do one thing with one side, again where that may help. Raises StepError."""
        retries = self.integration.retries
        failures = 0
        while True:
            try:
                return function()
            except (IntegrationError, StepError, StoppedError):
                raise
            except Exception as exc:
                failure = StepError(what, side, exc)
                failures += 1
                if not failure.retry or failures > retries.attempts:
                    if (
                        isinstance(exc, PodError)
                        and not failure.retry
                        and not hasattr(exc, "pod_name")
                    ):
                        raise  # No pod, no environment, no start: said better than by a step.
                    raise failure from exc
                with self.counts.lock:
                    self.counts.retries += 1
                wait = retries.wait(failures)
                self.telling.publish("retry", message=f"{failure}; trying again in {wait:g} s")
                if self.stop.wait(wait):
                    raise StoppedError from exc

    def _open(self) -> None:
        """Start both connectors side by side, ask what they are, and reach both systems."""
        with ThreadPoolExecutor(2, thread_name_prefix="pypods start") as pool:
            sides = (self.source, self.target)
            for opened in [pool.submit(self._open_side, side) for side in sides]:
                opened.result()
        check_bad_rows(self.integration, self._open_pod)
        self.telling.publish("initialized")

    def _open_side(self, side: Side) -> None:
        about = self.step("starting", side, partial(getattr, side, "about"))
        secret = [
            str(setting.get("name"))
            for setting in about.get("settings") or ()
            if setting.get("secret")
        ]
        self.mask.add_settings(side.connection, secret)
        self.step("reaching", side, partial(side.call, "check"))

    def _read_schema(self) -> dict[str, Any]:
        wanted = self.integration.source
        optional: dict[str, Any] = {
            "query": wanted.query,
            "columns": wanted.columns,
            "names": dict(wanted.renames) or None,
        }
        given: dict[str, Any] = {k: v for k, v in optional.items() if v is not None}
        schema: dict[str, Any] = self.step(
            "reading the schema of",
            self.source,
            lambda: self.source.call("schema", self.source.stream, **given),
        )
        rows = schema.get("rows")
        if not wanted.where and self.integration.cursor is None:
            limit = self.integration.limit
            self.report.rows_expected = rows if limit is None or rows is None else min(rows, limit)
            if self.report.rows_expected is not None:
                self.telling.publish("source_count")
        elif self.integration.limit is not None:
            self.report.rows_expected = None
        return schema

    def _cursor(self) -> Any:
        """Return the cursor that the target keeps with its rows, as stored."""
        if self.integration.cursor is None:
            return None
        state = self.step(
            "asking the state of",
            self.target,
            lambda: self.target.call("state", self.target.stream),
        )
        return (state or {}).get("cursor")

    def _plan(self, schema: dict[str, Any], cursor: Any) -> Plan:
        plan = make_plan(
            self.integration,
            self.source,
            self.target,
            schema,
            cursor=cursor,
            full_refresh=self.full_refresh,
        )
        self.report.mode = plan.mode
        self.report.cursor_before = plan.since
        return plan

    def prepare(self, plan: Plan, schema: dict[str, Any]) -> dict[str, Any]:
        """Make the run's staging place, or find it with what is there. Raises StepError."""
        call = partial(
            self.target.call,
            "prepare",
            self.target.stream,
            schema["schema"],
            mode=plan.mode,
            key=plan.key,
            run=self.report.run,
            drift=self.integration.drift,
        )
        prepared: dict[str, Any] = self.step("preparing", self.target, call)
        return prepared

    def _abandon(self) -> None:
        self.progress = {}
        self.keep_progress({})
        self.counts.parts = []
        self.target.call("abandon", self.target.stream, run=self.report.run)

    # Moving ------------------------------------------------------------------------------------

    def _move_all(self) -> None:
        schema = self._read_schema()
        cursor = self._cursor()
        plan = self._plan(schema, cursor)
        try:
            prepared = self.prepare(plan, schema)
        except StepError as failure:
            if not failure.is_conflict:
                raise
            # What an earlier attempt of this run staged has another schema or key.
            self.step("cleaning up in", self.target, self._abandon)
            prepared = self.prepare(plan, schema)
        self.report.changes = [str(change) for change in prepared.get("changes") or []]
        parts = None
        if not prepared.get("finished"):
            if self._must_begin_anew(plan, prepared):
                self.step("cleaning up in", self.target, self._abandon)
                prepared = self.prepare(plan, schema)
            parts = Movement(self, plan, schema).move(prepared)
        self._finish(plan, schema, parts)

    def _must_begin_anew(self, plan: Plan, prepared: dict[str, Any]) -> bool:
        """Tell whether what an earlier attempt staged is of no use to this one."""
        if not has_rows(prepared):
            return False
        before = self.progress
        if not before or not plan.reading.can_go_on:
            return True
        if before["since"] != plan.since or before["order_by"] != plan.reading.order_by:
            return True
        return any(each and each.get("stable") is False for each in before["partitions"])

    def _finish(
        self, plan: Plan, schema: dict[str, Any], parts: dict[str, dict[str, Any]] | None
    ) -> None:
        """Let the target have the rows all at once, with the mark of the run and the cursor.

        ``parts`` are what is staged; None of a run that was finished before.
        """
        rows = cursor = None
        if parts is not None:
            rows = sum(int(part.get("rows") or 0) for part in parts.values())
            if rows != self.counts.total("rows"):
                raise IntegrationError(
                    f"{self.integration.name}: {self.counts.total('rows')} rows were written and "
                    f"{rows} are staged in {self.target.label}; nothing of the target was changed"
                )
            cursor = self._new_cursor(plan, list(parts.values()))
            self.report.cursor_after = cursor
        if plan.mode == "replace":
            self.telling.publish("truncated", message="the rows there were are replaced")
        result = self.step(
            "finishing",
            self.target,
            lambda: self.target.call(
                "finish", self.target.stream, run=self.report.run, cursor=cursor, rows=rows
            ),
        )
        if parts is None:
            self.report.rows_written = self.report.rows_resumed = int(result.get("rows") or 0)
        self.report.rows_in_target = result.get("rows_in_target")
        self._copy_bad_rows(finished=parts is None)
        self.telling.end_moving()
        if self.wants_verification:
            found = verify(self.integration, plan, schema, self.source, self.target, self.report)
            self.report.verification = found
            if found.equal is False:
                raise VerificationError(f"{self.integration.name}: {found.note}")

    def _copy_bad_rows(self, *, finished: bool) -> None:
        """Write the run's bad rows into a file, if that is asked for.

        Of a run that was finished before, nobody here has counted them.
        """
        bad_rows, run = self.integration.bad_rows, self.report.run
        if bad_rows == "fail":
            return
        if finished:
            self.report.bad_rows = self.step(
                "counting bad rows of", self.target, lambda: count_bad_rows(self.target, run)
            )
        if bad_rows.to != "table" and self.report.bad_rows:
            self.step(
                "copying bad rows of",
                self.target,
                lambda: copy_bad_rows(bad_rows.to, self.target, run, self._open_pod),
            )

    def _new_cursor(self, plan: Plan, staged: list[dict[str, Any]]) -> Any:
        """Return the greatest value of the cursor's column, as it is to be stored."""
        if self.integration.cursor is None:
            return None
        seen = [part["position"][0] for part in staged if part.get("position")]
        if plan.since is not None:
            seen.append(decode_cursor(plan.since))
        return encode_cursor(greatest(seen))
