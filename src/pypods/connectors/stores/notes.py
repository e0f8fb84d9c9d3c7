"""What a system keeps for us beside its rows: small texts and staged batches, by paths.

``FileLedger`` notes runs in them as it does in files. Writing one of them is one step: after a
crash it is the old one or the new one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager

from pypods.connectors.json_values import dump_schema, load_schema

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, ContextManager, Iterator

    from pypods.connectors.files.ledger import FileLedger

__all__ = ["Notes", "note_schema", "noted_schema"]


class _NoFolders:
    """What a store has to do for its folders and locks, where there are none."""

    #: Nobody waits for a name here: what is written has it.
    can_rename = True

    def make_folder(self, path: str) -> None:
        """Do nothing: a folder is there once something is in it."""

    def discard_staged(self) -> None:
        """Do nothing: ``remove_tree`` finds all of it."""

    @contextmanager
    def lock(self, _: str) -> Iterator[None]:
        """Hold nothing: attempts fence writers, and every step of applying is checked."""
        yield


class Notes(_NoFolders, ABC):
    """Bytes by paths, ``folder/name``; offers what ``FileLedger`` and staging ask a store for."""

    #: Nobody waits for a name here: what is written has it.
    can_rename = True

    @abstractmethod
    def read(self, path: str) -> bytes | None:
        """Return what is there, or None."""

    @abstractmethod
    def write(self, path: str, content: bytes) -> None:
        """Write in one step."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove what is there, if there is something."""

    @abstractmethod
    def names(self, path: str) -> list[str]:
        """Return the names in a folder, in their order."""

    @abstractmethod
    def remove_tree(self, path: str) -> None:
        """Remove a folder and what is in it."""

    def read_text(self, path: str) -> str | None:
        """Return a text, or None."""
        content = self.read(path)
        return None if content is None else content.decode("utf-8")

    def write_text(self, path: str, text: str) -> None:
        """Write a text in one step."""
        self.write(path, text.encode("utf-8"))

    def open(self, path: str) -> Any:
        """Open what is there for reading, as pyarrow does."""
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        content = self.read(path)
        if content is None:
            raise FileNotFoundError(path)
        return pa.BufferReader(content)

    def create(self, path: str) -> ContextManager[Any]:
        """Write what the block writes into a file, in one step at its end."""
        return self._create(path)

    @contextmanager
    def _create(self, path: str) -> Iterator[Any]:
        import io

        file = io.BytesIO()
        # pyarrow closes what it writes into, and nothing can be asked of that any more.
        file.close, close = (lambda: None), file.close  # type: ignore[method-assign]
        yield file
        self.write(path, file.getvalue())
        close()


def note_schema(ledger: FileLedger, schema: Any) -> None:
    """Note the columns that a stream was written with."""
    ledger.store.write_text(f"{ledger.folder}/schema", dump_schema(schema))


def noted_schema(ledger: FileLedger) -> Any:
    """Return the columns that a stream was written with, or None."""
    text = ledger.store.read_text(f"{ledger.folder}/schema")
    return None if text is None else load_schema(text)
