"""What an operation is, as models: the same in Python and, checked, from a file."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["BadRows", "Integration", "Operation", "Retries", "Source", "Target"]

#: A table, file or topic: text such as ``schema.table``, or its parts as a list.
Stream = (
    Annotated[str, Field(min_length=1)]
    | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
)
Name = Annotated[str, Field(min_length=1, max_length=200)]
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "is null", "is not null"]
Mode = Literal["append", "replace", "upsert", "delete_insert"]


class Model(BaseModel):
    """What all models share: unknown settings are refused, and nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Endpoint(Model):
    """One side of an integration: a connector and how it reaches its system."""

    connector: str = Field(
        min_length=1,
        description="The connector: the name of a pod, or `memory` for tables of this program.",
    )
    connection: dict[str, Any] = Field(
        default_factory=dict,
        description=(
            "The connector's settings, as `pypods connectors list` shows them; "
            "`${env:NAME}` and `${file:PATH}` stand for secrets."
        ),
    )
    #: The tables of the connector ``memory``; only in Python.
    memory: Any = Field(default=None, exclude=True, repr=False, json_schema_extra={"hidden": True})

    @model_validator(mode="after")
    def _check_memory(self) -> Self:
        if (self.memory is not None) != (self.connector == "memory"):
            raise ValueError(
                "the connector `memory` needs memory=Memory(...), from Python; no other takes it"
            )
        return self


