"""One part of a run, batch by batch, each in one transaction with its checkpoint."""

from __future__ import annotations

from collections import deque

from pypods.connectors.bad_rows import BadRow, split_bad_rows
from pypods.connectors.errors import DataError
from pypods.connectors.sql.bad_rows import insert_good_rows

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["PartWriter"]


class PartWriter:
    """Writes the batches of one part; ``total`` is what was written.

    ``insert`` puts a batch of ``schema`` into the staging table. ``done`` is the part's last
    checkpoint. ``max_bad_rows`` of the run are put aside; None: the first one is an error.
    """

    def __init__(
        self,
        staging: Any,
        insert: Any,
        schema: Any,
        *,
        run: str,
        part: str,
        attempt: int,
        done: dict[str, Any],
        key: Any,
        max_bad_rows: int | None,
    ) -> None:
        self.staging = staging
        self.insert = insert
        self.schema = schema
        self.run = run
        self.part = part
        self.attempt = attempt
        self.key = key
        self.max_bad_rows = max_bad_rows
        self.total = {"rows": 0, "bytes": 0, "batches": 0, "bad": 0}
        #: Rows, bytes and bad rows of each commit that nobody was told of yet.
        self.commits: deque[tuple[int, int, int]] = deque()
        self._batches = done["batches"]
        #: The place in the part of the next batch's first row.
        self._seen = done["rows"] + done["bad"]

    def write_batch(self, given: Any, position: list[Any]) -> None:
        """Write a batch and its checkpoint. Raises DataError and ConflictError."""
        ledger = self.staging.ledger
        size, bad = given.nbytes, []
        batch = given
        if self.max_bad_rows is None:
            batch, _ = split_bad_rows(given, self.schema, self.key, first_row=self._seen, most=None)
        with self.staging.transaction():
            ledger.hold_attempt(self.run, self.attempt, self.part)
            if self.max_bad_rows is None:
                self._insert(batch)
            else:
                bad = self._insert_good(given, self.max_bad_rows)
            rows = given.num_rows - len(bad)
            ledger.checkpoint(
                self.run, self.part,
                batches=self._batches + 1, rows=rows, size=size, bad=len(bad), position=position,
            )  # fmt: skip
        self._batches += 1
        self._seen += given.num_rows
        self.total["rows"] += rows
        self.total["bytes"] += size
        self.total["batches"] += 1
        self.total["bad"] += len(bad)
        self.commits.append((rows, size, len(bad)))

    def _insert(self, batch: Any) -> None:
        try:
            self.insert(batch)
        except Exception as exc:
            error = self.staging.session.translate(exc)
            if not isinstance(error, DataError):
                raise
            first, last = self._seen, self._seen + batch.num_rows - 1
            at = error.position
            where = f"one of the rows {first} to {last}" if at is None else f"row {first + at}"
            raise DataError(
                f"{where} (from 0) of part {self.part!r}: {error}",
                position=None if at is None else first + at,
                column=error.column,
            ) from None

    def _insert_good(self, given: Any, most: int) -> list[BadRow]:
        """Insert the rows that can be, and put the others aside; return those."""
        parts = self.staging.ledger.parts(self.run).values()
        room = most - sum(int(each["bad"]) for each in parts)
        batch, bad = split_bad_rows(given, self.schema, self.key, first_row=self._seen, most=room)
        if batch.num_rows:
            taken = {each.at for each in bad}
            found = insert_good_rows(self.staging.session, self.insert, batch, most=room - len(bad))
            # Their places are among those that were left.
            left = [at for at in range(given.num_rows) if at not in taken] if found else []
            for each in found:
                each.at = left[each.at]
            bad = sorted([*bad, *found], key=lambda each: each.at)
        if bad:
            self.staging.letters.add(self.run, self.part, self._seen, bad)
        return bad
