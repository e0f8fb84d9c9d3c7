"""How calls get at files: settings checked, streams found, errors made the contract's."""

from __future__ import annotations

from contextlib import contextmanager

from pypods.connectors.bad_rows import BAD_ROWS_SUFFIX
from pypods.connectors.connector import Connector
from pypods.connectors.errors import ConnectorError, SettingsError, StreamNotFoundError
from pypods.connectors.files.bad_rows import BadRowsFormat, bad_rows_stream
from pypods.connectors.files.s3_store import SCHEME, S3Store
from pypods.connectors.files.source import FileSource
from pypods.connectors.files.staging import FileStaging
from pypods.connectors.files.store import LocalStore
from pypods.connectors.files.streams import parse_stream

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

__all__ = ["FileAccess"]


class FileAccess(Connector):
    """The half of ``FileConnector`` that every call goes through; a session is a folder."""

    def __init__(self, kind: Any) -> None:
        self.format = kind
        self.name = kind.name
        self.title = kind.title
        self.settings = kind.settings
        self.capabilities = kind.capabilities

    def driver(self) -> str:
        """Return the library and its version."""
        driver: str = self.format.driver()
        return driver

    def check_settings(self, connection: Any) -> dict[str, Any]:
        """Return the settings with their defaults. Raises SettingsError."""
        settings = super().check_settings(connection)
        if settings["rows_per_file"] < 1:
            raise SettingsError("rows_per_file is at least 1")
        self._store(settings)
        self.format.check_settings(settings)
        return settings

    @contextmanager
    def open(self, settings: dict[str, Any], *, writing: bool = False) -> Iterator[Any]:
        """Return the folder; nothing is held open of it."""
        yield self._store(settings)

    def _store(self, settings: dict[str, Any]) -> Any:
        if settings["folder"].startswith(SCHEME) and self.format.in_s3:
            return S3Store(settings)
        if "://" in settings["folder"]:
            raise SettingsError(f"{self.title} are not read from {settings['folder']!r}")
        return LocalStore(settings["folder"])

    def translate(self, error: Exception, settings: dict[str, Any]) -> ConnectorError | None:
        """Return what the system's error is for everybody; None for what is none of it."""
        translated: ConnectorError | None = self._store(settings).translate(error)
        return translated

    def server(self, session: Any) -> str:
        """Return where the folder is, having made sure that it is there."""
        session.check()
        shown: str = session.shown
        return shown

    def find(
        self, store: Any, settings: dict[str, Any], stream: Any, query: str | None
    ) -> FileSource:
        """Return the stream, with its files."""
        if query is not None or stream is None:
            raise SettingsError(f"{self.title} take no query; name a stream")
        store.check()
        format_, parsed = self.format, self._parse(stream)
        if self._is_bad_rows(stream):
            name = "/".join(stream) if isinstance(stream, (list, tuple)) else stream
            format_, parsed = (
                BadRowsFormat(),
                bad_rows_stream(self._parse(name.rstrip("/")[: -len(BAD_ROWS_SUFFIX)])),
            )
            settings = dict(settings, row_number=None, key=None)
        else:
            self._recover(store, settings, parsed)
        try:
            files = parsed.files(store)
        except StreamNotFoundError:
            if not self._is_bad_rows(stream):
                raise
            files = []  # None were refused.
        return FileSource(format_, store, settings, parsed, files)

    def _recover(self, store: Any, settings: dict[str, Any], parsed: Any) -> None:
        if parsed.kind == "pattern":
            return
        staging = FileStaging(FileSource(self.format, store, settings, parsed))
        if store.can_rename:
            staging.recover()

    def _is_bad_rows(self, stream: Any) -> bool:
        last = stream[-1] if isinstance(stream, (list, tuple)) and stream else stream
        return isinstance(last, str) and last.rstrip("/").endswith(BAD_ROWS_SUFFIX)

    def _parse(self, stream: Any) -> Any:
        return parse_stream(stream, self.format.suffixes, parts=self.format.has_parts)

    def target(self, session: Any, settings: dict[str, Any], stream: Any) -> FileStaging:
        """Return what writes files."""
        session.check()
        return FileStaging(FileSource(self.format, session, settings, self._parse(stream)))
