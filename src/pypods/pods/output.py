"""What a pod prints and logs, into the host's ``logging``; reads no descriptor itself."""

from __future__ import annotations

from pypods.wire.messages import Log

__all__ = ["PodOutput"]

TAIL_BYTES = 8192
TAIL_LINES = 20
MAX_LINE_BYTES = 65_536
#: The year 9999, as seconds since 1970: what comes later is no time a pod can mean.
LATEST_SECONDS = 253_402_300_800.0


class PodOutput:
    """Receives a pod's output in pieces: whole lines become records of ``pypods.pod.<name>``.

    A printed line is a record of level INFO. The last lines are kept for the report of a death.
    """

    def __init__(self, pod_name: str) -> None:
        import logging

        self._logging = logging
        self._logger = logging.getLogger(f"pypods.pod.{pod_name}")
        self._unfinished = b""
        self._tail = b""

    def effective_level(self) -> int:
        """Return the level below which the host shows nothing of this pod."""
        return self._logger.getEffectiveLevel()

    def feed(self, data: bytes) -> None:
        """Take in what the pod printed."""
        self._tail = (self._tail + data)[-TAIL_BYTES:]
        if not self._logger.isEnabledFor(self._logging.INFO):
            self._unfinished = b""
            return
        *lines, unfinished = (self._unfinished + data).split(b"\n")
        if len(unfinished) > MAX_LINE_BYTES:
            lines.append(unfinished)
            unfinished = b""
        self._unfinished = unfinished
        for line in lines:
            self._handle(
                self._logging.INFO, line.decode(errors="backslashreplace").rstrip("\r"), {}
            )

    def finish(self) -> None:
        """Let a last line without its end become a record too."""
        if self._unfinished:
            self.feed(b"\n")

    def record(self, message: Log) -> None:
        """Hand a record of the pod's own logging to the host's, level and origin kept."""
        if not self._logger.isEnabledFor(message.level):
            return
        origin: dict[str, object] = {
            "pathname": message.path,
            "filename": message.path.rpartition("/")[2],
            "lineno": message.line,
            "funcName": message.function,
            "pod_logger": message.logger,
        }
        if 0 <= message.created < LATEST_SECONDS:  # Otherwise no handler could write the date.
            origin["created"] = message.created
            origin["msecs"] = (message.created % 1) * 1000
        self._handle(message.level, message.message, origin)

    def warn(self, message: str) -> None:
        """Say something of the pod that it could not say itself."""
        if self._logger.isEnabledFor(self._logging.WARNING):
            self._handle(self._logging.WARNING, message, {})

    def _handle(self, level: int, message: str, origin: dict[str, object]) -> None:
        name = self._logger.name
        record = self._logger.makeRecord(name, level, "(printed)", 0, message, (), None)
        vars(record).update(origin)
        try:
            self._logger.handle(record)
        except Exception:  # noqa: BLE001 - a filter's own; whoever waits for a call is not to blame
            self._logging.Handler().handleError(record)

    def last_lines(self) -> str:
        """Return the last lines the pod printed, at most twenty."""
        text = self._tail.decode(errors="backslashreplace").rstrip("\n")
        return "\n".join(text.split("\n")[-TAIL_LINES:])
