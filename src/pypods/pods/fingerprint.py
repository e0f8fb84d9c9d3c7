"""What an environment was made from, kept inside it; compares and makes nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from pypods.pods.requirements import Requirements

__all__ = [
    "FINGERPRINT_NAME",
    "Fingerprint",
    "hash_requirements",
    "hash_settings",
    "name_platform",
    "read_fingerprint",
    "stamp_file",
    "write_fingerprint",
]

FINGERPRINT_NAME = "pypods-fingerprint.json"
FORMAT_VERSION = 1

_PREFIXES = {"uv": "UV_", "pip": "PIP_"}
# The variables that decide what an installer chooses, without their prefix. Where it caches and
# how it prints change nothing.
_SETTINGS = {
    *("INDEX", "DEFAULT_INDEX", "INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX"),
    *("INDEX_STRATEGY", "CONFIG_FILE", "NO_CONFIG", "NO_SOURCES", "TORCH_BACKEND"),
    *(
        "CONSTRAINT",
        "BUILD_CONSTRAINT",
        "OVERRIDE",
        "EXCLUDE",
        "EXCLUDE_NEWER",
        "UPLOADED_PRIOR_TO",
    ),
    *("PRE", "PRERELEASE", "RESOLUTION", "FORK_STRATEGY", "NO_DEPS", "REQUIRE_HASHES"),
    *("NO_BINARY", "NO_BINARY_PACKAGE", "NO_BUILD", "NO_BUILD_PACKAGE"),
    *("ONLY_BINARY", "PREFER_BINARY"),
}


@dataclass(frozen=True)
class Fingerprint:
    """What was asked for and what it became; an environment with one is whole.

    Requirements and settings are hashes: both may hold credentials.
    """

    requirements: str
    installer: str
    settings: str
    platform: str
    #: Where the environment is: its scripts begin with that path.
    location: str
    #: The interpreter below, without links, with its version, size and time of change.
    interpreter: str
    version: tuple[int, ...]
    stamp: tuple[int, ...]
    #: The Python asked for, as it was written.
    python: str | None
    format: int = FORMAT_VERSION


def read_fingerprint(venv: Path) -> Fingerprint | None:
    """Return the environment's fingerprint, or None if it has none that can be read."""
    import json

    try:
        fields = json.loads((venv / FINGERPRINT_NAME).read_bytes())
        if fields["format"] != FORMAT_VERSION:
            return None
        fields["version"] = tuple(fields["version"])
        fields["stamp"] = tuple(fields["stamp"])
        return Fingerprint(**fields)
    except (OSError, ValueError, LookupError, TypeError):
        return None


def write_fingerprint(venv: Path, fingerprint: Fingerprint) -> None:
    """Put the fingerprint into the environment, whole or not at all."""
    import json

    new = venv / f"{FINGERPRINT_NAME}.new"
    new.write_text(json.dumps(asdict(fingerprint), indent=1) + "\n", encoding="utf-8")
    new.replace(venv / FINGERPRINT_NAME)


def stamp_file(path: str | Path) -> tuple[int, ...] | None:
    """Return size and time of change of a file, or None if it is not there."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns)


def hash_requirements(requirements: Requirements) -> str:
    """Return a hash over every text that says what to install."""
    return _hash(part for text in requirements.texts for part in text) if requirements else ""


def hash_settings(requirements: Requirements, installer: str) -> str:
    """Return a hash over the installer's variables that matter; "" with nothing to install."""
    if not requirements:
        return ""
    prefix = _PREFIXES[installer]
    return _hash(
        part
        for name in sorted(os.environ)
        if name.startswith(prefix) and name.removeprefix(prefix) in _SETTINGS
        for part in (name, _drop_credentials(os.environ[name]))
    )


def name_platform() -> str:
    """Return what the environment's compiled files depend on: system and machine."""
    return f"{sys.platform}-{os.uname().machine}"


def _hash(parts: Iterable[str]) -> str:
    import hashlib

    # A NUL separates: neither a text file nor a variable holds one.
    data = "\0".join(parts).encode("utf-8", errors="surrogateescape")
    return hashlib.sha256(data).hexdigest()


def _drop_credentials(value: str) -> str:
    """Remove user and password from URLs: a renewed token changes nothing that is installed."""
    import re

    return re.sub(r"//[^/\s@]*@", "//", value)
