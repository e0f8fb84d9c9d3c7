"""What a SQL system whose DDL is no part of a transaction has to offer for a journal."""

from __future__ import annotations

from pypods.connectors.sql.database import Database
from pypods.connectors.sql.journaled_staging import JournaledStaging

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["JournaledDatabase"]


class JournaledDatabase(Database):
    """A system in which DDL ends the transaction, or is done beside it, and cannot be undone."""

    def staging(self, session: Any, target: Any) -> JournaledStaging:
        """Return the steps of writing into a table."""
        return JournaledStaging(self, session, target)

    def hold_stream(self, session: Any, target: Any) -> None:
        """Wait until nobody else begins or ends a run of this table. Raises ConflictError.

        Nothing where DDL is done beside the transaction, which holds the run's row on.
        """

    def release_stream(self, session: Any, target: Any) -> None:
        """Let others begin and end runs."""

    def can_swap(self, session: Any, staging: Any, target: Any, plan: Any) -> bool:
        """Whether the staging table, as it is, can take the target's place.

        Where that may be, ``swap(session, staging, target, old)`` does it in one step; the target
        gets the name ``old``.
        """
        return False
