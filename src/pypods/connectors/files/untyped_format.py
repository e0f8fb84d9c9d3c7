"""Kinds of files whose values have no types: those are declared, remembered, or found out."""

from __future__ import annotations

from abc import abstractmethod

from pypods.connectors.errors import SchemaError
from pypods.connectors.files.format import FileFormat
from pypods.connectors.types import declared_fields

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterable

__all__ = ["UntypedFormat"]


class UntypedFormat(FileFormat):
    """A kind of file with names of columns at most; its setting ``columns`` says their types."""

    can_evolve = True

    @abstractmethod
    def column_names(self, source: Any, path: str, declared: list[str]) -> Iterable[str]:
        """Return the columns of a file; ``declared`` are those of one that does not name them."""

    @abstractmethod
    def infer(self, source: Any, names: list[str]) -> dict[str, Any]:
        """Return the fields of these columns, as their values have them."""

    def declared(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the fields that the settings declare, by name."""
        return declared_fields(settings["columns"])

    def names(self, source: Any) -> list[str]:
        """Return the columns of all files; one that is missing in some is NULL there."""
        declared = list(self.declared(source.settings))
        found: dict[str, None] = {}
        for file in source.files:
            found.update(dict.fromkeys(self.column_names(source, file.path, declared)))
        missing = [name for name in declared if name not in found]
        if found and missing:
            raise SchemaError(
                f"{source.stream.name} has no column {missing[0]!r}, which is declared; it has "
                f"{', '.join(map(repr, found))}"
            )
        return list(found)

    def known(self, source: Any) -> dict[str, Any]:
        """Return the fields that are declared, or that the files were written with, by name."""
        return {**source.remembered, **self.declared(source.settings)}

    def schema(self, source: Any) -> Any:
        """Return declared types, those the files were written with, else what all values are."""
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        names, known = self.names(source), self.known(source)
        inferred = self.infer(source, [name for name in names if name not in known])
        return pa.schema([known.get(name) or inferred[name] for name in names])

    def target_schema(self, source: Any, wanted: Any) -> Any:
        """Return the columns of the files; what is not declared takes any type, as text."""
        import pyarrow as pa

        known = self.known(source)
        given = {field.name: field for field in wanted}
        fields = []
        for name in self.names(source):
            field = known.get(name) or given.get(name) or pa.field(name, pa.utf8())
            # A line can always have less than the columns that are there.
            fields.append(field if name in known else field.with_nullable(True))
        return pa.schema(fields)

    def read_as(self, source: Any, fields: Any) -> Any:
        """Return the source with these types of its columns."""
        import pyarrow as pa

        made = source.of(source.files)
        known = self.known(source)
        wanted = {field.name: field for field in fields}
        made.schema = pa.schema(
            [
                wanted.get(name) or known.get(name) or pa.field(name, pa.utf8())
                for name in self.names(source)
            ]
        )
        return made
