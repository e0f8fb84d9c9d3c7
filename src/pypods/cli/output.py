"""What pods print and log, and what pypods itself logs, on stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pypods.cli.settings import Settings

POD_LOGGER = "pypods.pod"


class OutputFormatter(logging.Formatter):
    """What a pod printed, as it printed it; what was logged, with level and logger."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line or lines to print."""
        text = super().format(record)
        logger = getattr(record, "pod_logger", None)  # Only what a pod's logging made has it.
        if logger is None and record.name.startswith(f"{POD_LOGGER}."):
            return text
        return f"{record.levelname} {logger or record.name}: {text}"


@contextmanager
def output_on_stderr(settings: Settings) -> Iterator[None]:
    """Show logging on stderr: everything of pods, and of pypods with ``--verbose``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OutputFormatter())
    logger = logging.getLogger("pypods")
    pods = logging.getLogger(POD_LOGGER)
    before = logger.level, logger.propagate, pods.level
    logger.setLevel(logging.DEBUG if settings.verbose else logging.WARNING)
    shown = logging.DEBUG if settings.verbose else logging.INFO
    pods.setLevel(logging.ERROR if settings.quiet else shown)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
        pods.setLevel(before[2])
