"""Secrets by reference, and their values kept out of everything that is shown or stored."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote, quote_plus

from pypods.errors import OperationError

__all__ = ["MASK", "Mask", "masked_logging", "resolve_secrets"]

MASK = "***"
REFERENCE = re.compile(r"\$\{(env|file):([^}]*)\}")
#: Settings of these names hold secrets, whatever a connector says of them.
SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|credential|private|api_?key|^key$|_key$", re.IGNORECASE
)
#: Shorter values are masked only where they stand alone: they are part of too many words.
SHORT = 4


class Mask:
    """Replaces secrets in texts; what it is told of stays known for as long as it lives."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = Lock()

    def add(self, secret: str) -> None:
        """Mask this value from now on, and as URLs, JSON and Python would write it."""
        if not secret:
            return
        forms = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
        forms |= {json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
        forms.add(secret.replace("'", "\\'"))
        forms |= {line for line in secret.splitlines() if len(line) >= SHORT}
        with self._lock:
            self._secrets |= forms
            words = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile(
                "|".join(
                    re.escape(word) if len(word) >= SHORT else rf"(?<!\w){re.escape(word)}(?!\w)"
                    for word in words
                )
            )

    def add_settings(self, connection: Mapping[str, Any], secret_names: Iterable[str] = ()) -> None:
        """Mask the values of settings that are secrets by their names or their connector's word."""
        names = set(secret_names)
        for name, value in connection.items():
            is_secret = name in names or SECRET_NAME.search(name) is not None
            if isinstance(value, Mapping):
                self.add_settings(value, set(value) if is_secret else ())
            elif is_secret and isinstance(value, (str, int)) and not isinstance(value, bool):
                self.add(str(value))

    def __call__(self, text: str) -> str:
        """Return a text with every secret in it replaced."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def value(self, value: Any) -> Any:
        """Return a JSON-like value with every text in it masked."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value

    def hides_in(self, text: str) -> bool:
        """Tell whether a secret stands in a text."""
        return self._pattern is not None and self._pattern.search(text) is not None


def resolve_secrets(value: Any, mask: Mask, *, place: str) -> Any:
    """Return a connection with its references replaced; ``mask`` learns what they stand for.

    Raises OperationError for a variable or a file that is not there.
    """
    if isinstance(value, str):

        def replace(match: re.Match[str]) -> str:
            secret = read_secret(match[1], match[2], place)
            mask.add(secret)
            return secret

        return REFERENCE.sub(replace, value)
    if isinstance(value, Mapping):
        return {
            name: resolve_secrets(item, mask, place=f"{place}.{name}")
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [
            resolve_secrets(item, mask, place=f"{place}[{index}]")
            for index, item in enumerate(value)
        ]
    return value


def read_secret(kind: str, name: str, place: str) -> str:
    """Return what a reference stands for; of a file, its text without the last line's end."""
    if kind == "env":
        secret = os.environ.get(name)
        if secret is None:
            raise OperationError(
                f"{place}: the environment variable {name} is not set; set it or name another"
            )
        return secret
    try:
        return Path(name).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "is no text"
        raise OperationError(f"{place}: the file {name} cannot be read: {reason}") from None


class MaskFilter(logging.Filter):
    """Masks the text of a record, and drops the exception that might hold it unmasked."""

    def __init__(self, mask: Mask) -> None:
        super().__init__()
        self._mask = mask

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, masked."""
        text = record.getMessage()
        masked = self._mask(text)
        if masked != text:
            record.msg, record.args = masked, None
        for name in ("exc_text", "stack_info"):
            said = getattr(record, name, None)
            if said:
                setattr(record, name, self._mask(said))
        return True


@contextmanager
def masked_logging(mask: Mask, loggers: Iterable[str]) -> Iterator[None]:
    """Mask what is logged by these loggers: what pods print and log, and what is said here."""
    masking = MaskFilter(mask)
    known = [logging.getLogger(name) for name in loggers]
    for logger in known:
        logger.addFilter(masking)
    try:
        yield
    finally:
        for logger in known:
            logger.removeFilter(masking)
