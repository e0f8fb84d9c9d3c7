"""A session of a SQL system without transactions: what would begin and end one does nothing."""

from __future__ import annotations

from pypods.connectors.sql.session import Session

__all__ = ["UntransactedSession"]


class UntransactedSession(Session):
    """A session. Each statement is by itself, so a transaction begins and ends nothing."""

    def begin(self) -> None:
        """Begin nothing."""

    def commit(self) -> None:
        """End nothing: what was done is there."""

    def rollback(self) -> None:
        """End nothing: what was done is there."""

    def savepoint(self, name: str) -> None:
        """Note nothing: an INSERT that fails has a token that never counts."""

    def rollback_to(self, name: str) -> None:
        """Undo nothing."""

    def release(self, name: str) -> None:
        """Forget nothing."""
