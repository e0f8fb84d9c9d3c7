"""Names of streams and columns: taken apart, checked, quoted; no SQL."""

from __future__ import annotations

from pypods.connectors.errors import SchemaError, SettingsError

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterable

__all__ = [
    "check_columns",
    "join_stream",
    "only_columns",
    "quote",
    "rename_columns",
    "short_hash",
    "split_stream",
]


def split_stream(stream: Any, *, most: int = 3) -> list[str]:
    """Return the parts of a stream's name, from ``schema.table``, ``"odd.name"."t"`` or a list.

    A quote inside quotes is doubled. Raises SettingsError.
    """
    if isinstance(stream, (list, tuple)):
        parts = list(stream)
    elif isinstance(stream, str):
        parts = _split(stream)
    else:
        raise SettingsError(f"a stream is text or a list of parts, not {type(stream).__name__}")
    for part in parts:
        if not isinstance(part, str) or not part or "\0" in part:
            raise SettingsError(
                f"stream {stream!r} has an empty part, or one that is no name; "
                f'write schema.table, or "odd.name" in double quotes'
            )
    if not 1 <= len(parts) <= most:
        raise SettingsError(f"stream {stream!r} has {len(parts)} parts, and 1 to {most} are known")
    return parts


def _split(text: str) -> list[str]:
    parts: list[str] = []
    at = 0
    while True:
        if text[at : at + 1] == '"':
            part, at = _quoted(text, at + 1)
        else:
            end = text.find(".", at)
            end = len(text) if end < 0 else end
            part, at = text[at:end], end
            if '"' in part:
                raise SettingsError(f"stream {text!r} has a quote in the middle of a name")
        parts.append(part)
        if at >= len(text):
            return parts
        if text[at] != ".":
            raise SettingsError(f"stream {text!r} has text after a closing quote")
        at += 1


def _quoted(text: str, at: int) -> tuple[str, int]:
    part = ""
    while True:
        end = text.find('"', at)
        if end < 0:
            raise SettingsError(f"stream {text!r} has a quote that is not closed")
        part += text[at:end]
        if text[end + 1 : end + 2] != '"':
            return part, end + 1
        part += '"'
        at = end + 2


def join_stream(parts: Iterable[str]) -> str:
    """Return the text that ``split_stream`` takes apart again."""
    return ".".join(
        part if part and '"' not in part and "." not in part else quote(part) for part in parts
    )


def quote(name: str, mark: str = '"') -> str:
    """Return a name in quotes. Raises SettingsError for what no system can have as one."""
    if not name or "\0" in name:
        raise SettingsError(f"{name!r} cannot be a name")
    if mark == "[":
        return "[" + name.replace("]", "]]") + "]"
    return mark + name.replace(mark, mark + mark) + mark


def check_columns(wanted: Any, known: Iterable[str], where: str) -> list[str]:
    """Return the wanted columns; None is all. Raises SchemaError for one that is not there."""
    there = list(known)
    if wanted is None:
        return there
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    for name in names:
        if name not in there:
            raise SchemaError(
                f"{where} has no column {name!r}; it has {', '.join(map(repr, there))}"
            )
    return names


def rename_columns(schema: Any, names: Any, where: str) -> Any:
    """Return an Arrow schema with new names, ``{"old": "new"}``.

    Raises SchemaError where two columns would have the same one.
    """
    if not names:
        return schema
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    check_columns(names, schema.names, where)
    renamed = pa.schema([field.with_name(names.get(field.name, field.name)) for field in schema])
    for name in renamed.names:
        if renamed.names.count(name) > 1:
            raise SchemaError(
                f"two columns of {where} would be called {name!r}; rename one of them"
            )
    return renamed


def only_columns(schema: Any, names: Iterable[str]) -> Any:
    """Return an Arrow schema with these of its columns, in that order."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    return pa.schema([schema.field(name) for name in names])


def short_hash(*texts: str) -> str:
    """Return 16 hexadecimal digits that stand for these texts."""
    from hashlib import blake2b

    digest = blake2b(digest_size=8)
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return digest.hexdigest()
