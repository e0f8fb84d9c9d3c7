"""A place in a connector's system where the checks may do what they like."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pypods.connectors.names import quote

__all__ = ["Scratch"]


@dataclass
class Scratch:
    """A connection, and what else a check may need.

    ``stream`` gives the stream of a new table's name, as a list of parts; ``unreachable`` and
    ``wrong_password`` are connections that fail so (None: the system has no such thing, or the
    server at hand lets everybody in), ``secret`` the text in the latter that no message may show.
    ``whole_number`` is what the system calls a column of whole numbers.
    ``declare`` is called with a stream, its columns and its key before it is written: for systems
    that keep no types, whose connection says them, and where somebody else makes what is written.
    ``mark`` is what SQL has on both sides of a name.
    """

    connection: dict[str, Any]
    stream: Callable[[str], list[str]] = lambda name: [name]
    unreachable: dict[str, Any] | None = None
    wrong_password: dict[str, Any] | None = None
    secret: str = ""
    whole_number: str = "bigint"
    declare: Callable[[list[str], Any, Any], None] | None = None
    mark: str = '"'
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def in_sql(self, stream: Iterable[str]) -> str:
        """Return a stream's name as it stands in SQL."""
        return ".".join(quote(part, self.mark) for part in stream)

    def new_stream(self, name: str = "") -> list[str]:
        """Return a stream that is not there yet."""
        return self.stream(name or f"t{next(self.numbers)}")
