"""An Arrow type with its name and what is inside it: from C, to C, and as a frame has it."""

from __future__ import annotations

from ctypes import (
    POINTER,
    addressof,
    c_void_p,
    cast,
    create_string_buffer,
    memset,
    pointer,
    sizeof,
    string_at,
)
from struct import Struct

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.arrow.layouts import INDEX_FORMATS, layout_of
from pypods.wire.arrow.structures import ArrowSchema, callback

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Field", "field_from_c", "field_from_content", "field_to_c"]

MAX_FIELDS = 100_000
MAX_DEPTH = 64
#: Older versions of pyarrow run what is in the metadata of this extension type (CVE-2023-47248).
_FORBIDDEN_EXTENSION = b"arrow.py_extension_type"
_EXTENSION_NAME = b"ARROW:extension:name"
_native_int = Struct("=i")


class Field:
    """One type: a column's, a nested one's, or the structure of all columns."""

    __slots__ = ("children", "dictionary", "flags", "format", "layout", "metadata", "name")

    def __init__(
        self,
        text: str,
        name: str,
        flags: int,
        metadata: list[bytes] | None,
        children: list[Field],
        dictionary: Field | None,
    ) -> None:
        self.format = text
        self.name = name
        self.flags = flags
        #: Keys and values in turn.
        self.metadata = metadata
        self.children = children
        self.dictionary = dictionary
        self.layout = layout_of(text)
        wanted = self.layout.children
        if wanted is not None and wanted != len(children):
            raise ProtocolError(f"an Arrow type {text!r:.40} with {len(children)} types inside it")
        if dictionary is not None and text not in INDEX_FORMATS:
            raise ProtocolError(f"an Arrow dictionary with indices of type {text!r:.40}")
        if text == "+m" and (children[0].format != "+s" or len(children[0].children) != 2):
            raise ProtocolError("an Arrow map that is not of keys and items")

    def to_content(self) -> list[Any]:
        """Return what a frame says of it."""
        return [
            self.format,
            self.name,
            self.flags,
            self.metadata,
            [child.to_content() for child in self.children],
            None if self.dictionary is None else self.dictionary.to_content(),
        ]


def field_from_content(content: Any) -> Field:
    """Return the type that a frame describes. Raises ProtocolError, ValueTransferError."""
    return _from_content(content, 0, [MAX_FIELDS])


def _from_content(content: Any, depth: int, budget: list[int]) -> Field:
    _count(depth, budget)
    if type(content) is not list or len(content) != 6:
        raise ProtocolError("an Arrow type is not described by six values")
    text, name, flags, metadata, children, dictionary = content
    if type(text) is not str or type(name) is not str or "\0" in name or "\0" in text:
        raise ProtocolError("an Arrow type without format or name")
    if type(flags) is not int or not 0 <= flags < 8 or type(children) is not list:
        raise ProtocolError("an Arrow type with other flags, or without a list of types")
    if metadata is not None:
        _check_metadata(metadata)
    return Field(
        text,
        name,
        flags,
        metadata,
        [_from_content(child, depth + 1, budget) for child in children],
        None if dictionary is None else _from_content(dictionary, depth + 1, budget),
    )


def _count(depth: int, budget: list[int]) -> None:
    budget[0] -= 1
    if depth > MAX_DEPTH or budget[0] < 0:
        raise ValueTransferError("an Arrow type is nested too deeply, or has too many columns")


def _check_metadata(metadata: Any) -> None:
    if (
        type(metadata) is not list
        or len(metadata) % 2
        or any(type(part) is not bytes for part in metadata)
    ):
        raise ProtocolError("the metadata of an Arrow type are no pairs of bytes")
    pairs = zip(metadata[::2], metadata[1::2])
    if (_EXTENSION_NAME, _FORBIDDEN_EXTENSION) in pairs:
        raise ValueTransferError(
            "an Arrow array of an extension type that pyarrow would unpickle cannot cross; "
            "derive the type from pyarrow.ExtensionType"
        )


# From C ----------------------------------------------------------------------------------------


def field_from_c(schema: Any) -> Field:
    """Return the type that a C structure describes, which stays its owner's."""
    return _from_c(schema, 0, [MAX_FIELDS])


def _from_c(schema: Any, depth: int, budget: list[int]) -> Field:
    _count(depth, budget)
    metadata = _read_metadata(schema.metadata) if schema.metadata else None
    if metadata is not None:
        _check_metadata(metadata)
    children = range(schema.n_children)
    try:
        text, name = schema.format.decode(), (schema.name or b"").decode()
    except UnicodeDecodeError:
        raise ValueTransferError("an Arrow name that is not UTF-8 cannot cross") from None
    return Field(
        text,
        name,
        schema.flags & 7,
        metadata,
        [_from_c(schema.children[index].contents, depth + 1, budget) for index in children],
        _from_c(schema.dictionary.contents, depth + 1, budget) if schema.dictionary else None,
    )


def _read_metadata(address: int) -> list[bytes]:
    parts: list[bytes] = []
    (pairs,) = _native_int.unpack(string_at(address, 4))
    address += 4
    for _ in range(2 * pairs):
        (length,) = _native_int.unpack(string_at(address, 4))
        parts.append(string_at(address + 4, length))
        address += 4 + length
    return parts


# To C ------------------------------------------------------------------------------------------

#: What the structures that others hold point to, by their private data.
_held: dict[int, Any] = {}


def field_to_c(field: Field, schema: Any) -> None:
    """Fill in a C structure, which its consumer releases."""
    memset(addressof(schema), 0, sizeof(schema))  # It may be memory that was never written.
    children = (POINTER(ArrowSchema) * len(field.children))()
    inside = []
    for index, child in enumerate(field.children):
        inside.append(ArrowSchema())
        field_to_c(child, inside[-1])
        children[index] = pointer(inside[-1])
    schema.format = text = field.format.encode()
    schema.name = name = field.name.encode("utf-8", "replace")
    metadata = None
    if field.metadata is not None:
        packed = _native_int.pack(len(field.metadata) // 2) + b"".join(
            _native_int.pack(len(part)) + part for part in field.metadata
        )
        metadata = create_string_buffer(packed, len(packed))
        schema.metadata = addressof(metadata)
    schema.flags = field.flags
    schema.n_children = len(inside)
    if inside:
        schema.children = cast(children, POINTER(POINTER(ArrowSchema)))
    if field.dictionary is not None:
        inside.append(ArrowSchema())
        field_to_c(field.dictionary, inside[-1])
        schema.dictionary = pointer(inside[-1])
    key = id(inside)  # Unique while it is held.
    _held[key] = (inside, children, text, name, metadata)
    schema.private_data = key
    schema.release = _release_schema


def _release(address: int) -> None:
    schema = ArrowSchema.from_address(address)
    inside = _held.pop(schema.private_data)[0]
    schema.release = None
    for each in inside:
        if each.release:  # Else it was moved out, and is released by who did.
            _release(addressof(each))


_release_schema = callback(_release, None, c_void_p)
