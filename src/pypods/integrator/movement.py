"""The rows of one integration moved: cut into parts, on threads, gone on with after a failure."""

from __future__ import annotations

import json
import logging
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from pypods.errors import PodError
from pypods.integrator.steps import LostRowsError, StepError, describe_error
from pypods.integrator.transfer import Part, RestartError, Transfer

if TYPE_CHECKING:
    from pypods.integrator.plan import Plan
    from pypods.integrator.run import IntegrationRun

__all__ = ["Movement", "has_rows", "storable"]

log = logging.getLogger("pypods.integrator")

SAMPLE_SECONDS = 0.25
#: After one failed, the other parts have so long to come to the end of their batch.
HALT_SECONDS = 30.0


class Movement:
    """All rows of a run to the target's staging place, as its plan says."""

    def __init__(self, run: IntegrationRun, plan: Plan, schema: dict[str, Any]) -> None:
        self._run = run
        self._plan = plan
        self._schema = schema

    def move(self, prepared: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Move all rows into the target's staging place; return what it has then, by part."""
        holds_snapshot = False
        partitions: list[dict[str, Any] | None]
        if self._run.progress and has_rows(prepared):
            partitions = list(self._run.progress["partitions"])
        else:
            partitions = [None]
            if self._plan.process_count > 1:
                partitions = self._partitions() or [None]
                holds_snapshot = any(each and "snapshot" in each for each in partitions)
            self._run.progress = {
                "since": self._plan.since,
                "order_by": self._plan.reading.order_by,
                "partitions": [each and storable(each) for each in partitions],
            }
            self._run.keep_progress(self._run.progress)
        parts = [Part(str(i), each, worker=i) for i, each in enumerate(partitions)]
        for part in parts:
            part.found(prepared["parts"].get(part.name))
        self._run.counts.parts = parts
        self._run.report.parts = len(parts)
        self._run.report.rows_resumed = self._run.counts.total("rows")
        self._run.telling.begin_moving()
        self._run.telling.publish(
            "started", message=f"in {len(parts)} parts" if len(parts) > 1 else ""
        )
        try:
            return self._move_with_retries(prepared)
        finally:
            if holds_snapshot and self._run.source.is_running(0):
                self._release(partitions)

    def _partitions(self) -> list[dict[str, Any] | None]:
        reading = self._plan.reading
        optional = {
            "where": reading.where or None, "query": reading.query, "columns": reading.columns,
        }  # fmt: skip
        given: dict[str, Any] = {k: v for k, v in optional.items() if v is not None}
        return list(
            self._run.step(
                "partitioning",
                self._run.source,
                lambda: self._run.source.call(
                    "partitions", self._run.source.stream, self._plan.process_count, **given
                ),
            )
        )

    def _release(self, partitions: list[dict[str, Any] | None]) -> None:
        """Let the source end the snapshot; its worker's end would do it too."""
        try:
            self._run.source.call("release_partitions", partitions)
        except PodError as exc:
            log.warning("%s: %s", self._run.integration.name, self._run.mask(describe_error(exc)))

    def _move_with_retries(self, prepared: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Move all parts; go on with those that did not come to their end, if that may help.

        All stop when one fails: the target is asked once what it has, and takes no more from
        whoever began before that. At the end it is asked again.
        """
        retries = self._run.integration.retries
        failures = 0
        while True:
            before = self._moved()
            try:
                self._move_parts(prepared.get("attempt"))
            except StepError as exc:
                failure = exc
                # Who reaches a source that was away, and finds its snapshot gone, has come further.
                no_snapshot = self._moved() <= before and self._is_of_lost_snapshot(failure)
                failures = 1 if self._moved() > before or no_snapshot else failures + 1
            else:
                prepared = self._run.prepare(self._plan, self._schema)
                loss = self._find_loss(prepared["parts"])
                if loss is None:
                    return dict(prepared["parts"])
                failure, no_snapshot = loss, False
                failures += 1
            if not failure.retry or failures > retries.attempts:
                raise failure
            with self._run.counts.lock:
                self._run.counts.retries += 1
            wait = retries.wait(failures)
            self._run.telling.publish("retry", message=f"{failure}; trying again in {wait:g} s")
            self._run.stop.wait(wait)
            prepared = self._run.prepare(self._plan, self._schema)
            self._find_parts(prepared, failure, no_snapshot=no_snapshot)

    def _moved(self) -> int:
        return self._run.counts.total("rows") + self._run.counts.total("bad")

    def _is_of_lost_snapshot(self, failure: StepError) -> bool:
        """Tell whether the source says that what its partitions are of is there no more.

        Its pod may live, and the connection that held the snapshot have ended with the server.
        """
        has_one = any(
            part.partition and "snapshot" in part.partition
            for part in self._run.counts.parts
            if not part.is_done
        )
        return has_one and failure.side is self._run.source and failure.is_conflict

    def _find_loss(self, staged: dict[str, dict[str, Any]]) -> LostRowsError | None:
        """Return the error for a part of which the target has forgotten what it had committed."""
        target = self._run.target
        for part in self._run.counts.parts:
            there = staged.get(part.name) or {}
            if part.has_lost(there):
                return LostRowsError(
                    target,
                    f"{part.rows} rows were written and {int(there.get('rows') or 0)} are staged "
                    f"in {target.label}, as if its server had been killed",
                )
        return None

    def _find_parts(
        self, prepared: dict[str, Any], failure: StepError, *, no_snapshot: bool
    ) -> None:
        """Take over what the target has of each part. Raises RestartError where that is no use."""
        parts = self._run.counts.parts
        has_snapshot = not no_snapshot and len(parts) > 1 and self._run.source.is_running(0)
        for part in parts:
            staged = prepared["parts"].get(part.name)
            if part.is_done and not part.has_lost(staged):
                continue
            part.is_done = False
            part.found(staged)
            if not part.can_go_on(self._plan.reading) or not (has_snapshot or part.lose_snapshot()):
                raise RestartError(failure)

    def _move_parts(self, attempt: int | None) -> None:
        """Move parts on threads of their own; raises what the first that failed raised."""
        bad_rows = self._run.integration.bad_rows
        halt = Flag()
        transfer = Transfer(
            self._run.source,
            self._run.target,
            self._plan.reading,
            run=self._run.report.run,
            attempt=attempt,
            collects_bad_rows=bad_rows != "fail",
            max_bad_rows=None if bad_rows == "fail" else bad_rows.threshold,
            stop=halt,
            counts=self._run.counts,
            publish=self._run.telling.publish,
            snapshot_holder=0 if len(self._run.counts.parts) > 1 else None,
        )
        done: SimpleQueue[BaseException | None] = SimpleQueue()
        waiting = iter([part for part in self._run.counts.parts if not part.is_done])

        def move(part: Part) -> None:
            try:
                transfer.move(part)
            except BaseException as exc:  # noqa: BLE001 - raised by the thread that waits
                done.put(exc)
            else:
                done.put(None)

        def start(part: Part) -> Thread:
            thread = Thread(target=move, args=(part,), name=f"pypods part {part.name}", daemon=True)
            thread.start()
            return thread

        at_once = range(self._run.integration.process_count)
        threads = [start(part) for _, part in zip(at_once, waiting, strict=False)]
        ended, first, give_up = 0, None, 0.0
        try:
            while ended < len(threads):
                try:
                    error = done.get(timeout=SAMPLE_SECONDS)
                except Empty:
                    transfer.end_silent_targets()
                    self._run.telling.sample([*self._run.source.pids, *self._run.target.pids])
                    if first is not None and monotonic() > give_up:
                        self._stop_pods()
                    continue
                ended += 1
                if error is not None and first is None:
                    first, give_up = error, monotonic() + HALT_SECONDS
                    halt.set()
                following = next(waiting, None) if first is None else None
                if following is not None:
                    threads.append(start(following))
        except BaseException:
            halt.set()
            self._stop_pods()
            raise
        finally:
            for thread in threads:
                thread.join(HALT_SECONDS)
        if first is not None:
            raise first

    def _stop_pods(self) -> None:
        """Stop both sides' pods, so that whoever waits for them gets an error."""
        self._run.source.close()
        self._run.target.close()


def has_rows(prepared: dict[str, Any]) -> bool:
    """Tell whether any rows of the run are staged, of what ``prepare`` says."""
    return any(part.get("rows") or part.get("bad") for part in prepared["parts"].values())


def storable(partition: dict[str, Any]) -> dict[str, Any]:
    """Return a partition as a resumed run may use it; of one that JSON has no place for, the mark.

    With that mark the resumed run begins anew.
    """
    kept = {name: value for name, value in partition.items() if name != "snapshot"}
    try:
        json.dumps(kept, allow_nan=False)
    except (TypeError, ValueError):
        return {"stable": False}
    return kept
