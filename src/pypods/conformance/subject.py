"""The connector under test: its functions, with what checks do again and again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pypods.conformance.check import WrongError
from pypods.conformance.scratch import Scratch
from pypods.connectors.names import split_stream
from pypods.errors import PodCallError

__all__ = ["Subject", "expect_error"]

SHOWN_ROWS = 3
#: Stands for a stream's own name where only what is before it is looked at.
_ANY = "any_name"


class Subject:
    """A connector's loader and a scratch place; ``notes`` is what a check has to say."""

    def __init__(self, loader: Any, scratch: Scratch) -> None:
        self.loader = loader
        self.scratch = scratch
        self.pod = loader.load_pod()
        described = self.pod.describe_connector()
        self.described: dict[str, Any] = described
        self.name: str = described["name"]
        self.capabilities: dict[str, Any] = described["capabilities"]
        self.notes: list[str] = []
        self._runs = 0

    @property
    def connection(self) -> dict[str, Any]:
        """The scratch place's connection."""
        return self.scratch.connection

    def offers(self, need: str) -> bool:
        """Whether the connector claims a capability, or ``write:MODE``.

        Writing is writing of new streams: nothing else would leave a system as it was. Where the
        connector makes none, the scratch place has to. Tables have constraints unless it is said
        that they have none.
        """
        name, _, mode = need.partition(":")
        creates = self.capabilities.get("create", True) or self.scratch.declare is not None
        if name == "write" and not creates:
            return False
        if name == "constraints":
            return bool(self.capabilities.get(name, True))
        claimed = self.capabilities.get(name)
        return mode in claimed if mode and claimed else bool(claimed)

    def new_run(self) -> str:
        """Return the name of a run that was not there before."""
        self._runs += 1
        return f"conformance {id(self)} {self._runs}"

    # --- doing ---------------------------------------------------------------------------------

    def schema(self, stream: Any, **options: Any) -> Any:
        """Return the schema of a stream, as pyarrow's."""
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        return pa.schema(self.pod.schema(self.connection, stream, **options)["schema"])

    def read(self, stream: Any, **options: Any) -> Any:
        """Return the rows of a stream as a pyarrow table."""
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        batches = [
            pa.record_batch(batch) for batch in self.pod.read(self.connection, stream, **options)
        ]
        schema = self.schema(stream, **({"query": options["query"]} if "query" in options else {}))
        names = options.get("columns") or schema.names
        wanted = pa.schema([schema.field(name) for name in names])
        for batch in batches:
            if not batch.schema.equals(wanted):
                raise WrongError(f"a batch has the schema {batch.schema}, and said was {wanted}")
        return pa.Table.from_batches(batches, schema=wanted)

    def rows(self, stream: Any, **options: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a stream, in the order in which they come."""
        return rows_of(self.read(stream, **options))

    def fill(
        self, stream: Any, table: Any, *, mode: str = "", key: Any = (), **options: Any
    ) -> dict[str, Any]:
        """Write a table with prepare, write and finish; return what finish said.

        Where no mode is said, it replaces what is there, or does what else the connector does.
        """
        run = self.new_run()
        mode = mode or (
            "replace" if self.offers("write:replace") else self.capabilities["write"][0]
        )
        self.prepare(stream, table.schema, mode=mode, key=key, run=run, **options)
        written = self.pod.write(self.connection, stream, iter(table.to_batches()), run=run)
        finished: dict[str, Any] = self.pod.finish(
            self.connection, stream, run=run, rows=written["rows"]
        )
        return finished

    def declare(self, stream: Any, schema: Any, key: Any = ()) -> None:
        """Say what is about to be written, where somebody has to know."""
        if self.scratch.declare is not None:
            self.scratch.declare(stream, schema, key)

    def prepare(self, stream: Any, schema: Any, **options: Any) -> dict[str, Any]:
        """Prepare a run."""
        self.declare(stream, schema, options.get("key") or ())
        prepared: dict[str, Any] = self.pod.prepare(self.connection, stream, schema, **options)
        return prepared

    def is_there(self, stream: list[str]) -> bool:
        """Whether there is such a stream."""
        try:
            if self.scratch.declare is None:
                self.pod.schema(self.connection, stream)
            else:  # What is declared is not asked for.
                list(self.pod.read(self.connection, stream, limit=1))
        except PodCallError as exc:
            if not is_kind(exc, "StreamNotFoundError"):
                raise
            return False
        return True

    def names(self) -> set[str]:
        """Return the names of the streams beside the scratch place's own."""
        *above, name = self.scratch.stream(_ANY)
        names = {each["name"] for each in self.pod.streams(self.connection)}
        # Others may work under other prefixes, or in other schemas, of the same server meanwhile.
        if not above:
            prefix = name.partition(_ANY)[0]
            return {name for name in names if name.startswith(prefix)}
        parents = {name: split_stream(name)[:-1] for name in names}
        return {name for name in names if parents[name][-len(above) :] in ([], above)}


def rows_of(table: Any) -> list[tuple[Any, ...]]:
    """Return a table's rows as tuples."""
    columns = [column.to_pylist() for column in table.columns]
    return list(zip(*columns, strict=True)) if columns else []


def sorted_rows(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows in an order that depends on nothing else than them."""
    return sorted(rows, key=repr)


def is_kind(error: PodCallError, kind: str) -> bool:
    """Whether the connector raised an error of that class."""
    return error.type_name == f"pypods.connectors.errors.{kind}"


class expect_error:  # noqa: N801 - reads as a statement
    """A block that has to raise one of these errors of the contract; ``error`` is it then."""

    def __init__(self, *kinds: str, doing: str) -> None:
        self.kinds = kinds
        self.doing = doing
        self.error: Any = None

    def __enter__(self) -> expect_error:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        wanted = " or ".join(self.kinds)
        if error is None:
            raise WrongError(f"{self.doing} raised nothing, and has to raise {wanted}")
        if not isinstance(error, PodCallError):
            return False
        if not any(is_kind(error, kind) for kind in self.kinds):
            raise WrongError(
                f"{self.doing} raised {error.type_name} ({error}), and has to raise {wanted}"
            )
        self.error = error
        return True


def in_batches(table: Any, rows: int) -> Iterator[Any]:
    """Yield a table in batches of so many rows."""
    for start in range(0, table.num_rows, rows):
        yield from table.slice(start, rows).combine_chunks().to_batches()
