"""A folder of a bucket in S3, or in what speaks like it; the same as ``LocalStore`` offers.

An object is there once its upload is complete, and never in part. Objects have no other names to be
given, and nobody can hold a lock on them: what follows from that is said in ``file_staging``.
"""

from __future__ import annotations

from contextlib import contextmanager

from pypods.connectors.errors import (
    AuthenticationError,
    ConnectorError,
    SettingsError,
    StreamNotFoundError,
    UnreachableError,
)
from pypods.connectors.files.store import FileFacts

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

__all__ = ["SCHEME", "S3Store"]

SCHEME = "s3://"
#: What stands in the messages of the AWS library, and what it means.
_MEANINGS: tuple[tuple[tuple[str, ...], Any, str], ...] = (
    (
        ("ACCESS_DENIED", "INVALID_ACCESS_KEY", "SIGNATURE", "INVALID_CLIENT_TOKEN", "EXPIRED",
         "UNRECOGNIZED_CLIENT", "HTTP status 403", "code: 403", "MISSING_AUTHENTICATION"),
        AuthenticationError,
        "; look at access_key, secret_key and what they may do",
    ),
    (("NO_SUCH_BUCKET", "RESOURCE_NOT_FOUND", "NO_SUCH_KEY", "does not exist", "code: 404",
      "HTTP status 404"), StreamNotFoundError, ""),
    (("NETWORK_CONNECTION", "timed out", "Timeout", "SLOW_DOWN", "SERVICE_UNAVAILABLE",
      "curlCode", "INTERNAL_FAILURE", "THROTTL"), UnreachableError, ""),
)  # fmt: skip


