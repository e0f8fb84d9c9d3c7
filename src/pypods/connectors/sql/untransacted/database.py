"""What a SQL system without transactions has to offer for a journal, beside a Database."""

from __future__ import annotations

from abc import abstractmethod

from pypods.connectors.sql.database import Database
from pypods.connectors.sql.untransacted.staging import UntransactedStaging

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["UntransactedDatabase"]


class UntransactedDatabase(Database):
    """A system whose single statements are all that is atomic, or may be done again."""

    #: The staging table's column that says which INSERT a row came with.
    token_column = "_pypods_batch"
    #: How many tokens a condition names; more are noted, and read from there.
    most_listed_tokens = 0
    #: What the names of our own tables begin with.
    own_prefix = "_pypods_"

    def staging(self, session: Any, target: Any) -> UntransactedStaging:
        """Return the steps of writing into a table."""
        return UntransactedStaging(self, session, target)

    def truncate(self, session: Any, parts: Any) -> None:
        """Remove all rows of a table."""
        session.run(f"truncate table {self.table(parts)}")

    @abstractmethod
    def is_there(self, session: Any, parts: Any) -> bool:
        """Whether there is a table of that name."""

    @abstractmethod
    def create_log(self, session: Any, parts: Any, columns: dict[str, str]) -> None:
        """Make a table that rows are only added to, unless it is there.

        ``columns`` are names to ``text`` or ``number``.
        """

    @abstractmethod
    def insert_rows(
        self, session: Any, parts: Any, columns: dict[str, str], rows: list[list[Any]]
    ) -> None:
        """Add rows to such a table, all of them or none."""

    @abstractmethod
    def create_staged(self, session: Any, parts: Any, schema: Any) -> None:
        """Make the table that a run's rows wait in, with the column of tokens."""

    def settle(self, session: Any, target: Any) -> None:
        """Let a target be in its place again, from which an end that was cut off has taken it."""

    @abstractmethod
    def check_writable(self, session: Any, parts: Any) -> None:
        """Raise SettingsError for a table that cannot be written in steps here."""

    @abstractmethod
    def create_like(self, session: Any, parts: Any, target: Any, plan: Any) -> None:
        """Make an empty table like another one; with a plan, with what it adds and widens."""

    def fill(self, session: Any, parts: Any, names: Any, select: str) -> None:
        """Insert what a SELECT returns into columns of a table that nobody sees."""
        listed = ", ".join(map(self.quote, names))
        session.run(f"insert into {self.table(parts)} ({listed}) {select}")

    def can_move(self, session: Any, target: Any, plan: Any) -> bool:
        """Whether rows of one table can be moved into another, with what the plan changes."""
        return True

    def way_to_replace(self, plan: Any) -> str:
        """Return how a new table gets into the place of one that is there."""
        return "swap"

    def names_for(self, how: str, name: str) -> list[str]:
        """Return the names of further tables that putting a new one into its place makes."""
        return []

    def mark_state(self, session: Any, parts: Any) -> Any:
        """Return what is another once rows of a table have changed; None where nothing tells."""
        return None

    def note_ready(self, session: Any, new: Any, target: Any) -> dict[str, Any]:
        """Return what ``put_in_place`` has to know of the new table."""
        return {}

    def is_stale(self, session: Any, ready: dict[str, Any], target: Any) -> bool:
        """Whether the target is not what it was when the new table was made of it.

        Then another one is made. Not so once the new table is in its place.
        """
        return False

    @abstractmethod
    def put_in_place(self, session: Any, ready: dict[str, Any], target: Any, own: Any) -> None:
        """Make the new table, or its rows, the target's. May be repeated after any failure.

        ``own`` is a table's name that nobody but this attempt uses.
        """
