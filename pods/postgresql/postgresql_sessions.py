"""A session with PostgreSQL, over any driver that leaves transactions to us; no catalog."""

from __future__ import annotations

from pypods.connectors.sql.session import Session


class PostgresqlSession(Session):
    """A session whose transactions begin and end by statements."""

    def do_not_wait_for_the_disk(self) -> None:
        """Let a server that crashes lose the last transactions of this session.

        Rows and their checkpoint are lost together, so a run goes on where it says; finish, in a
        session of its own, waits for the disk, and with it for all that came before.
        """
        self.run("set synchronous_commit = off")

    def commit(self) -> None:
        """End the transaction, with its changes."""
        self.run("commit")

    def rollback(self) -> None:
        """End the transaction, without its changes; a connection that is lost has none."""
        try:
            self.run("rollback")
        except Exception as exc:
            if getattr(exc, "sqlstate", None) not in (None, "25P01"):
                raise