class S3Store:
    """A folder of a bucket. Methods raise OSError, which ``translate`` makes an error of ours."""

    can_rename = False

    def __init__(self, settings: dict[str, Any]) -> None:
        bucket, _, prefix = settings["folder"][len(SCHEME) :].partition("/")
        if not bucket or any(part in ("", ".", "..") for part in prefix.strip("/").split("/")[:-1]):
            raise SettingsError("an S3 folder is s3://bucket or s3://bucket/folder")
        if bool(settings["access_key"]) != bool(settings["secret_key"]):
            raise SettingsError("access_key and secret_key go together")
        if settings["anonymous"] and settings["access_key"]:
            raise SettingsError("anonymous is without access_key and secret_key")
        self.bucket = bucket
        self.folder = "/".join(part for part in (bucket, prefix.strip("/")) if part)
        self.shown = SCHEME + self.folder
        self._settings = settings
        self._system: Any = None
        self._staged: dict[str, str] = {}

    @property
    def system(self) -> Any:
        """The file system of pyarrow; made when it is first used."""
        if self._system is None:
            from pyarrow import fs  # type: ignore[import-untyped,unused-ignore]

            settings = self._settings
            options = {
                name: settings[name]
                for name in ("access_key", "secret_key", "session_token", "region")
                if settings[name]
            }
            if settings["anonymous"]:
                options["anonymous"] = True
            if settings["endpoint"]:
                scheme, mark, host = settings["endpoint"].rpartition("://")
                options["endpoint_override"] = host.rstrip("/")
                options["scheme"] = scheme if mark else "https"
            self._system = fs.S3FileSystem(
                connect_timeout=settings["timeout"],
                request_timeout=settings["timeout"],
                retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=3),
                **options,
            )
        return self._system

    def check(self) -> None:
        """Raise an error if the bucket is not there."""
        from pyarrow import fs

        if self.system.get_file_info(self.bucket).type == fs.FileType.NotFound:
            raise StreamNotFoundError(f"there is no bucket {self.bucket!r}")

    def resolve(self, path: str) -> str:
        """Return an object's bucket and key."""
        return f"{self.folder}/{path}" if path else self.folder

    # --- looking -------------------------------------------------------------------------------

    def look(self, path: str) -> FileFacts | None:
        """Return an object's facts, or None if there is none."""
        return self._facts(self.system.get_file_info(self.resolve(path)))

    def _facts(self, info: Any) -> FileFacts | None:
        from pyarrow import fs

        if info.type != fs.FileType.File:
            return None
        return FileFacts(info.path[len(self.folder) + 1 :], info.size, info.mtime_ns)

    def is_folder(self, path: str) -> bool:
        """Whether there are objects below that path."""
        from pyarrow import fs

        info = self.system.get_file_info(self.resolve(path))
        return bool(info.type == fs.FileType.Directory)

    def _list(self, path: str, *, recursive: bool) -> Any:
        from pyarrow import fs

        selector = fs.FileSelector(self.resolve(path), allow_not_found=True, recursive=recursive)
        return self.system.get_file_info(selector)

    def files(self, path: str = "") -> list[FileFacts]:
        """Return all objects below a folder, by their keys; those with a dot are hidden."""
        found = [self._facts(info) for info in self._list(path, recursive=True)]
        start = len(path) + 1 if path else 0
        shown = [
            each
            for each in found
            if each is not None
            and not any(part.startswith(".") for part in each.path[start:].split("/"))
        ]
        return sorted(shown, key=lambda each: each.path)

    def names(self, path: str) -> list[str]:
        """Return the names of the objects in a folder, hidden ones too."""
        return sorted(info.base_name for info in self._list(path, recursive=False))

    # --- reading -------------------------------------------------------------------------------

    def open(self, path: str) -> Any:
        """Open an object for reading, as pyarrow does."""
        return self.system.open_input_file(self.resolve(path))

    def read_text(self, path: str) -> str | None:
        """Return a small object's text, or None if it is not there."""
        if self.look(path) is None:
            return None
        with self.open(path) as file:
            text: str = file.read().decode("utf-8")
            return text

    # --- writing -------------------------------------------------------------------------------

    def make_folder(self, path: str) -> None:
        """Do nothing: a key needs no folder."""

    @contextmanager
    def create(self, path: str) -> Iterator[Any]:
        """Write an object of a few mebibytes; it is there when this ends, unless by an error."""
        import io

        content = io.BytesIO()
        yield content
        self._put(path, content.getbuffer())

    def _put(self, path: str, content: Any) -> None:
        # An output stream that an exception leaves is completed by its destructor, with what it
        # has; so it gets all at once.
        with self.system.open_output_stream(self.resolve(path)) as file:
            file.write(content)

    @contextmanager
    def stage(self, path: str) -> Iterator[Any]:
        """Write a file, of whatever size, into a temporary one of this machine; see ``publish``."""
        import os
        import tempfile

        descriptor, name = tempfile.mkstemp(prefix="pypods-")
        try:
            with open(descriptor, "wb") as file:
                yield file
        except BaseException:
            os.remove(name)
            raise
        self._staged[path] = name

    def publish(self, path: str, final: str) -> None:
        """Upload what was staged as that path; it takes another object's place when complete."""
        import os

        from pyarrow import fs

        name = self._staged.pop(path)
        try:
            # Arrow's own loop: no signal of Python's can come in between and leave it half done.
            fs.copy_files(
                name,
                self.resolve(final),
                source_filesystem=fs.LocalFileSystem(),
                destination_filesystem=self.system,
                use_threads=False,
            )
        finally:
            os.remove(name)

    def discard_staged(self) -> None:
        """Remove the temporary files that were not published."""
        import os

        while self._staged:
            os.remove(self._staged.popitem()[1])

    def write_text(self, path: str, text: str) -> None:
        """Write a small object."""
        self._put(path, text.encode("utf-8"))

    def remove(self, path: str) -> None:
        """Remove an object, if it is there."""
        if self.look(path) is not None:
            self.system.delete_file(self.resolve(path))

    def remove_tree(self, path: str) -> None:
        """Remove all objects below a path."""
        from pyarrow import fs

        infos = self._list(path, recursive=True)
        for info in infos:
            if info.type == fs.FileType.File:
                self.system.delete_file(info.path)

    @contextmanager
    def lock(self, path: str) -> Iterator[None]:
        """Do nothing: there is no lock to be had."""
        yield

    def translate(self, error: Exception) -> ConnectorError | None:
        """Return what an error of the AWS library is for everybody; None for another error."""
        if not isinstance(error, OSError):
            return None
        text = str(error)
        for words, kind, advice in _MEANINGS:
            if any(word in text for word in words):
                return kind(f"{self.shown}: {text}{advice}")  # type: ignore[no-any-return]
        return UnreachableError(f"{self.shown}: {text}")
