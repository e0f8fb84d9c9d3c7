"""What a kind of file has to offer, for ``FileConnector``: its schema, its rows, its writing."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pypods.connectors.files.builder import fill_batch
from pypods.connectors.settings import setting

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator

__all__ = ["FILE_CAPABILITIES", "FileFormat", "file_settings"]

ROWS_PER_FILE = 1_000_000

FILE_CAPABILITIES: dict[str, Any] = {
    "read": True, "query": False, "where": True, "order": True, "after": True, "partition": True,
    "snapshot": False, "write": ["append", "replace"], "atomic": True, "resume": True,
    "schema": True, "execute": False, "truncate": True, "count": True, "rows": False,
    "parallel_write": True,
}  # fmt: skip


def file_settings(*, s3: bool) -> list[dict[str, Any]]:
    """Return the settings that connections to files have in common."""
    where = "the folder in which the files lie" + (", or s3://bucket/folder" if s3 else "")
    settings = [
        setting("folder", "path", where, required=True),
        setting(
            "row_number",
            "text",
            "name of a column to add: the number of the row in all files, from 0; it is the "
            "stream's key, so a run that was interrupted goes on where it was",
        ),
        setting(
            "key", "text", "columns that tell rows apart, with commas between them; rows are read "
            "in their order, so a run that was interrupted goes on where it was",
        ),
        setting(
            "rows_per_file", "integer", "rows of each file of a folder that is written",
            default=ROWS_PER_FILE,
        ),
    ]  # fmt: skip
    if s3:
        settings += [
            setting("endpoint", "text", "address of a server that speaks S3, as http://host:9000"),
            setting("region", "text", "region of the bucket"),
            setting("access_key", "text", "who we are; else as the AWS library finds it"),
            setting("secret_key", "text", "the secret of the access key", secret=True),
            setting("session_token", "text", "of a temporary access key", secret=True),
            setting("anonymous", "boolean", "ask without any key", default=False),
            setting("timeout", "number", "seconds to wait for the server", default=30),
        ]
    return settings


class FileFormat(ABC):
    """One kind of file. ``source`` is what ``FileSource`` knows of a stream."""

    name = ""
    title = ""
    settings: Any = None
    capabilities: dict[str, Any] = FILE_CAPABILITIES
    #: How names of files end that are read, the first one for files of folders that are written.
    suffixes: tuple[str, ...] = ()
    #: Whether a file has parts, such as sheets, that are streams.
    has_parts = False
    #: Whether the files can lie in S3.
    in_s3 = True
    #: Whether rows can be added to a file, by writing it anew.
    can_extend = True
    #: Whether columns can be added to files that are there, or get wider types.
    can_evolve = False
    #: Whether files have types, so that nothing else has to remember them.
    has_types = False
    #: Most rows of one file.
    max_rows: int | None = None

    def driver(self) -> str:
        """Return the library and its version."""
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        return f"pyarrow {pa.__version__}"

    def check_settings(self, settings: dict[str, Any]) -> None:
        """Raise SettingsError for settings that do not fit together."""

    def suffix(self, settings: dict[str, Any]) -> str:
        """Return how the names of files end that are written into a folder."""
        return self.suffixes[0]

    # --- columns, as ``plan_columns`` asks for them ---------------------------------------------

    def fold(self, name: str) -> str:
        """Return what two names have to share to be one column."""
        return name

    def stored(self, field: Any) -> Any:
        """Return the field that a column made for this one is read as."""
        return field

    def taken(self, there: Any, field: Any) -> Any:
        """Return the field as which a column that is there takes another's values, or None."""
        from pypods.connectors.types import fits

        return there if fits(there, field) else None

    # --- reading -------------------------------------------------------------------------------

    def parts(self, store: Any, settings: dict[str, Any], path: str) -> list[str]:
        """Return the names of a file's parts, if it has some."""
        return []

    @abstractmethod
    def schema(self, source: Any) -> Any:
        """Return the schema of a stream. Raises SchemaError, DataError."""

    def target_schema(self, source: Any, wanted: Any) -> Any:
        """Return the schema that a stream has for rows of a schema that are to be added to it."""
        return self.schema(source)

    @abstractmethod
    def read(self, source: Any, piece: dict[str, Any], schema: Any, batch_rows: int) -> Any:
        """Yield the rows of a file, or of a piece of it, in batches of that schema.

        The schema has some of the stream's columns, perhaps none. Raises DataError.
        """

    def read_as(self, source: Any, fields: Any) -> Any:
        """Return a source whose columns of those names have those types, where files have none."""
        return source

    def rows(self, source: Any, file: Any) -> int | None:
        """Return how many rows a file has, if it says so itself."""
        return None

    def remember(self, source: Any) -> dict[str, Any]:
        """Return what a partition says of the stream, so that it is not found out once more."""
        return {}

    def recall(self, source: Any, partition: dict[str, Any]) -> None:
        """Take what a partition says of the stream."""

    def split(self, source: Any, count: int) -> list[list[dict[str, Any]]]:
        """Return at most that many lists of pieces, which together are the stream's files."""
        return spread([({"path": file.path}, file.size) for file in source.files], count)

    # --- writing -------------------------------------------------------------------------------

    def check_target(self, source: Any, schema: Any) -> None:
        """Raise SchemaError, or another error of ours, if such rows cannot be written there."""

    def check_batch(self, settings: dict[str, Any], batch: Any) -> None:
        """Raise DataError for the first row, from 0, that no such file can hold."""

    @abstractmethod
    def write(self, source: Any, path: str, file: Any, schema: Any, batches: Iterable[Any]) -> None:
        """Write a whole file, which is going to have that path. Raises DataError."""

    def extend(
        self, source: Any, path: str, file: Any, schema: Any, batches: Iterable[Any]
    ) -> None:
        """Write a file that has the rows of the stream's only file, and then others."""

        def rows() -> Iterator[Any]:
            for batch in source.batches():
                yield fill_batch(batch, schema)
            yield from batches

        self.write(source, path, file, schema, rows())


def spread(pieces: list[tuple[dict[str, Any], int]], count: int) -> list[list[dict[str, Any]]]:
    """Return pieces, each with its weight, in at most that many lists of about one weight."""
    total = sum(weight for _, weight in pieces) or 1
    parts: list[list[dict[str, Any]]] = [[] for _ in range(max(count, 1))]
    before = 0
    for piece, weight in pieces:
        # Where its middle lies, so that order is kept.
        at = min(int((before + weight / 2) * len(parts) / total), len(parts) - 1)
        parts[at].append(piece)
        before += weight
    return [part for part in parts if part]


def merge_schemas(schemas: Iterator[tuple[str, Any]]) -> Any:
    """Return the schema that takes the rows of all; a column that is missing somewhere is NULL.

    Takes pairs of a file's path and its schema. Raises SchemaError.
    """
    import pyarrow as pa

    from pypods.connectors.errors import SchemaError
    from pypods.connectors.types import common_field, text_of

    fields: dict[str, Any] = {}
    first = True
    for path, schema in schemas:
        for field in schema:
            there = fields.get(field.name)
            if there is None:
                fields[field.name] = field if first else field.with_nullable(True)
                continue
            common = common_field(there, field)
            if common is None:
                raise SchemaError(
                    f"column {field.name!r} is {text_of(field)} in {path} and {text_of(there)} in "
                    f"files before it; read them as streams of their own"
                )
            fields[field.name] = common.with_nullable(there.nullable or field.nullable)
        names = set(schema.names)
        for name, there in fields.items():
            if name not in names:
                fields[name] = there.with_nullable(True)
        first = False
    return pa.schema(list(fields.values()))
