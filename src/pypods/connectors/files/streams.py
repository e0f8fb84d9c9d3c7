"""Names of streams that are files: a file, a pattern, a folder of parts; nothing is opened here.

``people.csv`` and ``2026/*.csv`` are paths below the connection's folder, with ``/`` between parts;
what has none of the connector's suffixes is a folder, a *dataset*: all files below it with such a
suffix. ``book.xlsx/Sheet 1`` is a part of a file, for connectors whose files have parts.
"""

from __future__ import annotations

import re

from pypods.connectors.errors import SchemaError, SettingsError, StreamNotFoundError

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["FileStream", "parse_stream"]

_PATTERN = re.compile(r"[*?\[]")


class FileStream:
    """What a stream's name stands for: ``kind`` is file, pattern or folder."""

    def __init__(self, path: str, kind: str, suffixes: Any, inner: str | None = None) -> None:
        self.path = path
        self.kind = kind
        self.suffixes = suffixes
        #: The part of the file, such as a sheet.
        self.inner = inner

    @property
    def name(self) -> str:
        """The stream's name, one for all ways to write it."""
        return self.path if self.inner is None else f"{self.path}/{self.inner}"

    def files(self, store: Any) -> list[Any]:
        """Return the facts of the stream's files, in their order. Raises StreamNotFoundError."""
        if self.kind == "file":
            facts = store.look(self.path)
            if facts is None:
                what = "; it is a folder" if store.is_folder(self.path) else ""
                raise StreamNotFoundError(f"{store.shown} has no file {self.path}{what}")
            return [facts]
        found = self.find(store)
        if not found:
            raise StreamNotFoundError(
                f"{store.shown} has no file {self.path}"
                + ("/" if self.kind == "folder" else "")
                + f"… that ends with {' or '.join(self.suffixes)}"
                if self.kind == "folder"
                else f"{store.shown} has no file that is like {self.path}"
            )
        return found

    def find(self, store: Any) -> list[Any]:
        """Return the files of a pattern or a folder; there may be none."""
        if self.kind == "folder":
            if not store.is_folder(self.path):
                return []
            every = store.files(self.path)
            found = [each for each in every if has_suffix(each.path, self.suffixes)]
            for each in found:
                below = each.path[len(self.path) + 1 :]
                if "=" in below.rpartition("/")[0]:
                    raise SchemaError(
                        f"{each.path}: folders named column=value hold a column, which would be "
                        f"lost; name the files by a pattern to read them without it"
                    )
            return found
        top = _PATTERN.split(self.path)[0].rpartition("/")[0]
        wanted = re.compile(pattern_to_regex(self.path))
        return [each for each in store.files(top) if wanted.fullmatch(each.path)]


def parse_stream(stream: Any, suffixes: Any, *, parts: bool = False) -> FileStream:
    """Return what a stream's name stands for. Raises SettingsError.

    ``parts``: whether files have parts, so that what follows a file's name is one.
    """
    text = "/".join(stream) if isinstance(stream, (list, tuple)) else stream
    if not isinstance(text, str) or not text.strip("/"):
        raise SettingsError(f"a stream is the path of a file below the folder, not {stream!r}")
    names = text.rstrip("/").split("/")
    inner = None
    if parts:
        for at, name in enumerate(names[:-1]):
            if has_suffix(name, suffixes):
                names, inner = names[: at + 1], "/".join(names[at + 1 :])
                break
    if text.startswith("/") or "\\" in text or "\0" in text or re.match(r"[A-Za-z]:", text):
        raise SettingsError(
            f"stream {text!r}: a path below the folder has only / between its parts"
        )
    for name in names:
        if name in ("", ".", ".."):
            raise SettingsError(f"stream {text!r} leads out of the connection's folder, or nowhere")
        if name.startswith("."):
            raise SettingsError(f"stream {text!r}: names with a dot in front are hidden")
    path = "/".join(names)
    if _PATTERN.search(path):
        kind = "pattern"
    else:
        kind = "file" if has_suffix(path, suffixes) else "folder"
    if kind == "folder" and re.search(r"\.[A-Za-z][A-Za-z0-9]{0,7}$", text):
        # A suffix that is not known is more likely a mistake than a folder.
        known = " or ".join(suffixes)
        raise SettingsError(
            f"stream {text!r} does not end with {known}; if it is a folder, end it with /"
        )
    return FileStream(path, kind, suffixes, inner)


def has_suffix(path: str, suffixes: Any) -> bool:
    """Whether a file's name ends with one of them, in capitals or not."""
    return path.lower().endswith(tuple(suffixes))


def pattern_to_regex(pattern: str) -> str:
    """Return the regular expression of a pattern: * and ? within a name, ** across folders."""
    regex = ""
    at = 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            regex, at = regex + "(?:[^/]+/)*", at + 3
        elif pattern.startswith("**", at):
            regex, at = regex + ".*", at + 2
        elif pattern[at] == "*":
            regex, at = regex + "[^/]*", at + 1
        elif pattern[at] == "?":
            regex, at = regex + "[^/]", at + 1
        elif pattern[at] == "[" and "]" in pattern[at + 2 :]:
            end = pattern.index("]", at + 2)
            inside = pattern[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            inside = "^" + inside[1:] if inside.startswith("!") else inside.replace("^", "\\^")
            regex, at = f"{regex}(?!/)[{inside}]", end + 1
        else:
            regex, at = regex + re.escape(pattern[at]), at + 1
    return regex
