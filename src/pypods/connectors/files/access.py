"""How calls get at files: settings checked, streams found, errors made the contract's."""

from __future__ import annotations

from pypods.connectors.errors import (
    ConnectorError,
    SettingsError,
    StreamNotFoundError,
    without_secrets,
)
from pypods.connectors.files.bad_rows import BadRowsFormat, bad_rows_stream
from pypods.connectors.files.s3_store import SCHEME, S3Store
from pypods.connectors.files.source import FileSource
from pypods.connectors.files.staging import FileStaging
from pypods.connectors.files.store import LocalStore
from pypods.connectors.files.streams import BAD_ROWS_SUFFIX, parse_stream

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable, TypeVar

    Result = TypeVar("Result")

__all__ = ["FileAccess"]


class FileAccess:
    """The half of ``FileConnector`` that every call goes through."""

    def __init__(self, kind: Any) -> None:
        self.format = kind

    def open(self, connection: Any) -> tuple[Any, dict[str, Any]]:
        """Return the store and the checked settings."""
        settings = self.format.settings.check(connection)
        if settings["rows_per_file"] < 1:
            raise SettingsError("rows_per_file is at least 1")
        if settings["folder"].startswith(SCHEME) and self.format.in_s3:
            store: Any = S3Store(settings)
        elif "://" in settings["folder"]:
            raise SettingsError(f"{self.format.title} are not read from {settings['folder']!r}")
        else:
            store = LocalStore(settings["folder"])
        self.format.check_settings(settings)
        return store, settings

    def find(
        self, store: Any, settings: dict[str, Any], stream: Any, query: str | None
    ) -> FileSource:
        """Return the stream, with its files."""
        if query is not None or stream is None:
            raise SettingsError(f"{self.format.title} take no query; name a stream")
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

    def staging(self, connection: Any, stream: Any, work: Callable[[Any], Result]) -> Result:
        """Return what work does with the stream as a target."""

        def do(store: Any, settings: dict[str, Any]) -> Result:
            store.check()
            return work(FileStaging(FileSource(self.format, store, settings, self._parse(stream))))

        return self.with_store(connection, do)

    def with_store(self, connection: Any, work: Callable[[Any, Any], Result]) -> Result:
        """Return what work does with the folder and the checked settings."""
        store, settings = self.open(connection)
        return self.guard(connection, store, lambda: work(store, settings))

    def guard(self, connection: Any, store: Any, work: Callable[[], Result]) -> Result:
        """Do the work; what the system raises becomes an error of the contract.

        That one is raised outside of the handler, so that the system's own error, which may have
        a secret in its text, is not linked to it.
        """
        try:
            return work()
        except ConnectorError as exc:
            error: Any = exc
        except Exception as exc:
            error = store.translate(exc)
            if error is None:
                raise
        error.__cause__ = error.__context__ = None
        secrets = self.format.settings.secrets(connection)
        error.args = (without_secrets(str(error), secrets), *error.args[1:])
        raise error