class Source(Endpoint):
    """Where rows come from, and which of them."""

    stream: Stream | None = Field(default=None, description="What is read: a table, file or topic.")
    query: str | None = Field(
        default=None, min_length=1, description="A statement of the source's own, for a stream."
    )
    columns: list[Name] | None = Field(
        default=None, min_length=1, description="The columns to read; else all."
    )
    renames: dict[Name, Name] = Field(
        default_factory=dict, description="What columns are called in the target: `old: new`."
    )
    where: list[tuple[Name, Operator, Any]] = Field(
        default_factory=list,
        description="Conditions that all hold, each `[column, operator, value]`.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.stream is None) == (self.query is None):
            raise ValueError("a source has either a stream or a query")
        columns = self.columns
        if columns is not None:
            if len(set(columns)) < len(columns):
                raise ValueError("a column is named twice in columns")
            unknown = [old for old in self.renames if old not in columns]
            if unknown:
                raise ValueError(f"renames speaks of {unknown[0]!r}, which columns leaves out")
        if len(set(self.renames.values())) < len(self.renames):
            raise ValueError("renames gives two columns the same name")
        return self

    def new_name(self, column: str) -> str:
        """Return what the target calls a column of the source."""
        return self.renames.get(column, column)


class Target(Endpoint):
    """Where rows go."""

    stream: Stream = Field(description="What is written: a table, file or topic.")


class BadRows(Model):
    """What becomes of rows that the target refuses, one by one."""

    to: str = Field(
        default="table",
        min_length=1,
        description="`table` for the dead-letter table beside the target, or a file's name that "
        "ends in .parquet, which gets them too.",
    )
    threshold: int | None = Field(
        default=None, ge=0, description="More bad rows than this stop the run; no limit if absent."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.to != "table" and not self.to.endswith(".parquet"):
            raise ValueError("bad rows go to `table` or to a file whose name ends in .parquet")
        if "://" in self.to:
            raise ValueError("bad rows go to a file of this machine; copy it from there")
        return self


class Retries(Model):
    """How often what may work another time is tried again, and how long before."""

    attempts: int = Field(
        default=3, ge=0, description="Failures without a row's progress that are tried again."
    )
    seconds: float = Field(
        default=1.0, ge=0, description="The wait before the first; each next one is twice as long."
    )
    longest: float = Field(default=60.0, ge=0, description="No wait is longer, in seconds.")

    def wait(self, failure: int) -> float:
        """Return the seconds to wait after the nth failure, counted from 1."""
        return float(min(self.longest, self.seconds * 2 ** min(failure - 1, 30)))


class Integration(Model):
    """Rows from one source to one target; columns are named as the source names them."""

    name: Name = Field(description="Its name, of which the operation has one.")
    source: Source
    target: Target
    mode: Mode = Field(
        default="append",
        description="`append` rows, `replace` all of them, `upsert` by the key, or delete those "
        "of the same key and insert (`delete_insert`).",
    )
    key: list[Name] = Field(default_factory=list, description="The columns that tell rows apart.")
    cursor: Name | None = Field(
        default=None,
        description="Read only rows whose value in this column is not below the last one seen.",
    )
    lag: float | str | None = Field(
        default=None,
        description="Read again what is so far behind the cursor: a number, or for dates and "
        "times a length such as `90s`, `15m`, `12h`, `2d`.",
    )
    limit: int | None = Field(default=None, ge=1, description="Read no more rows than this.")
    process_count: int = Field(
        default=1, ge=1, le=64, description="Read and write so many partitions side by side."
    )
    batch_rows: int = Field(default=65536, ge=1, description="About how many rows a batch has.")
    drift: Literal["evolve", "freeze", "discard"] = Field(
        default="evolve",
        description="When the source's columns are not the target's: change the target, fail, or "
        "leave out what the target has not.",
    )
    bad_rows: Literal["fail"] | BadRows = Field(
        default="fail", description="Rows that the target refuses fail the run, or are set aside."
    )
    retries: Retries = Field(default_factory=Retries)
    timeout_seconds: float | None = Field(
        default=3600,
        gt=0,
        description="A connector of which nothing has come for so long, no batch, no commit, no "
        "answer, has its pod ended, and what it was to do is tried again. No limit if null.",
    )
    resume: Literal["checkpoint", "restart"] = Field(
        default="checkpoint",
        description="After a failure go on after the last row written, which needs rows in the "
        "order of the source's key; or begin anew, with rows in any order, which is read faster.",
    )
    on_failure: Literal["keep", "abandon"] = Field(
        default="keep",
        description="Keep what a failed run has staged, to be resumed, or remove it. The target "
        "is as it was in both cases.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.mode in ("upsert", "delete_insert") and not self.key:
            raise ValueError(f"mode {self.mode} needs a key, such as key: [id]")
        if len(set(self.key)) < len(self.key):
            raise ValueError("a column is named twice in key")
        columns = self.source.columns
        for name in [*self.key, *([self.cursor] if self.cursor else [])]:
            if columns is not None and name not in columns:
                raise ValueError(f"columns leaves out {name!r}, which key or cursor needs")
        if self.cursor is not None:
            if self.mode not in ("upsert", "delete_insert"):
                raise ValueError(
                    "a cursor needs mode upsert or delete_insert and a key: rows with the last "
                    "value are read again, and must not be there twice"
                )
            if self.source.query is not None:
                raise ValueError("a cursor needs a stream; put the condition into the query else")
            if self.limit is not None and self.process_count > 1:
                raise ValueError("a cursor with a limit needs process_count 1")
        if self.lag is not None:
            if self.cursor is None:
                raise ValueError("lag says how far behind the cursor to read; there is no cursor")
            from pypods.integrator.cursor import parse_lag

            parse_lag(self.lag)
        return self


class Operation(Model):
    """Integrations, done one after the other in their order."""

    name: Name = Field(description="The operation's name.")
    integrations: list[Integration] = Field(min_length=1)
    on_failure: Literal["stop", "continue"] = Field(
        default="stop", description="Whether integrations after a failed one are still done."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        seen: set[str] = set()
        for each in self.integrations:
            if each.name in seen:
                raise ValueError(f"two integrations are called {each.name!r}")
            seen.add(each.name)
        files: dict[str, str] = {}
        for each in self.integrations:
            to = "table" if each.bad_rows == "fail" else each.bad_rows.to
            if to != "table" and files.setdefault(to, each.name) != each.name:
                raise ValueError(
                    f"{files[to]!r} and {each.name!r} both write their bad rows into {to}; "
                    "give each its own file"
                )
        return self

    @property
    def uses_memory(self) -> bool:
        """Whether tables of this program take part, which no other can resume."""
        return any(
            end.connector == "memory"
            for each in self.integrations
            for end in (each.source, each.target)
        )

    def document(self) -> dict[str, Any]:
        """Return the operation as JSON has it, secrets as references."""
        return self.model_dump(mode="json", exclude_defaults=True)
