"""What a stream of such a system is: its name, its columns, what is asked of it."""

from __future__ import annotations

from pypods.connectors.errors import SettingsError

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Asked", "Described", "StoreStream", "one_name"]


class StoreStream:
    """What a stream's name stands for; ``kind`` is the system's own word."""

    inner = None

    def __init__(self, name: str, kind: str) -> None:
        self.name = self.path = name
        self.kind = kind


class Described:
    """A stream that is there: its columns, the key, how many rows, if that is known."""

    def __init__(
        self, stream: StoreStream, schema: Any, *, key: Any = (), rows: int | None = None
    ) -> None:
        self.stream = stream
        self.schema = schema
        self.key = list(key)
        self.rows = rows


class Asked:
    """What is asked of a stream: columns of its schema, and what may be left out at once.

    ``chosen`` is the RowFilter that every row goes through in any case; ``order`` are the columns
    that rows are wanted by, ``after`` the scalars that the row before has in them, if there is one.
    """

    def __init__(self, columns: list[str], chosen: Any, partition: Any, batch_rows: int) -> None:
        self.columns = columns
        self.chosen = chosen
        self.order: list[str] = chosen.order
        self.after = None if chosen.after is None else [value for _, value in chosen.after]
        self.partition = partition
        self.batch_rows = batch_rows


def one_name(stream: Any, what: str) -> str:
    """Return a stream's name, which may be a list of one part. Raises SettingsError."""
    parts = stream if isinstance(stream, (list, tuple)) else [stream]
    if len(parts) != 1 or not isinstance(parts[0], str) or not parts[0] or "\0" in parts[0]:
        raise SettingsError(f"a stream is the name of {what}, not {stream!r}")
    return parts[0]
