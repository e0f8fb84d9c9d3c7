"""SQL systems whose database is a file, with a number for each row; no server to reach."""

from __future__ import annotations

from pathlib import Path

from pypods.connectors.errors import SettingsError, UnreachableError
from pypods.connectors.settings import setting
from pypods.connectors.sql.database import Database
from pypods.connectors.sql.statement import Statement, Value

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["FILE_SETTING", "FileDatabase"]

FILE_SETTING = setting("database", "path", "the file; made when it is first written", required=True)
IN_MEMORY = ":memory:"


class FileDatabase(Database):
    """One SQL system in a file, which ``FILE_SETTING`` names."""

    #: What a row's number can be called; a column of the same name hides it.
    row_numbers = ("rowid",)

    def path(self, settings: dict[str, Any], *, writing: bool) -> str:
        """Return the file. Raises SettingsError, and UnreachableError if it is to be read only."""
        path: str = settings["database"]
        if not path or path.startswith(IN_MEMORY):
            raise SettingsError("database is the path of a file: one in memory ends with its call")
        if not writing and not Path(path).is_file():
            raise UnreachableError(f"there is no {self.title} file {path}", retry=False)
        return path

    def will_be_made(self, settings: dict[str, Any]) -> bool:
        """Whether there is no file yet, in a folder that is there."""
        path = Path(settings["database"]).absolute()
        return not path.exists() and path.parent.is_dir()

    def ranges(self, session: Any, parts: Any, number: str, count: int) -> list[dict[str, Any]]:
        """Return ranges of row numbers, the first and the last one open at their ends."""
        ((low, high),) = session.rows(
            f"select min({number}), max({number}) from {self.table(parts)}"
        )
        if low is None or high - low < count:
            return [{}]
        bounds = [low + (high - low + 1) * each // count for each in range(1, count)]
        edges = [None, *bounds, None]
        return [{"rowid": number, "from": start, "to": end} for start, end in zip(edges, edges[1:])]

    def partition_condition(self, partition: dict[str, Any]) -> Statement | None:
        """Return the condition of a range of row numbers."""
        if not partition:
            return None
        edges = partition.get("from"), partition.get("to")
        known = set(partition) == {"rowid", "from", "to"} and partition["rowid"] in self.row_numbers
        if not known or not all(each is None or isinstance(each, int) for each in edges):
            raise SettingsError(f"{self.title} made no partition {partition!r}")
        condition = Statement("1 = 1")
        for operator, edge in zip((">=", "<"), edges):
            if edge is not None:
                condition += Statement(f" and {partition['rowid']} {operator} ", Value(edge))
        return condition
