"""What is known of a table, from DESCRIBE FORMATTED, which the three write nearly alike."""

from __future__ import annotations

import re

from pypods.connectors.errors import StreamNotFoundError

from . import impala_types

#: The property by which a table is known, whatever it is called.
TOKEN = "pypods.table"
_TOKEN = re.compile(rf"{re.escape(TOKEN)}\W+([0-9a-f]{{16}})\b")
_DETAILS = "# detailed table information"
_PARTITIONS = "# partition information"


class Table:
    """A table or a view: names, types and comments of its columns, and what it is."""

    def __init__(self, rows=(), *, columns=(), pads: bool = False) -> None:
        self.columns: list = list(columns)
        self.partitioned_by: list = []
        #: The token of the run that put it into its place.
        self.token = ""
        self.kind = "table"
        self.format = ""
        self.is_external = False
        part = "columns"
        for name, value, comment in (_three(row) for row in rows):
            heading = "" if value.strip() else name.strip().lower()
            if heading in (_DETAILS, _PARTITIONS):
                part = "details" if heading == _DETAILS else "partitions"
            elif part == "details":
                self._take(
                    name.strip().rstrip(":").lower(), value.strip(), f"{name} {value}={comment}"
                )
            elif value.strip() and not name.startswith("# "):
                self._add((name.strip(), value.strip(), comment.strip()) if pads
                          else (name, value, comment), part)  # fmt: skip

    def _add(self, column, part: str) -> None:
        if part == "partitions":
            self.partitioned_by.append(column[0])
        if column[0] not in [each[0] for each in self.columns]:
            self.columns.append(column)

    def _take(self, name: str, value: str, line: str) -> None:
        if name in ("type", "table type"):
            self.kind = "view" if "VIEW" in value.upper() else "table"
            self.is_external = "EXTERNAL" in value.upper()
        elif name == "inputformat":
            self.format = value
        found = _TOKEN.search(line)
        if found:
            self.token = found[1]

    @property
    def names(self):
        """The names of its columns."""
        return [name for name, _, _ in self.columns]

    def schema(self, dialect):
        """Return its Arrow schema."""
        import pyarrow as pa

        return pa.schema([impala_types.field_of(*each, dialect) for each in self.columns])


def _three(row):
    values = [*(str(each or "") for each in row), "", "", ""]
    return values[:3]


def find_table(session, parts) -> Table | None:
    """Return a table or a view, or None if there is none."""
    try:
        rows = session.rows(f"describe formatted {session.database.table(parts)}")
    except Exception as exc:
        if isinstance(session.translate(exc), StreamNotFoundError):
            session.seen.pop(tuple(parts), None)
            return None
        raise
    found = Table(rows, pads=session.dialect.pads)
    session.seen[tuple(parts)] = found
    return found


def seen_table(session, parts) -> Table:
    """Return a table that is there, as this session saw it last."""
    return session.seen.get(tuple(parts)) or find_table(session, parts)


def names_like(session, schema: str, start: str, what: str = "tables"):
    """Return the names of the tables, or views, of a schema that begin so."""
    # A star stands for anything in all three; what else a pattern may mean is sorted out here.
    like = f" like '{start}*'" if start else ""
    rows = session.rows(f"show {what} in {session.database.quote(schema)}{like}")
    names = [row[min(session.dialect.shown_name, len(row) - 1)] for row in rows]
    return sorted(name for name in names if name.startswith(start))
