"""The connector ``memory``: Arrow tables of this program as a source or a target."""

# ruff: noqa: ARG002 - every connector's functions take the same arguments

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any

from pypods.errors import IntegrationError

__all__ = ["Memory"]

OPERATORS = {
    "=": "equal",
    "!=": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
}


class Memory:
    """Tables by their names: what a source reads from, and a target writes to.

    Takes whatever ``pyarrow.table`` does: tables of pyarrow, polars, pandas and pods, or columns as
    a dictionary. Needs pyarrow in this program. Offers what a connector's ``pod.py`` does.
    """

    def __init__(self, tables: Mapping[str, Any] | None = None) -> None:
        #: The tables by their names, as pyarrow's.
        self.tables: dict[str, Any] = {
            name: as_table(table) for name, table in (tables or {}).items()
        }
        self._staged: dict[tuple[str, str], dict[str, Any]] = {}
        self._finished: dict[str, tuple[str, Any, int]] = {}
        self._lock = Lock()

    # What it is --------------------------------------------------------------------------------

    def describe_connector(self) -> dict[str, Any]:
        """Describe the connector as the pods do."""
        import pyarrow as pa  # type: ignore[import-untyped]

        capabilities = {
            "read": True, "query": False, "where": True, "order": True, "after": False,
            "partition": False, "snapshot": True, "atomic": True, "resume": False, "schema": True,
            "write": ["append", "replace", "upsert", "delete_insert"], "execute": False,
            "truncate": True, "count": True, "rows": False,
        }  # fmt: skip
        return {
            "name": "memory",
            "title": "Tables of this program",
            "driver": f"pyarrow {pa.__version__}",
            "settings": [],
            "capabilities": capabilities,
            "verified": True,
        }

    def check(self, connection: Any) -> dict[str, Any]:
        """Say that it is there."""
        return {"server": "this program", "driver": self.describe_connector()["driver"]}

    def streams(self, connection: Any) -> list[dict[str, Any]]:
        """Return the tables."""
        return [
            {"name": name, "kind": "table", "rows": table.num_rows}
            for name, table in self.tables.items()
        ]

    # Reading -----------------------------------------------------------------------------------

    def schema(
        self,
        connection: Any,
        stream: Any,
        *,
        query: str | None = None,
        columns: list[str] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Return the schema of a table. Raises IntegrationError where there is no such table."""
        refuse_query(query)
        table = self._table(stream)
        chosen = renamed(select(table, columns), names)
        return {"schema": chosen.schema, "key": [], "rows": table.num_rows}

    def read(
        self,
        connection: Any,
        stream: Any,
        *,
        columns: list[str] | None = None,
        where: Any = None,
        order_by: list[str] | None = None,
        after: Any = None,
        partition: Any = None,
        limit: int | None = None,
        query: str | None = None,
        batch_rows: int = 65536,
        names: Mapping[str, str] | None = None,
    ) -> Iterator[Any]:
        """Yield the record batches of a table."""
        refuse_query(query)
        if after is not None or partition is not None:
            raise IntegrationError("tables in memory are read as a whole")
        table = filtered(self._table(stream), where)
        if order_by:
            keys = [(name, "ascending") for name in order_by]
            table = table.sort_by(keys) if table.num_rows else table
        table = renamed(select(table, columns), names)
        if limit is not None:
            table = table.slice(0, limit)
        yield from table.to_batches(max_chunksize=batch_rows)

    def count(
        self,
        connection: Any,
        stream: Any,
        *,
        where: Any = None,
        query: str | None = None,
    ) -> int:
        """Return how many rows there are."""
        refuse_query(query)
        return int(filtered(self._table(stream), where).num_rows)

    def truncate(self, connection: Any, stream: Any) -> None:
        """Leave a table without rows."""
        self.tables[name_of(stream)] = self._table(stream).slice(0, 0)

    # Writing -----------------------------------------------------------------------------------

    def prepare(
        self,
        connection: Any,
        stream: Any,
        schema: Any,
        *,
        mode: str,
        key: Any,
        run: str,
        drift: str = "evolve",
        exists: Any = None,
    ) -> dict[str, Any]:
        """Make the place where a run's batches are kept, or find it."""
        import pyarrow as pa

        name = name_of(stream)
        before = self._finished.get(name)
        given = as_schema(schema)
        target = self.tables.get(name)
        changes = [] if target is not None else [f"new table {name}"]
        wanted = given
        if target is not None and mode != "replace":
            wanted, changes = drifted(target.schema, given, drift)
        with self._lock:
            staged = self._staged.setdefault(
                (name, run), {"mode": mode, "key": list(key), "schema": wanted, "parts": {}}
            )
            parts = {
                part: {
                    "rows": sum(batch.num_rows for batch in batches),
                    "bytes": sum(batch.nbytes for batch in batches),
                    "batches": len(batches),
                    "position": None,
                }
                for part, batches in staged["parts"].items()
            }
        return {
            "finished": before is not None and before[0] == run,
            "parts": parts,
            "cursor": before[1] if before is not None else None,
            "changes": changes,
            "schema": pa.schema(
                [given.field(name) for name in given.names if name in wanted.names]
            ),
        }

    def write(
        self,
        connection: Any,
        stream: Any,
        batches: Iterator[Any],
        *,
        run: str,
        part: str = "0",
        position: Any = (),
        bad_rows: str = "fail",
        max_bad_rows: int = 0,
        committed: Any = None,
    ) -> dict[str, int]:
        """Keep batches for a run."""
        staged = self._staged[(name_of(stream), run)]
        kept = staged["parts"].setdefault(part, [])
        done = {"rows": 0, "bytes": 0, "batches": 0, "bad": 0}
        for batch in batches:
            table = as_table(batch, schema=staged["schema"])
            kept.append(table)
            done["rows"] += table.num_rows
            done["bytes"] += table.nbytes
            done["batches"] += 1
            if committed is not None:
                committed(table.num_rows, table.nbytes, 0)
        return done

    def finish(
        self,
        connection: Any,
        stream: Any,
        *,
        run: str,
        cursor: Any = None,
        rows: int | None = None,
    ) -> dict[str, Any]:
        """Put the table of a run in the place of the one before."""
        name = name_of(stream)
        with self._lock:
            done = self._finished.get(name)
            if done is not None and done[0] == run:
                return {"rows": done[2], "rows_in_target": self.tables[name].num_rows}
            staged = self._staged[(name, run)]
            new = joined(staged)
            if rows is not None and new.num_rows != rows:
                raise IntegrationError(f"{new.num_rows} rows are staged for {name}, not {rows}")
            self.tables[name] = merged(self.tables.get(name), new, staged["mode"], staged["key"])
            self._finished[name] = (run, cursor, new.num_rows)
            del self._staged[(name, run)]
            return {"rows": new.num_rows, "rows_in_target": self.tables[name].num_rows}

    def abandon(self, connection: Any, stream: Any, *, run: str) -> None:
        """Forget a run's batches."""
        self._staged.pop((name_of(stream), run), None)

    def state(self, connection: Any, stream: Any) -> dict[str, Any]:
        """Return the cursor and the last run."""
        run, cursor, _ = self._finished.get(name_of(stream), (None, None, 0))
        return {"cursor": cursor, "run": run}

    def _table(self, stream: Any) -> Any:
        name = name_of(stream)
        if name not in self.tables:
            there = ", ".join(self.tables) or "none"
            raise IntegrationError(f"there is no table {name!r} in memory; there are: {there}")
        return self.tables[name]


def name_of(stream: Any) -> str:
    """Return a table's name of a stream, which may be a list of parts."""
    return stream if isinstance(stream, str) else ".".join(stream)


def refuse_query(query: str | None) -> None:
    """Raise IntegrationError for a statement: nothing here would understand it."""
    if query is not None:
        raise IntegrationError("tables in memory take no query; name a stream")


def as_schema(schema: Any) -> Any:
    """Return a schema of pyarrow, of whatever describes one; a list of names and types too."""
    import pyarrow as pa

    if isinstance(schema, pa.Schema):
        return schema
    if hasattr(schema, "__arrow_c_schema__"):
        return pa.schema(schema)
    raise IntegrationError(
        "tables in memory take Arrow data; this source yields rows, which a connector with "
        "pyarrow takes"
    )


def as_table(value: Any, *, schema: Any = None) -> Any:
    """Return a table of pyarrow; with ``schema`` its columns, missing ones null."""
    import pyarrow as pa

    if not isinstance(value, (pa.Table, pa.RecordBatch)) and hasattr(value, "__arrow_c_stream__"):
        table = pa.table(value)
    elif isinstance(value, pa.RecordBatch):
        table = pa.Table.from_batches([value])
    elif isinstance(value, pa.Table):
        table = value
    elif hasattr(value, "__arrow_c_array__"):
        table = pa.Table.from_batches([pa.record_batch(value)])
    else:
        table = pa.table(value)
    if schema is None or table.schema.equals(schema):
        return table
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def drifted(target: Any, given: Any, drift: str) -> tuple[Any, list[str]]:
    """Return the schema that a target is to have, and how it changes."""
    import pyarrow as pa

    new = [name for name in given.names if name not in target.names]
    if drift == "freeze" and new:
        raise IntegrationError(f"the target has no column {new[0]!r}, and drift is freeze")
    fields = list(target)
    changes = []
    for name in new:
        if drift == "evolve":
            fields.append(given.field(name))
            changes.append(f"new column {name}")
        else:
            changes.append(f"column {name} is left out")
    return pa.schema(fields), changes


def select(table: Any, columns: list[str] | None) -> Any:
    """Return the columns asked for. Raises IntegrationError for one that is not there."""
    if columns is None:
        return table
    for name in columns:
        if name not in table.column_names:
            raise IntegrationError(
                f"there is no column {name!r}; there are: {', '.join(table.column_names)}"
            )
    return table.select(columns)


def renamed(table: Any, names: Mapping[str, str] | None) -> Any:
    """Return a table with new names."""
    if not names:
        return table
    return table.rename_columns([names.get(name, name) for name in table.column_names])


def filtered(table: Any, where: Any) -> Any:
    """Return the rows for which all conditions hold."""
    if not where:
        return table
    import pyarrow as pa
    import pyarrow.compute as pc  # type: ignore[import-untyped]

    for name, operator, value in where:
        column = select(table, [name]).column(0)
        if operator == "is null":
            mask = pc.is_null(column)
        elif operator == "is not null":
            mask = pc.is_valid(column)
        elif operator == "in":
            mask = pc.is_in(column, value_set=pa.array(list(value), column.type))
        else:
            mask = pc.call_function(OPERATORS[operator], [column, pa.scalar(value, column.type)])
        table = table.filter(mask)
    return table


def joined(staged: dict[str, Any]) -> Any:
    """Return all that is staged as one table."""
    import pyarrow as pa

    tables = [table for part in sorted(staged["parts"]) for table in staged["parts"][part]]
    return pa.concat_tables(tables) if tables else staged["schema"].empty_table()


def merged(target: Any, new: Any, mode: str, key: list[str]) -> Any:
    """Return the target's rows and the new ones as the mode has it."""
    import pyarrow as pa

    if target is None or mode == "replace":
        return new
    old = as_table(target, schema=new.schema)
    if mode != "append":
        values = list(zip(*(new.column(name).to_pylist() for name in key), strict=True))
        coming = set(values)
        if len(coming) < len(values) and mode == "upsert":
            raise IntegrationError(f"two new rows have the same key {', '.join(key)}")
        there = zip(*(old.column(name).to_pylist() for name in key), strict=True)
        old = old.filter(pa.array([each not in coming for each in there], pa.bool_()))
    return pa.concat_tables([old, new])
