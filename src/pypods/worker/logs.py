"""The pod's ``logging`` records, on their way to the host; nothing of what is printed.

``logging`` is heavy for a worker that never logs, so nothing here imports it before the pod does.
"""

from __future__ import annotations

import sys

from pypods.wire.documents import encode_document
from pypods.wire.frames import DEFAULT_MAX_FRAME_BYTES

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["forward_logging"]


#: A longer message is cut, also where this many characters would be most of a frame.
MAX_MESSAGE_CHARACTERS = 1_000_000


def forward_logging(
    send: Callable[[bytes], None], *, level: int, max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES
) -> None:
    """Send every record that reaches the root logger, now or as soon as logging is imported.

    ``level`` becomes the root logger's, so that what the host would not show is not sent.
    """
    limit = min(MAX_MESSAGE_CHARACTERS, max_frame_bytes // 16)
    if "logging" in sys.modules:
        _attach(sys.modules["logging"], send, level, limit)
    else:
        sys.meta_path.insert(0, _LoggingWatcher(send, level, limit))


class _LoggingWatcher:
    """A finder that waits for the first import of logging and then leaves."""

    def __init__(self, send: Callable[[bytes], None], level: int, limit: int) -> None:
        self._send = send
        self._level = level
        self._limit = limit

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                self._attach_after(spec.loader)
                return spec
        return None

    def _attach_after(self, loader: Any) -> None:
        execute = loader.exec_module

        def execute_and_attach(module: Any) -> None:
            execute(module)
            _attach(module, self._send, self._level, self._limit)

        loader.exec_module = execute_and_attach


def _attach(logging: Any, send: Callable[[bytes], None], level: int, limit: int) -> None:
    class HostHandler(logging.Handler):  # type: ignore[misc]
        """Send a record as a frame; one that cannot be formatted is reported as logging does."""

        def emit(self, record: Any) -> None:
            try:
                frame = encode_document(_record_document(self.format(record), record, limit))
            except Exception:  # noqa: BLE001 - a record's arguments are the pod's own
                self.handleError(record)
                return
            try:
                send(frame)
            except OSError:
                return  # The host has gone; this process is about to.

    handler = HostHandler()
    handler.set_name("pypods")
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    basic_config = logging.basicConfig

    def basic_config_with_host(**options: Any) -> None:
        """Configure the root logger as ever, but let the records go to the host by default."""
        if options.keys() & {"filename", "stream", "handlers"}:
            root.removeHandler(handler)
            try:
                basic_config(**options)
            finally:
                root.addHandler(handler)
        elif options.get("level") is not None:
            root.setLevel(options["level"])

    logging.basicConfig = basic_config_with_host


def _record_document(message: str, record: Any, limit: int) -> dict[str, Any]:
    if len(message) > limit:
        message = message[:limit] + "…"
    return {
        "kind": "log",
        "logger": str(record.name),
        "level": int(record.levelno),
        "message": message,
        "created": float(record.created),
        "path": str(record.pathname),
        "line": int(record.lineno),
        "function": str(record.funcName or ""),
    }
